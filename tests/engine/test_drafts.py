import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.drafts import plain_draft, read_mailing, read_mailing_file
from engine.errors import Invalid
from engine.media import Media
from engine.settings import ChannelSettings
from gateways.message import File, Link, Pictures, Reply, Text, sources_of
from gateways.telegram.capabilities import TELEGRAM
from storage.records import Draft, OnUnknown, Routing

NOON = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
KINDS = ("telegram", "viber", "facebook", "whatsapp", "sms")
CHANNELS = {
    "tg-shop": ChannelSettings("tg-shop", TELEGRAM),
    "tg-slow": ChannelSettings("tg-slow", TELEGRAM, rate=10.0, max_rate=10.0),
}
FIELDS = {"first_name", "ltv", "last_seen"}

WHOLE = """
name = "Spring sale"
routing = "chosen"
channels = ["tg-shop", "tg-slow"]
speed = 20
start = 2026-12-01T10:00:00
timezone = "Europe/Kyiv"
on_unknown = "repeat"

[audience]
segment = "vip"
where = [ { field = "ltv", gte = 1000 }, { field = "last_seen", gt = 2026-01-01 } ]

[message]
text = "<b>Hello, {{ client.first_name | default('friend') }}!</b>"
pictures = ["pictures/sale.jpg", "https://acme.test/b.jpg"]
buttons = [
  [ { link = "https://acme.test/sale", label = "Open" }, { message = "Tell me more", label = "More" } ],
]

[message.only.whatsapp]
template = { name = "spring_sale", language = "en", parameters = ["{{ client.first_name }}"] }
"""

Read = Callable[..., Draft]


