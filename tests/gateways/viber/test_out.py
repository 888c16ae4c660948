"""Each kind of part for one client: exactly what Viber is asked, and what becomes of it."""

import json
from typing import Any

import pytest

from gateways.base import Accepted, MessageRejected, Outgoing, Part, PartKind
from gateways.markup import RichText, read_html
from gateways.message import Buy, Card, Link, Reply
from gateways.signatures import derive_secret
from gateways.viber.gateway import ViberGateway
from gateways.viber.presses import Presses
from tests.gateways.cases import Logs, MemoryMedia, OutCase, check_out, logs, names
from tests.gateways.outgoing import out as made
from tests.gateways.stub import AnyStub
from tests.gateways.stub import Reply as Page
from tests.gateways.viber.conftest import (
    ANNA,
    MESSAGE_TOKEN,
    PUBLIC,
    SECRET,
    SENDER,
    TOKEN,
    Clock,
    hello,
    make_gateway,
    sent,
    taken,
)

__all__ = ["logs"]

HELLO = sent(type="text", text="Hello")
ACCEPTED = Accepted(f"{MESSAGE_TOKEN}:{ANNA}")
PRESSES = Presses(derive_secret(SECRET, "viber press", "viber-shop").encode())
OPEN = Link("https://acme.test/sale?a=1&b=2", "Open")
MORE = Reply("Tell me more", "Tell me <more>")
BUY = Buy("SKU-1", "Buy", "19.90 EUR")


def out(kind: PartKind = PartKind.TEXT, html: str = "", *media: str, **rest: Any) -> Outgoing:
    return made(kind, html, *media, **({"address": ANNA} | rest))


def board(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "keyboard", "DefaultHeight": False, "Buttons": list(buttons)}


def link(columns: int = 6) -> dict[str, Any]:
    return {
        "Columns": columns,
        "Rows": 1,
        "ActionType": "open-url",
        "ActionBody": OPEN.link,
        "OpenURLType": "external",
        "Text": "Open",
        "TextSize": "regular",
        "Silent": True,
    }


def press(data: str, words: str, columns: int = 6) -> dict[str, Any]:
    return {
        "Columns": columns,
        "Rows": 1,
        "ActionType": "reply",
        "ActionBody": PRESSES.body(ANNA, data),
        "Text": words,
        "TextSize": "regular",
        "Silent": True,
    }


def words(html: str, rows: int) -> dict[str, Any]:
    shape = {"Columns": 6, "Rows": rows, "ActionType": "none", "ActionBody": "none", "Text": html}
    return shape | {"TextSize": "regular", "TextHAlign": "left", "TextVAlign": "middle"}


def picture(url: str, rows: int) -> dict[str, Any]:
    return {"Columns": 6, "Rows": rows, "ActionType": "none", "ActionBody": "none", "Image": url}


def rich_media(rows: int, *buttons: dict[str, Any]) -> dict[str, Any]:
    shape = {"Type": "rich_media", "ButtonsGroupColumns": 6, "ButtonsGroupRows": rows, "BgColor": "#FFFFFF"}
    return shape | {"Buttons": list(buttons)}


def carousel(*cards: Card, data: tuple[str, ...] = (), html: str = "", **rest: Any) -> Outgoing:
    return Outgoing(
        ANNA,
        Part(PartKind.CAROUSEL, cards=cards),
        read_html(html),
        **({"buttons": ()} | rest),
        button_data=data,
        reference="7.1.0",
        cards=cards,
    )


BOOTS = Card("Boots & co", "Warm", "https://cdn.test/boots.png", (OPEN, MORE))
SHOES = Card("Shoes", "", None, (Reply("Shoes", "Choose"),))

