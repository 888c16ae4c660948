"""The web side: webhooks, health, metrics, and room for the API and the console page.

A webhook is answered 200 only after what it brought is committed, so that the platform repeats whatever we lost.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol, runtime_checkable

from aiohttp import hdrs, web

from bot.doorway import Doorway
from gateways.base import Answer, BadSignature, Gateway, Heard, Hook, SharesHook, Unreadable
from storage.spans import Spans

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_HOOKS = (
    200  # whole, and at work at once; the writer commits whatever waits together, so this is some thousands a second
)
MAX_HOOK_BYTES = 64 * 1024 * 1024  # of bodies in memory at once
BODY_WITHIN_S = 10.0
# For a request to begin on an open connection, its headers whole; longer than proxies keep theirs (nginx: 60 s).
IDLE_S = 75.0
SHUTDOWN_WITHIN_S = 0.5  # after the lanes have had their 8 s: all must end within 10

Mount = Callable[[web.Application], None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@runtime_checkable
class TakesHooks(Protocol):
    """An admin bot that hears by webhook. Raises BadSignature, Unreadable."""

    async def take_hook(self, hook: Hook) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether storage, writer and every lane's task stand; what is broken is listed and does not count."""

    ready: bool
    problems: tuple[str, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    stopped: bool = False
    channels: Mapping[str, str] = field(default_factory=dict)
    bots: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class HookFigures:
    """What became of webhook calls, for metrics. Names are those of hooks that there are: strangers add none."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # by hook and outcome
    took: Spans = field(default_factory=Spans)
    at_work: int = 0


@dataclass(frozen=True, slots=True)
class Doors:
    """What the web side opens onto. `take` returns once everything heard is committed; `fatal` says what only a start
    anew mends.

    `mounts` add whatever else is served: the API, the console page."""

    gateways: Mapping[str, Gateway]
    take: Callable[[str, Heard], Awaitable[None]]
    ready: Callable[[], Awaitable[Readiness]]
    metrics: Callable[[], Awaitable[tuple[bytes, str]]]
    fatal: Callable[[], str | None] = lambda: None
    hooks: HookFigures = field(default_factory=HookFigures)
    bots: Mapping[str, TakesHooks] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    max_hooks: int = MAX_HOOKS


def create_app(doors: Doors) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_plain_errors])
    pages = _Pages(doors)
    hooks = _Hooks(doors)
    for path, handler in (("/hooks/bots/{kind}", hooks.bot), ("/hooks/{channel}", hooks.channel)):
        app.router.add_route("GET", path, handler)
        app.router.add_route("POST", path, handler)
    app.router.add_get("/health", pages.health)
    app.router.add_get("/ready", pages.ready)
    app.router.add_get("/metrics", pages.metrics)
    for mount in doors.mounts:
        mount(app)
    return app


@asynccontextmanager
async def serve(app: web.Application, host: str, port: int, *, idle_s: float = IDLE_S) -> AsyncIterator[int]:
    """Listen until the block ends; yields the port (another than asked for only where 0 was). Raises TakenPort."""
    doorway = Doorway()
    app.middlewares.insert(0, doorway.note)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_WITHIN_S, keepalive_timeout=idle_s
    )
    await runner.setup()
    try:
        listening, port = await doorway.open(runner, host, port)
        try:
            yield port
        finally:
            listening.close()
    finally:
        await runner.cleanup()


class _Hooks:
    def __init__(self, doors: Doors) -> None:
        self.figures = doors.hooks
        self.most = doors.max_hooks
        self.bytes = 0  # of bodies in memory
        self._doors = doors
        # Asking a gateway what it satisfies takes longer than reading a receipt, so it is asked here, once.
        self._sharing = {name: each for name, each in doors.gateways.items() if isinstance(each, SharesHook)}
        self._by_account: dict[str, list[str]] = {}
        for name, sharing in self._sharing.items():
            for account in sharing.hook_accounts:
                self._by_account.setdefault(account, []).append(name)

    async def channel(self, request: web.Request) -> web.Response:
        channel = request.match_info["channel"]
        gateway = self._doors.gateways.get(channel)
        if gateway is None:
            raise web.HTTPNotFound(text="There is no such channel.")
        with _Place(self, channel) as place:
            hook = await _read(request, place)
            gateway.verify(hook)
            answer, heard = self._hear(channel, gateway, hook)
            for name, one in heard:
                await self._doors.take(name, one)
        return _answered(answer)

    def _hear(self, channel: str, gateway: Gateway, hook: Hook) -> tuple[Answer, Sequence[tuple[str, Heard]]]:
        """What a verified request tells each channel, and what to answer. Raises Unreadable.

        A hook that several channels share is cut by account. An account that is nobody's is no error: the app may have
        others than ours."""
        sharing = self._sharing.get(channel)
        if hook.method != hdrs.METH_POST or sharing is None:
            heard = gateway.parse(hook)
            return heard.answer, [(channel, heard)]
        told: list[tuple[str, Heard]] = []
        for account, cut in sharing.split(hook).items():
            for name in self._by_account.get(account, ()):
                other = self._doors.gateways[name]
                # What one app signed may name an account of another: only that one's own signature speaks for it.
                if other is gateway or _is_signed_for(other, hook):
                    told.append((name, other.parse(cut)))
        answers = [heard.answer for name, heard in told if name == channel]
        return next(iter(answers), Answer()), told

    async def bot(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        bot = self._doors.bots.get(kind)
        if bot is None:
            raise web.HTTPNotFound(text="There is no such bot.")
        with _Place(self, f"bots/{kind}") as place:
            return _answered(await bot.take_hook(await _read(request, place)))


class _Place:
    """What a request takes while it is here: the bytes that have come, and, once it is whole, a place among those at
    work; or 503, and the platform comes again. Who begins a request and says no more keeps nobody out. Counts what
    became of it.

    A class, because a generator takes three times as long, and every receipt passes through here."""

    __slots__ = ("_began", "_bytes", "_hook", "_hooks", "_works")

    def __init__(self, hooks: _Hooks, hook: str) -> None:
        self._hooks = hooks
        self._hook = hook
        self._began = perf_counter()
        self._bytes = 0
        self._works = False

    def hold(self, size_bytes: int) -> None:
        """Count so much more of the body."""
        self._bytes += size_bytes
        self._hooks.bytes += size_bytes
        if self._hooks.bytes > MAX_HOOK_BYTES:
            raise _overload()

    def work(self) -> None:
        """The request is whole."""
        if self._hooks.figures.at_work >= self._hooks.most:
            raise _overload()
        self._works = True
        self._hooks.figures.at_work += 1

    def __enter__(self) -> "_Place":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        figures = self._hooks.figures
        figures.at_work -= self._works
        self._hooks.bytes -= self._bytes
        figures.outcomes[self._hook, "taken" if error is None else _outcome_of(error)] += 1
        figures.took.add(perf_counter() - self._began)


def _overload() -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(text="Too much at once; come again.", headers={"Retry-After": "1"})


def _outcome_of(error: BaseException) -> str:
    match error:
        case BadSignature():
            return "forged"
        case Unreadable():
            return "unreadable"
        case web.HTTPServiceUnavailable():
            return "overload"
        case web.HTTPRequestEntityTooLarge():
            return "too_large"
        case web.HTTPRequestTimeout() | asyncio.CancelledError() | ConnectionError():
            return "broken_off"
        case _:
            return "fault"


class _Pages:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def health(self, _: web.Request) -> web.Response:
        """Whether this process is worth keeping: whoever minds it starts it anew where this is no 200."""
        fatal = self._doors.fatal()
        return web.json_response({"status": fatal or "ok"}, status=503 if fatal else 200)

    async def ready(self, _: web.Request) -> web.Response:
        state = await self._doors.ready()
        document = {
            "ready": state.ready,
            "problems": list(state.problems),
            "broken_channels": dict(state.broken),
            "stopped": state.stopped,
            "channels": dict(state.channels),
            "bots": dict(state.bots),
        }
        return web.json_response(document, status=200 if state.ready else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        body, content_type = await self._doors.metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal as one plain line; a fault of ours is a 500 here and a traceback in the log."""
    try:
        return await handler(request)
    except BadSignature:
        return web.Response(status=403, text="The signature is wrong or missing.")
    except Unreadable:
        return web.Response(status=400, text="The body can't be read.")
    except web.HTTPException:
        raise
    except Exception as error:
        # The route's pattern, not the path: a path may hold a token.
        route = request.match_info.route.resource
        log.exception(
            "a request failed", extra={"route": route.canonical if route else "", "error": type(error).__name__}
        )
        return web.Response(status=500, text="Something broke on our side.")


def _is_signed_for(gateway: Gateway, hook: Hook) -> bool:
    try:
        gateway.verify(hook)
    except BadSignature:
        return False
    return True


async def _read(request: web.Request, place: _Place) -> Hook:
    """The request, whole, and at work from now on."""
    body = await (request.read() if request.content.is_eof() else _read_in_time(request, place))
    place.work()
    raw_query = request.raw_path.partition("?")[2]
    return Hook(
        method=request.method,
        headers=request.headers,  # aiohttp finds them by their names in any case
        query=dict(request.query) if raw_query else {},
        body=body,
        raw_query=raw_query,
        channel=request.match_info.get("channel", ""),
    )


async def _read_in_time(request: web.Request, place: _Place) -> bytes:
    """What has come counts, and not what was announced: who announces much and sends nothing would take all room."""
    body, coming_bytes = bytearray(), request.content_length or 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while coming_bytes <= MAX_BODY_BYTES and (chunk := await request.content.readany()):
                place.hold(len(chunk))
                body += chunk
                coming_bytes = max(coming_bytes, len(body))
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text="The body did not come in time.") from error
    except (ConnectionError, web.RequestPayloadError) as error:  # who hangs up in the middle is no fault of ours
        raise Unreadable from error
    if coming_bytes > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(max_size=MAX_BODY_BYTES, actual_size=coming_bytes)
    return bytes(body)


def _answered(answer: Answer) -> web.Response:
    return web.Response(text=answer.body, content_type=answer.content_type)
