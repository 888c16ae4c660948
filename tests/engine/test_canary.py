"""A few clients first: how many begin, what holds the others, what lets them go."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from engine.canary import plain_canary, read_canary
from engine.errors import Invalid
from gateways.base import AddressGone, AddressStatus, Rejected
from storage.records import Canary, CanaryState, Draft, Routing, Status
from storage.schema import steps
from storage.store import Store
from tests.engine.test_cascade import MESSAGE, OLHA, House, opened

ON = AddressStatus.ENABLED


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[House]:
    """Twelve clients, the odd ones on one channel and the even ones on another."""
    async with opened(store, tmp_path, after_s=60.0) as made:
        for number in range(1, 13):
            await made.client(number, **({"first": ON} if number % 2 else {"second": ON}))
        yield made


async def launched(house: House, canary: Canary) -> int:
    draft = Draft("Few first", MESSAGE, routing=Routing.CASCADE, channels=("first", "second"), canary=canary)
    mailing = await house.operations.create(draft, OLHA)
    await house.operations.launch(mailing, OLHA)
    return mailing


async def paused(house: House, mailing: int) -> dict[str, Any]:
    return await house.until(lambda figures: figures["status"] == "paused", mailing)


def reached(house: House) -> int:
    return sum(len(speaker.sent) for speaker in house.speakers.values())


async def test_a_few_get_it_on_whichever_channel_and_the_others_after_a_pause(house: House) -> None:
    mailing = await launched(house, Canary(first=4, wait_s=0.5))
    figures = await paused(house, mailing)
    assert reached(house) == figures["sent"] == 4
    assert (figures["planned"], figures["canary"]["size"], figures["canary"]["state"]) == (12, 4, "waiting")
    assert all(house.speakers[name].sent for name in ("first", "second"))
    await house.until_sent(mailing)
    assert reached(house) == 12
    assert len({address for speaker in house.speakers.values() for address in speaker.to}) == 12
    verbs = [entry.verb for entry in await house.store.mailings.history(mailing)]
    assert verbs == ["create", "launch", "canary", "pass_canary", "finish"]


async def test_too_many_failures_hold_it_and_a_person_lets_it_go_on(house: House) -> None:
    for number in (1, 3, 5):
        house.speakers["first"].refuses[f"first{number}"] = Rejected("no", code=str(number))
    mailing = await launched(house, Canary(share=0.34, wait_s=0.2, failed_share=0.2))
    figures = await house.until(lambda now: (now["canary"] or {})["state"] == "held", mailing)
    assert figures["status"] == "paused"
    assert figures["reason"] == "3 of the first 5 failed"
    assert reached(house) == 5
    await asyncio.sleep(0.4)
    assert reached(house) == 5
    await house.operations.resume(mailing, OLHA)
    await house.until_sent(mailing)
    assert reached(house) == 12


async def test_addresses_that_are_gone_and_few_who_leave_hold_nothing(house: House) -> None:
    for number in (1, 3, 5):
        house.speakers["first"].refuses[f"first{number}"] = AddressGone("blocked", status=AddressStatus.BLOCKED)
    mailing = await launched(house, Canary(first=4, wait_s=0.2, failed_share=0.0))
    await house.until_sent(mailing)
    assert reached(house) == 12


async def test_a_person_holds_it_cancels_it_or_does_not_wait(house: House) -> None:
    mailing = await launched(house, Canary(first=4, wait_s=60.0))
    await paused(house, mailing)
    held = await house.operations.pause(mailing, OLHA)
    assert (held.canary_state, held.reason_words) == (CanaryState.HELD, "paused by Olha")
    await house.operations.cancel(mailing, OLHA)
    assert (await house.figures(mailing))["cancelled"] == 8
    await house.operations.launch(mailing, OLHA)  # to those it had not reached, and they are all of them now
    await house.until_sent(mailing)
    assert reached(house) == 12


async def test_whose_time_passed_while_nothing_ran_asks_a_person(house: House) -> None:
    mailing = await launched(house, Canary(first=4, wait_s=60.0))
    await paused(house, mailing)
    found = await house.operations.get(mailing)
    assert found.canary_until is not None
    async with house.store.database.writing() as connection:
        await connection.execute(update(steps).values(canary_until=found.canary_until - timedelta(hours=2)))
    figures = await house.until(lambda now: now["canary"]["state"] == "held", mailing)
    assert figures["reason"] == "it was to go on 119 minutes ago, and nothing was sent then"
    assert (await house.operations.get(mailing)).status is Status.PAUSED


def test_a_mailing_file_names_a_canary() -> None:
    written = {"share": 0.01, "wait_minutes": 15, "failed_share": 0.1}
    canary = read_canary(written)
    assert canary == Canary(share=0.01, wait_s=900.0, failed_share=0.1)
    assert canary is not None
    assert read_canary(plain_canary(canary)) == canary
    assert (canary.size(1000), canary.size(20), canary.size(0)) == (10, 1, 0)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (5, "canary is a table such as: first = 100, wait_minutes = 30."),
        ({}, "A canary is either so many clients first, or a share of all: one of first and share."),
        ({"first": 5, "share": 0.1}, "A canary is either so many clients first, or a share of all"),
        ({"frist": 5}, "A canary has no field “frist”; it knows first, share,"),
        ({"first": "5"}, "first of the canary must be a number."),
        ({"first": 0}, "The first clients are from 1 to 100000."),
        ({"share": 2}, "The first share is above 0 and at most 0.5"),
        ({"first": 5, "wait_minutes": 0.5}, "The pause after the first clients is from 1 minute to 7 days."),
        ({"first": 5, "failed_share": 2}, "failed_share and unsubscribed_share are from 0 to 1."),
    ],
)
def test_what_is_no_canary_is_told(written: object, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_canary(written)
    assert str(caught.value).startswith(words)