@pytest.fixture
def media(tmp_path: Path) -> Media:
    return Media(tmp_path / "data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a picture, a file that is none, and a price list."""
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8), "teal").save(tmp_path / "pictures" / "sale.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "Price list.pdf").write_bytes(b"%PDF")
    return tmp_path


@pytest.fixture
def read(folder: Path, media: Media) -> Read:
    def read(data: Any, **changes: Any) -> Draft:
        given = {
            "folder": folder,
            "media": media,
            "channels": CHANNELS,
            "kinds": KINDS,
            "known_fields": FIELDS,
            "at": NOON,
        }
        return read_mailing(data, **{**given, **changes})

    return read


def mailing(**fields: Any) -> dict[str, Any]:
    data = {"name": "Sale", "message": {"text": "Hi"}, **fields}
    return {name: value for name, value in data.items() if value is not None}


def read_text(text: str, folder: Path, media: Media) -> Draft:
    (folder / "spring.toml").write_text(text, encoding="utf-8")
    return read_mailing_file(
        folder / "spring.toml", media=media, channels=CHANNELS, kinds=KINDS, known_fields=FIELDS, at=NOON
    )


def test_a_mailing_file_is_read_whole(folder: Path, media: Media) -> None:
    draft = read_text(WHOLE, folder, media)
    element = draft.message.elements[0]
    assert isinstance(element, Pictures)
    kept, url = element.pictures
    assert media.read_file(kept) == (folder / "pictures" / "sale.jpg").read_bytes()
    assert url == "https://acme.test/b.jpg"
    assert element.buttons == ((Link("https://acme.test/sale", "Open"), Reply("Tell me more", "More")),)
    assert draft.message.only["whatsapp"]["template"]["parameters"] == ["{{ client.first_name }}"]
    assert draft.audience == {
        "segment": "vip",
        "where": [{"field": "ltv", "gte": 1000}, {"field": "last_seen", "gt": "2026-01-01"}],
    }
    assert (draft.name, draft.routing, draft.channels) == ("Spring sale", Routing.CHOSEN, ("tg-shop", "tg-slow"))
    assert (draft.speed, draft.on_unknown) == (20.0, OnUnknown.REPEAT)
    assert (draft.start, draft.timezone) == ("2026-12-01T10:00:00", "Europe/Kyiv")


def test_a_short_mailing_takes_the_defaults(read: Read) -> None:
    draft = read(mailing())
    assert draft == Draft(name="Sale", message=draft.message)
    assert draft.message.elements == (Text("Hi"),)


def test_a_draft_as_plain_data_is_read_back_the_same(folder: Path, media: Media, read: Read) -> None:
    for draft in (read_text(WHOLE, folder, media), read(mailing())):
        assert read(plain_draft(draft), folder=None) == draft


def test_a_file_keeps_the_name_that_clients_see(read: Read) -> None:
    element = read(mailing(message={"file": "Price list.pdf"})).message.elements[0]
    assert isinstance(element, File)
    assert element.name == "Price list.pdf"
    assert element.file.startswith("media:")


def test_files_of_single_kinds_and_of_elements_are_kept_too(read: Read, media: Media) -> None:
    only = {"telegram": {"elements": [{"file": "Price list.pdf"}]}, "viber": {"pictures": ["pictures/sale.jpg"]}}
    message = read(mailing(message={"elements": [{"text": "Hi"}], "only": only})).message
    (file,) = message.for_kind("telegram")
    (pictures,) = message.for_kind("viber")
    assert isinstance(file, File)
    assert isinstance(pictures, Pictures)
    assert media.size_bytes(file.file) == 4
    assert media.size_bytes(pictures.pictures[0]) > 4


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": None}, "needs a name"),
        ({"name": " "}, "needs a name"),
        ({"name": 5}, "needs a name"),
        ({"name": "n" * 201}, "201 characters"),
        ({"message": None}, "needs a message"),
        ({"message": "Hi"}, "needs a message"),
        ({"message": {}}, "The message is empty"),
        ({"nmae": "x"}, "no field “nmae”; did you mean “name”?"),
        ({"priority": 1}, "no field “priority”; it knows name, routing"),
        ({"routing": "best"}, "routing is one of main, chosen, cascade, not “best”"),
        ({"routing": 5}, "routing is one of"),
        ({"routing": "cascade"}, "“cascade” needs channels"),
        ({"routing": "chosen"}, "needs channels"),
        ({"channels": "tg-shop"}, "must be a list"),
        ({"channels": ["tg-shoop"]}, "no channel “tg-shoop”; did you mean “tg-shop”?"),
        ({"channels": ["viber"]}, "no channel “viber”; there are: tg-shop, tg-slow"),
        ({"speed": "fast"}, "must be a number"),
        ({"speed": True}, "must be a number"),
        ({"speed": 0.5}, "from 1 to 25 messages a second, not 0.5"),
        ({"speed": 26}, "from 1 to 25"),
        ({"speed": float("nan")}, "speed must be a number"),
        ({"speed": 11, "routing": "chosen", "channels": ["tg-slow"]}, "from 1 to 10"),
        ({"start": "soon"}, "“soon” is no start"),
        ({"start": 5}, "start is “now”, or a date"),
        ({"start": "2026-12-01"}, "has no hour"),
        ({"start": "2020-12-01T10:00"}, "is past already"),
        ({"start": "2020-12-01T10:00", "timezone": "client"}, "is past already in every time zone"),
        ({"start": "now", "timezone": "client"}, "needs a date and an hour"),
        ({"start": "2026-12-01T10:00Z", "timezone": "client"}, "no fixed offset"),
        ({"timezone": "Europe/Kyyiv"}, "did you mean Europe/Kyiv"),
        ({"timezone": 2}, "timezone must be a name"),
        ({"on_unknown": "ask"}, "on_unknown is one of skip, repeat"),
        ({"audience": []}, "audience must be a table"),
        ({"audience": {"were": []}}, "were"),
        ({"audience": {"where": [{"field": "ltv", "gte": float("inf")}]}}, "audience.where.gte must be a number"),
        ({"message": {"text": "Hi", "picture": "a"}}, "no field “picture”"),
        ({"message": {"text": "Hi\x00"}}, "message.text holds a character"),
        ({"message": {"text": 5}}, "text"),
        ({"message": {"text": "Hi", "buttons": [[{"url": "x"}]]}}, "a button is"),
        ({"message": {"text": "Hi", "elements": [{"text": "x"}]}}, "not both"),
        ({"message": {"elements": "x"}}, "are lists"),
        ({"message": {"text": "Hi", "for": "viber"}}, "are lists"),
        ({"message": {"text": "Hi", "for": ["vibr"]}}, "did you mean “viber”"),
        ({"message": {"text": "Hi", "only": {"fax": {}}}}, "no kind of messenger “fax”"),
        ({"message": {"text": "Hi", "only": {"viber": 5}}}, "only.viber"),
        ({"message": {"text": "{{ client.frst_name }}"}}, "did you mean “first_name”"),
        ({"message": {"text": "Hi", "only": {"viber": {"text": "{{ client.foo }}"}}}}, "no field “foo”"),
        ({"message": {"text": "Hi", "buttons": [[{"message": "x", "label": "{{ x }}"}]]}}, "no “x”"),
        ({"message": {"text": "Hi", "buttons": [[{"link": "https://a.test/{{ x }}", "label": "y"}]]}}, "no “x”"),
        ({"message": {"text": "<h1>Hi</h1>"}}, "<h1>"),
        ({"message": {"text": "{% for a in b %}{% endfor %}"}}, "{% for %}"),
        ({"message": {"pictures": ["none.jpg"]}}, "no file none.jpg"),
        ({"message": {"pictures": ["broken.jpg"]}}, "The picture broken.jpg can't be read"),
        ({"message": {"pictures": ["ftp://a/b.jpg"]}}, "no address of a file"),
        ({"message": {"pictures": ["media:x"]}}, "no kept file"),
        ({"message": {"file": "none.pdf"}}, "no file none.pdf"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_mailing_is_told_by_name(read: Read, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(mailing(**fields))
    assert words in str(refused.value)


def test_pictures_of_cards_and_heads_of_templates_are_kept(read: Read, media: Media) -> None:
    card = {"title": "Boots", "picture": "pictures/sale.jpg"}
    template = {"name": "sale", "language": "en"}
    only = {
        "whatsapp": {"template": {**template, "header": {"file": "pictures/sale.jpg", "name": "Sale.jpg"}}},
        "facebook": {"template": {**template, "header": "pictures/sale.jpg"}},
        "sms": {"template": {**template, "header": "Ann"}},
    }
    message = read(mailing(message={"text": "New", "carousel": [card], "only": only})).message
    (source, *others) = sources_of(message)
    assert media.path(source).is_file()
    assert others == []
    heads = [message.only[kind]["template"]["header"] for kind in ("whatsapp", "facebook", "sms")]
    assert heads == [{"file": source, "name": "Sale.jpg"}, source, "Ann"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"carousel": [{"title": "{{ client.zzz }}"}]}, "no field “zzz”"),
        ({"carousel": [{"title": "a", "text": "<h1>x</h1>"}]}, "<h1>"),
        ({"carousel": [{"title": "a", "buttons": [{"message": "{{ client.zzz }}", "label": "b"}]}]}, "no field “zzz”"),
        ({"text": "Hi", "only": {"whatsapp": {"template": {"name": "sale"}}}}, "needs its name and its language"),
        ({"text": "Hi", "only": {"sms": {"template": {"sid": "HX1", "parameters": ["{{ client.zzz }}"]}}}}, "“zzz”"),
    ],
)
def test_what_cards_and_templates_cant_hold_is_told_at_once(read: Read, message: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read(mailing(message=message))


def test_data_from_afar_reaches_no_file_of_this_machine(read: Read, folder: Path) -> None:
    for source in ("pictures/sale.jpg", str(folder / "pictures" / "sale.jpg"), "file:///etc/passwd"):
        with pytest.raises(Invalid, match="no address of a file"):
            read(mailing(message={"pictures": [source]}), folder=None)


def test_without_known_fields_any_field_of_a_client_may_stand(read: Read) -> None:
    assert read(mailing(message={"text": "{{ client.anything }}"}), known_fields=None)


def test_a_past_start_is_no_matter_where_nobody_asks(read: Read) -> None:
    assert read(mailing(start="2020-12-01T10:00"), at=None).start == "2020-12-01T10:00"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name = x", r"spring\.toml can't be read: .*line 1"),
        (b"\xff\xfe", r"spring\.toml can't be read: .*utf-8"),
        (b"x" * 1_000_001, r"spring\.toml is too large"),
        (b"a=" + b"[" * 3000, r"spring\.toml can't be read"),
    ],
)
def test_a_file_that_is_no_toml_is_told_by_name(folder: Path, media: Media, content: bytes, words: str) -> None:
    (folder / "spring.toml").write_bytes(content)
    with pytest.raises(Invalid, match=words):
        read_mailing_file(folder / "spring.toml", media=media, channels=CHANNELS, kinds=KINDS)
    with pytest.raises(Invalid, match=r"none\.toml can't be read: No such file"):
        read_mailing_file(folder / "none.toml", media=media, channels=CHANNELS, kinds=KINDS)


