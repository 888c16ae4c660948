"""What is told of a message while it is written."""

from pathlib import Path

import pytest

from engine.check import Checker
from engine.clock import FakeClock
from engine.errors import Invalid
from engine.settings import ChannelSettings, EngineSettings
from engine.writing import Missing, Writing, bare_fields, with_default
from gateways.base import Counted
from gateways.message import Link, Message, Reply, Text
from storage.records import Draft
from storage.store import Store
from tests.engine.kinds import CHATTY, chatty
from tests.storage.people import add

PHONES = chatty(
    kind="phones", title="Phones", button_sets=(), counted=lambda rich: Counted("basic", len(rich.text), 1, 10)
)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Hello", {}),
        ("Hello {{ client.first_name }}", {"first_name": True}),
        ("Hello {{ client.first_name | default('friend') }}", {}),
        ("Hello {{ client.first_name | upper }}, {{ client['city'] }}", {"first_name": True, "city": False}),
        ("{% if client.city %}In {{ client.city }}{% endif %}", {}),
        ("{{ 'Hi ' + client.first_name if client.first_name else 'Hi' }}", {}),
        ("{{ client.first_name or 'friend' }}", {}),
        ('<a href="https://acme.test/?of={{ client.id }}">Yours</a>', {"id": False}),
        ("<b>{{ client.first_name", {}),
    ],
)
def test_a_field_is_bare_where_nothing_stands_in_for_it(text: str, bare: dict[str, bool]) -> None:
    assert bare_fields(Message((Text(text),))) == bare


def test_a_default_is_put_in_wherever_the_field_is_shown() -> None:
    rows = ((Link("https://acme.test/{{ client.first_name }}", "For {{ client.first_name }}"), Reply("Yes", "Yes")),)
    message = Message(
        (Text("<b>Hi {{ client.first_name | upper }}</b> of {{ client.city }}", rows),),
        only={"viber": {"text": "Hi {{client.first_name}}", "template": {"parameters": ["{{ client.first_name }}"]}}},
    )

    mended = with_default(message, "first_name", "friend o'mine")

    [element] = mended.elements
    assert isinstance(element, Text)
    assert element.text == "<b>Hi {{ client.first_name | default('friend o’mine') | upper }}</b> of {{ client.city }}"
    label = "For {{ client.first_name | default('friend o’mine') }}"
    assert element.buttons[0][0] == Link("https://acme.test/{{ client.first_name }}", label)
    assert mended.only["viber"]["text"] == "Hi {{client.first_name | default('friend o’mine')}}"
    assert mended.only["viber"]["template"] == message.only["viber"]["template"]
    with pytest.raises(Invalid, match="a word or two"):
        with_default(message, "first_name", "}}")


@pytest.fixture
def writing(store: Store, tmp_path: Path) -> Writing:
    channels = {"tg-shop": ChannelSettings("tg-shop", CHATTY), "tg-news": ChannelSettings("tg-news", PHONES)}
    settings = EngineSettings(channels, tmp_path, link_length=40)
    return Writing(store, settings, Checker(store, settings, FakeClock()))


async def test_missing_values_are_counted_among_those_who_can_be_reached(store: Store, writing: Writing) -> None:
    await add(
        store,
        {"id": "a", "first_name": "Ann", "attributes": {"city": "Kyiv"}, "addresses": {"tg-shop": "1"}},
        {"id": "b", "last_name": "Lee", "addresses": {"tg-shop": "2"}},
        {"id": "c", "addresses": {"tg-shop": "3"}},
        {"id": "d", "first_name": "Dan"},
    )
    text = "{{ client.first_name }} {{ client.name }} {{ client.city }} {{ client.nothing }}"
    missing = await writing.missing(Draft("Sale", Message((Text(text),))))
    assert missing == (Missing("city", 2, True), Missing("first_name", 2, True), Missing("name", 1, True))


async def test_a_messenger_that_counts_is_told_of_a_clients_own_text(store: Store, writing: Writing) -> None:
    await add(store, {"id": "a", "first_name": "Ann", "addresses": {"tg-news": "1"}})
    link = Text("Hi {{ client.first_name }}", ((Link("https://acme.test/a/long/address/of/ours", "Go"),),))
    counted = await writing.counted(Draft("Sale", Message((link,))))
    assert counted == {"Phones": (Counted("basic", len("Hi Ann\n\nGo: ") + 40, 1, 10),)}
    assert await writing.counted(Draft("Sale", Message((Text("{{ client.nothing }}"),)))) == {}
