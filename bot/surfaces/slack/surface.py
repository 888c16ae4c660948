"""The admin bot on Slack: requests in, cards out. It decides nothing.

A request is on disk before Slack hears that we have it, and is answered in a task of ours: Slack waits for three
seconds only. What it repeats is known by its key. What Slack offers and this leaves out: the Home tab, threads,
streamed messages, menus of choices, a workspace's own emoji, files that live outside of Slack."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from bot.conversation import Conversation
from bot.screens import Busy, Event, People, Press, Screen, Unreachable
from bot.surfaces.slack.api import FORM_GONE, Passing, Refused, SlackApi, SlackError, TokenDead
from bot.surfaces.slack.bolting import Bolt
from bot.surfaces.slack.cards import COMMAND, form
from bot.surfaces.slack.events import FilledForm, Heard, Read, Sent, TokenDied, WantsForm
from bot.surfaces.slack.files import Files
from bot.surfaces.slack.inbox import Inbox
from bot.surfaces.slack.painter import Painter
from bot.surfaces.slack.rich import escape
from bot.surfaces.slack.sockets import Sockets
from bot.texts import Texts, _
from engine.clock import Clock
from engine.media import Media
from gateways.base import Answer, BadSignature, Hook
from gateways.markup import read_html
from gateways.signatures import require_same
from storage.conversations import Conversations

if TYPE_CHECKING:
    from bot.config_models import SlackBot
    from storage.store import Store

log = logging.getLogger(__name__)

SURFACE = "slack"
MAX_AGE_S = 300  # of a signed request; docs.slack.dev/authentication/verifying-requests-from-slack
LONGEST_WAIT_S = 60.0  # for an answer to a person, when Slack asks us to wait
LOOK_AGAIN_S = 300.0
MEND_EVERY_S = 30.0
DRAIN_S = 1.0  # all must end within 10 s, and the lanes take 8 of them
_PAUSES_S = (1.0, 3.0, 0.0)


class SlackSurface:
    """Run `run` as a task; hand requests to /hooks/bots/slack to `take_hook`.

    With an `app_token` it hears by Socket Mode and takes no hooks."""

    name = SURFACE

    def __init__(
        self,
        *,
        conversation: Conversation,
        people: People,
        places: Conversations,
        media: Media,
        clock: Clock,
        token: str,
        app_token: str = "",
        signing_secret: str = "",
        api_base: str = "https://slack.com/api",
        locale: str = "en",
        call_s: float = 15.0,
    ) -> None:
        self._conversation = conversation
        self._people = people
        self._clock = clock
        self._signing_secret = signing_secret
        self._locale = locale
        self._api = SlackApi(token, api_base, call_s=call_s)
        self._painter = Painter(self._api, media, clock)
        self._files = Files(self._api, media)
        self._inbox = Inbox(places)
        self._bolt = Bolt(self._api, self)
        self._sockets = (
            Sockets(self._api, app_token, self._bolt.envelope, self._socket_told, clock) if app_token else None
        )
        self._tasks: asyncio.TaskGroup | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self._order: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._problems: dict[str, str] = {}  # by what does not work
        self._look = asyncio.Event()
        self._languages: dict[str, str] = {}  # by account

    @classmethod
    def from_settings(
        cls,
        bot: "SlackBot",
        *,
        conversation: Conversation,
        people: People,
        store: "Store",
        media: Media,
        clock: Clock,
        locale: str = "en",
    ) -> "SlackSurface":
        return cls(
            conversation=conversation,
            people=people,
            places=store.conversations,
            media=media,
            clock=clock,
            token=bot.token.get_secret_value(),
            app_token=bot.app_token.get_secret_value() if bot.app_token else "",
            signing_secret=bot.signing_secret.get_secret_value() if bot.signing_secret else "",
            api_base=bot.api_base,
            locale=locale,
        )

    @property
    def problem(self) -> str | None:
        """Why the bot does not work just now, for /ready and the log."""
        return next(iter(self._problems.values()), None)

    # --- running ---

    async def run(self) -> None:
        """Listen until cancelled; what is being answered then has a moment to be finished."""
        await self._api.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for heard in await self._inbox.waiting():
                    self.begin(heard)
                tasks.create_task(self._watch(), name="slack token")
                try:
                    if self._sockets is not None:
                        await self._sockets.run()
                    await asyncio.Event().wait()
                finally:
                    self._tasks = None  # what comes from now on waits in the inbox
                    if self._answering:
                        await asyncio.wait(self._answering, timeout=DRAIN_S)
        finally:
            await self._api.close()

    async def _watch(self) -> None:
        """Ask who we are: at the start, now and then, and as soon as something says that the token died."""
        while True:
            self._look.clear()
            try:
                self._bolt.us, _scopes = await self._api.who_am_i()
                self._fine("token")
            except (Busy, Unreachable, SlackError) as error:
                self._fails("token", error)
            try:
                async with asyncio.timeout(MEND_EVERY_S if self._problems else LOOK_AGAIN_S):
                    await self._look.wait()
            except TimeoutError:
                continue

    def _fails(self, what: str, error: Exception) -> None:
        code = error.code if isinstance(error, SlackError) else type(error).__name__
        if isinstance(error, TokenDead):
            problem = _("Slack refuses the admin bot's {what}: {code}").format(what=what, code=code)
        else:
            problem = _("Slack does not answer the admin bot ({what}): {code}").format(what=what, code=code)
        if problem != self._problems.get(what):
            log.error("the admin bot on Slack does not work", extra={"why": problem})
        self._problems[what] = problem

    def _fine(self, what: str) -> None:
        if self._problems.pop(what, None):
            log.info("the admin bot on Slack works again", extra={"what": what})

    def _socket_told(self, error: Exception | None) -> None:
        if error is None:
            self._fine("socket")
        else:
            self._fails("socket", error)

    def _noticed(self, error: Exception) -> None:
        """A call failed: where it is the token, say so now and look for its mending."""
        if isinstance(error, TokenDead):
            self._fails("token", error)
            self._look.set()

    # --- listening ---

    async def take_hook(self, hook: Hook) -> Answer:
        """A request of Slack's; returns within moments, once it is on disk. Raises BadSignature, Unreadable."""
        self._verify(hook)
        return await self._bolt.hook(hook.body, dict(hook.headers), hook.raw_query)

    def _verify(self, hook: Hook) -> None:
        stamp = hook.headers.get("x-slack-request-timestamp", "")
        is_number = stamp.isascii() and stamp.isdecimal() and len(stamp) < 20
        if self._sockets is not None or not is_number:
            raise BadSignature
        if abs(self._clock.now().timestamp() - int(stamp)) > MAX_AGE_S:
            raise BadSignature  # somebody's copy of an old one
        signed = b"v0:" + stamp.encode() + b":" + hook.body
        expected = hmac.new(self._signing_secret.encode(), signed, hashlib.sha256).hexdigest()
        require_same(hook.headers.get("x-slack-signature"), f"v0={expected}")

    async def keep(self, read: Read) -> None:
        if isinstance(read, Heard):
            await self._inbox.keep(read)

    def begin(self, read: Read) -> None:
        """Answer in a task of ours. What comes before `run` waits in the inbox for it."""
        if self._tasks is None:
            return
        match read:
            case Heard():
                self._begin(self._answer_in_order(read), self._tasks)
            case FilledForm(heard=heard):
                self._begin(self._answer_in_order(heard), self._tasks)
            case WantsForm():
                self._begin(self._open_form(read), self._tasks)
            case TokenDied():
                self._fails("token", TokenDead("token_revoked"))
                self._look.set()

    def _begin(self, work: Coroutine[Any, Any, None], tasks: asyncio.TaskGroup) -> None:
        task = tasks.create_task(work, name="slack answer")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    # --- the window for long input ---

    async def _open_form(self, wanted: WantsForm) -> None:
        """Slack takes three seconds' notice; a window that comes too late is asked for again."""
        t = self._texts(wanted.account)
        asked = await self._conversation.asked(SURFACE, wanted.account, wanted.chat)
        if not asked and not wanted.private:
            told = Screen(t("Somebody else was asked that: press a button of the card yourself first."))
            await self._patiently(self._whispered(wanted.chat, wanted.account, told, t))
            return
        kept = {"chat": wanted.chat, "private": wanted.private, "asked": asked}
        try:
            await self._api.call("views.open", trigger_id=wanted.trigger_id, view=form(wanted.label, kept, t))
        except (Busy, Unreachable, SlackError) as error:
            self._noticed(error)
            is_late = isinstance(error, Refused) and error.code in FORM_GONE
            log.info("a window could not be opened", extra={"surface": SURFACE, "late": is_late})
            words = t("The window did not open: press the button again, or simply write me a message.")
            await self._patiently(lambda: self._painter.show(wanted.chat, Screen(words), t))

    async def why_not(self, form: FilledForm) -> str:
        heard = form.heard
        t = self._texts(heard.account)
        if isinstance(heard.what, Sent) and not heard.what.text:
            return t.plain("Nothing is written here yet.")
        if await self._conversation.asked(SURFACE, heard.account, heard.chat) != form.asked:
            return t.plain("That question has passed: close this window and answer the newest card.")
        await self._inbox.keep(heard)
        return ""

    # --- answering ---

    async def _answer_in_order(self, heard: Heard) -> None:
        lock = self._order.setdefault(heard.chat, asyncio.Lock())
        async with lock:
            try:
                await self._answer(heard)
            except Exception:
                # It would come again at every start, and fail again.
                log.exception("an event could not be answered", extra={"surface": SURFACE})
            await self._inbox.drop(heard)

    async def _answer(self, heard: Heard) -> None:
        t = self._texts(heard.account)
        what = await self._files.said(heard.what, t) if isinstance(heard.what, Sent) else heard.what
        language = await self._language_of(heard.account)
        event = Event(SURFACE, heard.account, heard.chat, heard.key, what, heard.private, language)
        screens = await self._conversation.handle(event)
        t = self._texts(heard.account)  # it may be another language now
        if (SURFACE, heard.account) not in self._people:
            await self._turn_away(heard, screens, t)
            return
        pressed = what.message_id if isinstance(what, Press) else ""
        shown = ""
        for number, screen in enumerate(screens):
            if screen.aside and heard.chat != heard.account:
                await self._patiently(self._whispered(heard.chat, heard.account, screen, t))
                continue
            shown = await self._patiently(self._place(heard.chat, screen, pressed if number == 0 else "", t))
            if shown:
                await self._conversation.shown(event, screen, shown)
        if heard.response_url and shown and not shown.startswith(f"{heard.where}:"):
            await self._respond(heard, t("I have answered you in our own chat."))

    async def _language_of(self, account: str) -> str:
        """The language in which the person uses Slack, asked for once in the life of the process; "" if unknown."""
        if account not in self._languages:
            self._languages[account] = ""
            try:
                told = await self._api.call_by_form("users.info", user=account, include_locale=True)
                self._languages[account] = str((told.get("user") or {}).get("locale") or "")
            except (Busy, Unreachable, SlackError) as error:  # such as a missing scope users:read: a comfort only
                log.info("a language is not known", extra={"surface": SURFACE, "error": type(error).__name__})
        return self._languages[account]

    def _place(self, chat: str, screen: Screen, pressed: str, t: Texts) -> Callable[[], Awaitable[str]]:
        if pressed and screen.edit and not screen.preview:
            return lambda: self._painter.edit(chat, pressed, screen, t)
        return lambda: self._painter.show(chat, screen, t)

    async def _turn_away(self, heard: Heard, screens: list[Screen], t: Texts) -> None:
        """A stranger's answer is for the stranger alone, wherever others read along."""
        for screen in screens:
            if heard.response_url:
                await self._respond(heard, read_html(screen.text).text)
            elif heard.where.startswith("D") or not heard.where:
                await self._patiently(self._place(heard.chat, screen, "", t))
            else:
                await self._patiently(self._whispered(heard.where, heard.account, screen, t))

    def _whispered(self, channel: str, account: str, screen: Screen, t: Texts) -> Callable[[], Awaitable[str]]:
        async def whisper() -> str:
            await self._painter.whisper(channel, account, screen, t)
            return ""

        return whisper

    async def _respond(self, heard: Heard, words: str) -> None:
        try:
            await self._api.respond(heard.response_url, escape(words))
        except SlackError as error:  # the answer itself stands elsewhere
            log.info("a line could not be shown", extra={"surface": SURFACE, "error": error.code})

    async def _patiently(self, call: Callable[[], Awaitable[str]]) -> str:
        """An answer to a person, waited for where Slack asks to wait. "" where it can't be shown at all.

        What may have been posted is posted again: a card twice is better than silence, and a press of the older one is
        answered like any other."""
        for pause_s in _PAUSES_S:
            try:
                return await call()
            except Busy as busy:
                await self._clock.sleep(min(busy.retry_after_s, LONGEST_WAIT_S))
            except Unreachable:
                return ""
            except SlackError as error:
                self._noticed(error)
                log.warning("a card could not be shown", extra={"surface": SURFACE, "error": error.code})
                if not isinstance(error, Passing):
                    return ""
                await self._clock.sleep(pause_s)
        return ""

    def way_in(self, code: str) -> str:
        """What somebody who is invited types, anywhere in the workspace."""
        return f"{COMMAND} join {code}"

    # --- what live cards and announcements use ---

    async def show(self, chat: str, screen: Screen) -> str:
        try:
            return await self._painter.show(chat, screen, self._texts(chat))
        except SlackError as error:
            self._noticed(error)
            raise

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        """Raises Busy too when all live cards together were updated as often as Slack lets them be."""
        if wait_s := self._painter.budget.wait_s():
            raise Busy(wait_s)
        try:
            return await self._painter.edit(chat, message_id, screen, self._texts(chat))
        except SlackError as error:
            self._noticed(error)
            raise

    def _texts(self, account: str) -> Texts:
        person = self._people.get((SURFACE, account))
        return Texts((person.locale if person else None) or self._locale, (person and person.timezone) or "UTC")
