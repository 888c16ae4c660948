"""What a lane does with each outcome, at which pace, and what it leaves in the rows."""

from collections.abc import AsyncIterator

import pytest

from gateways.base import (
    AddressGone,
    AddressStatus,
    ChannelBroken,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    Part,
    PartKind,
    Rejected,
    Throttled,
    Unavailable,
)
from storage.quotas import DayQuota, PackageQuota
from tests.engine.lanes import World, world


@pytest.fixture
async def lane_world(made_storage_url: str) -> AsyncIterator[World]:
    async with world(made_storage_url) as made:
        yield made


async def test_everybody_gets_it_once_at_the_pace(lane_world: World) -> None:
    step = await lane_world.step(60)
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 60}
    assert await lane_world.counted(step) == {"planned": 60, "sent": 60}
    assert {lane_world.gateway.received_by(f"a{n}") for n in range(1, 61)} == {1}
    assert lane_world.most_in_a_second() == 25
    assert lane_world.gateway.starts[-1] - lane_world.gateway.starts[0] == pytest.approx(59 / 25, abs=0.1)


async def test_a_slow_platform_does_not_lower_the_pace(lane_world: World) -> None:
    lane_world.gateway.latency_s = 0.4
    step = await lane_world.step(50)
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 50}
    assert lane_world.most_in_a_second() == 25


async def test_two_mailings_share_the_slots_each_within_its_own_speed(lane_world: World) -> None:
    slow = await lane_world.step(30, speed=5)
    fast = await lane_world.step(60)
    await lane_world.advance(2)
    assert 8 <= (await lane_world.states(slow))["sent"] <= 11
    assert 35 <= (await lane_world.states(fast))["sent"] <= 43
    assert lane_world.most_in_a_second() <= 25


async def test_a_throttle_waits_and_costs_no_try(lane_world: World) -> None:
    lane_world.gateway.script["a1"] = [Throttled(5)]
    step = await lane_world.step(3)
    await lane_world.advance(4.5)
    assert "sent" not in await lane_world.states(step) or lane_world.gateway.received_by("a1") == 1
    assert lane_world.reports.throttled >= 1
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 3}
    assert lane_world.gateway.received_by("a1") == 2
    assert lane_world.lane.rate < 25
    rows = await lane_world.rows(step)
    assert rows[0].tries == 1


async def test_a_throttle_of_one_client_lets_the_others_go_on(lane_world: World) -> None:
    lane_world.gateway.script["a1"] = [Throttled(3.0, only_this=True), Throttled(0.0, only_this=True)]
    step = await lane_world.step(30)
    await lane_world.advance(2)
    assert await lane_world.states(step) == {"sent": 29, "planned": 1}
    assert (lane_world.reports.throttled, lane_world.lane.rate) == (0, 25)
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 30}
    assert lane_world.gateway.received_by("a1") == 3
    assert (await lane_world.rows(step))[0].tries == 1
    assert lane_world.most_in_a_second() == 25


@pytest.mark.parametrize(("retry_after_s", "state"), [(2.0, "sent"), (1800.0, "failed")])
async def test_who_has_half_a_message_waits_for_the_rest_if_not_for_long(
    lane_world: World, retry_after_s: float, state: str
) -> None:
    refused = iter([None, Throttled(retry_after_s, only_this=True)])
    lane_world.gateway.always = lambda _: next(refused, None)
    step = await lane_world.step(1, parts=[Part(PartKind.TEXT, "One"), Part(PartKind.TEXT, "Two")])
    await lane_world.advance(4)
    assert await lane_world.states(step) == {state: 1}


async def test_what_surely_was_not_taken_is_tried_three_times(lane_world: World) -> None:
    lane_world.gateway.script["a1"] = [Unavailable("refused")] * 3
    step = await lane_world.step(5)
    await lane_world.advance(60)
    assert await lane_world.states(step) == {"sent": 4, "failed": 1}
    assert lane_world.gateway.received_by("a1") == 3
    rows = await lane_world.rows(step)
    assert (rows[0].reason, rows[0].tries) == ("unavailable", 3)


async def test_an_unknown_outcome_is_never_sent_again(lane_world: World) -> None:
    lane_world.gateway.script["a2"] = [OutcomeUnknown("no answer")]
    step = await lane_world.step(4)
    await lane_world.advance(30)
    assert await lane_world.states(step) == {"sent": 3, "unknown": 1}
    assert lane_world.gateway.received_by("a2") == 1


