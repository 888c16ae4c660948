"""A mailing from the command line to the clients, through what can happen on the way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateways.simulator.counts import most_in_window
from storage.schema import deliveries
from tests.flows.carillon import FIRST_CLIENT, TOKEN, Carillon, assert_adds_up, carillon, shop_of
from tests.flows.lateness import Lateness
from tests.flows.torture import torture

pytestmark = pytest.mark.timeout(240)
RATE = 200.0


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Carillon]:
    async with carillon(tmp_path, "sqlite:///data/carillon.db", rate=RATE) as made:
        yield made


async def test_everybody_gets_it_once_and_the_figures_add_up(storage_url: str, tmp_path: Path) -> None:
    async with carillon(tmp_path, storage_url) as made:
        await made.import_clients(60)
        await made.start(only="engine")
        mailing = await made.create()
        figures = await made.until_status(mailing, "sent")
        assert (figures["audience"], figures["planned"], figures["sent"]) == (60, 60, 60)
        assert figures["delivered"] is None
        assert figures["read"] is None
        accepted = made.simulator.accepted_by_chat(TOKEN)
        assert dict(accepted) == dict.fromkeys(range(FIRST_CLIENT, FIRST_CLIENT + 60), 1)
        assert most_in_window(made.simulator.accepted_at(TOKEN), 1.0) <= 26
        sent = made.simulator.requests(method="sendMessage")
        assert {call.parameters["text"] for call in sent} >= {f"Hi Name{FIRST_CLIENT}!"}


async def test_kill_9_at_random_moments_loses_nobody_and_repeats_nobody(running: Carillon) -> None:
    done = await torture(running, kills=5, rate=RATE)
    assert done.kills == 5, done
    assert (done.lost, done.twice) == (0, 0), done
    assert max(done.unknown) <= done.bound, done


async def test_kill_9_with_postgresql_loses_nobody_and_repeats_nobody(postgres_database: str, tmp_path: Path) -> None:
    async with carillon(tmp_path, postgres_database, rate=RATE) as running:
        done = await torture(running, kills=2, rate=RATE, seed=11)
    assert done.kills == 2, done
    assert (done.lost, done.twice) == (0, 0), done
    assert max(done.unknown) <= done.bound, done


async def test_sigterm_leaves_nothing_unknown_where_the_platform_is_slow(running: Carillon) -> None:
    running.simulator.faults.latency_s = 5.0
    await running.import_clients(400)
    await running.start(only="engine")
    mailing = await running.create(speed=50.0)
    await running.until_sent(mailing, 20)
    code, took_s = await running.terminate()
    assert code == 0
    assert took_s < 10
    figures = await running.figures(mailing)
    assert_adds_up(figures)
    assert figures["unknown"] == 0
    assert figures["sent"] == len(running.simulator.accepted_at(TOKEN)) >= 100
    running.simulator.faults.latency_s = 0.0
    await running.start(only="engine")
    figures = await running.until_status(mailing, "sent")
    assert figures["sent"] == 400
    assert max(running.simulator.accepted_by_chat(TOKEN).values()) == 1


async def test_pause_resume_and_cancel_from_beside_take_hold_within_a_second(running: Carillon) -> None:
    await running.import_clients(1200)
    await running.start(only="engine")
    mailing = await running.create()
    await running.until_sent(mailing, 50)
    await running.cli("mailing", "pause", str(mailing))
    await asyncio.sleep(1)
    paused = await running.figures(mailing)
    await asyncio.sleep(1)
    assert (await running.figures(mailing))["sent"] == paused["sent"]
    assert paused["status"] == "paused"
    await running.cli("mailing", "resume", str(mailing))
    await running.until_sent(mailing, paused["sent"] + 50)
    await running.cli("mailing", "cancel", str(mailing))
    await asyncio.sleep(1)
    cancelled = await running.until_status(mailing, "cancelled")
    assert cancelled["waiting"] == 0
    assert cancelled["sent"] + cancelled["cancelled"] == 1200
    await running.cli("mailing", "launch", str(mailing))
    figures = await running.until_status(mailing, "sent")
    assert figures["sent"] == 1200
    assert max(running.simulator.accepted_by_chat(TOKEN).values()) == 1


async def test_an_opt_out_in_mid_mailing_is_kept(running: Carillon) -> None:
    last = FIRST_CLIENT + 599
    client = running.simulator.add_client(shop_of(running), last, "Late")
    await running.import_clients(600)
    await running.start()
    mailing = await running.create()
    await running.until_sent(mailing, 30)
    client.says("STOP")
    figures = await running.until_status(mailing, "sent")
    assert figures["skips"] == {"unsubscribed": 1}
    assert [message.text for message in client.messages if message.text.startswith("Hi")] == []
    assert len(client.messages) == 1  # the confirmation


async def test_a_third_blocked_is_normal_and_ends_sent(running: Carillon) -> None:
    for number in range(FIRST_CLIENT, FIRST_CLIENT + 450, 3):
        running.simulator.add_client(shop_of(running), number, "B").block()
    await running.import_clients(450)
    await running.start(only="engine")
    mailing = await running.create()
    figures = await running.until_status(mailing, "sent", "interrupted")
    assert figures["status"] == "sent"
    assert figures["sent"] == 300
    assert (
        figures["failures"].get("blocked", 0)
        + figures["skips"].get("blocked", 0)
        + figures["left_out"].get("blocked", 0)
        == 150
    )


async def test_a_token_revoked_in_mid_mailing_interrupts_and_goes_on_when_mended(running: Carillon) -> None:
    await running.import_clients(800)
    await running.start(only="engine")
    mailing = await running.create()
    await running.until_sent(mailing, 50)
    shop_of(running).revoke()
    figures = await running.until_status(mailing, "interrupted")
    assert "Unauthorized" in figures["reason"]
    assert "Unauthorized" in figures["by_channel"]["tg-shop"]["reason"]
    await running.cli("mailing", "resume", str(mailing), code=1)
    assert (await running.figures(mailing))["status"] == "interrupted"
    shop_of(running).restore()
    await running.cli("mailing", "resume", str(mailing))
    figures = await running.until_status(mailing, "sent")
    assert figures["sent"] == 800
    assert max(running.simulator.accepted_by_chat(TOKEN).values()) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [20, 60])
async def test_an_outage_loses_nobody_and_uses_no_tries_up(running: Carillon, seconds: int) -> None:
    await running.import_clients(400)
    await running.start(only="engine")
    mailing = await running.create()
    await running.until_sent(mailing, 50)
    async with running.simulator.outage():
        await asyncio.sleep(seconds)
        assert (await running.figures(mailing))["status"] == "sending"
    figures = await running.until_status(mailing, "sent", timeout_s=180)
    assert figures["failed"] == 0
    assert figures["sent"] + figures["unknown"] == 400
    assert figures["unknown"] <= RATE * 0.2  # what was on its way when the connections were cut
    assert max(running.simulator.accepted_by_chat(TOKEN).values()) == 1
    async with running.desk.store.database.read() as connection:
        assert await connection.scalar(select(func.max(deliveries.c.tries))) == 1


async def test_a_storm_of_throttles_costs_no_tries(running: Carillon) -> None:
    await running.import_clients(150)
    running.simulator.faults.add("throttle", chance=0.05, retry_after_s=1)
    await running.start(only="engine")
    mailing = await running.create()
    figures = await running.until_status(mailing, "sent", timeout_s=150)
    assert figures["sent"] == 150


async def test_two_mailings_share_a_channel(running: Carillon) -> None:
    await running.import_clients(400)
    first, second = await running.create("First"), await running.create("Second")
    await running.start(only="engine")
    async with Lateness() as lateness:  # the simulator lives in this process, and sees late what it is late to look at
        await running.until_sent(first, 40)
        await running.until_sent(second, 40)
        assert (await running.figures(first))["sent"] < 400
        assert (await running.until_status(first, "sent"))["sent"] == 400
        assert (await running.until_status(second, "sent"))["sent"] == 400
    assert most_in_window(running.simulator.accepted_at(TOKEN), lateness.window_s) <= RATE * 1.04


async def test_the_kill_switch_stops_everything_until_it_is_lifted(running: Carillon) -> None:
    await running.import_clients(800)
    await running.start(only="engine")
    mailing = await running.create()
    await running.until_sent(mailing, 50)
    await running.cli("stop")
    await asyncio.sleep(1)
    stopped = await running.figures(mailing)
    assert (stopped["status"], stopped["stopped"], stopped["reason"]) == ("sending", True, "stopped")
    await asyncio.sleep(1)
    assert (await running.figures(mailing))["sent"] == stopped["sent"]
    other = await running.create("Other", launch=False)
    await running.cli("mailing", "launch", str(other), code=1)
    await running.kill()
    await running.start(only="engine")
    assert (await running.figures(mailing))["sent"] == stopped["sent"]
    await running.cli("go")
    await running.until_status(mailing, "sent")
