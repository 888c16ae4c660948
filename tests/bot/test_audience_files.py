"""A file of clients as the audience, as chats."""

from io import BytesIO

import pytest
from sqlalchemy import insert, update

from bot.screens import Attachment, Said
from engine.media import Media
from gateways.base import PartKind
from storage.schema import addresses, clients
from tests.bot.conftest import Desk
from tests.bot.test_audience import at_audience, audience_of


def file(desk: Desk, content: bytes, name: str = "spring.csv") -> Said:
    source = Media(desk.settings.data_dir).keep(content, name)
    return Said(attachments=(Attachment(PartKind.FILE, source, name),))


async def test_a_file_becomes_the_audience(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.press("From a file")
    await chat.say("here it is")
    chat.sees("That is no file with clients: send me one CSV or XLSX file.")
    rows = "Customer ID;Telegram;Имя;Shoe size\nc1;;Ann;38\n;2002;Bohdan;\nc1;;Ann;38\n;99999;Nina;40\n;;Nobody;\n"
    await chat.send(file(shop, rows.encode()))
    chat.sees(
        "✓ Customer ID → id in your own system",
        "✓ Telegram → address on tg-shop, tg-club",
        "✓ Имя → first name",
        "– Shoe size: left aside",
        "5 rows.",
        "2 clients found.",
        "1 row repeats one of them.",
        "1 row is nobody we know.",
        "1 row can't be read.",
    )
    assert not [label for label in chat.labels() if "Import" in label]  # on which of two channels nobody knows
    await chat.press("Show the rows")
    chat.sees("Row 5: 99999 – nobody we know", "Row 6: it has neither an id nor an address")
    await chat.press("Back")
    await chat.press("Use these 2 clients")
    chat.sees("The clients of spring.csv are the audience now", "Now about 2 clients.")
    assert await audience_of(shop) == {"where": [{"field": "tag", "is": "spring.csv 2026-11-21 11:00"}]}
    await chat.press("Who they are")
    chat.sees("Ann Lee → tg-shop", "Bohdan Kit → tg-shop")


async def test_new_clients_of_a_file_are_imported_where_it_has_their_addresses(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.send(file(shop, b"tg-shop,first_name,city\n2001,Ann,Kyiv\n7001,Nina,Odesa\nx,Wrong,\n"))
    chat.sees("1 client found.", "1 row is nobody we know.", "1 row can't be read.")
    await chat.press("Import 1 new client too")
    chat.sees("1 new client was imported.", "Now about 2 clients.")
    [nina] = await shop.store.clients.find("7001")
    assert (nina.first_name, dict(nina.attributes)) == ("Nina", {"city": "Odesa"})
    again = await at_audience(shop)
    await again.send(file(shop, b"tg-shop,first_name,city\n2001,Ann,Kyiv\n7001,Nina,Odesa\nx,Wrong,\n"))
    again.sees("2 clients found.")
    assert not [label for label in again.labels() if "Import" in label]
    await again.press("Use these 2 clients")
    assert await audience_of(shop) == {"where": [{"field": "tag", "is": "spring.csv 2026-11-21 11:00 (2)"}]}


async def test_a_bare_list_and_a_sheet_are_understood(shop: Desk) -> None:
    async with shop.store.database.writing() as connection:
        for number, phone in ((1, "+380501112233"), (2, "+380671112233")):
            row = {"client_id": number, "scope": "phone", "external_id": phone, "status": "enabled"}
            times = {"status_at": shop.clock.now(), "created_at": shop.clock.now(), "details": {}}
            await connection.execute(insert(addresses).values(**row, **times))
            await connection.execute(update(clients).where(clients.c.id == number).values(phone=phone))
    chat = await at_audience(shop)
    await chat.send(file(shop, b"050 111-22-33\n+380671112233\n050 999 99 99\n", "phones.txt"))
    chat.sees("✓ column 1 → phone", "2 clients found.", "read as those of Ukraine")
    chat.sees("1 row is nobody we know.")
    from openpyxl import Workbook

    book, written = Workbook(), BytesIO()
    assert book.active is not None
    for cells in (("Nickname", "Code"), ("a", "c3"), ("b", "c4")):
        book.active.append(cells)
    book.save(written)
    await chat.send(file(shop, written.getvalue(), "people.xlsx"))
    chat.sees("📄 people.xlsx", "✓ Code → id in your own system", "– Nickname: left aside", "2 clients found.")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("имя\nАня\n".encode("cp1251"), "is not written in UTF-8"),
        (b"\xd0\xcf\x11\xe0....", "is an old Excel file (.xls)"),
    ],
)
async def test_a_file_that_can_not_be_read_says_why(shop: Desk, content: bytes, why: str) -> None:
    chat = await at_audience(shop)
    await chat.press("From a file")
    await chat.send(file(shop, content))
    chat.sees(why)
    assert chat.labels() == ["◀ Back", "Cancel"]
    await chat.press("Back")
    chat.sees("Who gets")


async def test_a_column_that_was_taken_for_something_else_is_set_right(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.send(file(shop, b"Nickname,Who\nAnn,c1\nBob,c2\n"))
    chat.sees("✓ Who → id in your own system", "2 clients found.")
    await chat.press("Columns are something else")
    await chat.press("Who → id in your own system")
    await chat.press("left aside")
    chat.sees("– Who: left aside", "I find no column by which clients are known", "Say which column is which")
    await chat.press("Columns are something else")
    await chat.press("Nickname → left aside")
    await chat.press("id in your own system")
    chat.sees("✓ Nickname → id in your own system", "0 clients found.", "2 rows are nobody we know.")
    await chat.press("Columns are something else")
    await chat.press("Who → left aside")
    await chat.press("id in your own system")
    chat.sees("– Nickname: left aside", "✓ Who → id in your own system", "2 clients found.")
    await chat.press("Use these 2 clients")
    chat.sees("Now about 2 clients.")


async def test_a_file_without_known_columns_asks_which_they_are(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.press("From a file")
    await chat.send(file(shop, b"Nickname,Shoe size\nAnn,38\n"))
    chat.sees("– Nickname: left aside", "I find no column by which clients are known")
    assert chat.labels() == ["Columns are something else", "◀ Back", "Cancel"]


async def test_a_file_that_is_too_long_is_told_so(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.file_audience.MAX_ROWS", 3)
    chat = await at_audience(shop)
    await chat.send(file(shop, b"id\nc1\nc2\nc3\nc4\n"))
    chat.sees("has more than 3 rows: split it")


async def test_an_old_file_s_card_is_told_so(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.send(file(shop, b"id\nc1\n"))
    first = chat.sees_button("Use this 1 client").token
    await chat.send(file(shop, b"id\nc2\nc3\n"))
    await chat.press_token(first)
    chat.sees("I don't have that file any more: send it again.")
    second = chat.sees_button("Use these 2 clients").token
    await chat.press_token(second)
    chat.sees("Now about 2 clients.")
    await chat.press_token(second)
    chat.sees("That card was old")
