"""Files that a person sent, fetched and kept."""

import asyncio
import logging

from bot.screens import Attachment, Busy, Said, Unreachable
from bot.surfaces.slack.api import Refused, SlackApi, SlackError
from bot.surfaces.slack.events import FileToFetch, Sent
from bot.texts import Texts, _
from engine.errors import Invalid
from engine.media import Media
from gateways.base import PartKind

log = logging.getLogger(__name__)

MAX_DOWNLOAD_BYTES = 50_000_000  # Slack gives up to 1 GB; no messenger of ours takes more than this


class Files:
    def __init__(self, api: SlackApi, media: Media) -> None:
        self._api = api
        self._media = media

    async def said(self, sent: Sent, t: Texts) -> Said:
        attachments = []
        problem = ""
        for file in sent.files:
            try:
                attachments.append(await self._fetch(file))
            except Invalid as error:
                problem = t.plain_error(error)
        is_empty = not (sent.text or sent.files)
        return Said(
            text=sent.text,
            attachments=tuple(attachments),
            forwarded=sent.forwarded,
            unusable="message of this kind" if is_empty else "",
            problem=problem,
        )

    async def _fetch(self, file: FileToFetch) -> Attachment:
        """The file, kept in our media. Raises Invalid."""
        if (file.size_bytes or 0) > MAX_DOWNLOAD_BYTES:
            raise _too_large(file)
        try:
            content = await self._api.fetch(file.url, MAX_DOWNLOAD_BYTES, is_page=file.is_page)
        except (Busy, Unreachable, SlackError) as error:
            raise _not_fetched(file, error) from error
        keep = self._media.keep_picture if file.kind is PartKind.PICTURE else self._media.keep
        source = await asyncio.to_thread(keep, content, file.name)
        return Attachment(file.kind, source, file.name)


def _not_fetched(file: FileToFetch, error: Exception) -> Invalid:
    code = error.code if isinstance(error, Refused) else type(error).__name__
    if code == "too_large":
        return _too_large(file)
    log.warning("a file could not be fetched", extra={"surface": "slack", "error": code})
    if code == "missing_scope":
        return Invalid(_("Slack does not let me read {name}: the app needs the scope files:read."), name=file.name)
    return Invalid(_("I could not fetch {name} from Slack: send it again."), name=file.name)


def _too_large(file: FileToFetch) -> Invalid:
    limit = MAX_DOWNLOAD_BYTES // 1_000_000
    return Invalid(
        _("{name} is larger than {limit} MB, and no messenger takes more: send a smaller one."),
        name=file.name,
        limit=limit,
    )
