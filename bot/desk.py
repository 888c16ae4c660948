"""The storage and its one door, for whatever works on it: a command beside a running Carillon, or that itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Any

from bot.config import Config, secret_of
from bot.config_models import Approval, TelegramBot
from bot.dialogs.talk import House
from bot.screens import People, Person
from engine.advice import Looked
from engine.clock import Clock, SystemClock
from engine.links import link_length
from engine.media import Media
from engine.operations import Operations
from engine.settings import ApprovalRule, ChannelSettings, EngineSettings, InterruptAt, Quota, QuotaPer
from gateways import registry
from gateways.base import Account, Gateway, NewTemplate, Rejected, SubmitsTemplates, Submitted
from gateways.config import Context
from storage.migrate import ensure_current, upgrade
from storage.records import Role
from storage.store import Store, open_store

if TYPE_CHECKING:
    from engine.runner import Engine


@dataclass(frozen=True, slots=True)
class Desk:
    """The storage and its one door; whether an engine works on it, here or elsewhere, does not matter."""

    config: Config
    settings: EngineSettings
    store: Store
    operations: Operations
    media: Media
    clock: Clock
    secret: bytes


@asynccontextmanager
async def open_desk(config: Config, *, migrate: bool = False) -> AsyncIterator[Desk]:
    """Open the storage for a command that works beside a running `carillon run`, or without one.

    A new storage gets its tables; an older one is migrated only where `migrate` says so. Raises UnusableStorage."""
    secret = secret_of(config)
    async with open_store(config.storage_url, data_dir=config.data_dir, secret=secret) as store:
        await (upgrade if migrate else ensure_current)(store.database)
        yield desk_on(store, config, secret, SystemClock())


def desk_on(store: Store, config: Config, secret: bytes, clock: Clock, engine: "Engine | None" = None) -> Desk:
    settings = engine_settings(config)

    async def check_channel(channel: str) -> Account:
        async with open_gateway(desk, channel) as gateway:
            return await gateway.check()

    async def submit(channel: str, new: NewTemplate) -> Submitted:
        async with open_gateway(desk, channel) as gateway:
            if not isinstance(gateway, SubmitsTemplates):
                raise Rejected("the channel takes no templates")
            return await gateway.submit_template(new)

    operations = Operations(
        store,
        settings,
        clock,
        check_channel=check_channel,
        engine=engine,
        look_at=_look_at,
        submit=submit,
    )
    desk = Desk(config, settings, store, operations, Media(config.data_dir), clock, secret)
    return desk


async def _look_at(url: str) -> Looked:
    from gateways.download import NotFetched, look_at

    try:
        return Looked(size_bytes=await look_at(url))
    except NotFetched as error:
        return Looked(str(error))


@asynccontextmanager
async def open_gateway(desk: Desk, channel: str) -> AsyncIterator[Gateway]:
    """A gateway of one's own, for asking; sending is the lane's."""
    gateway = gateway_of(desk.config, channel, desk.store, desk.secret)
    await gateway.open()
    try:
        yield gateway
    finally:
        await gateway.close()


@asynccontextmanager
async def open_bot(desk: Desk, bot: TelegramBot) -> AsyncIterator[Gateway]:
    """A gateway with an admin bot's token; it hears nothing."""
    settings = registry.config_model("telegram").model_validate(
        {"id": "bot", "kind": "telegram", "token": bot.token, "api_base": bot.api_base, "mode": bot.mode}
    )
    gateway = settings.open_gateway(Context(desk.store.uploads, desk.secret, desk.config.app.public_url))
    await gateway.open()
    try:
        yield gateway
    finally:
        await gateway.close()


def gateway_of(config: Config, channel: str, store: Store, secret: bytes) -> Gateway:
    settings = next(each for each in config.channels if each.id == channel)
    gateway: Gateway = settings.open_gateway(Context(store.uploads, secret, config.app.public_url))
    return gateway


def engine_settings(config: Config) -> EngineSettings:
    limits = config.sending.interrupt_at
    return EngineSettings(
        channels={channel.id: _channel_settings(config, channel) for channel in config.channels},
        data_dir=config.data_dir,
        kinds=registry.KINDS,
        timezone=config.app.timezone,
        tries=config.sending.tries,
        interrupt_at=InterruptAt(limits.failed_share, limits.after, limits.gone_share),
        inbox=config.app.inbox,
        cascade_after_s=config.sending.cascade_after_minutes * 60,
        approval=_approval_rule(config.approval) if config.approval else None,
        prices=config.prices,
        same_text_days=config.sending.same_text_days,
        link_length=link_length(config.app.public_url) if config.app.public_url else None,
    )


def _approval_rule(approval: Approval) -> ApprovalRule:
    hours = tuple(time.fromisoformat(hour) for hour in approval.outside_hours or ())
    return ApprovalRule(approval.above, (hours[0], hours[1]) if hours else None, frozenset(approval.channels))


def _channel_settings(config: Config, channel: Any) -> ChannelSettings:
    rate = config.rate_of(channel)
    quota = Quota(channel.quota.messages, QuotaPer(channel.quota.per)) if channel.quota else None
    return ChannelSettings(channel.id, channel.able, rate=rate, quota=quota, max_rate=rate)


def people_of(config: Config) -> People:
    """Who may use an admin bot, by surface and account. On the console a person's account is the name."""
    people: dict[tuple[str, str], Person] = {}
    for each in config.people:
        accounts = {kind: account for kind, account in (("telegram", each.telegram), ("slack", each.slack)) if account}
        person = Person(each.name, Role(each.role), accounts=accounts)
        people["console", each.name] = person
        for kind, account in accounts.items():
            people[kind, account] = person
    return people


def house_of(config: Config) -> House:
    return House(
        name=config.app.name,
        locale=config.app.locale,
        support=config.app.support,
    )