async def test_one_rejected_client_never_stops_the_next(lane_world: World) -> None:
    lane_world.gateway.script["a1"] = [Rejected("bad request", code="400")]
    step = await lane_world.step(4)
    await lane_world.advance(2)
    assert await lane_world.states(step) == {"sent": 3, "failed": 1}
    assert (await lane_world.counted(step))["failed:rejected"] == 1
    assert lane_world.reports.refused == []


async def test_three_equal_rejections_of_the_message_interrupt(lane_world: World) -> None:
    lane_world.gateway.always = lambda _: MessageRejected("can't parse entities")
    step = await lane_world.step(10)
    await lane_world.advance(0.5)
    assert lane_world.reports.refused[0] == (step, "can't parse entities")


async def test_a_message_at_fault_is_found_beside_a_mailing_that_goes_well(lane_world: World) -> None:
    lane_world.gateway.always = lambda out: MessageRejected("can't parse") if out.part.text == "Bad" else None
    good = await lane_world.step(15)
    bad = await lane_world.step(15, parts=[Part(PartKind.TEXT, "Bad")])
    await lane_world.advance(0.5)
    assert lane_world.reports.refused[0] == (bad, "can't parse")
    assert "failed" not in await lane_world.states(good)


async def test_what_one_mailing_failed_by_is_not_counted_against_the_next(lane_world: World) -> None:
    lane_world.gateway.always = lambda _: MessageRejected("can't parse")
    await lane_world.step(2)
    await lane_world.advance(1)
    await lane_world.step(2)
    await lane_world.advance(1)
    assert lane_world.reports.refused == []


async def test_a_blocked_address_fails_and_is_not_written_to_again(lane_world: World) -> None:
    lane_world.gateway.script["a1"] = [AddressGone("blocked", status=AddressStatus.BLOCKED)]
    step = await lane_world.step(2)
    await lane_world.advance(1)
    assert (await lane_world.counted(step))["failed:blocked"] == 1
    other = await lane_world.step(1)
    await lane_world.advance(1)
    assert await lane_world.states(other) == {"sent": 1}
    assert lane_world.gateway.received_by("a1") == 1


async def test_an_opt_out_between_claim_and_slot_is_skipped_with_its_reason(lane_world: World) -> None:
    step = await lane_world.step(20)
    await lane_world.set_address(15, "unsubscribed")
    await lane_world.advance(2)
    assert await lane_world.states(step) == {"sent": 19, "skipped": 1}
    assert (await lane_world.counted(step))["skipped:unsubscribed"] == 1
    assert lane_world.gateway.received_by("a15") == 0
    assert [row.tries for row in await lane_world.rows(step) if row.state == "skipped"] == [0]


async def test_a_broken_channel_stops_gives_back_and_goes_on_when_mended(lane_world: World) -> None:
    step = await lane_world.step(30)
    lane_world.gateway.always = lambda _: ChannelBroken("Unauthorized")
    await lane_world.advance(1)
    assert lane_world.reports.broken == ["Unauthorized"]
    assert await lane_world.states(step) == {"planned": 30}
    lane_world.gateway.always = lambda _: None
    await lane_world.advance(5)
    assert await lane_world.states(step) == {"planned": 30}
    lane_world.lane.mend()
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 30}


async def test_an_outage_loses_nobody_and_uses_no_tries(lane_world: World) -> None:
    step = await lane_world.step(40)
    lane_world.gateway.always = lambda _: Unavailable("connection refused")
    lane_world.gateway.checks = [Unavailable("connection refused")] * 4
    await lane_world.advance(20)
    assert lane_world.reports.down == [True]
    assert len(lane_world.gateway.sent) < 10
    lane_world.gateway.always = lambda _: None
    await lane_world.advance(100)
    assert lane_world.reports.down == [True, False]
    assert await lane_world.states(step) == {"sent": 40}
    assert {row.tries for row in await lane_world.rows(step)} == {1}


async def test_an_outage_that_meets_a_single_client_does_not_lose_it(lane_world: World) -> None:
    step = await lane_world.step(1)
    lane_world.gateway.always = lambda _: Unavailable("connection refused")
    lane_world.gateway.checks = [Unavailable("connection refused")] * 6
    await lane_world.advance(60)
    lane_world.gateway.always = lambda _: None
    await lane_world.advance(120)
    assert await lane_world.states(step) == {"sent": 1}


