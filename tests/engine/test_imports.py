"""Clients from CSV and XLSX files: what is taken, what is rejected and why, what an import never does."""

import asyncio
import csv
import io
import random
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from engine.audience import read_audience
from engine.client_rows import RowReader, typed
from engine.errors import Invalid
from engine.imports import ImportOutcome, Progress, Rejected, import_clients, upsert_clients
from engine.phones import timezone_of
from engine.settings import ChannelSettings
from gateways.base import AddressStatus
from gateways.telegram.capabilities import TELEGRAM
from gateways.twilio.capabilities import SMS
from gateways.viber.capabilities import VIBER
from gateways.whatsapp.capabilities import WHATSAPP
from storage.addresses import AddressChange, change_addresses
from storage.matching import ClientRow, Value
from storage.migrate import upgrade
from storage.records import Actor
from storage.schema import attributes, clients, mailings, steps, subscriptions
from storage.store import Store, open_store
from tests.storage.people import NOW, SETTINGS, card_of

BY = Actor("Olha")


async def imported(store: Store, folder: Path, text: str | bytes, **options: Any) -> ImportOutcome:
    file = folder / "clients.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return await import_clients(store, file, channels=SETTINGS, **options)


def counts(outcome: ImportOutcome) -> tuple[int, int, int]:
    return outcome.added, outcome.updated, outcome.rejections


async def values_of(store: Store, client: str) -> dict[str, Any]:
    return dict(await store.clients.values_of((await card_of(store, client)).id))


async def test_every_column_of_the_contract_is_understood(store: Store, tmp_path: Path) -> None:
    outcome = await imported(
        store,
        tmp_path,
        "id,name,first_name,last_name,phone,email,language,timezone,tags,main_channel,tg-shop,tg-news,subscribed_to,"
        "ltv\nc1,Ann Lee,Ann,Lee,+380501234567,Ann@Mail.example,uk,Europe/Warsaw,vip; new,tg-news,11,12,"
        "promo_42;ref 7,19.90\n",
    )
    assert counts(outcome) == (1, 0, 0)
    card = await card_of(store, "c1")
    assert (card.name, card.first_name, card.last_name, card.language) == ("Ann Lee", "Ann", "Lee", "uk")
    assert (card.timezone, card.main_channel, card.tags) == ("Europe/Warsaw", "tg-news", ("new", "vip"))
    assert [(one.scope, one.external_id, one.channel, one.status) for one in card.addresses] == [
        ("tg-shop", "11", "tg-shop", AddressStatus.ENABLED),
        ("tg-news", "12", "tg-news", AddressStatus.ENABLED),
        ("phone", "+380501234567", None, AddressStatus.ENABLED),
        ("email", "ann@mail.example", None, AddressStatus.ENABLED),
    ]
    values = await values_of(store, "c1")
    assert values["id"] == "c1"
    assert values["email"] == "ann@mail.example"
    assert values["tags"] == ["new", "vip"]
    assert values["ltv"] == 19.9
    assert f"{values['ltv']}" == "19.90"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_separator_and_mark_are_found_by_themselves(
    store: Store, tmp_path: Path, separator: str, mark: str, end: str
) -> None:
    rows = [["id", "tg-shop", "city, or town; or village"], ["c1", "1", "Kyiv, Ukraine; Europe\tEarth"]]
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(rows)
    assert counts(await imported(store, tmp_path, mark + text.getvalue())) == (1, 0, 0)
    assert (await card_of(store, "c1")).attributes == {rows[0][2]: rows[1][2]}


async def test_the_first_channel_with_an_address_becomes_the_main_one(store: Store, tmp_path: Path) -> None:
    await imported(store, tmp_path, "id,tg-news,tg-shop\na,1,2\nb,,2b\nc,,\n")
    found = [(await card_of(store, client)).main_channel for client in "abc"]
    assert found == ["tg-news", "tg-shop", None]


