"""Files that a person sent, fetched and kept."""

import asyncio
import logging
from io import BytesIO

from bot.screens import Attachment, Said
from bot.surfaces.telegram.events import FileToFetch, Sent
from bot.surfaces.telegram.library import Bot, TelegramBadRequest
from bot.texts import Texts, _
from engine.errors import Invalid
from engine.media import Media
from gateways.base import PartKind

log = logging.getLogger(__name__)

MAX_DOWNLOAD_BYTES = 20_000_000  # core.telegram.org/bots/api#getfile
_FETCH_S = 120


class Files:
    def __init__(self, bot: Bot, media: Media) -> None:
        self._bot = bot
        self._media = media

    async def said(self, sent: Sent, t: Texts) -> Said:
        attachments = []
        problem = ""
        for file in sent.files:
            try:
                attachments.append(await self._fetch(file))
            except Invalid as error:
                problem = t.plain_error(error)
        return Said(
            text=sent.text,
            attachments=tuple(attachments),
            location=sent.location,
            buttons=sent.buttons,
            forwarded=sent.forwarded,
            unusable=sent.unusable,
            problem=problem,
        )

    async def _fetch(self, file: FileToFetch) -> Attachment:
        """The file, kept in our media. Raises Invalid."""
        if (file.size_bytes or 0) > MAX_DOWNLOAD_BYTES:
            raise _too_large(file)
        content = BytesIO()
        try:
            found = await self._bot.get_file(file.file_id)
            await self._bot.download_file(found.file_path or "", content, timeout=_FETCH_S)
        except TelegramBadRequest as error:
            if "too big" in error.message.lower():
                raise _too_large(file) from error
            raise Invalid(_("Telegram did not hand over {name}: send it again."), name=file.name) from error
        except Exception as error:
            log.warning("a file could not be fetched", extra={"surface": "telegram", "error": type(error).__name__})
            raise Invalid(_("I could not fetch {name} from Telegram: send it again."), name=file.name) from error
        keep = self._media.keep_picture if file.kind is PartKind.PICTURE else self._media.keep
        source = await asyncio.to_thread(keep, content.getvalue(), file.name)
        return Attachment(file.kind, source, file.name)


def _too_large(file: FileToFetch) -> Invalid:
    return Invalid(
        _("{name} is larger than {limit} MB, and Telegram lets a bot fetch no more: send a smaller one."),
        name=file.name,
        limit=MAX_DOWNLOAD_BYTES // 1_000_000,
    )