async def test_twenty_unknown_addresses_in_a_row_stop_the_lane_and_are_undone(lane_world: World) -> None:
    step = await lane_world.step(40)
    lane_world.gateway.always = lambda _: AddressGone("not_found", "chat not found", no_such_address=True)
    await lane_world.advance(3)
    assert len(lane_world.reports.broken) == 1
    states = await lane_world.states(step)
    assert states == {"planned": 40}
    assert await lane_world.counted(step) == {"planned": 40, "waiting": 40}
    assert 20 <= len(lane_world.gateway.sent) <= 25


async def test_a_daily_quota_is_kept_exactly(lane_world: World) -> None:
    lane_world.quota = DayQuota(7, "2026-11-21")
    step = await lane_world.step(20)
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 7, "planned": 13}
    assert lane_world.lane.used_up(step)


async def test_a_package_is_kept_exactly(lane_world: World) -> None:
    lane_world.quota = PackageQuota(5)
    step = await lane_world.step(20)
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 5, "planned": 15}


async def test_each_further_part_costs_a_slot_and_keeps_its_order(lane_world: World) -> None:
    parts = (Part(PartKind.TEXT, "first"), Part(PartKind.TEXT, "second"))
    step = await lane_world.step(20, parts)
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 20}
    assert lane_world.most_in_a_second() <= 25
    assert [out.text.text for out in lane_world.gateway.sent if out.address == "a7"] == ["first", "second"]


async def test_a_second_part_that_fails_is_not_a_reason_to_repeat_the_first(lane_world: World) -> None:
    def refuse_second(outgoing: Outgoing) -> Rejected | None:
        return Rejected("no") if outgoing.text.text == "second" and outgoing.address == "a1" else None

    lane_world.gateway.always = refuse_second
    step = await lane_world.step(2, (Part(PartKind.TEXT, "first"), Part(PartKind.TEXT, "second")))
    await lane_world.advance(10)
    assert await lane_world.states(step) == {"sent": 1, "failed": 1}
    assert (await lane_world.counted(step))["failed:incomplete"] == 1
    assert [out.text.text for out in lane_world.gateway.sent if out.address == "a1"] == ["first", "second"]


async def test_the_first_message_with_a_picture_goes_alone_until_it_is_uploaded(lane_world: World) -> None:
    lane_world.gateway.latency_s = 1.0
    step = await lane_world.step(10, (Part(PartKind.PICTURE, "look", media=("media:x.jpg",)),))
    await lane_world.advance(0.9)
    assert len(lane_world.gateway.sent) == 1
    await lane_world.advance(3)
    assert await lane_world.states(step) == {"sent": 10}


async def test_answers_go_ahead_of_bulk(lane_world: World) -> None:
    await lane_world.step(100)
    await lane_world.advance(0.5)
    before = len(lane_world.gateway.sent)
    from asyncio import ensure_future

    from gateways.markup import RichText

    answer = ensure_future(
        lane_world.lane.send_first(Outgoing("person", Part(PartKind.TEXT, "ok"), RichText("ok"), (), (), ""))
    )
    await lane_world.advance(0.1)
    assert answer.done()
    assert [out.address for out in lane_world.gateway.sent[before : before + 2]].count("person") == 1


async def test_a_paused_step_gives_back_what_it_had_claimed(lane_world: World) -> None:
    step = await lane_world.step(50)
    await lane_world.advance(0.5)
    await lane_world.set_status(step, "paused")
    await lane_world.lane.drop_step(step)
    await lane_world.advance(2)
    states = await lane_world.states(step)
    assert set(states) == {"sent", "planned"}
    assert states["sent"] == len(lane_world.gateway.sent) < 20


async def test_a_pause_from_another_process_takes_hold_at_the_start_mark(lane_world: World) -> None:
    step = await lane_world.step(50)
    await lane_world.advance(0.5)
    await lane_world.set_status(step, "paused")
    sent = len(lane_world.gateway.sent)
    await lane_world.advance(1)
    assert len(lane_world.gateway.sent) - sent <= 4


async def test_a_template_that_fails_for_one_client_fails_only_that_one(lane_world: World) -> None:
    step = await lane_world.step(5, (Part(PartKind.TEXT, "{{ client.first_name | replace('N2', '') }}"),))
    await lane_world.advance(2)
    assert await lane_world.states(step) == {"sent": 4, "failed": 1}


async def test_closing_finishes_what_is_in_flight_and_gives_back_the_rest(lane_world: World) -> None:
    lane_world.gateway.latency_s = 2.0
    step = await lane_world.step(100)
    await lane_world.advance(1)
    closing = lane_world.lane.close()
    await closing
    await lane_world.advance(4)
    states = await lane_world.states(step)
    assert set(states) == {"sent", "planned"}
    assert states["sent"] == len(lane_world.gateway.sent)
