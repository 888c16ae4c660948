"""When a mailing starts: scheduled, late, after a long silence, over a clock change, at each client's own hour."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from storage.schema import addresses, deliveries, runs, steps
from tests.flows.carillon import FIRST_CLIENT, TOKEN, Carillon, carillon, until

pytestmark = pytest.mark.timeout(240)
KYIV = ZoneInfo("Europe/Kyiv")  # the app's zone in the flows


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Carillon]:
    async with carillon(tmp_path, "sqlite:///data/carillon.db", rate=200) as one:
        await one.import_clients(40)
        yield one


def local(moment: datetime, zone: ZoneInfo = KYIV) -> str:
    """As a mailing file gives it."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


async def turn_clock(made: Carillon, mailing: int, start_at: datetime) -> None:
    """As if the mailing had been scheduled for that moment."""
    async with made.desk.store.database.writing() as connection:
        await connection.execute(update(steps).where(steps.c.mailing_id == mailing).values(start_at=start_at))


async def scheduled(made: Carillon, name: str, in_s: float, **more: Any) -> int:
    """Scheduled for an hour from now, then moved to that many seconds from now."""
    start = local(datetime.now(UTC) + timedelta(hours=1))
    mailing = await made.create(name, start=start, **more)
    await turn_clock(made, mailing, datetime.now(UTC) + timedelta(seconds=in_s))
    assert (await made.figures(mailing))["status"] == "scheduled"
    return mailing


async def test_a_scheduled_mailing_starts_by_itself_also_after_a_restart(storage_url: str, tmp_path: Path) -> None:
    async with carillon(tmp_path, storage_url, rate=200) as made:
        await made.import_clients(40)
        await made.start(only="engine")
        soon = await scheduled(made, "Soon", 2)
        await made.until_status(soon, "sent")
        later, before = await scheduled(made, "Later", 3600), len(made.simulator.accepted_at(TOKEN))
        await made.kill()
        missed = await scheduled(made, "Missed a little", -20 * 60)
        await made.start(only="engine")
        figures = await made.until_status(missed, "sent")
        assert figures["sent"] == 40
        assert (await made.figures(later))["status"] == "scheduled"
        assert len(made.simulator.accepted_at(TOKEN)) == before + 40
        await turn_clock(made, later, datetime.now(UTC))
        await made.until_status(later, "sent")


async def test_a_start_that_is_more_than_half_an_hour_past_asks_a_person(made: Carillon) -> None:
    late = await scheduled(made, "Late", -31 * 60)
    await made.start(only="engine")
    figures = await made.until_status(late, "paused", "sending")
    assert (figures["status"], figures["reason"]) == ("paused", "its start was 31 minutes ago")
    assert len(made.simulator.accepted_at(TOKEN)) == 0
    [notice] = await made.desk.operations.notices()
    assert (notice.kind, notice.mailing_id, notice.details["reason"]) == ("paused", late, "late_start")
    await made.cli("mailing", "resume", str(late))
    assert (await made.until_status(late, "sent"))["sent"] == 40


async def test_after_a_long_silence_what_was_sending_is_paused_and_asks(made: Carillon) -> None:
    await made.start(only="engine")
    mailing = await made.create(speed=10.0)
    await made.until_sent(mailing, 3)
    await made.kill()
    async with made.desk.store.database.writing() as connection:
        long_ago = datetime.now(UTC) - timedelta(minutes=31)
        await connection.execute(update(runs).values(heartbeat_at=long_ago))
    before = len(made.simulator.accepted_at(TOKEN))
    await made.start(only="engine")
    paused = await made.figures(mailing)
    assert paused["status"] == "paused"
    assert paused["reason"].startswith("Carillon did not run from ")
    _started, paused_by_itself = await made.desk.operations.notices()
    assert (paused_by_itself.kind, paused_by_itself.details["reason"]) == ("paused", "long_silence")
    assert len(made.simulator.accepted_at(TOKEN)) == before
    await made.cli("mailing", "resume", str(mailing))
    figures = await made.until_status(mailing, "sent")
    assert figures["sent"] + figures["unknown"] == 40
    assert max(made.simulator.accepted_by_chat(TOKEN).values()) == 1


