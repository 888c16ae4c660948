"""What stops a mailing by itself, with its reason told; and what a person does then."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from gateways.base import AddressStatus
from gateways.simulator.telegram.clients import ClientState
from storage.schema import addresses, steps
from tests.flows.carillon import FIRST_CLIENT, TOKEN, Carillon, carillon, free_port, shop_of, until

pytestmark = pytest.mark.timeout(240)
RATE = 200.0
STORAGE = "sqlite:///data/carillon.db"
SECOND_TOKEN = "555000333:AAsimulated-token-of-the-club"
CLUB = f"""
[[channels]]
id = "tg-club"
kind = "telegram"
token = "{SECOND_TOKEN}"
api_base = "{{api_base}}"
rate = 200
allow_faster = true
"""


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Carillon]:
    async with carillon(tmp_path, STORAGE, rate=RATE) as one:
        yield one


async def statuses(made: Carillon) -> dict[str, int]:
    """How many addresses of the shop have each status."""
    query = select(addresses.c.status, func.count()).where(addresses.c.scope == "tg-shop").group_by(addresses.c.status)
    async with made.desk.store.database.read() as connection:
        return {row[0]: row[1] for row in await connection.execute(query)}


async def test_a_wrong_token_at_the_start_breaks_its_channel_and_the_others_go_on(tmp_path: Path) -> None:
    async with carillon(tmp_path, STORAGE, rate=RATE, bots=CLUB) as made:
        club = made.simulator.add_bot(SECOND_TOKEN, username="club_demo_bot", first_name="Club")
        club.everyone = ClientState.ACTIVE
        shop_of(made).revoke()
        await made.import_clients(50)
        await made.import_clients(30, channel="tg-club", first=FIRST_CLIENT + 1000)
        await made.start(only="engine")
        mailing = await made.create()
        figures = await made.until_status(mailing, "interrupted", "sent")
        assert figures["status"] == "interrupted"
        assert "tg-shop: Telegram refuses the token" in figures["reason"]
        assert figures["by_channel"]["tg-club"]["sent"] == 30
        assert figures["by_channel"]["tg-shop"] | {"reason": ""} == figures["by_channel"]["tg-shop"] | {
            "reason": "",
            "planned": 50,
            "waiting": 50,
            "sent": 0,
            "failed": 0,
        }
        assert await statuses(made) == {AddressStatus.ENABLED: 50}
        told = {notice.kind for notice in await made.desk.operations.notices()}
        assert {"channel_broken", "interrupted"} <= told
        assert TOKEN not in made.said()
        shop_of(made).restore()
        await made.cli("mailing", "resume", str(mailing))
        assert (await made.until_status(mailing, "sent"))["sent"] == 80
        assert max(made.simulator.accepted_by_chat(SECOND_TOKEN).values()) == 1


async def test_another_bots_token_marks_nobody_gone(made: Carillon) -> None:
    shop = shop_of(made)
    shop.everyone = ClientState.UNKNOWN  # the token is good, and none of these ever spoke to its bot
    await made.import_clients(100)
    await made.start(only="engine")
    mailing = await made.create()
    figures = await made.until_status(mailing, "interrupted", "sent")
    assert figures["status"] == "interrupted"
    assert "another account's token" in figures["reason"]
    assert (figures["waiting"], figures["failed"]) == (100, 0)
    assert await statuses(made) == {AddressStatus.ENABLED: 100}
    shop.everyone = ClientState.ACTIVE
    await made.cli("mailing", "resume", str(mailing))
    assert (await made.until_status(mailing, "sent"))["sent"] == 100


async def test_a_message_that_the_platform_refuses_interrupts_with_its_words(made: Carillon) -> None:
    words = "Bad Request: can't parse entities: Unsupported start tag"
    made.simulator.faults.add("refuse", times=10_000, method="sendMessage", code=400, words=words)
    await made.import_clients(300)
    await made.start(only="engine")
    mailing = await made.create()
    figures = await made.until_status(mailing, "interrupted", "sent")
    assert figures["status"] == "interrupted"
    assert "can't parse entities" in figures["reason"]
    assert 3 <= figures["failed"] <= 3 + RATE  # three in a row, and what was in flight by then
    made.simulator.faults.clear()
    await made.cli("mailing", "cancel", str(mailing))

    async def is_settled() -> bool:
        figures = await made.figures(mailing)
        return bool(figures["cancelled"] + figures["failed"] == 300)

    await until(is_settled, 30, "what was in flight to be settled")


async def test_what_is_not_what_was_launched_is_not_sent(made: Carillon) -> None:
    await made.import_clients(30)
    mailing = await made.create(text="Hi {{ client.first_name }}!")
    # Whoever changes what was approved behind our back stops it: what was previewed is what goes out.
    async with made.desk.store.database.writing() as connection:
        broken = {"elements": [{"text": "Hi {{ client.nobody_knows }}"}]}
        await connection.execute(update(steps).where(steps.c.mailing_id == mailing).values(message=broken))
    await made.start(only="engine")
    figures = await made.until_status(mailing, "interrupted", "sent")
    assert figures["reason"] == "the message is not the one that was launched"
    assert made.simulator.requests(TOKEN, "sendMessage") == []


async def test_a_template_that_fails_for_all_interrupts_by_its_share(tmp_path: Path) -> None:
    more = "interrupt_at = { failed_share = 0.3, after = 40 }"
    async with carillon(tmp_path, STORAGE, rate=RATE, sending_more=more) as made:
        await made.import_clients(400)
        await made.start(only="engine")
        mailing = await made.create(text="{{ client.last_name }}")  # nobody has one, so nothing is left to send
        figures = await made.until_status(mailing, "interrupted", "sent")
        assert figures["status"] == "interrupted"
        assert made.simulator.requests(TOKEN, "sendMessage") == []


async def test_too_large_a_share_of_failures_interrupts(tmp_path: Path) -> None:
    more = "interrupt_at = { failed_share = 0.3, after = 40 }"
    async with carillon(tmp_path, STORAGE, rate=RATE, sending_more=more) as made:
        words = "Bad Request: not enough rights to send text messages to the chat"
        made.simulator.faults.add("refuse", chance=0.6, method="sendMessage", code=400, words=words)
        await made.import_clients(500)
        await made.start(only="engine")
        mailing = await made.create()
        figures = await made.until_status(mailing, "interrupted", "sent")
        assert figures["status"] == "interrupted"
        assert "failed" in figures["reason"]
        assert figures["waiting"] > 0
        assert [notice.kind for notice in await made.desk.operations.notices()] == ["started", "interrupted"]
        made.simulator.faults.clear()
        await made.cli("mailing", "resume", str(mailing))
        figures = await made.until_status(mailing, "sent", "interrupted")
        assert (figures["status"], figures["sent"]) == ("sent", 500 - figures["failed"])


async def test_a_days_quota_interrupts_at_its_end_and_the_next_day_goes_on(tmp_path: Path) -> None:
    async with carillon(tmp_path, STORAGE, rate=RATE, channel_more='quota = { messages = 60, per = "day" }') as made:
        await made.import_clients(100)
        await made.start(only="engine")
        mailing = await made.create()
        figures = await made.until_status(mailing, "interrupted", "sent")
        assert (figures["status"], figures["reason"]) == ("interrupted", "the quota of tg-shop is used up")
        assert (figures["sent"], figures["waiting"]) == (60, 40)
        assert len(made.simulator.accepted_at(TOKEN)) == 60
        await made.desk.store.channel_states.set("tg-shop", {"sent_on": "2020-01-01"})
        await made.cli("mailing", "resume", str(mailing))
        assert (await made.until_status(mailing, "sent"))["sent"] == 100


async def test_a_package_is_checked_before_the_start_and_topped_up(storage_url: str, tmp_path: Path) -> None:
    async with carillon(
        tmp_path, storage_url, rate=RATE, channel_more='quota = { messages = 60, per = "package" }'
    ) as made:
        await made.import_clients(100)
        await made.start(only="engine")
        draft = await made.create(launch=False)
        said = await made.cli("mailing", "launch", str(draft), code=1)
        assert said == "The package of tg-shop has 60 messages left, this mailing needs 100; top it up.\n"
        assert (await made.figures(draft))["status"] == "draft"
        await made.cli("channels", "topup", "tg-shop", "90")
        assert (await made.desk.operations.check(draft)).package_left == {"tg-shop": 150}
        await made.cli("mailing", "launch", str(draft))
        assert (await made.until_status(draft, "sent"))["sent"] == 100
        assert await made.desk.operations.checker.package_left("tg-shop") == 50
        # Used up by another on the way: interrupted, topped up, resumed.
        await made.cli("channels", "topup", "tg-shop", "50")
        second = await made.create("Second", speed=20.0)
        await made.until_sent(second, 5)
        await made.desk.store.channel_states.set("tg-shop", {"package_left": 10})
        figures = await made.until_status(second, "interrupted", "sent")
        assert figures["reason"] == "the quota of tg-shop is used up"
        await made.cli("channels", "topup", "tg-shop", "200")
        await made.cli("mailing", "resume", str(second))
        assert (await made.until_status(second, "sent"))["sent"] == 100
        assert set(made.simulator.accepted_by_chat(TOKEN).values()) == {2}


async def test_an_unknown_outcome_is_repeated_where_the_mailing_or_a_person_says_so(made: Carillon) -> None:
    faults = made.simulator.faults
    await made.import_clients(20)
    await made.start(only="engine")
    dropped = faults.add("drop", times=1, method="sendMessage", after=5)
    careful = await made.create("Careful")
    figures = await made.until_status(careful, "sent")
    assert (dropped.hits, figures["sent"], figures["unknown"]) == (1, 19, 1)
    assert max(made.simulator.accepted_by_chat(TOKEN).values()) == 1
    [row] = await made.cli("mailing", "unknown", str(careful))
    assert row["reason"] == "no_answer"
    assert (await made.cli("mailing", "unknown", str(careful), "--repeat"))["repeated"] == 1
    figures = await made.until_status(careful, "sent")
    assert (figures["sent"], figures["unknown"]) == (20, 0)
    assert sorted(made.simulator.accepted_by_chat(TOKEN).values())[-2:] == [1, 2]


async def test_with_on_unknown_repeat_a_power_cut_leaves_nobody_out(made: Carillon) -> None:
    made.simulator.faults.latency_s = 0.5
    await made.import_clients(300)
    await made.start(only="engine")
    mailing = await made.create(on_unknown="repeat")
    await made.until_sent(mailing, 20)
    await made.kill()
    await made.start(only="engine")
    figures = await made.until_status(mailing, "sent")
    assert (figures["sent"], figures["unknown"]) == (300, 0)
    accepted = made.simulator.accepted_by_chat(TOKEN)
    assert len(accepted) == 300  # nobody left out; those in flight at the cut may have it twice, and no others
    assert sum(count - 1 for count in accepted.values()) <= RATE * (0.5 + 0.1)


async def test_a_second_engine_is_turned_away_and_names_the_first(postgres_database: str, tmp_path: Path) -> None:
    async with carillon(tmp_path, postgres_database, rate=RATE) as made:
        await made.import_clients(30)
        await made.start(only="engine")
        assert made.process is not None
        words = f"process {made.process.pid} on"
        made.config.write_text(made.config.read_text().replace(f"port = {made.port}", f"port = {free_port()}"))
        said = await made.run_to_its_end("run", "--only", "engine", code=2)
        assert "Another Carillon engine works on this storage" in said
        assert words in said
        mailing = await made.create()
        assert (await made.until_status(mailing, "sent"))["sent"] == 30