def test_a_mailing_nested_beyond_reason_is_refused(read: Read) -> None:
    data: Any = []
    for _ in range(3000):
        data = [data]
    with pytest.raises(Invalid, match="too deeply nested"):
        read(mailing(audience={"where": data}))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "label", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ["name", "routing", "channels", "speed", "start", "timezone", "on_unknown", "audience", "message"]
MESSAGE = ["text", "pictures", "file", "name", "video", "location", "buttons", "elements", "for", "only"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=3),
    message=st.dictionaries(st.sampled_from(MESSAGE), ANYTHING, max_size=3),
)
def test_any_data_is_a_mailing_or_refused_with_a_sentence(
    read: Read, fields: dict[str, Any], message: dict[str, Any]
) -> None:
    data = mailing(message={"text": "Hi", **message}) | fields
    try:
        draft = read(data, folder=None)
    except Invalid:
        return
    assert read(plain_draft(draft), folder=None) == draft


def test_a_large_picture_is_kept_as_it_is(read: Read, media: Media) -> None:
    into = io.BytesIO()
    Image.effect_noise((400, 400), 50).save(into, "PNG")
    source = media.keep_picture(into.getvalue(), "noise.png")
    assert read(mailing(message={"pictures": [source]})).message.elements == (Pictures((source,)),)
