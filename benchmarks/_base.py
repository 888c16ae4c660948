"""A base of clients, and mailings that they have got: made by the database itself, so that a million cards with ten
million deliveries stand in minutes. Values are spread by arithmetic on the client's id, the same on both databases."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Text,
    and_,
    case,
    cast,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from gateways.message import plain, read_message
from storage.applying import count_state
from storage.counters import CounterKey, add_counters
from storage.database import Database
from storage.records import DeliveryState
from storage.schema import (
    addresses,
    attempts,
    attributes,
    client_tags,
    clients,
    deliveries,
    delivery_id,
    events,
    mailings,
    metadata,
    parts,
    reactions,
    steps,
    subscriptions,
    tags,
)

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)
CHANNELS = ("telegram-1", "telegram-2", "viber-1", "vk-1", "whatsapp-1")
TAGS = 48
FILLED = 20  # attributes that most cards have, of 32
PER_SECOND = 125  # how fast a mailing went out: five channels at 25/s
MESSAGE = "Hello, {{ client.first_name }}! {{ client.a1 }} has {{ client.a0 }} of {{ client.a31 }}."

_TABLES_TO_INDEX = (addresses, attempts, client_tags, clients, deliveries, events, parts, subscriptions)
_IN_HASTE: Mapping[str, Sequence[str]] = {  # a base that a power cut spoils is made again
    "sqlite": (
        *("PRAGMA foreign_keys=OFF", "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF"),
        *("PRAGMA cache_size=-524288", "PRAGMA temp_store=MEMORY"),
    ),
    "postgresql": (
        "SET session_replication_role = replica",  # no look at foreign keys for each row
        *("SET synchronous_commit = off", "SET maintenance_work_mem = '512MB'", "SET work_mem = '256MB'"),
    ),
}


async def build(url: str, size: int, sent: int) -> None:
    """Make the base, unless one of this size is there: so many clients, who all were planned for `sent` mailings; the
    next one is a draft to all of them. Nobody else may use the database meanwhile."""
    if await _is_there(url, size, sent):
        return
    began = perf_counter()
    async with _in_haste(url) as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
        indexes = [index for table in _TABLES_TO_INDEX for index in table.indexes]
        for index in indexes:
            await connection.run_sync(index.drop)
        await _name(connection, sent)
        await connection.execute(_insert(clients, _card(connection, _numbers(size))))
        await _fill_cards(connection, size)
        for number in range(1, sent + 1):
            await _send(connection, number, size, days_ago=3 * (sent - number) + 1)
            _tell(f"{connection.dialect.name}: {number * size:,} deliveries of {sent * size:,}")
        for index in indexes:
            await connection.run_sync(index.create)
        await _end(connection)
    _tell(f"made {size:,} clients with {sent * size:,} deliveries in {perf_counter() - began:.0f} s\n")


async def _is_there(url: str, size: int, sent: int) -> bool:
    database = Database(url)
    async with database.writing() as connection:
        await connection.run_sync(metadata.create_all)
        found = [await connection.scalar(select(func.count()).select_from(table)) for table in (clients, mailings)]
    await database.close()
    return found == [size, sent + 1]


@asynccontextmanager
async def _in_haste(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(Database(url).url)
    async with engine.connect() as connection:
        for words in _IN_HASTE[connection.dialect.name]:
            await connection.exec_driver_sql(words)
        await connection.commit()
        yield connection
    await engine.dispose()


async def _end(connection: AsyncConnection) -> None:
    await connection.commit()
    if connection.dialect.name == "postgresql":
        # What autovacuum would have done by itself by the time somebody asks.
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("VACUUM ANALYZE")


def _tell(words: str) -> None:
    print(f"\r{words}", end="", file=sys.stderr, flush=True)


# --- numbers that look like chance -----------------------------------------------------------------------------------


def _numbers(size: int) -> ColumnElement[int]:
    begin = select(cast(literal(1), BigInteger).label("id")).cte("numbers", recursive=True)
    return begin.union_all(select(begin.c.id + 1).where(begin.c.id < size)).c.id


def _dice(number: ColumnElement[int], which: int, sides: int) -> ColumnElement[int]:
    """From 0 below `sides`; another `which` is another throw."""
    thrown = number * (2_654_435_761 + which * 1_000_003) % 4_294_967_291
    return thrown // 1009 % sides


def _one_of(thrown: ColumnElement[int], *values: str | None) -> ColumnElement[Any]:
    named = {place: literal(value, Text) for place, value in enumerate(values[:-1]) if value is not None}
    rest = null() if values[-1] is None else literal(values[-1], Text)
    return case(named, value=thrown, else_=rest)


def _weighted(thrown: ColumnElement[int], weights: Mapping[str, int]) -> ColumnElement[Any]:
    """`thrown` is below the sum of the weights."""
    arms, below = [], 0
    for value, weight in weights.items():
        below += weight
        arms.append((thrown < below, literal(value, Text)))
    return case(*arms)


def _before(connection: AsyncConnection, seconds: ColumnElement[Any] | float) -> ColumnElement[Any]:
    """So long before AT."""
    if connection.dialect.name == "sqlite":
        return literal(int(AT.timestamp()) * 1_000_000, BigInteger) - seconds * 1_000_000
    return literal(AT) - seconds * literal_column("interval '1 second'")


def _text(value: Any) -> ColumnElement[str]:
    return cast(value, Text)


def _insert(table: Any, row: Mapping[str, Any], *wanted: ColumnElement[bool], of: Any = None) -> Any:
    found = select(*row.values())
    if of is not None:
        found = found.select_from(of)
    return insert(table).from_select(list(row), found.where(*wanted), include_defaults=False)


# --- cards -----------------------------------------------------------------------------------------------------------


async def _name(connection: AsyncConnection, sent: int) -> None:
    """Attributes, tags, and the mailings with their steps."""
    await connection.execute(
        attributes.insert(), [{"name": f"a{slot}", "slot": slot, "type": "mixed"} for slot in range(32)]
    )
    await connection.execute(tags.insert(), [{"id": number + 1, "name": f"tag {number}"} for number in range(TAGS)])
    message = plain(read_message({"text": MESSAGE, "buttons": [[{"label": "Shop", "link": "https://acme.test"}]]}))
    for number in range(1, sent + 2):
        began = AT - timedelta(days=3 * (sent - number) + 1)
        mailing = {"id": number, "name": f"Week {number}", "routing": "main", "channels": [], "on_unknown": "skip"}
        await connection.execute(
            mailings.insert().values(**mailing, created_by="Ann|cli|", created_at=began, launched_by="Ann|cli|")
        )
        step = {"id": number, "mailing_id": number, "number": 1, "start": "now", "audience": {}, "message": message}
        times = dict.fromkeys(("launched_at", "started_at", "finished_at"), began if number <= sent else None)
        status = "sent" if number <= sent else "draft"
        await connection.execute(steps.insert().values(**step, **times, status=status, planned_all=number <= sent))


def _card(connection: AsyncConnection, number: ColumnElement[int]) -> dict[str, Any]:
    main = _one_of(_dice(number, 1, 5), *CHANNELS)
    other = _one_of(_dice(number, 2, 16), *CHANNELS, None)
    status = _weighted(_dice(number, 3, 100), {"enabled": 80, "unsubscribed": 8, "blocked": 8, "gone": 4})
    first_name = _one_of(_dice(number, 4, 8), "Ann", "Olha", "Іван", "Пётр", "Марія", "John", "Élodie", None)
    last_name = literal("Surname") + _text(number % 5000)
    created_at = _before(connection, _dice(number, 5, 86_400_000))
    also = case((and_(other.is_not(None), other != main), other + "=enabled|"), else_="")
    row = {
        "id": number,
        "external_id": literal("c") + _text(number),
        "name": func.coalesce(first_name, "") + " " + last_name,
        "first_name": first_name,
        "last_name": last_name,
        "phone": literal("+38050") + _text(1_000_000 + number),
        "email": literal("user") + _text(number) + "@mail" + _text(number % 100) + ".example",
        "language": _one_of(_dice(number, 6, 4), "uk", "ru", "en", None),
        "timezone": literal("Europe/Kyiv"),
        "timezone_source": literal("phone"),
        "main_channel": main,
        "main_address_id": number,
        "main_status": status,
        "reach": literal("|") + main + "=" + status + "|" + also,
        "tags": literal(",")
        + _tag_text(number, 0)
        + _tag_text(number, 1)
        + _tag_text(number, 2)
        + _tag_text(number, 3),
        "sources": literal("|promo_") + _text(_dice(number, 7, 100)) + "|",
        "created_at": created_at,
        "updated_at": created_at,
        "last_seen_at": case((_dice(number, 8, 10) < 7, _before(connection, _dice(number, 9, 8_640_000)))),
        "last_wrote_at": case((_dice(number, 10, 10) < 3, _before(connection, _dice(number, 11, 25_920_000)))),
    }
    for slot in (*range(FILLED), 31):
        row[f"text_{slot}"], row[f"number_{slot}"] = _attribute(number, slot)
    return row


def _attribute(number: ColumnElement[int], slot: int) -> tuple[Any, Any]:
    """What four cards in five have there: as a text, and as a number where it is one."""
    thrown, is_known = _dice(number, 100 + slot, 5000), _dice(number, 200 + slot, 5) < 4
    if slot == 31:
        return _text(number % 1000), cast(number % 1000, Float)
    match slot % 4:
        case 0:
            return case((is_known, _text(thrown))), case((is_known, cast(thrown, Float)))
        case 1:
            towns = ("Kyiv", "Lviv", "Київ", "Одеса", "Warszawa", "München")
            return case((is_known, _one_of(thrown % 6, *towns))), null()
        case 2:
            day = literal("20") + _text(11 + thrown % 16) + "-" + _text(10 + thrown % 3) + "-" + _text(10 + thrown % 18)
            return case((is_known, day)), null()
        case _:
            return case((is_known, literal("note ") + _text(thrown * 20 + number % 20) + " of something")), null()


def _has_tag(number: ColumnElement[int], place: int) -> ColumnElement[bool]:
    return _dice(number, 20, 5) > place


def _tag(number: ColumnElement[int], place: int) -> ColumnElement[int]:
    """Of each quarter of the tags a client has one at most."""
    return _dice(number, 21 + place, TAGS // 4) + place * (TAGS // 4) + 1


def _tag_text(number: ColumnElement[int], place: int) -> ColumnElement[str]:
    return case((_has_tag(number, place), _text(_tag(number, place)) + ","), else_="")


async def _fill_cards(connection: AsyncConnection, size: int) -> None:
    """What stands beside the cards."""
    its = clients.c.id
    for place in range(4):
        row = {"tag_id": _tag(its, place), "client_id": its}
        await connection.execute(_insert(client_tags, row, _has_tag(its, place)))
    row = {"client_id": its, "source": func.trim(clients.c.sources, "|"), "since": clients.c.created_at}
    await connection.execute(_insert(subscriptions, row))
    address: dict[str, Any] = {
        "id": its,
        "client_id": its,
        "scope": clients.c.main_channel,
        "external_id": literal("a") + _text(its),
        "channel": clients.c.main_channel,
        "status": clients.c.main_status,
        "status_at": clients.c.created_at,
        "last_wrote_at": clients.c.last_wrote_at,
        "created_at": clients.c.created_at,
        "details": literal({}, addresses.c.details.type),
    }
    await connection.execute(_insert(addresses, address))
    phone = address | {"id": its + size, "scope": literal("phone"), "external_id": clients.c.phone, "channel": null()}
    await connection.execute(_insert(addresses, phone))
    await connection.commit()


# --- mailings --------------------------------------------------------------------------------------------------------


async def _send(connection: AsyncConnection, step_id: int, size: int, days_ago: int) -> None:
    """Everybody's delivery of one mailing, with its attempt, its part, what came back, and the counters."""
    its = clients.c.id
    thrown = _dice(its, 1000 + step_id, 100)
    state = _weighted(thrown, {"sent": 30, "delivered": 25, "read": 35, "failed": 7, "skipped": 3})
    reason = case((state == "failed", _one_of(thrown % 2, "blocked", "403")), (state == "skipped", "unsubscribed"))
    ended_at = _before(connection, literal(days_ago * 86_400, BigInteger) - its // PER_SECOND)
    row = {
        "id": delivery_id(step_id, its),
        "step_id": literal(step_id),
        "client_id": its,
        "channel": clients.c.main_channel,
        "address_id": its,
        "state": state,
        "reason": reason,
        "due_at": ended_at,
        "started_at": ended_at,
        "finished_at": ended_at,
    }
    await connection.execute(_insert(deliveries, row))
    of_step = and_(deliveries.c.id > delivery_id(step_id, 0), deliveries.c.id <= delivery_id(step_id, size))
    d = deliveries.c
    tried = {
        "delivery_id": d.id,
        "number": literal(1),
        "channel": d.channel,
        "address_id": d.address_id,
        "tries": literal(1),
        "started_at": d.started_at,
        "finished_at": d.finished_at,
        "outcome": case((d.state == "failed", "failed"), else_="sent"),
        "reason": d.reason,
    }
    await connection.execute(_insert(attempts, tried, of_step, d.state != "skipped"))
    part = {
        "delivery_id": d.id,
        "attempt": literal(1),
        "position": literal(0),
        "channel": d.channel,
        "external_id": literal("m") + _text(d.id),
        "accepted_at": d.finished_at,
        "delivered_at": case((d.state.in_(("delivered", "read")), d.finished_at)),
        "read_at": case((d.state == "read", d.finished_at)),
    }
    await connection.execute(_insert(parts, part, of_step, d.state.in_(("sent", "delivered", "read"))))
    clicked = {
        "step_id": d.step_id,
        "kind": literal("clicked"),
        "client_id": d.client_id,
        "delivery_id": d.id,
        "occurred_at": d.finished_at,
    }
    clicks = and_(of_step, d.state == "read", _dice(d.client_id, 3000 + step_id, 2) == 0)
    await connection.execute(_insert(reactions, clicked, clicks))
    for kind, wanted in (("read", and_(of_step, d.state == "read")), ("clicked", clicks)):
        event = {
            "type": literal(kind),
            "key": literal(f"{kind}|") + _text(d.id),
            "channel": d.channel,
            "client_id": d.client_id,
            "address_id": d.address_id,
            "step_id": d.step_id,
            "delivery_id": d.id,
            "occurred_at": d.finished_at,
            "received_at": d.finished_at,
        }
        await connection.execute(_insert(events, event, wanted))
    await _count(connection, step_id, of_step, size)
    await connection.commit()


async def _count(connection: AsyncConnection, step_id: int, of_step: ColumnElement[bool], size: int) -> None:
    deltas: dict[CounterKey, int] = Counter()
    d = deliveries.c
    grouped = select(d.channel, d.state, d.reason, func.count()).where(of_step).group_by(d.channel, d.state, d.reason)
    for channel, state, reason, amount in await connection.execute(grouped):
        deltas[step_id, channel, "", "", "planned"] += amount
        count_state(deltas, (step_id, channel, "", ""), DeliveryState(state), reason, amount)
    deltas[step_id, "", "", "", "audience"] = size
    clicks = select(func.count()).where(reactions.c.step_id == step_id, reactions.c.kind == "clicked")
    deltas[step_id, CHANNELS[0], "", "", "clicked:any"] = int(await connection.scalar(clicks) or 0)
    await add_counters(connection, deltas)
