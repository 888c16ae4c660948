"""The admin bot on Telegram: updates in, cards out. It decides nothing.

Calls go through aiogram; a preview goes through the gateway that clients' messages go through, so that it is the real
message. An update is acknowledged once its event is committed; a repeated one is known by its key.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod
from aiogram.types import BotCommand, BotCommandScopeChat, BufferedInputFile, LinkPreviewOptions

from bot.conversation import Conversation
from bot.dialogs.home import COMMANDS
from bot.screens import Attachment, Busy, Event, People, Person, Press, Said, Screen, Unreachable
from bot.surfaces.telegram import cards
from bot.surfaces.telegram.events import FileToFetch, Heard, Sent, read_update, together
from bot.texts import Texts
from engine.access import may
from engine.clock import Clock
from engine.errors import Invalid
from engine.media import Media
from gateways.base import Answer, BadSignature, Gateway, GatewayError, Hook, PartKind, Throttled, Unreadable
from gateways.signatures import derive_secret, require_same
from gateways.telegram.gateway import TelegramGateway
from storage.conversations import Conversations, Place

if TYPE_CHECKING:
    from bot.config_models import TelegramBot
    from storage.store import Store

log = logging.getLogger(__name__)

SURFACE = "telegram"
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105  # a header's name
POLL_S = 25  # how long Telegram holds a getUpdates that has nothing; 50 at most
CALL_S = 30.0
ALBUM_S = 1.0  # the pieces of an album come as messages of their own, within a moment
MAX_DOWNLOAD_BYTES = 20_000_000  # core.telegram.org/bots/api#getfile
_ALBUMS = "telegram albums"  # where pieces of albums wait in storage
_USED = ["message", "callback_query"]
_PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0)
_PASSING = (TelegramNetworkError, TelegramServerError, ClientDecodeError)
_NO_LINK_PREVIEW = LinkPreviewOptions(is_disabled=True)
_LONGEST_WAIT_S = 60.0  # for an answer to a person, when Telegram asks us to wait


class _GetUpdates(TelegramMethod[list[dict[str, Any]]]):
    """getUpdates without reading what is in them: one that can't be read must not hold up the others."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    timeout: int | None = None
    allowed_updates: list[str] | None = None