CASES = [
    OutCase("a text", hello(), [taken()], [sent(type="text", text="Hello")], ACCEPTED),
    OutCase(
        "marks, and a link beside its words",
        out(html='<b>Sale</b> in <i>our</i> <s>small</s> <a href="https://acme.test/s">shop</a>'),
        [taken()],
        [sent(type="text", text="*Sale* in _our_ ~small~ shop (https://acme.test/s)")],
        ACCEPTED,
    ),
    OutCase(
        "Cyrillic and emoji",
        out(html="Привіт 👋🏽"),
        [taken()],
        [sent(type="text", text="Привіт 👋🏽")],
        ACCEPTED,
    ),
    OutCase(
        "a link button",
        hello(buttons=[[OPEN]], data=["c7.0"]),
        [taken()],
        [sent(type="text", text="Hello", keyboard=board(link()))],
        ACCEPTED,
    ),
    OutCase(
        "buttons that come back are signed, and their words escaped",
        hello(buttons=[[MORE], [BUY]], data=["c7.0", "c7.1"]),
        [taken()],
        [
            sent(
                type="text",
                text="Hello",
                keyboard=board(press("c7.0", "Tell me &lt;more&gt;"), press("c7.1", "Buy")),
            )
        ],
        ACCEPTED,
    ),
    OutCase(
        "a row of four fills six columns",
        hello(buttons=[[OPEN, MORE, BUY, BUY]], data=["a", "b", "c", "d"]),
        [taken()],
        [
            sent(
                type="text",
                text="Hello",
                keyboard=board(
                    link(2), press("b", "Tell me &lt;more&gt;", 2), press("c", "Buy", 1), press("d", "Buy", 1)
                ),
            )
        ],
        ACCEPTED,
    ),
    OutCase(
        "a picture with words",
        out(PartKind.PICTURE, "New <b>boots</b>", "https://cdn.test/boots.jpeg"),
        [taken()],
        [sent(type="picture", text="New *boots*", media="https://cdn.test/boots.jpeg")],
        ACCEPTED,
    ),
    OutCase(
        "a picture without words has an empty text",
        out(PartKind.PICTURE, "", "https://cdn.test/boots.PNG?size=2", buttons=[[OPEN]]),
        [taken()],
        [sent(type="picture", text="", media="https://cdn.test/boots.PNG?size=2", keyboard=board(link()))],
        ACCEPTED,
    ),
    OutCase(
        "a location",
        out(PartKind.LOCATION, latitude=50.4501, longitude=30.5234, buttons=[[OPEN]]),
        [taken()],
        [sent(type="location", location={"lat": 50.4501, "lon": 30.5234}, keyboard=board(link()))],
        ACCEPTED,
    ),
    OutCase(
        "a carousel with and without pictures, each card filling its grid",
        carousel(BOOTS, SHOES, data=("c7.0", "c7.1", "c7.2")),
        [taken()],
        [
            sent(
                type="rich_media",
                min_api_version=2,
                alt_text="Boots & co, Shoes",
                rich_media=rich_media(
                    7,
                    picture("https://cdn.test/boots.png", 3),
                    words("<b>Boots &amp; co</b><br>Warm", 2),
                    link(),
                    press("c7.1", "Tell me &lt;more&gt;"),
                    words("<b>Shoes</b>", 6),
                    press("c7.2", "Choose"),
                ),
            )
        ],
        ACCEPTED,
    ),
    OutCase(
        "a carousel of words alone, with a keyboard",
        carousel(SHOES, Card("Hats", "All"), data=("c7.0", "c7.1"), html="See", buttons=((MORE,),)),
        [taken()],
        [
            sent(
                type="rich_media",
                min_api_version=2,
                alt_text="See",
                keyboard=board(press("c7.0", "Tell me &lt;more&gt;")),
                rich_media=rich_media(
                    3, words("<b>Shoes</b>", 2), press("c7.1", "Choose"), words("<b>Hats</b><br>All", 3)
                ),
            )
        ],
        ACCEPTED,
    ),
    *[
        OutCase(
            f"billing status {billing} is {cost}",
            hello(),
            [taken(billing_status=billing)],
            [sent(type="text", text="Hello")],
            Accepted(f"{MESSAGE_TOKEN}:{ANNA}", cost=cost),
        )
        for billing, cost in [
            (0, "viber.unclassified"),
            (1, "viber.session"),
            (2, "viber.session_billable"),
            (3, "viber.free"),
            (4, "viber.free_billable"),
            (5, "viber.charged"),
            ("5", "viber.charged"),
            (77, ""),
        ]
    ],
    OutCase("a token in digits is the same", hello(), [taken(str(MESSAGE_TOKEN))], [HELLO], ACCEPTED),
    OutCase("without a token it was sent all the same", hello(), [taken(None)], [HELLO], Accepted("")),
    OutCase("a status in digits is a status", hello(), [taken(status="0")], [HELLO], ACCEPTED),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
async def test_what_viber_is_asked(case: OutCase, gateway: ViberGateway, stub: AnyStub, logs: Logs) -> None:
    await check_out(case, gateway, stub, logs, [TOKEN])


async def test_letters_travel_unescaped(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    await gateway.send([out(html="Знижка")])
    assert "Знижка".encode() in stub.sent[0].raw


async def test_half_an_emoji_does_not_fail_the_message(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    broken = Outgoing(ANNA, Part(PartKind.TEXT, "x"), RichText("a\ud83d"), (), (), "7.1.0")
    assert await gateway.send([broken]) == [ACCEPTED]


async def test_the_sender_has_its_picture(stub: AnyStub, media: MemoryMedia, clock: Clock) -> None:
    gateway = make_gateway(stub, media, clock, sender_avatar="https://cdn.test/us.png")
    await gateway.open()
    stub.replies = [taken()]
    await gateway.send([hello()])
    await gateway.close()
    assert stub.sent[0].values["sender"] == SENDER | {"avatar": "https://cdn.test/us.png"}


async def test_every_card_fills_its_grid(gateway: ViberGateway, stub: AnyStub) -> None:
    cards = [
        Card(f"Card {number}", "text", "https://cdn.test/a.png" if number % 2 else None, (OPEN,) * (number % 4))
        for number in range(6)
    ]
    stub.replies = [taken()]
    await gateway.send([carousel(*cards)])
    shown = stub.sent[0].values["rich_media"]
    filled, cut = 0, 0
    for button in shown["Buttons"]:
        assert 1 <= button["Rows"] <= 7
        filled += button["Rows"]
        assert filled <= shown["ButtonsGroupRows"], "a button crosses into the next card"
        if filled == shown["ButtonsGroupRows"]:
            filled, cut = 0, cut + 1
    assert (filled, cut) == (0, 6)


async def test_a_request_over_thirty_kilobytes_is_not_made(gateway: ViberGateway, stub: AnyStub) -> None:
    (outcome,) = await gateway.send([out(html="😀" * 7600)])
    assert isinstance(outcome, MessageRejected)
    assert (outcome.reason, stub.sent) == ("too_long", [])


async def test_what_viber_has_no_part_for_is_refused(gateway: ViberGateway, stub: AnyStub) -> None:
    (outcome,) = await gateway.send([out(PartKind.TEMPLATE)])
    assert isinstance(outcome, MessageRejected)
    assert stub.sent == []


# --- files


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            out(PartKind.PICTURE, "Look", "media:sale.jpg"),
            {"type": "picture", "text": "Look"},
        ),
        (
            out(PartKind.FILE, "", "media:price.pdf", name="Prices & more.pdf"),
            {"type": "file", "size": 15, "file_name": "Prices & more.pdf"},
        ),
        (out(PartKind.VIDEO, "Watch", "media:clip.mp4"), {"type": "video", "size": 17, "text": "Watch"}),
    ],
    ids=["a picture", "a file", "a video"],
)
async def test_a_kept_file_goes_by_an_address_of_our_own(
    part: Outgoing, expected: dict[str, Any], gateway: ViberGateway, stub: AnyStub
) -> None:
    stub.replies = [taken(), taken()]
    assert await gateway.send([part]) == [ACCEPTED]
    assert await gateway.send([part]) == [ACCEPTED]
    first, second = (request.values for request in stub.sent)
    assert first == second
    url = first.pop("media")
    assert url.startswith(f"{PUBLIC}/media/")
    assert url.endswith(part.part.media[0][-4:])
    assert first == {"receiver": ANNA, "sender": SENDER, **expected}


