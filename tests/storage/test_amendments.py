"""Amendments as statements, on both databases: whom they concern, what became of each, and who has it still."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from gateways.message import Message, Text
from storage.amending import AmendedOutcome, AmendPackage
from storage.amendments import EndAmendment, NewAmendment
from storage.audiences import Audience
from storage.audit import Audited
from storage.filters import AudienceFilter, MailingOutcome, MailingResult
from storage.records import Actor, AmendedState, AmendmentKind, AmendmentStatus, Draft, Routing
from storage.schema import CLIENTS_IN_STEP, addresses, attempts, clients, deliveries, parts
from storage.store import Store

AT = datetime(2026, 12, 1, 8, tzinfo=UTC)
OLHA = Actor("Olha")
LATER = AT + timedelta(minutes=5)
# client, state, attempts as (channel, outcome, has parts)
PEOPLE: list[tuple[int, str, str | None, list[tuple[str, str, bool]]]] = [
    (1, "sent", None, [("tg", "sent", True)]),
    (2, "read", None, [("viber", "sent", True), ("tg", "sent", True)]),  # a cascade: both channels showed it
    (3, "unknown", "no_answer", [("tg", "unknown", False)]),
    (4, "failed", "blocked", [("tg", "failed", False)]),
    (5, "failed", "incomplete", [("tg", "failed", True)]),
    (6, "delivered", None, [("viber", "sent", True)]),
    (7, "planned", None, []),
]


async def mailing_of(store: Store) -> tuple[int, int]:
    """The mailing and its step, with its people; client n has the address n on each channel."""
    draft = Draft("Sale", Message((Text("Hi"),)))
    mailing_id = await store.mailings.create(draft, Audited(AT, OLHA, "create"))
    mailing = await store.mailings.find(mailing_id)
    assert mailing is not None
    step_id = mailing.step_id
    rows: dict[Any, list[dict[str, Any]]] = {table: [] for table in (clients, addresses, deliveries, attempts, parts)}
    for number, state, reason, tried in PEOPLE:
        rows[clients].append({"id": number, "first_name": f"N{number}", "created_at": AT, "updated_at": AT})
        at = {"status_at": AT, "created_at": AT, "details": {}, "status": "enabled", "channel": "tg"}
        rows[addresses].append({"id": number, "client_id": number, "scope": "tg", "external_id": f"a{number}", **at})
        delivery = step_id * CLIENTS_IN_STEP + number
        rows[deliveries].append(
            {
                "step_id": step_id, "client_id": number, "channel": "tg", "address_id": number, "state": state,
                "reason": reason, "due_at": AT, "attempt": max(len(tried), 1),
            }
        )  # fmt: skip
        for attempt, (channel, outcome, has_parts) in enumerate(tried, start=1):
            key = {"delivery_id": delivery, "channel": channel}
            made = {"number": attempt, "address_id": number, "tries": 1, "started_at": AT, "outcome": outcome}
            rows[attempts].append({**key, **made})
            if has_parts:
                rows[parts].append({**key, "attempt": attempt, "position": 0, "external_id": f"m{number}.{attempt}"})
    async with store.database.writing() as connection:
        for table, its in rows.items():
            await connection.execute(insert(table), its)
    return mailing_id, step_id


async def begun(store: Store, mailing_id: int, step_id: int, kind: AmendmentKind) -> int | None:
    message = Message((Text("Better"),)) if kind is AmendmentKind.CORRECT else None
    return await store.amendments.begin(NewAmendment(step_id, kind, message, Audited(AT, OLHA, kind, mailing_id)))


async def planned(store: Store, amendment_id: int) -> dict[tuple[str, str], int]:
    package = AmendPackage(amendment_id, 2, {"viber": "never"}, ["tg", "viber"], AT)
    while not await store.amendments.plan(package):
        assert (await store.amendments.running())[0].planned_all is False
    return dict(await store.amendments.counts(amendment_id))


async def test_everybody_who_may_have_it_is_planned_settled_and_left_out_the_next_time(store: Store) -> None:
    mailing_id, step_id = await mailing_of(store)
    amendment = await begun(store, mailing_id, step_id, AmendmentKind.TAKE_BACK)
    assert amendment is not None
    assert await begun(store, mailing_id, step_id, AmendmentKind.CORRECT) is None
    assert await planned(store, amendment) == {("tg", "waiting"): 4, ("viber", "missed:never"): 2}

    due = await store.amendments.due(amendment, "tg", AT, 10, frozenset({"first_name"}))
    assert [(row.client_id, row.attempt, [part.external_id for part in row.parts]) for row in due] == [
        (1, 1, ["m1.1"]),
        (2, 2, ["m2.2"]),
        (3, 1, []),
        (5, 1, ["m5.1"]),
    ]
    assert (due[0].address, due[0].client["first_name"], due[0].sent_at) == ("a1", "N1", AT)
    assert await store.amendments.due(amendment, "tg", AT, 1, frozenset()) != []
    first, second, third, _fourth = due
    reached = AmendedOutcome(first, "tg", AmendedState.REACHED, AT)
    for _twice in range(2):
        await store.amendments.settle(reached)
    await store.amendments.settle(AmendedOutcome(second, "tg", AmendedState.MISSED, AT, "too_old", "said so"))
    await store.amendments.settle(AmendedOutcome(third, "tg", AmendedState.WAITING, AT, tries=1, due_at=LATER))
    assert [row.client_id for row in await store.amendments.due(amendment, "tg", AT, 10, frozenset())] == [5]
    assert [row.tries for row in await store.amendments.due(amendment, "tg", LATER, 10, frozenset())] == [0, 1]
    assert await store.amendments.counts(amendment) == {
        ("tg", "waiting"): 2,
        ("tg", "reached"): 1,
        ("tg", "missed:too_old"): 1,
        ("viber", "missed:never"): 2,
    }

    told = {number: await store.histories.of_delivery(step_id, number) for number in (1, 2, 3)}
    assert [(one.what, one.channel) for one in told[1]] == [("tried", "tg"), ("taken_back", "tg")]
    assert [one.details for one in told[2] if one.what == "not_taken_back"] == [
        {"reason": "never"},
        {"reason": "too_old"},
    ]
    assert [one.what for one in told[3]] == ["tried"]

    end = EndAmendment(amendment, AmendmentStatus.STOPPED, Audited(AT, OLHA, "stop", mailing_id), "stopped by Olha")
    assert [await store.amendments.end(end), await store.amendments.end(end)] == [True, False]
    again = await begun(store, mailing_id, step_id, AmendmentKind.CORRECT)
    assert again is not None
    assert await planned(store, again) == {("tg", "waiting"): 3, ("viber", "missed:never"): 2}
    assert [(one.kind, one.status, one.message is None) for one in await store.amendments.of_step(step_id)] == [
        (AmendmentKind.TAKE_BACK, AmendmentStatus.STOPPED, True),
        (AmendmentKind.CORRECT, AmendmentStatus.RUNNING, False),
    ]


async def test_a_filter_finds_who_has_it_as_it_was_sent(store: Store) -> None:
    mailing_id, step_id = await mailing_of(store)

    async def kept() -> int:
        where = (MailingOutcome(mailing_id, MailingResult.KEPT),)
        audience = Audience(AudienceFilter(where=where), Routing.MAIN, (), ("tg",), AT)
        return (await store.clients.count(audience)).audience

    assert await kept() == 3
    amendment = await begun(store, mailing_id, step_id, AmendmentKind.CORRECT)
    assert amendment is not None
    await planned(store, amendment)
    first, *_rest = await store.amendments.due(amendment, "tg", AT, 1, frozenset())
    await store.amendments.settle(AmendedOutcome(first, "tg", AmendedState.REACHED, AT))
    assert await kept() == 2
