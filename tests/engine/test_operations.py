"""The life of a mailing as people move it: each move with its guard, its right and its audit."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from engine.clock import FakeClock, SystemClock
from engine.errors import Invalid, NotFound, Refused, Stale
from engine.operations import Operations
from engine.runner import Engine
from engine.settings import ChannelSettings, EngineSettings, Quota, QuotaPer
from gateways.base import Account, ChannelBroken
from gateways.message import Message, Text
from gateways.telegram.capabilities import TELEGRAM
from storage.filters import AudienceFilter
from storage.planning import Package, Plan, make_plan, plan_package
from storage.records import Actor, DeliveryState, Draft, Role, Routing, Status
from storage.schema import addresses, channel_states, clients, steps
from storage.store import Store

OLHA = Actor("Olha", Role.OWNER)
OPERATOR = Actor("Petro", Role.OPERATOR)
MANAGER = Actor("Max", Role.MANAGER)
DRAFT = Draft(name="Spring sale", message=Message((Text("Hi {{ client.first_name }}"),)))


class Shop:
    """Three clients on tg-shop, one of them blocked; no engine."""

    def __init__(self, store: Store, folder: Path, quota: Quota | None = None) -> None:
        self.store = store
        self.clock = FakeClock()
        self.platform: Account | ChannelBroken = Account("555", "shop")
        channel = ChannelSettings("tg-shop", TELEGRAM, quota=quota)
        settings = EngineSettings({"tg-shop": channel}, folder, "Europe/Kyiv")
        self.operations = Operations(store, settings, self.clock, check_channel=self.check_channel)

    async def check_channel(self, channel: str) -> Account:
        if isinstance(self.platform, ChannelBroken):
            raise self.platform
        return self.platform

    async def fill(self) -> None:
        now = self.clock.now()
        async with self.store.database.writing() as connection:
            for number, status in enumerate(("enabled", "enabled", "blocked"), start=1):
                card = {"id": number, "first_name": f"N{number}", "main_channel": "tg-shop", "main_address_id": number}
                stamps = {"created_at": now, "updated_at": now}
                await connection.execute(insert(clients).values(**card, **stamps, main_status=status))
                place = {"id": number, "client_id": number, "scope": "tg-shop", "channel": "tg-shop", "details": {}}
                times = {"status_at": now, "created_at": now}
                await connection.execute(
                    insert(addresses).values(**place, **times, external_id=str(100 + number), status=status)
                )

    async def plan(self, mailing_id: int) -> None:
        mailing = await self.operations.get(mailing_id)
        now = self.clock.now()
        plan = Plan(mailing.step_id, AudienceFilter(), Routing.MAIN, (), ("tg-shop",), now, "Europe/Kyiv")
        made = await make_plan(self.store.database, plan)
        await self.store.writer.write(plan_package, Package(made, 5000, now))

    async def status(self, mailing_id: int) -> Status:
        return (await self.operations.get(mailing_id)).status

    async def verbs(self, mailing_id: int) -> list[str]:
        return [done.verb for done in await self.store.mailings.history(mailing_id)]


@pytest.fixture
async def shop(store: Store, tmp_path: Path) -> Shop:
    made = Shop(store, tmp_path)
    await made.fill()
    return made


async def test_a_whole_life_is_audited(shop: Shop) -> None:
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    await shop.operations.launch(mailing, OPERATOR)
    await shop.plan(mailing)
    await shop.operations.pause(mailing, OPERATOR)
    await shop.operations.resume(mailing, OPERATOR)
    assert await shop.operations.cancel(mailing, OPERATOR) == 0
    figures = await shop.operations.figures(mailing)
    assert (figures["status"], figures["planned"], figures["cancelled"], figures["waiting"]) == ("cancelled", 2, 2, 0)
    assert (figures["audience"], figures["left_out"]) == (3, {"blocked": 1})
    await shop.operations.launch(mailing, OPERATOR)
    assert (await shop.operations.figures(mailing))["waiting"] == 2
    assert await shop.verbs(mailing) == ["create", "launch", "pause", "resume", "cancel", "launch_again", "launch"]


async def test_two_presses_of_launch_are_one(shop: Shop) -> None:
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    revision = (await shop.operations.get(mailing)).revision
    await shop.operations.launch(mailing, OPERATOR, revision=revision)
    with pytest.raises(Refused, match="is sending already"):
        await shop.operations.launch(mailing, OPERATOR, revision=revision)


async def test_a_change_since_the_check_card_voids_the_launch(shop: Shop) -> None:
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    seen = (await shop.operations.get(mailing)).revision
    await shop.operations.change(mailing, Draft(name="Other", message=DRAFT.message), OLHA)
    with pytest.raises(Stale, match="was changed meanwhile"):
        await shop.operations.launch(mailing, OPERATOR, revision=seen)
    assert await shop.status(mailing) is Status.DRAFT


async def test_a_started_one_is_neither_edited_nor_deleted(shop: Shop) -> None:
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    await shop.operations.launch(mailing, OPERATOR)
    with pytest.raises(Refused, match="can't be edited; copy it"):
        await shop.operations.change(mailing, DRAFT, OPERATOR)
    with pytest.raises(Refused, match="only a draft"):
        await shop.operations.delete(mailing, OPERATOR)
    copy = await shop.operations.copy(mailing, OPERATOR)
    await shop.operations.delete(copy, OPERATOR)
    with pytest.raises(NotFound):
        await shop.operations.get(copy)


async def test_a_scheduled_one_is_changed_until_five_minutes_before_its_start(shop: Shop) -> None:
    start = Draft(name="Later", message=DRAFT.message, start="2026-11-21T12:00", timezone="Europe/Kyiv")
    mailing = await shop.operations.create(start, OPERATOR)
    await shop.operations.launch(mailing, OPERATOR)
    assert await shop.status(mailing) is Status.SCHEDULED
    await shop.operations.change(mailing, start, OPERATOR)
    await shop.clock.advance(timedelta(minutes=56).total_seconds())
    with pytest.raises(Refused, match="starts in less than 5 minutes; it can only be cancelled"):
        await shop.operations.change(mailing, start, OPERATOR)
    await shop.operations.edit_again(mailing, OPERATOR)
    assert await shop.status(mailing) is Status.DRAFT


async def test_nobody_to_send_to_is_said_before_the_launch(shop: Shop) -> None:
    nobody = Draft(name="Nobody", message=DRAFT.message, audience={"where": [{"field": "first_name", "is": "Zed"}]})
    with pytest.raises(Invalid, match="Nobody matches"):
        await shop.operations.launch(await shop.operations.create(nobody, OPERATOR), OPERATOR)
    blocked = Draft(name="Blocked", message=DRAFT.message, audience={"where": [{"field": "first_name", "is": "N3"}]})
    with pytest.raises(Invalid, match="none of them can be reached: blocked 1"):
        await shop.operations.launch(await shop.operations.create(blocked, OPERATOR), OPERATOR)


async def test_a_manager_changes_nothing_and_only_an_owner_lifts_the_switch(shop: Shop) -> None:
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    for forbidden in (
        shop.operations.launch(mailing, MANAGER),
        shop.operations.create(DRAFT, MANAGER),
        shop.operations.stop(MANAGER),
    ):
        with pytest.raises(Refused):
            await forbidden
    assert await shop.operations.stop(OPERATOR)
    with pytest.raises(Refused, match="Petro pressed the kill switch"):
        await shop.operations.launch(mailing, OPERATOR)
    with pytest.raises(Refused, match="Only an owner"):
        await shop.operations.go(OPERATOR)
    assert await shop.operations.go(OLHA)


async def test_resuming_asks_a_broken_channel_first(shop: Shop) -> None:
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    await shop.operations.launch(mailing, OPERATOR)
    await shop.plan(mailing)
    await shop.operations.pause(mailing, OPERATOR)
    await shop.store.channel_states.set("tg-shop", {"broken_at": shop.clock.now(), "reason": "Unauthorized"})
    shop.platform = ChannelBroken("Unauthorized")
    with pytest.raises(Refused, match="tg-shop is still broken: Unauthorized"):
        await shop.operations.resume(mailing, OPERATOR)
    assert await shop.status(mailing) is Status.PAUSED
    shop.platform = Account("555", "shop")
    await shop.operations.resume(mailing, OPERATOR)
    assert (await shop.store.channel_states.all())["tg-shop"].broken_at is None


async def test_a_package_is_checked_before_the_start_and_topped_up(store: Store, tmp_path: Path) -> None:
    shop = Shop(store, tmp_path, Quota(1, QuotaPer.PACKAGE))
    await shop.fill()
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    assert (await shop.operations.check(mailing)).package_left == {"tg-shop": 1}
    with pytest.raises(Refused, match="has 1 messages left, this mailing needs 2"):
        await shop.operations.launch(mailing, OPERATOR)
    assert await shop.operations.topup("tg-shop", 10, OPERATOR) == 11
    await shop.operations.launch(mailing, OPERATOR)


async def test_a_day_that_is_used_up_goes_on_tomorrow(store: Store, tmp_path: Path) -> None:
    shop = Shop(store, tmp_path, Quota(5, QuotaPer.DAY))
    await shop.fill()
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    await shop.operations.launch(mailing, OPERATOR)
    await shop.plan(mailing)
    await shop.operations.pause(mailing, OPERATOR)
    assert await shop.operations.checker.quota_left("tg-shop") == 5
    async with store.database.writing() as connection:
        await connection.execute(update(channel_states).values(sent_that_day=5))
    with pytest.raises(Refused, match="used up for today"):
        await shop.operations.resume(mailing, OPERATOR)
    await shop.clock.advance(timedelta(days=1).total_seconds())
    await shop.operations.resume(mailing, OPERATOR)


async def test_what_goes_out_is_what_was_launched(shop: Shop) -> None:
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    await shop.operations.launch(mailing, OPERATOR)
    async with shop.store.database.writing() as connection:
        await connection.execute(update(steps).values(message={"elements": [{"text": "Something else"}]}))
    engine = Engine(shop.store, {}, shop.operations.settings, SystemClock())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run())
        while await shop.status(mailing) is Status.SENDING:
            await asyncio.sleep(0.02)
        await engine.stop()
    stopped = await shop.operations.get(mailing)
    assert (stopped.status, stopped.reason) == (Status.INTERRUPTED, "content_changed")


async def test_the_unknown_ones_go_again_only_by_a_persons_word(shop: Shop) -> None:
    mailing = await shop.operations.create(DRAFT, OPERATOR)
    await shop.operations.launch(mailing, OPERATOR)
    await shop.plan(mailing)
    found = await shop.operations.get(mailing)
    await shop.operations._sweep_all(found, DeliveryState.PLANNED, DeliveryState.UNKNOWN)
    assert len(await shop.operations.unknown(mailing)) == 2
    assert await shop.operations.repeat_unknown(mailing, OPERATOR) == 2
    assert (await shop.operations.figures(mailing))["waiting"] == 2
