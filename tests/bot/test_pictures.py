"""Pictures of messages: what stands in them, that they are the same everywhere, and that nothing makes them grow."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.pictures.drawing import HEAD, MOST_COLUMNS, TALLEST, draw
from bot.pictures.fonts import EMOJI, drawn_as, has_shape
from bot.pictures.letters import lay_out
from bot.pictures.scene import Note, Scene, Words, as_shown, is_plainer, shown_parts, sources_in
from bot.pictures.sources import draw_all
from engine.fit import fit
from engine.media import Media
from engine.personalise import Personaliser
from gateways.base import Capabilities, Outgoing, Part, PartKind, Template
from gateways.facebook.capabilities import FACEBOOK
from gateways.log.capabilities import LOG
from gateways.looks import PLAIN
from gateways.markup import RichText, read_html
from gateways.message import Link, Reply, read_message
from gateways.telegram.capabilities import TELEGRAM
from gateways.twilio.capabilities import SMS
from gateways.viber.capabilities import VIBER
from gateways.vk.capabilities import VK
from gateways.whatsapp.capabilities import WHATSAPP

KINDS = (TELEGRAM, VIBER, FACEBOOK, VK, WHATSAPP, SMS, LOG)
RED, BLUE = (220, 20, 20), (20, 20, 220)
EVERYTHING: dict[str, Any] = {
    "elements": [
        {
            "text": "<b>Hello</b> <i>you</i> <s>no</s> <u>u</u> <code>c</code> <pre>  x\ny</pre>"
            '<blockquote>Said</blockquote> <tg-spoiler>s</tg-spoiler> <a href="https://acme.test">here</a> 🎉 🇺🇦 中',
            "buttons": [
                [{"link": "https://acme.test", "label": "Open"}, {"buy": "S", "label": "Buy", "price": "1 EUR"}],
                *[[{"message": f"{n}", "label": f"Answer {n}"}] for n in range(5)],
            ],
        },
        {"pictures": ["media:red", "media:blue", "media:none"], "text": "Three"},
        {"file": "media:list", "name": "Price list.pdf", "text": "Our prices"},
        {"video": "media:film"},
        {"location": {"latitude": 50.45, "longitude": 30.52}},
        {
            "carousel": [
                {
                    "title": f"Fern {n}",
                    "text": "12 €",
                    "picture": "media:red",
                    "buttons": [{"message": "m", "label": "M"}],
                }
                for n in range(3)
            ]
        },
    ]
}
SHELF = {"media:red": Image.new("RGB", (640, 480), RED), "media:blue": Image.new("RGB", (300, 900), BLUE)}


def outgoing(able: Capabilities, message: dict[str, Any]) -> tuple[Outgoing, ...]:
    parts = fit(read_message(message), able).parts
    made = Personaliser(parts, able, ()).render({}, address="", delivery_id=0, attempt=0, details={})
    return tuple(made)


def scene(able: Capabilities, *parts: Outgoing | Note) -> Scene:
    return Scene(able.look, able.markup, "Acme", f"{able.title} · shop", "10:24", parts)


def picture_of(able: Capabilities, message: dict[str, Any], shelf: Any = SHELF) -> Image.Image:
    return Image.open(BytesIO(draw(scene(able, *outgoing(able, message)), shelf)))


def share_of(picture: Image.Image, colour: tuple[int, int, int]) -> float:
    """How much of the picture is of nearly this colour."""
    near = [
        count
        for count, found in picture.convert("RGB").reduce(4).getcolors(1 << 24) or []
        if isinstance(found, tuple) and all(abs(a - b) < 6 for a, b in zip(found, colour, strict=True))
    ]
    return 16 * sum(near) / (picture.width * picture.height)


@pytest.mark.parametrize("able", KINDS, ids=lambda able: able.kind)
def test_every_messenger_shows_everything_it_can(able: Capabilities) -> None:
    picture = picture_of(able, EVERYTHING)
    assert picture.width <= MOST_COLUMNS * 722
    assert picture.height <= HEAD + TALLEST + 100
    assert (share_of(picture, RED) > 0.01) == (PartKind.PICTURE in able.media)


def test_each_messenger_is_known_by_its_colours() -> None:
    looks = {able.kind: able.look for able in KINDS}
    assert [kind for kind, look in looks.items() if look is PLAIN] == ["log"]
    colours = [(look.paper, look.head, look.bubble, look.accent) for look in looks.values()]
    assert len(set(colours)) == len(colours)
    purple = tuple(int(looks["viber"].head[at : at + 2], 16) for at in (1, 3, 5))
    assert picture_of(VIBER, {"text": "Hi"}).getpixel((700, 10)) == purple


def test_the_same_message_is_the_same_picture() -> None:
    parts = outgoing(VK, EVERYTHING)
    assert draw(scene(VK, *parts), SHELF) == draw(scene(VK, *parts), SHELF)


def test_a_long_message_goes_on_beside_and_ends_with_a_word_that_there_is_more() -> None:
    one = picture_of(TELEGRAM, {"text": "Sale. " * 30})
    several = picture_of(TELEGRAM, {"text": "Sale is on. " * 200})
    whole = picture_of(LOG, {"text": "Sale is on. " * 4000})
    assert one.width == 720
    assert several.width == 2 * 720 + 2
    assert several.height <= HEAD + TALLEST + 100
    assert whole.width == MOST_COLUMNS * 722 - 2
    assert share_of(whole.crop((whole.width - 720, whole.height - 70, *whole.size)), (42, 111, 176)) > 0.05


def test_a_message_without_end_is_no_larger_than_a_long_one() -> None:
    for message in ({"text": "x" * 900_000}, {"elements": [{"text": "word " * 2000}] * 90}):
        assert picture_of(LOG, message).width == MOST_COLUMNS * 722 - 2


def test_lines_stay_inside_the_bubble_and_lose_no_letter() -> None:
    text = "Short words, thenaverylongone" + "x" * 200 + "\n\n  indented 中文 🎉🎉 " + "i" * 90
    lines = lay_out(RichText(text), 300, 27)
    assert max(line.width for line in lines) <= 300
    said = "".join(piece.text for line in lines for piece in line.pieces)
    assert said.replace(" ", "") == text.replace(" ", "").replace("\n", "").replace("🎉", "")
    assert [line.pieces[0].text for line in lines if line.pieces and line.pieces[0].text.isspace()] == ["  "]


def test_marks_are_kept_where_words_are_wrapped() -> None:
    lines = lay_out(read_html("plain <b>bold <i>both</i></b> see https://acme.test/a, and more"), 2000, 27)
    found = {piece.text: piece.style for piece in lines[0].pieces}
    assert found["bold"].bold
    assert not found["bold"].italic
    assert found["both"].bold
    assert found["both"].italic
    assert found["https://acme.test/a"].link
    assert not found[","].link


def test_emoji_are_drawn_as_well_as_the_font_can() -> None:
    assert [found[0] for found in EMOJI.finditer("👨‍👩‍👧 🇺🇦 1️⃣ ok 👍🏽")] == ["👨‍👩‍👧", "🇺🇦", "1️⃣", "👍🏽"]
    assert [drawn_as(one) for one in ("🇺🇦", "1️⃣", "✅", "❤️", "🎉")] == ["UA", "1", "✔", "❤", ""]
    assert not has_shape("中")
    assert all(map(has_shape, "Їїєґ₴ñßЖ"))
    assert is_plainer(scene(VK, *outgoing(VK, {"text": "Sale 🎉"})))
    assert not is_plainer(scene(VK, *outgoing(VK, {"text": "Sale ✅"})))


def test_a_link_shows_its_address_where_the_messenger_hides_none() -> None:
    rich = read_html('<b>See</b> <a href="https://acme.test/x">here</a> <u>now</u>')
    hidden = as_shown(rich, TELEGRAM.markup, links_in_words=True)
    open_ = as_shown(rich, VIBER.markup, links_in_words=False)
    assert (hidden.text, {span.tag for span in hidden.spans}) == ("See here now", {"b", "a", "u"})
    assert (open_.text, {span.tag for span in open_.spans}) == ("See here (https://acme.test/x) now", {"b"})


def test_a_template_is_the_message_that_clients_see() -> None:
    field: dict[str, Any] = {"name": "sale", "language": "en", "parameters": ["Ann"], "header": "media:red"}
    field["buttons"] = ["x", {"message": "Stop", "label": "Stop it"}]
    template = Template(
        "sale",
        "en",
        "approved",
        "marketing",
        body="Hi {{1}}!",
        header="image",
        buttons=("url_parameter", "quick_reply"),
    )
    part = Part(PartKind.TEMPLATE, extra={"template": field})
    out = Outgoing("", part, RichText(), (), (), "")
    (shown,) = shown_parts([out], [template], Words())
    assert shown.text.text == "Hi Ann!"
    assert (shown.part.kind, shown.part.media) == (PartKind.PICTURE, ("media:red",))
    assert [type(row[0]) for row in shown.buttons] == [Link, Reply]
    assert sources_in(scene(WHATSAPP, shown)) == ["media:red"]
    assert draw(scene(WHATSAPP, Note("While it is closed"), shown), SHELF)
    (unknown,) = shown_parts([replace(out, part=replace(part, extra={"template": {"oddly": 1}}))], [], Words())
    assert draw(scene(WHATSAPP, unknown), {})


async def test_pictures_come_from_disk_and_what_can_not_be_had_is_grey(tmp_path: Path) -> None:
    media = Media(tmp_path)
    file = BytesIO()
    Image.new("RGBA", (900, 600), (*RED, 255)).save(file, "PNG")
    kept = media.keep(file.getvalue(), "red.png")
    broken = media.keep(b"no picture at all", "list.pdf")
    # This machine is no place from where pictures are fetched.
    sources = [kept, broken, "media:gone", "http://127.0.0.1:9/x.png"]
    scenes = [scene(LOG, *outgoing(LOG, {"pictures": [source]})) for source in sources]
    drawn = [Image.open(BytesIO(png)) for png in await draw_all(scenes, media)]
    assert [share_of(picture, RED) > 0.2 for picture in drawn] == [True, False, False, False]