async def test_the_size_of_a_file_at_a_url_is_learned_once(gateway: ViberGateway, stub: AnyStub, clock: Clock) -> None:
    source = f"{stub.url}/files/price.pdf"
    stub.pages["/files/price.pdf"] = Page(200, b"%PDF-1.7 prices", {"Content-Type": "application/pdf"})
    part = out(PartKind.FILE, "", source)
    assert await gateway.needs_upload(part.part) is True
    stub.replies = [taken(), taken(), taken()]
    assert await gateway.send([part]) == [ACCEPTED]
    del stub.pages["/files/price.pdf"]
    assert await gateway.needs_upload(part.part) is False
    assert await gateway.send([part]) == [ACCEPTED]
    assert [request.values["size"] for request in stub.sent] == [15, 15]
    assert stub.sent[0].values["file_name"] == "price.pdf"
    clock.seconds += 3601
    assert await gateway.send([part]) == [ACCEPTED], "whoever is in the middle goes on with what was known"
    assert await gateway.needs_upload(part.part) is True


@pytest.mark.parametrize(
    ("part", "reason", "said"),
    [
        (out(PartKind.PICTURE, "", "media:old.webp"), "media", "jpg, png and gif"),
        (out(PartKind.PICTURE, "", "https://cdn.test/picture?id=7.jpg"), "media", "jpg, png and gif"),
        (out(PartKind.VIDEO, "", "https://cdn.test/a.avi"), "media", "mp4"),
        (out(PartKind.FILE, "", "media:setup.exe"), "media", "no programs"),
        (out(PartKind.FILE, "", "media:price.pdf", name="run.BAT"), "media", "no programs"),
        (out(PartKind.FILE, "", "media:gone.pdf"), "media", "no longer kept"),
        (out(PartKind.FILE, "", "media:noending"), "media", "no URL"),
        (out(PartKind.FILE, "", "http://10.0.0.1/a.pdf"), "media", "not a public one"),
        (out(PartKind.VIDEO, "", "media:long.mp4"), "too_big", "26 MB; this one has 27.0 MB"),
    ],
    ids=lambda value: value.part.media[0] if isinstance(value, Outgoing) else None,
)
async def test_a_file_that_viber_would_not_take_is_told_before(
    part: Outgoing, reason: str, said: str, gateway: ViberGateway, stub: AnyStub, media: MemoryMedia
) -> None:
    media.files["media:long.mp4"] = bytes(27 * 1024 * 1024)
    (outcome,) = await gateway.send([part])
    assert isinstance(outcome, MessageRejected)
    assert outcome.reason == reason
    assert said in outcome.words
    assert stub.sent == []


async def test_a_kept_file_needs_a_public_url(stub: AnyStub, media: MemoryMedia, clock: Clock) -> None:
    gateway = make_gateway(stub, media, clock, public_url=None)
    (outcome,) = await gateway.send([out(PartKind.PICTURE, "", "media:sale.jpg")])
    assert isinstance(outcome, MessageRejected)
    assert "public_url" in outcome.words


async def test_a_long_file_name_is_cut_and_keeps_its_ending(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    await gateway.send([out(PartKind.FILE, "", "media:price.pdf", name="p" * 300 + ".pdf")])
    name = stub.sent[0].values["file_name"]
    assert (len(name), name[-4:]) == (256, ".pdf")


def test_no_request_of_the_table_is_larger_than_viber_takes() -> None:
    for case in CASES:
        for request in case.requests:
            assert len(json.dumps(getattr(request, "values"), ensure_ascii=False).encode()) < 30_000  # noqa: B009