TYPES: list[tuple[str, Value, str]] = [
    ("12", Value("12", 12.0), "number"),
    ("-0.50", Value("-0.50", -0.5), "number"),
    ("00123", Value("00123"), "text"),
    ("0", Value("0", 0.0), "number"),
    ("4111111111111111", Value("4111111111111111"), "text"),
    ("1e5", Value("1e5"), "text"),
    ("1,5", Value("1,5"), "text"),
    ("nan", Value("nan"), "text"),
    ("٣", Value("٣"), "text"),
    ("2026-02-28", Value("2026-02-28"), "date"),
    ("2026-02-28 10:00", Value("2026-02-28T10:00"), "date"),
    ("2026-02-30", Value("2026-02-30"), "text"),
    ("true", Value("true"), "text"),
]


@pytest.mark.parametrize(("text", "value", "kind"), TYPES, ids=[text for text, _value, _kind in TYPES])
def test_a_value_keeps_its_type_and_its_writing(text: str, value: Value, kind: str) -> None:
    assert typed(text) == (value, kind)


async def test_the_type_of_an_attribute_is_what_all_its_values_were(store: Store, tmp_path: Path) -> None:
    await imported(store, tmp_path, "id,n,d,t,mixed\na,1,2026-01-01,x,1\nb,2,2026-01-02,y,2026-01-01\n")
    async with store.database.read() as connection:
        found = {row.name: row.type for row in await connection.execute(select(attributes))}
    assert found == {"n": "number", "d": "date", "t": "text", "mixed": "text"}
    await imported(store, tmp_path, "id,n\na,many\n")
    async with store.database.read() as connection:
        assert await connection.scalar(select(attributes.c.type).where(attributes.c.name == "n")) == "text"


# --- rows that are rejected ------------------------------------------------------------------------------------------

BROKEN: list[tuple[str, str, str]] = [
    ("too many cells", "c9,9,,,,,,extra", "it has 8 cells and the header has 7"),
    ("too few cells", "c9,9", "it has 2 cells and the header has 7"),
    ("an open quotation mark", '"c9,9,,,,,', "a quotation mark is not closed"),
    ("a NUL", "c9,9,a\0b,,,,", "“name” holds a NUL character"),
    ("no key at all", ",,Ann,,,,", "it has neither an id nor an address"),
    ("no phone", "c9,9,,+12,,,", "phone “+12” is no phone number"),
    ("a local phone", "c9,9,,0501234567,,,", "phone “0501234567” names no country: write it as +380…, or say --region"),
    ("no e-mail", "c9,9,,,ann at home,,", "email “ann at home” is no e-mail address"),
    ("an unknown zone", "c9,9,,,,Europe/Kiyv,", "timezone “Europe/Kiyv” is not known; did you mean “Europe/Kyiv”?"),
    ("an unknown channel", "c9,9,,,,,tg-shp", "main_channel “tg-shp” is no channel; there is tg-shop, tg-news"),
    ("a cell without end", f"c9,9,{'x' * 4001},,,,", "“name” is longer than 4000 characters"),
]
HEADER = "id,tg-shop,name,phone,email,timezone,main_channel"


