"""Screens put into a chat: posted, or updated in place."""

import logging
from dataclasses import replace

from bot.screens import Screen
from bot.surfaces.slack.api import LOST, Json, Passing, Refused, SlackApi
from bot.surfaces.slack.cards import Post, posts_of, preview_of
from bot.surfaces.slack.events import message_id
from bot.texts import Texts
from engine.clock import Clock
from engine.errors import NotFound
from engine.media import PREFIX, Media
from gateways.base import Outgoing, PartKind
from gateways.markup import RichText, read_html

log = logging.getLogger(__name__)

UPDATES_PER_MINUTE = 45.0  # chat.update is Tier 3: 50 and more; docs.slack.dev/apis/web-api/rate-limits, November 2026
_BURST = 15.0
_MAX_ALT = 100


class Budget:
    """How many updates all live cards together may have: those of people go first and are only counted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = _BURST
        self._counted_s = clock.monotonic()

    def spend(self) -> None:
        self._fill()
        self._left -= 1

    def wait_s(self) -> float:
        """How long until a live card may be updated; 0.0: now."""
        self._fill()
        return max(1 - self._left, 0.0) * 60 / UPDATES_PER_MINUTE

    def _fill(self) -> None:
        now_s = self._clock.monotonic()
        self._left = min(_BURST, self._left + (now_s - self._counted_s) * UPDATES_PER_MINUTE / 60)
        self._counted_s = now_s


class Painter:
    """A chat is a channel, or a person, whose own chat with the bot it means. All raise as SlackApi does.

    A picture is shared as a message of its own above its card: an image block shows only files that everybody in the
    chat can see already (github.com/slackapi/python-slack-sdk/issues/1658), and Slack does not tell where a shared one
    stands, so it can't be edited."""

    def __init__(self, api: SlackApi, media: Media, clock: Clock) -> None:
        self.budget = Budget(clock)
        self._api = api
        self._media = media
        self._channels: dict[str, str] = {}

    async def show(self, chat: str, screen: Screen, t: Texts) -> str:
        """Post the screen; returns the id of its card, "" where it has none."""
        if screen.album:
            screen = _noted(screen, await self._share(chat, {one.title: one.png for one in screen.album}, t))
        if screen.preview:
            screen = _noted(screen, await self._show_preview(chat, screen, t))
        if screen.picture is not None:
            screen = _noted(screen, await self._share(chat, {_first_line(screen): screen.picture}, t))
        if screen.files:
            screen = _noted(screen, await self._share(chat, {one.name: one.content for one in screen.files}, t))
        if not screen.text and not screen.rows:
            return ""
        return await self._post_all(chat, posts_of(_for_many(chat, screen, t), t))

    async def edit(self, chat: str, shown: str, screen: Screen, t: Texts) -> str:
        """Update a card in place; where Slack refuses for good, post it anew. Returns the id where it stands now."""
        channel, _colon, stamp = shown.partition(":")
        posts = posts_of(_for_many(chat, screen, t), t)
        if len(posts) != 1 or screen.picture is not None or screen.album or screen.files or not stamp:
            return await self.show(chat, screen, t)
        self.budget.spend()
        try:
            await self._api.call("chat.update", channel=channel, ts=stamp, **_body(posts[0]))
        except Refused as error:
            if error.code not in LOST:
                log.warning("a card could not be updated", extra={"surface": "slack", "error": error.code})
            return await self._post_all(chat, posts)
        return shown

    async def whisper(self, channel: str, account: str, screen: Screen, t: Texts) -> None:
        """Show something to one person in a channel."""
        for post in posts_of(screen, t):
            await self._api.call("chat.postEphemeral", channel=channel, user=account, **_body(post))

    async def channel_of(self, chat: str) -> str:
        """The id of the chat itself: a person's begins with D."""
        if not _is_persons(chat):
            return chat
        if chat not in self._channels:
            told = await self._api.call("conversations.open", users=chat)
            self._channels[chat] = str((told.get("channel") or {}).get("id") or "")
        return self._channels[chat]

    async def _post_all(self, chat: str, posts: list[Post]) -> str:
        channel = await self.channel_of(chat)
        stamp = ""
        for post in posts:
            told = await self._api.call(
                "chat.postMessage", channel=channel, unfurl_links=False, unfurl_media=False, **_body(post)
            )
            stamp = str(told.get("ts") or "")
        return message_id(channel, stamp)

    async def _show_preview(self, chat: str, screen: Screen, t: Texts) -> str:
        """Show the message as clients get it; returns a sentence about what Slack did not take."""
        problems = []
        for outgoing in screen.preview:
            files, links = self._files_of(outgoing)
            if files:
                problems.append(await self._share(chat, files, t))
            posts = preview_of(_with_links(outgoing, links))
            try:
                await self._post_all(chat, posts)
            except Refused as error:
                problems.append(t("⚠ Slack did not take the preview: {words}", words=error.code))
        return "\n".join(filter(None, problems))

    def _files_of(self, outgoing: Outgoing) -> tuple[dict[str, bytes], list[str]]:
        """Kept files by name, and the addresses of what lies elsewhere."""
        sources = [*outgoing.part.media, *(card.picture for card in outgoing.cards if card.picture)]
        files: dict[str, bytes] = {}
        for number, source in enumerate(sources, start=1):
            if source.startswith(PREFIX):
                try:
                    name = outgoing.part.name if outgoing.part.kind is PartKind.FILE else None
                    files[name or f"{number}.{source.rpartition('.')[2]}"] = self._media.read_file(source)
                except NotFound:
                    log.warning("a kept file has gone", extra={"surface": "slack"})
        return files, [source for source in sources if not source.startswith(PREFIX)]

    async def _share(self, chat: str, files: dict[str, bytes], t: Texts) -> str:
        """Upload files and show them as one message; returns a sentence where Slack does not take them."""
        try:
            channel = await self.channel_of(chat)
            uploaded = {await self._api.upload(content, _file_name(name)): name for name, content in files.items()}
            await self._api.share(uploaded, channel)
        except (Refused, Passing) as error:
            log.warning("a file could not be uploaded", extra={"surface": "slack", "error": error.code})
            return t("⚠ Slack did not take the picture or file: {words}", words=error.code)
        return ""


def _body(post: Post) -> Json:
    return {"text": post.text, "blocks": list(post.blocks)}


def _for_many(chat: str, screen: Screen, t: Texts) -> Screen:
    """A question in a channel says how it is answered there: Slack tells us of mentions only."""
    if _is_persons(chat) or not screen.ask:
        return screen
    how = t("Here I hear only what is written in the window, or after my name with an @.")
    return replace(screen, text=f"{screen.text}\n\n<i>{how}</i>")


def _is_persons(chat: str) -> bool:
    return chat.startswith(("U", "W"))


def _noted(screen: Screen, note: str) -> Screen:
    return replace(screen, text=f"{note}\n\n{screen.text}".strip()) if note else screen


def _with_links(outgoing: Outgoing, links: list[str]) -> Outgoing:
    if not links:
        return outgoing
    rich = outgoing.text
    return replace(outgoing, text=RichText("\n".join(filter(None, [rich.text, *links])), rich.spans))


def _first_line(screen: Screen) -> str:
    return read_html(screen.text).text.strip().partition("\n")[0][:_MAX_ALT] or "picture"


def _file_name(name: str) -> str:
    return name if "." in name else f"{name[:_MAX_ALT]}.png"