async def test_a_scheduled_mailing_changes_until_five_minutes_before_its_start(made: Carillon) -> None:
    mailing = await scheduled(made, "Scheduled", 6 * 60)
    operations = made.desk.operations
    by = (await operations.get(mailing)).launched_by
    assert by is not None
    draft = (await operations.get(mailing)).draft
    await operations.change(mailing, draft, by)
    await turn_clock(made, mailing, datetime.now(UTC) + timedelta(minutes=4))
    with pytest.raises(Exception, match="less than 5 minutes"):
        await operations.change(mailing, draft, by)
    await made.cli("mailing", "cancel", str(mailing))
    figures = await made.figures(mailing)
    assert (figures["status"], figures["planned"]) == ("cancelled", 0)


def _sundays_of_change(year: int) -> tuple[datetime, datetime]:
    """The last Sundays of March and October, on which the clocks of Kyiv change at 3 and 4 o'clock."""

    def last_sunday(month: int) -> datetime:
        last = datetime(year, month, 31)  # noqa: DTZ001  # a local date
        return last - timedelta(days=(last.weekday() + 1) % 7)

    return last_sunday(3), last_sunday(10)


async def test_a_missing_hour_moves_forward_and_of_a_doubled_one_the_first_counts(made: Carillon) -> None:
    spring, autumn = _sundays_of_change(datetime.now(UTC).year + 1)
    missing = await made.create("Missing", start=f"{spring:%Y-%m-%d}T03:30:00", timezone="Europe/Kyiv")
    doubled = await made.create("Doubled", start=f"{autumn:%Y-%m-%d}T03:30:00", timezone="Europe/Kyiv")
    # At 3:00 EET the clocks show 4:00 EEST: half past three is half past four, 1:30 UTC.
    assert (await made.figures(missing))["start_at"] == f"{spring:%Y-%m-%d}T01:30:00Z"
    # At 4:00 EEST they show 3:00 EET: the first half past three is EEST, 0:30 UTC.
    assert (await made.figures(doubled))["start_at"] == f"{autumn:%Y-%m-%d}T00:30:00Z"
    check = await made.desk.operations.check(missing)
    assert check.start_note is not None
    assert "the clocks go forward" in check.start_note


async def test_each_client_gets_it_at_the_hour_of_its_own_zone(made: Carillon) -> None:
    zones = ["Europe/Kyiv", "Europe/London", "Asia/Tokyo", "America/New_York", "Pacific/Auckland"]
    first = FIRST_CLIENT + 1000
    rows = "".join(f"z{n},{zone},zoned,{first + n}\n" for n, zone in enumerate(zones))
    file = made.folder / "zones.csv"
    file.write_text(f"id,timezone,tags,tg-shop\n{rows}z9,,zoned,{first + 9}\n")
    await made.cli("clients", "import", str(file))
    hour = (datetime.now(KYIV) + timedelta(days=2)).replace(hour=10, minute=0, second=0, microsecond=0, tzinfo=None)
    file = made.folder / "own-hour.toml"
    file.write_text(
        f'name = "Own hour"\nstart = "{hour.isoformat()}"\ntimezone = "client"\n'
        '[audience]\nwhere = [{ field = "tag", is = "zoned" }]\n[message]\ntext = "Good morning"\n'
    )
    mailing = int((await made.cli("mailing", "create", str(file), "--launch"))["id"])
    # It begins when the first zone of the world has that hour.
    assert (await made.figures(mailing))["start_at"] == f"{(hour - timedelta(hours=14)).isoformat()}Z"
    await turn_clock(made, mailing, datetime.now(UTC) - timedelta(minutes=31))
    await made.start(only="engine")
    assert (await made.until_status(mailing, "paused", "sending"))["status"] == "paused"
    await made.cli("mailing", "resume", str(mailing))

    async def is_planned() -> bool:
        return int((await made.figures(mailing))["planned"]) == 6

    await until(is_planned, 60, "the audience to be planned")
    due = await _due_by_address(made, mailing)
    expected = {str(first + n): hour.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for n, zone in enumerate(zones)}
    assert due == expected | {str(first + 9): hour.replace(tzinfo=KYIV).astimezone(UTC)}
    figures = await made.figures(mailing)
    assert (figures["status"], figures["waiting"], figures["sent"]) == ("sending", 6, 0)


async def _due_by_address(made: Carillon, mailing: int) -> dict[str, datetime]:
    step_id = (await made.desk.operations.get(mailing)).step_id
    statement = (
        select(addresses.c.external_id, deliveries.c.due_at)
        .join(addresses, addresses.c.id == deliveries.c.address_id)
        .where(deliveries.c.step_id == step_id)
    )
    async with made.desk.store.database.read() as connection:
        return {row.external_id: row.due_at for row in await connection.execute(statement)}
