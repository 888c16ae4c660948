"""Assembly: the one place that sees everything, builds it, and runs it inside one TaskGroup."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from bot.config import Config, secret_of
from bot.config_models import ConsoleBot, SlackBot, TelegramBot
from bot.conversation import Conversation
from bot.desk import Desk, desk_on, engine_settings, gateway_of, house_of, people_of
from bot.dialogs.talk import House
from bot.digests import Digests
from bot.http import Doors, HookFigures, Mount, Readiness, TakesHooks, create_app, serve
from bot.languages import TRANSLATED, translations_of
from bot.links import public_pages, settle_clicks
from bot.listening import Webhooks, poll, polled
from bot.metrics import Metrics
from bot.minding import Bot, BotWatch
from bot.orders import order_hook_of
from bot.people import Everybody
from bot.ports import TakenPort
from bot.progress import LiveCards
from bot.screens import Event, People, Screen, Surface
from engine.binding import StartPayloads
from engine.clock import Clock, SystemClock
from engine.kept_files import keep_sweeping
from engine.links import LinkDesk
from engine.runner import Engine
from gateways.base import Account, Gateway
from storage.channel_states import told_of
from storage.migrate import upgrade
from storage.store import Store, open_store
from storage.writer import WriterStopped

if TYPE_CHECKING:
    from bot.surfaces.console.phones import Phones
    from bot.surfaces.console.surface import ConsoleSurface
    from bot.surfaces.slack.surface import SlackSurface
    from bot.surfaces.telegram.surface import TelegramSurface

log = logging.getLogger(__name__)

ALL_PARTS = frozenset({"web", "engine", "bot"})
WATCH_WEBHOOKS_S = 300
KEEP_UP_PAUSE_S = 5.0
STORAGE_WITHIN_S = 3.0
TELLS_FOR_S = 3.0  # that it is past mending, to whoever looks at /health meanwhile

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo adds: phones beside the chat, a page that opens without a link, and somebody who listens in."""

    phones: "Phones"
    overhear: Callable[[Event, Sequence[Screen]], None]


@dataclass(frozen=True, slots=True)
class Overheard:
    """The conversation, with somebody who hears every answer."""

    conversation: Conversation
    overhear: Callable[[Event, Sequence[Screen]], None]

    async def handle(self, event: Event) -> list[Screen]:
        screens = await self.conversation.handle(event)
        self.overhear(event, screens)
        return screens

    async def shown(self, event: Event, screen: Screen, message_id: str) -> None:
        await self.conversation.shown(event, screen, message_id)


@dataclass(slots=True)
class Service:
    """Everything that runs, while it runs."""

    desk: Desk
    gateways: Mapping[str, Gateway]
    engine: Engine
    conversation: Conversation
    people: Everybody
    webhooks: Webhooks
    parts: frozenset[str]
    surfaces: dict[str, Surface] = field(default_factory=dict)
    console: "ConsoleSurface | None" = None
    telegram: "TelegramSurface | None" = None
    slack: "SlackSurface | None" = None
    port: int = 0

    @property
    def bots(self) -> Mapping[str, Bot]:
        """The admin bots on messengers, which may stop working by themselves."""
        return {bot.name: bot for bot in (self.telegram, self.slack) if bot is not None}

    async def started(self) -> None:
        """Until the engine, where it belongs to this process, holds the storage."""
        while "engine" in self.parts and not self.engine.running:  # noqa: ASYNC110  # it says so in no other way
            await asyncio.sleep(0.02)

    async def ready(self) -> Readiness:
        problems = []
        try:
            async with asyncio.timeout(STORAGE_WITHIN_S):
                await self.desk.store.runs.last_heartbeat()
        except Exception as error:  # noqa: BLE001  # whatever it is, the storage can't be used just now
            problems.append(f"the storage does not answer: {type(error).__name__}")
        if (fatal := self.fatal()) is not None:
            problems.append(fatal)
        if "engine" in self.parts:
            if not self.engine.running:
                problems.append("the engine is not running")
            alive = self.engine.alive
            problems += [f"the lane of {channel} is not running" for channel in self.gateways if not alive.get(channel)]
        if "web" in self.parts and not self.webhooks.tried:
            problems.append("webhooks are not set yet")
        states = {channel: self._state(channel) for channel in self.gateways}
        return Readiness(
            ready=not problems,
            problems=tuple(problems),
            broken={
                name: lane.state.broken for name, lane in self.engine.lanes.items() if lane.state.broken is not None
            },
            stopped=self.engine.stopped,
            channels=states,
            bots={name: bot.problem or "ok" for name, bot in self.bots.items()},
        )

    def fatal(self) -> str | None:
        """What no waiting mends, only a start anew; None while all is well."""
        return None if self.desk.store.writer.alive else "the writer is not running"

    def _state(self, channel: str) -> str:
        lane = self.engine.lanes.get(channel)
        if channel in self.webhooks.problems:
            return f"its webhook could not be set: {self.webhooks.problems[channel]}"
        if lane is None:
            return "not here"
        if lane.state.broken is not None:
            return "broken"
        return "down" if lane.state.down_since is not None else "ok"