class TelegramSurface:
    """Run `run` as a task; hand webhook requests to `take_hook`.

    `speaker` is a gateway with this bot's token, opened and closed here: it sends previews. Where it does not poll, its
    webhook is `{public_url}/hooks/bots/telegram`."""

    name = SURFACE

    def __init__(
        self,
        *,
        conversation: Conversation,
        people: People,
        places: Conversations,
        media: Media,
        speaker: Gateway,
        clock: Clock,
        token: str,
        api_base: str = "https://api.telegram.org",
        public_url: str | None = None,
        polls: bool = True,
        webhook_secret: str = "",
        locale: str = "en",
        call_s: float = CALL_S,
    ) -> None:
        self.problem: str | None = None  # why the bot does not work just now, for /ready and the log
        self._conversation = conversation
        self._people = people
        self._places = places
        self._media = media
        self._speaker = speaker
        self._clock = clock
        self._public_url = public_url
        self._polls = polls
        self._webhook_secret = webhook_secret
        self._locale = locale
        session = AiohttpSession(api=TelegramAPIServer.from_base(api_base), timeout=call_s)
        self._bot = Bot(token, session=session)
        self._username = ""
        self._order: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._albums: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._greeted: set[str] = set()

    @classmethod
    def from_settings(
        cls,
        bot: "TelegramBot",
        *,
        conversation: Conversation,
        people: People,
        store: "Store",
        media: Media,
        clock: Clock,
        secret: bytes,
        public_url: str | None,
        locale: str = "en",
    ) -> "TelegramSurface":
        token = bot.token.get_secret_value()
        given = bot.webhook_secret.get_secret_value() if bot.webhook_secret else ""
        return cls(
            conversation=conversation,
            people=people,
            places=store.conversations,
            media=media,
            speaker=TelegramGateway(
                channel="bots/telegram", token=token, media=store.uploads, api_base=bot.api_base, now=clock.now
            ),
            clock=clock,
            token=token,
            api_base=bot.api_base,
            public_url=public_url,
            polls=(bot.mode or ("webhook" if public_url else "polling")) == "polling",
            webhook_secret=given or derive_secret(secret, "telegram webhook", "bots"),
            locale=locale,
        )

    # --- running ---

    async def run(self) -> None:
        """Listen until cancelled."""
        await self._speaker.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await self._begin()
                await self._take_up_albums()
                if self._polls:
                    await self._poll()
                else:
                    await asyncio.Event().wait()
        finally:
            self._tasks = None
            await self.close()

    async def close(self) -> None:
        """Close the connections; `run` does so at its end."""
        await self._speaker.close()
        await self._bot.session.close()

    async def _begin(self) -> None:
        """Learn our name, set the webhook or take it away, say which commands there are; until Telegram agrees."""
        await self._until_done(self._introduce)
        if self._polls:
            await self._until_done(lambda: self._bot.delete_webhook(drop_pending_updates=False))
        else:
            await self._until_done(self._set_webhook)

    async def _introduce(self) -> None:
        self._username = (await self._bot.get_me()).username or ""
        try:
            await self._bot.set_my_commands([BotCommand(command="help", description="help")])
        except TelegramBadRequest as error:
            log.warning("the commands could not be set", extra={"error": error.message})

    async def _set_webhook(self) -> None:
        await self._bot.set_webhook(
            f"{(self._public_url or '').rstrip('/')}/hooks/bots/telegram",
            secret_token=self._webhook_secret,
            allowed_updates=_USED,
        )

    async def _until_done(self, call: Callable[[], Awaitable[Any]]) -> None:
        failures = 0
        while True:
            try:
                await call()
            except (TelegramAPIError, ClientDecodeError) as error:
                self._fails(error)
                await self._clock.sleep(_wait_s(error, failures))
                failures += 1
            else:
                self.problem = None
                return

    def _fails(self, error: Exception) -> None:
        if isinstance(error, TelegramUnauthorizedError | TelegramNotFound):
            problem = "Telegram refuses the admin bot's token"
        elif isinstance(error, TelegramConflictError):
            problem = "somebody else reads the admin bot's updates: another process, or a webhook"
        else:
            problem = f"Telegram does not answer the admin bot: {type(error).__name__}"
        if problem != self.problem:
            log.error("the admin bot on Telegram does not work", extra={"why": problem})
        self.problem = problem

    # --- listening ---

    async def _poll(self) -> None:
        offset: int | None = None
        failures = 0
        while True:
            method = _GetUpdates(offset=offset, timeout=POLL_S, allowed_updates=_USED)
            try:
                updates = await self._bot(method, request_timeout=POLL_S + 10)
            except (TelegramAPIError, ClientDecodeError) as error:
                self._fails(error)
                await self._clock.sleep(_wait_s(error, failures))
                failures += 1
                continue
            self.problem, failures = None, 0
            if not updates:
                await self._clock.sleep(0.2)  # a server that holds no poll must not be asked without a pause
                continue
            await self._take_all(updates)
            offset = max(int(update.get("update_id", 0)) for update in updates) + 1

    async def _take_all(self, updates: Sequence[dict[str, Any]]) -> None:
        """Answer a batch: chats beside one another, each in its own order. A fault costs one update only."""
        by_chat: defaultdict[str, list[Heard]] = defaultdict(list)
        for update in updates:
            try:
                heard = read_update(update, self._username)
            except Unreadable as error:
                log.warning("an update can't be read", extra={"surface": SURFACE, "why": str(error)})
                continue
            if heard is not None:
                by_chat[heard.chat].append(heard)
        async with asyncio.TaskGroup() as tasks:
            for events in by_chat.values():
                tasks.create_task(self._take_in_order(events), name="telegram chat")

    async def _take_in_order(self, events: Sequence[Heard]) -> None:
        for heard in events:
            try:
                await self._take(heard)
            except Exception:
                # It would come again and again, and everything behind it never.
                log.exception("an update could not be answered", extra={"surface": SURFACE})

    async def take_hook(self, hook: Hook) -> Answer:
        """A webhook request; returns once it is committed. Raises BadSignature, Unreadable."""
        if self._polls:
            raise BadSignature
        require_same(hook.headers.get(SECRET_HEADER), self._webhook_secret)
        try:
            data = json.loads(hook.body)
        except (ValueError, RecursionError) as error:
            raise Unreadable("the body is no JSON") from error
        if not isinstance(data, dict):
            raise Unreadable("the body is no update")
        heard = read_update(data, self._username)
        if heard is not None:
            await self._take(heard)
        return Answer()

    async def _take(self, heard: Heard) -> None:
        if heard.press_id:
            await self._answer_press(heard.press_id)
        if isinstance(heard.what, Sent) and heard.what.album:
            await self._keep_piece(heard, heard.what)
            return
        await self._finish_album(heard)
        async with self._in_order(heard.chat):
            await self._handle(heard)

    def _in_order(self, chat: str) -> asyncio.Lock:
        return self._order.setdefault(chat, asyncio.Lock())

    async def _answer_press(self, press_id: str) -> None:
        """End the button's waiting, first thing; a late answer is no error."""
        try:
            await self._bot.answer_callback_query(press_id)
        except (TelegramAPIError, ClientDecodeError) as error:
            log.info("a press could not be answered", extra={"error": type(error).__name__})

    async def _handle(self, heard: Heard) -> None:
        what = await self._said(heard.what) if isinstance(heard.what, Sent) else heard.what
        event = Event(SURFACE, heard.account, heard.chat, heard.key, what, heard.private)
        screens = await self._conversation.handle(event)
        await self._menu_for(event)
        pressed = what.message_id if isinstance(what, Press) else ""
        for number, screen in enumerate(screens):
            message_id = await self._patiently(self._place(heard.chat, screen, pressed if number == 0 else ""))
            if message_id:
                await self._conversation.shown(event, screen, message_id)

    def _place(self, chat: str, screen: Screen, pressed: str) -> Callable[[], Awaitable[str]]:
        if pressed and screen.edit and not screen.preview:
            return lambda: self.edit(chat, pressed, screen)
        return lambda: self.show(chat, screen)

    async def _patiently(self, call: Callable[[], Awaitable[str]]) -> str:
        """An answer to a person, waited for where Telegram asks to wait. "" where it can't be shown at all."""
        for pause_s in (1.0, 3.0, 0.0):
            try:
                return await call()
            except Busy as busy:
                await self._clock.sleep(min(busy.retry_after_s, _LONGEST_WAIT_S))
            except Unreachable:
                return ""
            except (TelegramAPIError, ClientDecodeError) as error:
                log.warning("a card could not be shown", extra={"surface": SURFACE, "error": type(error).__name__})
                if not isinstance(error, _PASSING):
                    return ""
                await self._clock.sleep(pause_s)
        return ""

    async def _menu_for(self, event: Event) -> None:
        """The commands of a person's role, in the menu of the private chat, once in the life of the process."""
        person = self._people.get((SURFACE, event.account))
        if person is None or not event.private or event.account in self._greeted:
            return
        self._greeted.add(event.account)
        try:
            scope = BotCommandScopeChat(chat_id=int(event.chat))
            await self._bot.set_my_commands(self._commands(person), scope=scope)
        except (TelegramAPIError, ClientDecodeError, ValueError) as error:
            log.info("a menu could not be set", extra={"error": type(error).__name__})

    def _commands(self, person: Person) -> list[BotCommand]:
        t = Texts(person.locale or self._locale)
        return [
            BotCommand(command=name, description=t.plain(does))
            for name, does, verb in COMMANDS
            if may(person.role, verb)
        ]

    # --- albums ---

    async def _keep_piece(self, heard: Heard, sent: Sent) -> None:
        """Keep a piece until the others have come; it is on disk before its update is acknowledged."""
        place = await self._places.find_place(_ALBUMS, heard.account, heard.chat)
        pieces = dict(place.state)
        if pieces.get("album") not in (None, sent.album):
            await self._finish_album(heard)
            pieces = {}
        kept = dict(pieces.get("kept") or {})
        kept[str(heard.message_id)] = _plain(sent)
        state = {"album": sent.album, "private": heard.private, "kept": kept}
        await self._places.save_place(Place(_ALBUMS, heard.account, heard.chat, "", state))
        self._wait_for_more(heard.account, heard.chat)

    def _wait_for_more(self, account: str, chat: str) -> None:
        waiting = self._albums.pop((account, chat), None)
        if waiting is not None:
            waiting.cancel()
        if self._tasks is not None:
            task = self._tasks.create_task(self._after_a_moment(account, chat), name="album")
            self._albums[account, chat] = task

    async def _after_a_moment(self, account: str, chat: str) -> None:
        await self._clock.sleep(ALBUM_S)
        self._albums.pop((account, chat), None)
        try:
            await self._answer_album(account, chat)
        except Exception:
            log.exception("an album could not be answered", extra={"surface": SURFACE})

    async def _finish_album(self, heard: Heard) -> None:
        """What comes after an album is answered after it."""
        waiting = self._albums.pop((heard.account, heard.chat), None)
        if waiting is not None:
            waiting.cancel()
            await self._answer_album(heard.account, heard.chat)

    async def _answer_album(self, account: str, chat: str) -> None:
        async with self._in_order(chat):
            place = await self._places.find_place(_ALBUMS, account, chat)
            kept = place.state.get("kept") or {}
            if not kept:
                return
            numbers = sorted(kept, key=int)
            sent = together([_sent(kept[number]) for number in numbers])
            key = f"m{chat}.{numbers[0]}"
            await self._handle(Heard(account, chat, bool(place.state.get("private", True)), key, sent))
            await self._places.save_place(Place(_ALBUMS, account, chat, "", {}))

    async def _take_up_albums(self) -> None:
        """Albums that waited when the process ended."""
        for place in await self._places.places_on(_ALBUMS):
            if place.state.get("kept"):
                self._wait_for_more(place.account, place.chat)

    # --- files ---

    async def _said(self, sent: Sent) -> Said:
        attachments = []
        problem = ""
        for file in sent.files:
            try:
                attachments.append(await self._fetch(file))
            except Invalid as error:
                problem = str(error)
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
            await self._bot.download_file(found.file_path or "", content, timeout=120)
        except TelegramBadRequest as error:
            if "too big" in error.message.lower():
                raise _too_large(file) from error
            raise Invalid("Telegram did not hand over {name}: send it again.", name=file.name) from error
        except Exception as error:
            log.warning("a file could not be fetched", extra={"surface": SURFACE, "error": type(error).__name__})
            raise Invalid("I could not fetch {name} from Telegram: send it again.", name=file.name) from error
        keep = self._media.keep_picture if file.kind is PartKind.PICTURE else self._media.keep
        source = await asyncio.to_thread(keep, content.getvalue(), file.name)
        return Attachment(file.kind, source, file.name)

    # --- showing ---

    async def show(self, chat: str, screen: Screen) -> str:
        """Send the screen as new messages; returns the id of its card. Raises Busy, Unreachable, TelegramAPIError."""
        failed = await self._show_preview(chat, screen)
        if failed:
            t = Texts(self._locale)
            screen = replace(
                screen, text=f"{t('⚠ Telegram did not take the preview: {words}', words=failed)}\n\n{screen.text}"
            )
        if not screen.text:
            return ""
        with _Translated():
            return await self._send_card(chat, screen)

    async def _send_card(self, chat: str, screen: Screen) -> str:
        rows = cards.keyboard(screen.rows)
        texts = cards.texts_of(screen)
        if screen.picture is not None:
            caption = texts[0] if len(texts[0][0]) <= cards.MAX_CAPTION else ("", [])
            picture = BufferedInputFile(screen.picture, "picture.png")
            sent = await self._bot.send_photo(
                _chat_id(chat),
                picture,
                caption=caption[0] or None,
                caption_entities=caption[1] or None,
                reply_markup=rows if caption[0] else None,
            )
            if caption[0]:
                return str(sent.message_id)
        for number, (text, entities) in enumerate(texts, start=1):
            sent = await self._bot.send_message(
                _chat_id(chat),
                text,
                entities=entities or None,
                reply_markup=rows if number == len(texts) else None,
                link_preview_options=_NO_LINK_PREVIEW,
            )
        return str(sent.message_id)

    async def _show_preview(self, chat: str, screen: Screen) -> str:
        """Send the real message; returns Telegram's words where it takes it not."""
        for outgoing in screen.preview:
            answer = (await self._speaker.send([replace(outgoing, address=chat)]))[0]
            if isinstance(answer, Throttled):
                await self._clock.sleep(min(answer.retry_after_s, _LONGEST_WAIT_S))
                answer = (await self._speaker.send([replace(outgoing, address=chat)]))[0]
            if isinstance(answer, GatewayError):
                return answer.words or answer.code or type(answer).__name__
        return ""

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        """Replace a card in place; where Telegram refuses for good, send it anew. Raises as `show`."""
        texts = cards.texts_of(screen)
        if len(texts) > 1 or screen.picture is not None or not message_id.isdecimal():
            return await self.show(chat, screen)
        text, entities = texts[0]
        with _Translated():
            try:
                await self._bot.edit_message_text(
                    text,
                    chat_id=_chat_id(chat),
                    message_id=int(message_id),
                    entities=entities or None,
                    reply_markup=cards.keyboard(screen.rows),
                    link_preview_options=_NO_LINK_PREVIEW,
                )
            except TelegramBadRequest as error:
                if "not modified" in error.message.lower():
                    return message_id
                if "chat not found" in error.message.lower():
                    raise
                return await self._send_card(chat, screen)
        return message_id