@pytest.mark.parametrize(("row", "reason"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
async def test_a_broken_row_is_rejected_with_its_number_and_stops_nothing(
    store: Store, tmp_path: Path, row: str, reason: str
) -> None:
    outcome = await imported(store, tmp_path, f"{HEADER}\nc1,1,,,,,\n{row}\nc2,2,,,,,\n\nc3,3,,,,,\n")
    assert outcome.rejected == [Rejected(3, reason)]
    assert counts(outcome) == (3, 0, 1)


async def test_a_quotation_mark_that_is_never_closed_costs_one_row(store: Store, tmp_path: Path) -> None:
    rows = "".join(f"c{number},{number}\n" for number in range(4, 300))
    outcome = await imported(store, tmp_path, f'id,tg-shop\nc1,1\n"c2,2\nc3,3\n{rows}')
    assert outcome.rejected == [Rejected(3, "a quotation mark is not closed")]
    assert outcome.added == 298


async def test_a_cell_may_go_over_several_lines(store: Store, tmp_path: Path) -> None:
    outcome = await imported(store, tmp_path, 'id,tg-shop,note\nc1,1,"two\nlines, ""quoted"""\nc2,2,x\n')
    assert counts(outcome) == (2, 0, 0)
    assert (await card_of(store, "c1")).attributes == {"note": 'two\nlines, "quoted"'}


async def test_the_reasons_that_are_kept_have_an_end(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.imports.MOST_REASONS", 3)
    outcome = await imported(store, tmp_path, "id,tg-shop,email\n" + "a,1,x\n" * 10)
    assert (len(outcome.rejected), outcome.rejections) == (3, 10)


# --- files that are refused ------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, bytes, str]] = [
    ("an empty file", b"", "clients.csv is empty: the first row must name the columns."),
    ("a column twice", b"id,tg-shop,id\na,1,2\n", "The column “id” stands twice in the header."),
    ("a column twice, written otherwise", b"id,Name,name\na,1,2\n", "The column “name” stands twice in the header."),
    ("a column without a name", b"id,,tg-shop\na,1,2\n", "Column 2 has no name."),
    (
        "nothing to know a client by",
        b"name,city\nAnn,Kyiv\n",
        "The file needs a column by which clients are known: one of id, phone, email, tg-shop, tg-news.",
    ),
    (
        "a Windows encoding",
        "id,name\na,Ann\nb,Аня\n".encode("cp1251"),
        "clients.csv is not written in UTF-8 (row 3); save it as CSV in UTF-8.",
    ),
    (
        "UTF-16",
        "id,name\na,Аня\n".encode("utf-16"),
        "clients.csv is written in UTF-16; save it as CSV in UTF-8.",
    ),
    ("a name that we need", b"id,tag\na,vip\n", "“tag” is a field of Carillon's own; call the attribute otherwise."),
    (
        "an old Excel file",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "clients.csv is an old Excel file (.xls); save it as .xlsx or CSV.",
    ),
    ("a broken Excel file", b"PK\x03\x04 and no more", "clients.csv is no Excel file that can be read; save it anew."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_a_file_that_can_t_be_read_is_refused_whole(
    store: Store, tmp_path: Path, text: bytes, words: str
) -> None:
    with pytest.raises(Invalid) as told:
        await imported(store, tmp_path, text)
    assert str(told.value) == words
    assert await store.clients.total() == 0
    assert await store.clients.attribute_names() == []


async def test_a_file_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"nobody.csv can't be read: No such file"):
        await import_clients(store, tmp_path / "nobody.csv", channels=SETTINGS)


async def test_the_33rd_attribute_is_refused_before_anything_is_written(store: Store, tmp_path: Path) -> None:
    names = [f"a{number}" for number in range(30)]
    await imported(store, tmp_path, f"id,{','.join(names)}\nc1,{','.join('x' * 30)}\n")
    with pytest.raises(Invalid) as told:
        await imported(store, tmp_path, "id,a0,b0,b1,b2\nc2,1,2,3,4\n")
    assert str(told.value) == (
        "A card has room for 32 attributes of your own; 2 are left, and these are new: b0, b1, b2."
    )
    assert await store.clients.total() == 1
    assert counts(await imported(store, tmp_path, "id,a0,b0,b1\nc2,1,2,3\n")) == (1, 0, 0)


# --- whose row it is -------------------------------------------------------------------------------------------------


async def test_an_id_updates_and_empty_cells_leave_what_is_there(store: Store, tmp_path: Path) -> None:
    await imported(store, tmp_path, "id,tg-shop,first_name,ltv,tags\nc1,1,Ann,5,vip\n")
    assert counts(await imported(store, tmp_path, "id,first_name,ltv,tags\nc1,,7,new\nc2,Bob,,\n")) == (1, 1, 0)
    values = await values_of(store, "c1")
    assert (values["first_name"], values["ltv"], values["tags"]) == ("Ann", 7, ["new", "vip"])


async def test_without_an_id_any_address_that_matches_updates(store: Store, tmp_path: Path) -> None:
    await imported(store, tmp_path, "id,tg-shop,phone\nc1,1,+380501234567\n")
    assert counts(await imported(store, tmp_path, "phone,city\n+38 050 123-45-67,Kyiv\n")) == (0, 1, 0)
    assert (await card_of(store, "c1")).attributes == {"city": "Kyiv"}


async def test_an_unknown_id_goes_to_the_client_of_the_address_that_has_none(store: Store, tmp_path: Path) -> None:
    await imported(store, tmp_path, "tg-shop,first_name\n1,Ann\n")
    assert counts(await imported(store, tmp_path, "id,tg-shop\nc1,1\n")) == (0, 1, 0)
    assert (await card_of(store, "c1")).first_name == "Ann"


async def test_an_address_of_another_client_is_not_taken_away(store: Store, tmp_path: Path) -> None:
    await imported(store, tmp_path, "id,tg-shop,tg-news\na,1,\nb,2,22\n")
    outcome = await imported(store, tmp_path, "id,tg-shop,tg-news\na,2,\nc,1,\n,1,22\n")
    assert outcome.rejected == [
        Rejected(2, "its address 2 belongs to another client"),
        Rejected(3, "its address 1 belongs to another client"),
        Rejected(4, "its addresses belong to several clients"),
    ]


async def test_the_same_client_twice_in_a_file_is_added_and_updated(store: Store, tmp_path: Path) -> None:
    outcome = await imported(store, tmp_path, "id,tg-shop,city\nc1,1,Kyiv\nc1,1,Lviv\n,1,Odesa\n")
    assert counts(outcome) == (1, 2, 0)
    assert (await card_of(store, "c1")).attributes == {"city": "Odesa"}


async def test_a_file_becomes_what_its_rows_become_one_by_one(store: Store, tmp_path: Path) -> None:
    """Rows that share ids and addresses in every way: the same clients come of them, and the same refusals; and again
    when they come a second time, where most are there already as they stand."""
    rng = random.Random(1)
    columns = ("id", "tg-shop", "tg-news", "phone", "timezone", "first_name", "tags", "subscribed_to", "ltv")
    rows = [
        [
            rng.choice(["", f"c{rng.randrange(40)}"]),
            rng.choice(["", str(rng.randrange(40))]),
            rng.choice(["", "", str(rng.randrange(40))]),
            rng.choice(["", "", "", f"+3805012345{rng.randrange(20):02d}", "+12"]),
            rng.choice(["", "", "Europe/Warsaw"]),
            rng.choice(["", "Ann", "Bob"]),
            rng.choice(["", "vip", "new;vip"]),
            rng.choice(["", "", "p", "p;q"]),
            rng.choice(["", str(rng.randrange(9)), "many"]),
        ]
        for _row in range(120)
    ]
    again = [[*row[:5], "Eve", *row[6:8], "5" if row[8] else ""] for row in rows[::2]]
    mains = [[*row[:4], rng.choice(["", "tg-news"])] for row in rows[::3]]
    files = [(columns, rows), (columns, again), (("id", "tg-shop", "tg-news", "phone", "main_channel"), mains)]
    async with open_store(f"sqlite:///{tmp_path / 'other.db'}", data_dir=tmp_path, secret=b"x") as other:
        await upgrade(other.database)
        for header, given in files:
            text = "".join(f"{','.join(row)}\n" for row in (header, *given))
            outcome = await imported(store, tmp_path, text)
            numbered = {n: dict(zip(header, row, strict=True)) for n, row in enumerate(given, start=2) if any(row)}
            one_by_one = await upsert_clients(other, numbered.values(), channels=SETTINGS)
            one_by_one.rejected = [Rejected(list(numbered)[one.row - 1], one.reason) for one in one_by_one.rejected]
            assert outcome == one_by_one
            assert await everything(store) == await everything(other)
            assert min(outcome.updated, outcome.rejections) > 5


async def everything(store: Store) -> list[Any]:
    """All cards with what is theirs, without the numbers that they happened to get."""
    found = []
    async with store.database.read() as connection:
        ids = (await connection.scalars(select(clients.c.id))).all()
        sources: dict[int, list[str]] = {}
        for client_id, source in await connection.execute(select(subscriptions.c.client_id, subscriptions.c.source)):
            sources.setdefault(client_id, []).append(source)
    for client_id in ids:
        card = await store.clients.get(client_id)
        places = sorted((one.scope, one.external_id, one.channel or "", one.status) for one in card.addresses)
        given = (card.external_id, card.first_name, card.timezone, card.main_channel, card.tags, card.attributes)
        found.append((given, sorted(sources.get(client_id, [])), places))
    return sorted(found, key=str)


async def test_an_import_never_enables_again_who_left(store: Store, tmp_path: Path) -> None:
    text = "id,tg-shop,tg-news\na,1,\nb,2,\nc,3,\n"
    await imported(store, tmp_path, text)
    cards = {client: await card_of(store, client) for client in "abc"}
    await store.clients.opt_out(cards["a"].id, "all", BY)
    async with store.database.writing() as connection:
        change = AddressChange(cards["b"].addresses[0].id, AddressStatus.BLOCKED, "blocked", NOW)
        await change_addresses(connection, [change])
    await store.clients.erase(cards["c"].id, BY)
    outcome = await imported(store, tmp_path, "id,tg-shop,tg-news\na,1,11\nb,2,\nc,33,\n,3,\n")
    assert outcome.rejected == [
        Rejected(4, "this client was erased at their own request"),
        Rejected(5, "this client was erased at their own request"),
    ]
    states = {one.external_id: one.status for client in "ab" for one in (await card_of(store, client)).addresses}
    assert states == {
        "1": AddressStatus.UNSUBSCRIBED,
        "11": AddressStatus.UNSUBSCRIBED,
        "2": AddressStatus.BLOCKED,
    }


async def test_the_zone_of_a_phone_gives_way_to_one_that_was_given(store: Store, tmp_path: Path) -> None:
    await imported(store, tmp_path, "id,phone,timezone\na,+380501234567,\nb,+380501234568,Europe/Warsaw\n")
    assert [(await card_of(store, client)).timezone for client in "ab"] == ["Europe/Kyiv", "Europe/Warsaw"]
    await imported(store, tmp_path, "id,phone,timezone\na,+34928123456,\nb,+34928123457,\n")
    assert [(await card_of(store, client)).timezone for client in "ab"] == ["Atlantic/Canary", "Europe/Warsaw"]


ZONES = [
    ("+380501234567", "Europe/Kyiv"),
    ("+79161234567", "Europe/Moscow"),
    ("+73432123456", "Asia/Yekaterinburg"),
    ("+34612345678", "Europe/Madrid"),
    ("+34928123456", "Atlantic/Canary"),
    ("+12125550123", "America/New_York"),
    ("+19075550123", None),
    ("+61412345678", "Australia/Sydney"),
]


@pytest.mark.parametrize(("phone", "zone"), ZONES)
def test_a_phone_tells_the_zone_where_it_is_one(phone: str, zone: str | None) -> None:
    assert timezone_of(phone) == zone


async def test_local_phones_need_their_region(store: Store, tmp_path: Path) -> None:
    assert counts(await imported(store, tmp_path, "phone\n050 123 45 67\n", region="ua")) == (1, 0, 0)
    assert (await card_of(store, "+380501234567")).addresses[0].external_id == "+380501234567"
    with pytest.raises(Invalid, match="“Ukraine” is no country code"):
        await imported(store, tmp_path, "phone\n050 123 45 67\n", region="Ukraine")


# --- dry run, sheets, progress ---------------------------------------------------------------------------------------


async def test_a_dry_run_tells_the_same_and_changes_nothing(store: Store, tmp_path: Path) -> None:
    await imported(store, tmp_path, "id,tg-shop\na,1\n")
    text = "id,tg-shop,city,email\na,1,Kyiv,\nb,2,,\nb,2,Lviv,\nc,3,,nothing\n"
    tried = await imported(store, tmp_path, text, dry_run=True)
    assert (await store.clients.total(), await store.clients.attribute_names()) == (1, [])
    done = await imported(store, tmp_path, text)
    assert counts(tried) == counts(done) == (1, 2, 1)
    assert tried.rejected == done.rejected


def sheet(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    page = book.create_sheet()
    for row in rows:
        page.append(row)
    book.save(path)
    return path


async def test_a_sheet_is_read_as_a_csv_file_is(store: Store, tmp_path: Path) -> None:
    file = sheet(
        tmp_path / "clients.xlsx",
        [
            ["id", "tg-shop", "ltv", "born", "seen", "code", "ok", None],
            [
                "c1",
                123456789012,
                19.9,
                date(1990, 5, 1),
                datetime.fromisoformat("2026-01-01T10:30"),
                "00123",
                True,
            ],
            [None, None, None],
            [17, 5.0, 12.0],
            ["c3", 6, None, None, None, None, None, "too much"],
        ],
    )
    outcome = await import_clients(store, file, channels=SETTINGS)
    assert outcome.rejected == [Rejected(5, "it has 8 cells and the header has 7")]
    first = await card_of(store, "c1")
    assert first.addresses[0].external_id == "123456789012"
    assert first.attributes == {
        "ltv": 19.9, "born": "1990-05-01", "seen": "2026-01-01T10:30:00", "code": "00123", "ok": "true",
    }  # fmt: skip
    assert (await card_of(store, "17")).attributes == {"ltv": 12}


async def test_progress_is_told_up_to_the_end(store: Store, tmp_path: Path) -> None:
    told: list[Progress] = []
    rows = "".join(f"c{number},{number},Київ\n" for number in range(500))
    outcome = await imported(store, tmp_path, f"id,tg-shop,city\n{rows}", progress=told.append)
    assert outcome.added == 500
    assert len(told) > 3
    assert told[-1].position == told[-1].size == (tmp_path / "clients.csv").stat().st_size
    assert [one.position for one in told] == sorted(one.position for one in told)
    async with store.database.read() as connection:
        assert len((await connection.execute(select(clients.c.id))).all()) == 500


async def test_what_a_file_wrote_is_what_keeping_in_step_would_write(store: Store, tmp_path: Path) -> None:
    from storage.addresses import keep_in_step

    await imported(
        store, tmp_path, "id,tg-news,tg-shop,phone,tags,subscribed_to,main_channel\n"
        "a,1,2,+380501234567,x;y,p|q;r,tg-shop\nb,,,,x,,tg-news\nc,3,,,,,\n",
    )  # fmt: skip
    columns = ("main_channel", "main_address_id", "main_status", "reach", "tags", "sources")
    wanted = select(*(clients.c[name] for name in columns)).order_by(clients.c.id)

    def sorted_marks(row: Any) -> list[Any]:
        return [sorted(part) if isinstance(part, str) else part for part in row]

    async with store.database.writing() as connection:
        before = [sorted_marks(row) for row in await connection.execute(wanted)]
        await keep_in_step(connection, list(await connection.scalars(select(clients.c.id))))
        after = [sorted_marks(row) for row in await connection.execute(wanted)]
    assert before == after


async def test_a_program_s_clients_are_checked_as_a_file_s_rows_are(store: Store) -> None:
    outcome = await upsert_clients(
        store,
        [
            {
                "id": "a",
                "addresses": {"tg-shop": "1"},
                "tags": ["x", "y"],
                "attributes": {"n": 5, "ok": True, "no": None},
            },
            {"id": "b", "addresses": {"tg-shp": "1"}},
            {"id": "c", "attributes": {"tg-shop": "1"}},
            {"name": "Ann"},
            {"id": "a", "attributes": {"n": "00123"}},
        ],
        channels=SETTINGS,
    )
    assert counts(outcome) == (1, 1, 3)
    assert outcome.rejected == [
        Rejected(2, "“tg-shp” is no channel; there is tg-shop, tg-news"),
        Rejected(3, "“tg-shop” can't be an attribute's name"),
        Rejected(4, "it has neither an id nor an address"),
    ]
    card = await card_of(store, "a")
    assert (card.tags, card.attributes) == (("x", "y"), {"n": "00123", "ok": "true"})


async def test_pieces_let_others_write_in_between(store: Store, tmp_path: Path) -> None:
    """Nobody waits for the lock longer than a piece lasts: another writer gets its turn many times."""
    rows = "".join(f"c{number},{number}\n" for number in range(2000))
    importing = asyncio.create_task(imported(store, tmp_path, f"id,tg-shop\n{rows}"))
    turns = 0
    while not importing.done():
        await store.segments.save("s", read_audience({}), NOW)
        turns += 1
    assert (await importing).added == 2000
    assert turns >= 5


async def test_a_piece_tells_whether_a_mailing_is_being_sent(store: Store) -> None:
    async def write(client: str) -> bool:
        return (await store.upserts.write([ClientRow(external_id=client)], {}, NOW)).is_sending

    assert not await write("a")
    async with store.database.writing() as connection:
        about = {"routing": "main", "channels": [], "on_unknown": "skip", "created_by": "Ann", "created_at": NOW}
        await connection.execute(insert(mailings).values(id=1, name="m", **about))
        step = {"number": 1, "status": "sending", "start": "now", "audience": {}, "message": {}}
        await connection.execute(insert(steps).values(mailing_id=1, **step))
    assert await write("b")


async def test_an_erased_client_is_kept_out_of_a_piece_and_nobody_else(store: Store, tmp_path: Path) -> None:
    rows = "".join(f"c{number},{number}\n" for number in range(10))
    await imported(store, tmp_path, f"id,tg-shop\n{rows}")
    await store.clients.erase((await card_of(store, "c7")).id, BY, NOW)
    rows = "".join(f"d{number},{number}\n" for number in range(5, 12))
    outcome = await imported(store, tmp_path, f"id,tg-shop\n{rows}")
    assert [one.row for one in outcome.rejected] == [2, 3, 4, 5, 6]
    assert outcome.rejected[2].reason == "this client was erased at their own request"
    assert outcome.added == 2


# --- addresses -------------------------------------------------------------------------------------------------------

KINDS = {
    "tg": ChannelSettings("tg", TELEGRAM),
    "viber": ChannelSettings("viber", VIBER),
    "wa": ChannelSettings("wa", WHATSAPP),
    "sms": ChannelSettings("sms", SMS),
}


@pytest.mark.parametrize(
    ("channel", "text", "region", "address"),
    [
        ("tg", "-100200300", None, "-100200300"),
        ("viber", "01234567890A=", None, "01234567890A="),
        ("wa", "380501234567", None, "380501234567"),
        ("wa", "+380 50 123-45-67", None, "380501234567"),
        ("wa", "050 123 45 67", "UA", "380501234567"),
        ("wa", "380501234567", "PL", "380501234567"),
        ("wa", "UA.13491208655302741918", None, "UA.13491208655302741918"),
        ("sms", "+44 7700 900900", None, "447700900900"),
    ],
)
def test_an_address_is_made_what_its_channel_takes(channel: str, text: str, region: str | None, address: str) -> None:
    assert RowReader(KINDS, region).read([channel], [[text]]).batch.row(0).places[0].external_id == address


@pytest.mark.parametrize(
    ("channel", "text", "reason"),
    [
        ("tg", "@ann", "“@ann” is no address on tg (Telegram)"),
        ("tg", "+380501234567", "“+380501234567” is no address on tg (Telegram)"),
        ("viber", "a b", "“a b” is no address on viber (Viber)"),
        ("wa", "050 123 45 67", "phone “050 123 45 67” names no country: write it as +380…, or say --region"),
        ("wa", "501234567", "phone “501234567” names no country: write it as +380…, or say --region"),
        ("wa", "+3805012", "phone “+3805012” is no phone number"),
        ("sms", "UA.13491208655302741918", "“UA.13491208655302741918” is no address on sms (SMS)"),
    ],
)
async def test_what_can_be_no_address_rejects_its_row_alone(
    store: Store, tmp_path: Path, channel: str, text: str, reason: str
) -> None:
    file = tmp_path / "clients.csv"
    file.write_text(f"id,{channel}\na,{text}\nb,\n")
    outcome = await import_clients(store, file, channels=KINDS)
    assert (outcome.added, outcome.rejected) == (1, [Rejected(2, reason)])
