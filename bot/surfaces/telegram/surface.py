"""The admin bot on Telegram: updates in, cards out. It decides nothing.

Calls go through aiogram; a preview goes through the gateway that clients' messages go through, so that it is the real
message. An update is acknowledged once its event is committed; a repeated one is known by its key.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from bot.conversation import Conversation
from bot.screens import Busy, Event, People, Press, Screen, Unreachable
from bot.surfaces.telegram.albums import Albums
from bot.surfaces.telegram.events import Heard, Sent, read_update
from bot.surfaces.telegram.files import Files
from bot.surfaces.telegram.library import (
    AiohttpSession,
    Bot,
    BotCommand,
    ClientDecodeError,
    TelegramAPIError,
    TelegramAPIServer,
    TelegramConflictError,
    TelegramMethod,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from bot.surfaces.telegram.menus import SURFACE, Menus
from bot.surfaces.telegram.painter import LONGEST_WAIT_S, Painter
from bot.texts import Texts, _
from engine.clock import Clock
from engine.media import Media
from gateways.base import Answer, BadSignature, Gateway, Hook, Unreadable
from gateways.signatures import derive_secret, require_same
from gateways.telegram.gateway import TelegramGateway
from storage.conversations import Conversations

if TYPE_CHECKING:
    from bot.config_models import TelegramBot
    from storage.store import Store

log = logging.getLogger(__name__)

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105  # a header's name
POLL_S = 25  # how long Telegram holds a getUpdates that has nothing; 50 at most
CALL_S = 30.0
LOOK_AGAIN_S = 60.0  # between looks at whether the token still works
_USED = ["message", "callback_query"]
_PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0)
_PASSING = (TelegramNetworkError, TelegramServerError, ClientDecodeError)


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
        self._speaker = speaker
        self._clock = clock
        self._public_url = public_url
        self._polls = polls
        self._webhook_secret = webhook_secret
        self._locale = locale
        session = AiohttpSession(api=TelegramAPIServer.from_base(api_base), timeout=call_s)
        self._bot = Bot(token, session=session)
        self._painter = Painter(self._bot, speaker, clock, self._texts)
        self._files = Files(self._bot, media)
        self._albums = Albums(places, clock, self._handle, self._in_order)
        self._username = ""
        self._order: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._menus = Menus(self._bot, people, locale)

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
                self._albums.tasks = tasks
                await self._begin()
                tasks.create_task(self._menus.run(), name="telegram menus")
                await self._albums.take_up()
                if self._polls:
                    await self._poll()
                else:
                    await self._watch()
        finally:
            self._albums.tasks = None
            await self.close()

    async def close(self) -> None:
        """Close the connections; `run` does so at its end."""
        await self._speaker.close()
        await self._bot.session.close()

    async def _begin(self) -> None:
        """Learn our name, set the webhook or take it away, say which commands there are; until Telegram agrees."""
        await self._until_done(self._introduce)
        if self._polls:
            await self._until_done(self._remove_webhook)
        else:
            await self._until_done(self._set_webhook)

    async def _introduce(self) -> None:
        self._username = (await self._bot.get_me()).username or ""
        try:
            await self._bot.set_my_commands([BotCommand(command="help", description="help")])
        except (TelegramAPIError, ClientDecodeError) as error:  # a menu is a comfort; the bot works without it
            log.warning("the commands could not be set", extra={"error": type(error).__name__})

    async def _remove_webhook(self) -> None:
        try:
            await self._bot.delete_webhook(drop_pending_updates=False)
        except TelegramNotFound:  # a server without webhooks polls well
            log.info("the server knows no webhooks", extra={"surface": SURFACE})

    async def _set_webhook(self) -> None:
        await self._bot.set_webhook(
            f"{(self._public_url or '').rstrip('/')}/hooks/bots/telegram",
            secret_token=self._webhook_secret,
            allowed_updates=_USED,
        )

    async def _watch(self) -> None:
        """Where Telegram calls us, a token that died would be silent: ask who we are, now and then."""
        while True:
            await self._clock.sleep(LOOK_AGAIN_S)
            await self._until_done(self._bot.get_me)

    def _noticed(self, error: Exception) -> None:
        """A call failed: where it is the token, say so now."""
        if isinstance(error, TelegramUnauthorizedError):
            self._fails(error)

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
            problem = _("Telegram refuses the admin bot's token")
        elif isinstance(error, TelegramConflictError):
            problem = _("somebody else reads the admin bot's updates: another process, or a webhook")
        else:
            problem = _("Telegram does not answer the admin bot: {error}").format(error=type(error).__name__)
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
            await self._albums.keep(heard, heard.what)
            return
        await self._albums.finish(heard)
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
        what = (
            await self._files.said(heard.what, self._texts(heard.account))
            if isinstance(heard.what, Sent)
            else heard.what
        )
        event = Event(SURFACE, heard.account, heard.chat, heard.key, what, heard.private, heard.language)
        screens = await self._conversation.handle(event)
        if heard.private:
            await self._menus.renew(heard.account)
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
                await self._clock.sleep(min(busy.retry_after_s, LONGEST_WAIT_S))
            except Unreachable:
                return ""
            except (TelegramAPIError, ClientDecodeError) as error:
                log.warning("a card could not be shown", extra={"surface": SURFACE, "error": type(error).__name__})
                if not isinstance(error, _PASSING):
                    return ""
                await self._clock.sleep(pause_s)
        return ""

    def people_changed(self) -> None:
        """Somebody came, went, or has another role or language: the menus follow."""
        self._menus.look_again()

    def _texts(self, chat: str) -> Texts:
        """The language of the person whose private chat it is; the house's in a group."""
        person = self._people.get((SURFACE, chat))
        return Texts((person and person.locale) or self._locale)

    def way_in(self, code: str) -> str:
        """The link by which somebody who is invited begins a chat with us."""
        return f"https://t.me/{self._username}?start={code}" if self._username else ""

    # --- what live cards and announcements use ---

    async def show(self, chat: str, screen: Screen) -> str:
        try:
            return await self._painter.show(chat, screen)
        except TelegramAPIError as error:
            self._noticed(error)
            raise

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        try:
            return await self._painter.edit(chat, message_id, screen)
        except TelegramAPIError as error:
            self._noticed(error)
            raise


def _wait_s(error: Exception, failures: int) -> float:
    if isinstance(error, TelegramRetryAfter):
        return float(error.retry_after)
    if isinstance(error, TelegramUnauthorizedError | TelegramNotFound):
        return _PAUSES_S[-1]
    return _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