class _Translated:
    """aiogram's errors as ours, where ours say what to do; all others pass as they are."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TelegramRetryAfter):
            raise Busy(float(error.retry_after)) from error
        if isinstance(error, TelegramForbiddenError):
            raise Unreachable from error
        if isinstance(error, TelegramBadRequest) and "chat not found" in error.message.lower():
            raise Unreachable from error


def _wait_s(error: Exception, failures: int) -> float:
    if isinstance(error, TelegramRetryAfter):
        return float(error.retry_after)
    if isinstance(error, TelegramUnauthorizedError | TelegramNotFound):
        return _PAUSES_S[-1]
    return _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]


def _chat_id(chat: str) -> int | str:
    return int(chat) if chat.removeprefix("-").isdecimal() else chat


def _too_large(file: FileToFetch) -> Invalid:
    return Invalid(
        "{name} is larger than {limit} MB, and Telegram lets a bot fetch no more: send a smaller one.",
        name=file.name,
        limit=MAX_DOWNLOAD_BYTES // 1_000_000,
    )


def _plain(sent: Sent) -> dict[str, Any]:
    """A piece of an album as plain data: text and files are all that one holds."""
    return {
        "text": sent.text,
        "forwarded": sent.forwarded,
        "files": [[str(file.kind), file.file_id, file.name, file.size_bytes] for file in sent.files],
    }


def _sent(data: dict[str, Any]) -> Sent:
    files = tuple(FileToFetch(PartKind(kind), file_id, name, size) for kind, file_id, name, size in data["files"])
    return Sent(text=data["text"], files=files, forwarded=data["forwarded"])