async def serve_all(config: Config, parts: frozenset[str], ended: asyncio.Event, tell: Tell) -> None:
    """Run until the event is set; `tell` is handed what a person at the terminal should know."""
    async with running(config, parts) as service:
        if service.port:
            tell(f"http://{config.web.host}:{service.port}")
        if service.console is not None:
            base = config.app.public_url or f"http://{config.web.host}:{service.port}"
            for person, link in service.console.links(base):
                tell(f"{person.name} opens the console once with {link}")
        await ended.wait()
        log.info("ending")


@asynccontextmanager
async def running(
    config: Config, parts: frozenset[str] = ALL_PARTS, *, demo: Demo | None = None, clock: Clock | None = None
) -> AsyncIterator[Service]:
    """Everything, up and running; at the end nothing new is sent, and what is in flight is finished and recorded.

    Raises AnotherEngine, TakenPort, UnusableStorage, WriterStopped, as the first error in a group."""
    secret = secret_of(config)
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(config.storage_url, data_dir=config.data_dir, secret=secret))
        await upgrade(store.database)
        if "engine" in parts:
            await _require_no_other_engine(store, config)
        await _import_readers(config, parts)
        service = await _build(config, parts, store, secret, clock, stack, demo)
        service.port = await stack.enter_async_context(_served(service))
        if service.console is not None:
            service.console.base_url = f"http://{config.web.host}:{service.port}"
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        _start(service, tasks, stack)
        await service.started()
        yield service


async def _build(
    config: Config,
    parts: frozenset[str],
    store: Store,
    secret: bytes,
    clock: Clock,
    stack: AsyncExitStack,
    demo: Demo | None,
) -> Service:
    gateways = {channel.id: gateway_of(config, channel.id, store, secret) for channel in config.channels}
    for gateway in gateways.values():
        await gateway.open()
        stack.push_async_callback(gateway.close)
    links = LinkDesk(store, secret, config.app.public_url) if config.app.public_url else None
    payloads = StartPayloads(secret)
    engine = Engine(store, gateways, engine_settings(config), clock, links=links, payloads=payloads)
    desk = desk_on(store, config, secret, clock, engine if "engine" in parts else None)
    people, house = Everybody(people_of(config), store), house_of(config)
    await people.load()
    conversation = Conversation(
        operations=desk.operations, store=store, people=people, settings=desk.settings, house=house, clock=clock
    )

    async def keep(channel: str, account: Account) -> None:
        await store.channel_states.set(channel, told_of(account, clock.now()))

    webhooks = Webhooks(gateways, config.app.public_url, keep)
    service = Service(desk, gateways, engine, conversation, people, webhooks, parts)
    if "bot" in parts:
        _build_bots(service, people, house, demo)
    return service


def _build_bots(service: Service, people: People, house: House, demo: Demo | None) -> None:
    for bot in service.desk.config.bots:
        match bot:
            case ConsoleBot():
                service.console = service.people.doors["console"] = _build_console(service, people, house, demo)
                service.surfaces["console"] = service.console
            case TelegramBot():
                service.telegram = service.people.doors["telegram"] = _build_telegram(service, bot, people, house)
                service.surfaces["telegram"] = service.telegram
                service.people.followers.append(service.telegram.people_changed)
            case SlackBot():
                service.slack = service.people.doors["slack"] = _build_slack(service, bot, people, house)
                service.surfaces["slack"] = service.slack


