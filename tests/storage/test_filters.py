"""Every comparison, on both databases: who matches, by which way, and why the others are left out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, update

from engine.audience import read_audience
from gateways.base import AddressStatus
from storage import audiences
from storage.addresses import AddressChange, change_addresses
from storage.audiences import Audience, AudienceCount
from storage.errors import Invalid
from storage.records import Actor, Routing
from storage.schema import clients, deliveries, mailings, reactions, steps
from storage.store import Store
from tests.storage.people import CHANNELS, NOW, add, card_of, ids_of

BY = Actor("Olha")


async def matching(store: Store, *where: dict[str, Any], at: datetime = NOW) -> str:
    """The ids of those who match, in order, and that counting finds as many."""
    audience = audiences.Audience(read_audience({"where": list(where)}), known_channels=CHANNELS, at=at)
    async with store.database.read() as connection:
        query = await audience.compile(connection)
        wanted = select(clients.c.external_id).select_from(query.source).where(query.matching)
        found = await connection.scalars(wanted.order_by(clients.c.id))
        names = "".join(found)
    counted = await store.clients.count(Audience(audience.filter, known_channels=CHANNELS, at=at))
    assert counted.audience == len(names)
    return names


@pytest.fixture
async def people(store: Store) -> Store:
    await add(
        store,
        {"id": "a", "first_name": "Ann", "tg-shop": "1", "ltv": 1500, "city": "Київ", "born": "1990-05-01",
         "tags": "vip;new", "language": "en", "subscribed_to": "promo_42"},
        {"id": "b", "first_name": "Bob", "tg-shop": "2", "tg-news": "12", "ltv": 99.5, "city": "київ старий",
         "born": "2001-12-31", "tags": "new", "language": "uk", "email": "Bob@Mail.example"},
        {"id": "c", "first_name": "Çelik", "tg-news": "3", "ltv": "00123", "city": "50% [off]_*", "language": "uk"},
        {"id": "d", "phone": "+380501234567"},
        at=NOW - timedelta(days=10),
    )  # fmt: skip
    await add(store, {"id": "e", "tg-shop": "5", "ltv": -3}, at=NOW)
    return store


CASES: list[tuple[str, list[dict[str, Any]], str]] = [
    ("everybody", [], "abcde"),
    ("a tag", [{"field": "tag", "is": "vip"}], "a"),
    ("not a tag, and those without tags", [{"field": "tag", "is_not": "vip"}], "bcde"),
    ("one of tags", [{"field": "tag", "in": ["vip", "new", "nobody"]}], "ab"),
    ("one of very many tags", [{"field": "tag", "in": ["vip", *(f"t{n}" for n in range(30))]}], "a"),
    ("a tag that nobody has", [{"field": "tag", "is": "nobody"}], ""),
    ("a piece of a tag", [{"field": "tag", "contains": "EW"}], "ab"),
    ("any tag", [{"field": "tag", "known": True}], "ab"),
    ("no tag", [{"field": "tag", "unknown": True}], "cde"),
    ("a number", [{"field": "ltv", "is": 1500}], "a"),
    ("another number, or none", [{"field": "ltv", "is_not": 1500}], "bcde"),
    ("over", [{"field": "ltv", "gt": 99.5}], "a"),
    ("at least", [{"field": "ltv", "gte": 99.5}], "ab"),
    ("under, as text", [{"field": "ltv", "lt": "99.5"}], "e"),
    ("at most", [{"field": "ltv", "lte": 99.5}], "be"),
    ("between", [{"field": "ltv", "between": [-3, 99.5]}], "be"),
    ("a text that looks like a number", [{"field": "ltv", "is": "00123"}], "c"),
    ("several numbers and a text", [{"field": "ltv", "in": [1500, -3, "00123"]}], "ace"),
    ("a text exactly", [{"field": "city", "is": "Київ"}], "a"),
    ("another text, or none", [{"field": "city", "is_not": "Київ"}], "bcde"),
    ("a piece in another case and alphabet", [{"field": "city", "contains": "КИЇВ"}], "ab"),
    ("a piece with signs that patterns know", [{"field": "city", "contains": "50% [OFF]_*"}], "c"),
    ("a sign that patterns know", [{"field": "city", "contains": "_"}], "c"),
    ("a piece with an accent", [{"field": "first_name", "contains": "çel"}], "c"),
    ("a piece in Latin", [{"field": "email", "contains": "MAIL.EX"}], "b"),
    ("known", [{"field": "city", "known": True}], "abc"),
    ("not known", [{"field": "city", "known": False}], "de"),
    ("a date", [{"field": "born", "is": "1990-05-01"}], "a"),
    ("after a date", [{"field": "born", "gt": "1990-05-01"}], "b"),
    ("from a date", [{"field": "born", "gte": "1990-05-01"}], "ab"),
    ("between dates", [{"field": "born", "between": ["1990-01-01", "1990-12-31"]}], "a"),
    ("created this day", [{"field": "created_at", "is": "2026-11-21"}], "e"),
    ("created before", [{"field": "created_at", "lt": "2026-11-21"}], "abcd"),
    ("created at the latest", [{"field": "created_at", "lte": "2026-11-11"}], "abcd"),
    ("created within days", [{"field": "created_at", "within_days": 9}], "e"),
    ("created within more days", [{"field": "created_at", "within_days": 10}], "abcde"),
    ("created longer ago", [{"field": "created_at", "not_within_days": 9}], "abcd"),
    ("wrote longer ago, or never", [{"field": "last_wrote", "not_within_days": 9}], "abcde"),
    ("a date of their own within days", [{"field": "born", "within_days": 13_000}], "b"),
    ("a date of their own longer ago, or none", [{"field": "born", "not_within_days": 13_000}], "acde"),
    ("never wrote", [{"field": "last_wrote", "unknown": True}], "abcde"),
    ("a source", [{"field": "subscribed_to", "is": "promo_42"}], "a"),
    ("not a source", [{"field": "subscribed_to", "is_not": "promo_42"}], "bcde"),
    ("a piece of a source", [{"field": "subscribed_to", "contains": "PROMO"}], "a"),
    ("a channel", [{"field": "channel", "is": "tg-news"}], "bc"),
    ("not a channel", [{"field": "channel", "is_not": "tg-news"}], "ade"),
    ("no channel", [{"field": "channel", "unknown": True}], "d"),
    ("a connection", [{"field": "connection", "is": "enabled"}], "abce"),
    ("no connection", [{"field": "connection", "is": "none"}], "d"),
    ("the main channel", [{"field": "main_channel", "is": "tg-shop"}], "abe"),
    ("the id", [{"field": "id", "in": ["a", "e", "x"]}], "ae"),
    ("a phone", [{"field": "phone", "contains": "38050"}], "d"),
    ("all of several", [{"field": "tag", "is": "new"}, {"field": "ltv", "lt": 1000}], "b"),
    (
        "any, with all in it",
        [{"any": [
            {"field": "language", "is": "en"},
            {"all": [{"field": "ltv", "lt": 0}, {"field": "tag", "unknown": True}]},
        ]}],
        "ae",
    ),
]  # fmt: skip


async def test_a_condition_finds_whom_it_means(people: Store) -> None:
    """All of them on the same people: making those takes longer than asking."""
    found = {name: await matching(people, *where) for name, where, _expected in CASES}
    assert found == {name: expected for name, _where, expected in CASES}


async def test_a_date_is_a_day_in_the_app_s_zone(store: Store) -> None:
    await add(store, {"id": "a"}, at=datetime(2026, 11, 20, 22, 30, tzinfo=UTC))
    audience = read_audience({"where": [{"field": "created_at", "is": "2026-11-21"}]})
    assert (await store.clients.count(Audience(audience, at=NOW, zone=ZoneInfo("Europe/Kyiv")))).audience == 1
    assert (await store.clients.count(Audience(audience, at=NOW, zone=UTC))).audience == 0


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"field": "nothing", "is": 1}, "No client has a field “nothing”."),
    ({"field": "tag", "gt": 1}, "“tag” can't be compared by “gt”."),
    ({"field": "language", "gt": "a"}, "“language” can't be compared by “gt”."),
    ({"field": "ltv", "gt": "many"}, "“ltv” can be compared by size with a number or a date, and “many” is neither."),
    (
        {"field": "created_at", "gt": "soon"},
        "“created_at” is compared with a date such as 2026-11-21, and “soon” is none.",
    ),
    (
        {"field": "last_seen", "within_days": "long"},
        "“last_seen” within_days needs a number of days, and “long” is none.",
    ),
    ({"mailing": 77, "outcome": "sent"}, "There is no mailing 77."),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "words"), WRONG, ids=[words for _condition, words in WRONG])
async def test_what_makes_no_sense_is_refused_in_a_sentence(
    people: Store, condition: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid) as told:
        await people.clients.count(Audience(read_audience({"where": [condition]})))
    assert str(told.value) == words


@pytest.mark.parametrize("name", ["order", 'a"b', "a'b; DROP TABLE clients", "a%b", ":x", "select", "Größe"])
async def test_an_attribute_may_be_called_anything(store: Store, name: str) -> None:
    await add(store, {"id": "a", "attributes": {name: "x"}}, {"id": "b"})
    assert await matching(store, {"field": name, "is": "x"}) == "a"


async def test_numbers_and_letters_of_the_same_attribute_do_not_meet(store: Store) -> None:
    await add(store, {"id": "a", "mixed": "12"}, {"id": "b", "mixed": "zebra"}, {"id": "c", "mixed": "2026-01-01"})
    assert await matching(store, {"field": "mixed", "gte": 5}) == "a"
    assert await matching(store, {"field": "mixed", "gte": "2025-01-01"}) == "c"


# --- segments --------------------------------------------------------------------------------------------------------


async def test_a_segment_and_conditions_must_both_hold(people: Store) -> None:
    await people.segments.save("new", read_audience({"where": [{"field": "tag", "is": "new"}]}), NOW)
    await people.segments.save(
        "new uk", read_audience({"segment": "new", "where": [{"field": "language", "is": "uk"}]}), NOW
    )
    assert (await people.clients.count(Audience(read_audience({"segment": "new"})))).audience == 2
    assert (await people.clients.count(Audience(read_audience({"segment": "new uk"})))).audience == 1
    audience = read_audience({"segment": "new", "where": [{"field": "ltv", "gt": 1000}]})
    assert (await people.clients.count(Audience(audience))).audience == 1


async def test_a_segment_that_does_not_exist_is_named(people: Store) -> None:
    with pytest.raises(Invalid, match="There is no segment “vip”"):
        await people.clients.count(Audience(read_audience({"segment": "vip"})))


# --- mailings --------------------------------------------------------------------------------------------------------


async def sent_mailing(store: Store, states: dict[str, str], also: Sequence[tuple[str, str]] = ()) -> int:
    """A mailing whose deliveries ended so; `also` are reactions: client and kind. Returns its id."""
    numbers = dict(zip(states, await ids_of(store, *states), strict=True))
    async with store.database.writing() as connection:
        mailing = {"name": "m", "routing": "main", "channels": [], "on_unknown": "skip", "created_by": "a|cli|"}
        mailing_id: int = (
            await connection.execute(insert(mailings).values(created_at=NOW, **mailing).returning(mailings.c.id))
        ).scalar_one()
        step = {"mailing_id": mailing_id, "number": 1, "status": "sent", "start": "now", "audience": {}, "message": {}}
        step_id = (await connection.execute(insert(steps).values(step).returning(steps.c.id))).scalar_one()
        for client, state in states.items():
            row = {"step_id": step_id, "client_id": numbers[client], "channel": "tg-shop", "address_id": 1}
            await connection.execute(insert(deliveries).values(**row, state=state, due_at=NOW))
        for client, kind in also:
            row = {"step_id": step_id, "client_id": numbers[client], "delivery_id": 1, "kind": kind}
            await connection.execute(insert(reactions).values(**row, occurred_at=NOW))
    return mailing_id


async def test_an_earlier_mailing_s_outcome_selects(people: Store) -> None:
    states = {"a": "read", "b": "delivered", "c": "sent", "d": "failed"}
    mailing = await sent_mailing(people, states, [("a", "clicked"), ("b", "unsubscribed")])

    async def having(outcome: str, *, is_not: bool = False) -> str:
        return await matching(people, {"mailing": mailing, "outcome": outcome, "is_not": is_not})

    assert await having("sent") == "abc"
    assert await having("delivered") == "ab"
    assert await having("read") == "a"
    assert await having("failed") == "d"
    assert await having("clicked") == "a"
    assert await having("unsubscribed") == "b"
    assert await having("read", is_not=True) == "bcde"
    assert await having("clicked", is_not=True) == "bcde"
    either = {"any": [{"mailing": mailing, "outcome": "failed"}, {"mailing": mailing, "outcome": "clicked"}]}
    assert await matching(people, either) == "ad"


# --- ways ------------------------------------------------------------------------------------------------------------


async def set_status(store: Store, client: str, channel: str, status: AddressStatus) -> None:
    card = await card_of(store, client)
    address = next(one for one in card.addresses if one.channel == channel)
    async with store.database.writing() as connection:
        await change_addresses(connection, [AddressChange(address.id, status, "test", NOW)])


async def test_the_main_channel_decides_and_everyone_left_out_has_a_reason(people: Store) -> None:
    await set_status(people, "a", "tg-shop", AddressStatus.BLOCKED)
    await set_status(people, "b", "tg-shop", AddressStatus.GONE)
    await people.clients.opt_out((await card_of(people, "e")).id, "tg-shop", BY)
    counted = await people.clients.count(Audience(read_audience({}), Routing.MAIN, (), ("tg-shop",)))
    assert counted == AudienceCount(
        audience=5,
        planned=0,
        by_channel={},
        left_out={"blocked": 1, "gone": 1, "unsubscribed": 1, "no_address": 1, "no_channel": 1},
    )
    counted = await people.clients.count(Audience(read_audience({}), Routing.MAIN, (), CHANNELS))
    assert counted.by_channel == {"tg-news": 1}


async def test_chosen_takes_the_main_channel_if_it_is_listed_else_the_first_enabled(people: Store) -> None:
    counted = await people.clients.count(Audience(read_audience({}), Routing.CHOSEN, ("tg-news", "tg-shop"), CHANNELS))
    assert (counted.by_channel, counted.left_out) == ({"tg-shop": 3, "tg-news": 1}, {"no_address": 1})
    counted = await people.clients.count(Audience(read_audience({}), Routing.CHOSEN, ("tg-news",), CHANNELS))
    assert (counted.by_channel, counted.left_out) == ({"tg-news": 2}, {"no_address": 3})
    await set_status(people, "b", "tg-news", AddressStatus.BLOCKED)
    counted = await people.clients.count(Audience(read_audience({}), Routing.CHOSEN, ("tg-news",), CHANNELS))
    assert (counted.by_channel, counted.left_out) == ({"tg-news": 1}, {"blocked": 1, "no_address": 3})


async def test_chosen_does_not_fall_back_from_a_listed_main_channel(people: Store) -> None:
    await set_status(people, "b", "tg-shop", AddressStatus.BLOCKED)
    audience = read_audience({"where": [{"field": "id", "is": "b"}]})
    counted = await people.clients.count(Audience(audience, Routing.CHOSEN, ("tg-shop", "tg-news"), CHANNELS))
    assert (counted.by_channel, counted.left_out) == ({}, {"blocked": 1})


async def test_a_cascade_goes_on_after_a_block_and_ends_at_an_opt_out(people: Store) -> None:
    audience = read_audience({"where": [{"field": "id", "is": "b"}]})
    order = ("tg-shop", "tg-news")
    await set_status(people, "b", "tg-shop", AddressStatus.BLOCKED)
    assert (await people.clients.count(Audience(audience, Routing.CASCADE, order, CHANNELS))).by_channel == {
        "tg-news": 1
    }
    await people.clients.opt_out((await card_of(people, "b")).id, "tg-shop", BY)
    counted = await people.clients.count(Audience(audience, Routing.CASCADE, order, CHANNELS))
    assert (counted.by_channel, counted.left_out) == ({}, {"unsubscribed": 1})


async def test_the_address_of_the_way_is_the_enabled_one(people: Store) -> None:
    card = await card_of(people, "b")
    shop, news = (next(one.id for one in card.addresses if one.channel == name) for name in CHANNELS)
    async with people.database.read() as connection:
        for routing, channels, expected in (
            (Routing.MAIN, (), shop),
            (Routing.CHOSEN, ("tg-news",), news),
            (Routing.CASCADE, ("tg-news", "tg-shop"), news),
        ):
            audience = audiences.Audience(read_audience({}), routing, channels, CHANNELS, NOW)
            query = await audience.compile(connection)
            found = select(query.address_id).select_from(query.source).where(clients.c.id == card.id)
            assert await connection.scalar(found) == expected


async def test_the_erased_and_the_merged_match_nothing(people: Store) -> None:
    await people.clients.erase((await card_of(people, "a")).id, BY)
    async with people.database.writing() as connection:
        await connection.execute(update(clients).where(clients.c.external_id == "b").values(merged_into=3))
    assert await matching(people) == "cde"


async def test_the_reason_for_one_client_is_told(people: Store) -> None:
    await set_status(people, "a", "tg-shop", AddressStatus.BLOCKED)

    async def why(client: str, *where: dict[str, Any]) -> str | None:
        audience = read_audience({"where": list(where)})
        return await people.clients.why_left_out(
            (await card_of(people, client)).id, Audience(audience, known_channels=CHANNELS)
        )

    assert await why("a") == "blocked"
    assert await why("b") is None
    assert await why("b", {"field": "tag", "is": "vip"}) == "not_in_audience"


async def test_a_sample_is_somebody_who_can_be_reached(people: Store) -> None:
    await set_status(people, "a", "tg-shop", AddressStatus.BLOCKED)
    sample = await people.clients.sample(Audience(read_audience({}), known_channels=CHANNELS))
    assert sample is not None
    assert sample.external_id == "b"
    alone = read_audience({"where": [{"field": "id", "is": "a"}]})
    unreachable = await people.clients.sample(Audience(alone, known_channels=CHANNELS))
    assert unreachable is not None
    nobody = read_audience({"where": [{"field": "id", "is": "zz"}]})
    assert await people.clients.sample(Audience(nobody, known_channels=CHANNELS)) is None


async def test_a_base_that_is_shared_out_among_readers_is_counted_whole(
    people: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiences, "_IN_SPAN", 2)
    monkeypatch.setattr(audiences, "READERS", 3)
    mailing = await sent_mailing(people, {"a": "read", "e": "sent"}, [("e", "clicked")])
    assert (await people.clients.count(Audience(read_audience({}), known_channels=CHANNELS))).audience == 5
    assert await matching(people, {"mailing": mailing, "outcome": "clicked"}) == "e"
    assert await matching(people, {"mailing": mailing, "outcome": "read", "is_not": True}) == "bcde"