def _build_console(service: Service, people: People, house: House, demo: Demo | None) -> "ConsoleSurface":
    from bot.surfaces.console.statistics import Statistics
    from bot.surfaces.console.surface import ConsoleSurface

    desk, conversation = service.desk, service.conversation
    return ConsoleSurface(
        Overheard(conversation, demo.overhear) if demo else conversation,
        people,
        desk.media,
        desk.clock,
        name=house.name,
        locale=house.locale,
        timezone=desk.settings.timezone,
        public_url=desk.config.app.public_url,
        invitations=service.people,
        demo=demo is not None,
        phones=demo.phones if demo else None,
        statistics=Statistics(desk.operations, desk.clock),
    )


async def _require_no_other_engine(store: Store, config: Config) -> None:
    """Tell at once what the engine would find out some seconds later. Raises AnotherEngine."""
    async with store.runs.lock(config.data_dir):
        pass


async def _import_readers(config: Config, parts: frozenset[str]) -> None:
    """What reads updates takes seconds to import; later, those would be seconds in which every lane stutters."""
    if "web" in parts and any(channel.kind == "telegram" for channel in config.channels):
        await asyncio.to_thread(import_module, "gateways.telegram.updates")
    if "bot" in parts:
        for language in TRANSLATED:
            await asyncio.to_thread(translations_of, language)
    if "bot" in parts and any(isinstance(bot, TelegramBot) for bot in config.bots):
        await asyncio.to_thread(import_module, "bot.surfaces.telegram.surface")
    if "bot" in parts and any(isinstance(bot, SlackBot) for bot in config.bots):
        await asyncio.to_thread(import_module, "bot.surfaces.slack.surface")


def _build_telegram(service: Service, bot: TelegramBot, people: People, house: House) -> "TelegramSurface":
    from bot.surfaces.telegram.surface import TelegramSurface

    desk = service.desk
    return TelegramSurface.from_settings(
        bot,
        conversation=service.conversation,
        people=people,
        store=desk.store,
        media=desk.media,
        clock=desk.clock,
        secret=desk.secret,
        public_url=desk.config.app.public_url,
        locale=house.locale,
    )


def _build_slack(service: Service, bot: SlackBot, people: People, house: House) -> "SlackSurface":
    from bot.surfaces.slack.surface import SlackSurface

    desk = service.desk
    return SlackSurface.from_settings(
        bot,
        conversation=service.conversation,
        people=people,
        store=desk.store,
        media=desk.media,
        clock=desk.clock,
        locale=house.locale,
    )


def _start(service: Service, tasks: asyncio.TaskGroup, stack: AsyncExitStack) -> None:
    """Start every task that has no end of its own, and see to their end."""
    engine = service.engine
    engine_task = tasks.create_task(engine.run(), name="engine") if "engine" in service.parts else None
    listening = tasks.create_task(_listen(service), name="listening")
    minding = tasks.create_task(_mind_writer(service.desk.store), name="the writer's end")

    async def stop() -> None:
        if engine_task is not None:
            stopping = asyncio.ensure_future(engine.stop())
            await asyncio.wait((stopping, engine_task), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        listening.cancel()
        minding.cancel()

    stack.push_async_callback(stop)


async def _mind_writer(store: Store) -> None:
    """It ends before we do only through a fault; who started us is to start us anew."""
    await store.writer.ended.wait()
    log.critical("the writer broke, so the program ends")
    await asyncio.sleep(TELLS_FOR_S)
    raise WriterStopped


async def _listen(service: Service) -> None:
    """Hear clients and people, keep live cards, and mind the webhooks, until cancelled.

    It begins once the engine holds the storage: a second one must not take the first one's updates away."""
    await service.started()
    async with asyncio.TaskGroup() as tasks:
        if "engine" in service.parts:  # once on a storage, as the engine is
            tasks.create_task(settle_clicks(service.desk.store, service.desk.clock), name="clicks")
            desk = service.desk
            sweep = partial(keep_sweeping, desk.store, desk.media, desk.clock)
            tasks.create_task(_keep_up("kept files", sweep), name="kept files")
            if (hook := order_hook_of(service.desk)) is not None:
                tasks.create_task(hook.run(), name="orders")
        if "bot" in service.parts:
            tasks.create_task(_keep_up("live cards", _live_cards(service).run), name="live cards")
            tasks.create_task(_keep_up("digests", _digests(service).run), name="digests")
            watch = BotWatch(
                service.bots, service.surfaces, service.people, house_of(service.desk.config), service.desk.clock
            )
            tasks.create_task(_keep_up("the watch on bots", watch.run), name="watch on bots")
            if service.telegram is not None:
                name = "the admin bot on Telegram"
                tasks.create_task(_keep_up(name, service.telegram.run), name=name)
            if service.slack is not None:
                name = "the admin bot on Slack"
                tasks.create_task(_keep_up(name, service.slack.run), name=name)
        if "web" in service.parts:
            for channel, gateway in polled(service.gateways).items():
                tasks.create_task(poll(channel, gateway, service.engine.inbox.take), name=f"poll {channel}")
            await service.webhooks.set_all()
            tasks.create_task(_watch_webhooks(service.webhooks), name="webhooks")


async def _keep_up(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """A fault in what talks to people ends no mailing: it is logged, and begun again."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("a part fell over and is begun again", extra={"part": name})
        await asyncio.sleep(KEEP_UP_PAUSE_S)


async def _watch_webhooks(webhooks: Webhooks) -> None:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    scheduler = AsyncIOScheduler(timezone="UTC")
    # Its first look comes at once: what the lanes kept of the accounts is from before the webhooks were set.
    scheduler.add_job(webhooks.watch, "interval", seconds=WATCH_WEBHOOKS_S, next_run_time=datetime.now(UTC))
    scheduler.start()
    try:
        await asyncio.Event().wait()
    finally:
        scheduler.shutdown(wait=False)


def _live_cards(service: Service) -> LiveCards:
    desk = service.desk
    team_chats: dict[str, str] = {}
    for bot in desk.config.bots:
        if isinstance(bot, TelegramBot | SlackBot) and bot.team_chat:
            team_chats[bot.kind] = bot.team_chat
    return LiveCards(
        operations=desk.operations,
        store=desk.store,
        surfaces=service.surfaces,
        people=service.people,
        settings=desk.settings,
        house=house_of(desk.config),
        clock=desk.clock,
        team_chats=team_chats,
    )


def _digests(service: Service) -> Digests:
    desk = service.desk
    return Digests(
        operations=desk.operations,
        store=desk.store,
        surfaces=service.surfaces,
        people=service.people,
        house=house_of(desk.config),
        clock=desk.clock,
    )


@asynccontextmanager
async def _served(service: Service) -> AsyncIterator[int]:
    """The web side, where something needs it; yields its port, or 0. Raises TakenPort, AnotherEngine."""
    config = service.desk.config
    if not _needs_web(service):
        yield 0
        return
    hooks = HookFigures()
    doors = Doors(
        gateways=service.gateways if "web" in service.parts else {},
        take=service.engine.inbox.take,
        ready=service.ready,
        metrics=Metrics(service.desk.store, service.engine, hooks, service.bots).render,
        fatal=service.fatal,
        hooks=hooks,
        bots={name: bot for name, bot in service.surfaces.items() if isinstance(bot, TakesHooks)},
        mounts=_mounts(service),
    )
    async with AsyncExitStack() as stack:
        try:
            port = await stack.enter_async_context(serve(create_app(doors), config.web.host, config.web.port))
        except TakenPort:
            if "engine" in service.parts:  # taken by the first engine of this storage? That says more.
                await _require_no_other_engine(service.desk.store, config)
            raise
        yield port


def _needs_web(service: Service) -> bool:
    """The web part, a page, and a bot that hears by webhook."""
    return "web" in service.parts or any(
        name == "console" or isinstance(bot, TakesHooks) for name, bot in service.surfaces.items()
    )


def _mounts(service: Service) -> list[Mount]:
    mounts: list[Mount] = []
    if service.console is not None:
        mounts.append(service.console.add_to)
    if "web" in service.parts:
        from bot.api import Api

        mounts.append(Api(service.desk).add_to)
        mounts += public_pages(service.desk, house_of(service.desk.config), service.engine.revoke)
    return mounts
