"""Tokens that only we can make, and the addresses that a message gets."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.fit import fit
from engine.links import LinkDesk, Tokens, exact_location, link_length
from engine.personalise import Personaliser
from gateways.base import Outgoing, Part
from gateways.message import Link, Message, Reply, Text
from gateways.telegram.capabilities import TELEGRAM
from storage.links import LinkName, Visit, Visitor
from storage.schema import CLIENTS_IN_STEP
from storage.store import Store
from tests.storage.sent import sent

TOKENS = Tokens(b"\x6b" * 32)
SECRET = b"of the tests"
IDS = st.integers(0, 2**63 - 1)
URL = "https://m.acme.test"
SALE = "https://acme.test/sale?a=a%2Fb&b=%D1%97#top"


# --- tokens ---


def test_tokens_are_those_of_the_platforms_page() -> None:
    # platforms/tracking.md section 3, test vectors: key 32 times 0x6B, version 1, key id 1
    assert TOKENS.link(9007199254740993, 3) == "AQEAIAAAAAAAAQOQbmRQlvFm4s5_"
    assert TOKENS.unsubscribe(9007199254740993) == "AQEAIAAAAAAAAQBnAMDIMBdecZOl"


@given(IDS, st.integers(0, 254), st.integers(0, 2**48 - 1))
def test_a_token_says_what_it_was_made_of(delivery: int, number: int, own: int) -> None:
    assert TOKENS.read_link(TOKENS.link(delivery, number)) == LinkName(delivery, number=number)
    assert TOKENS.read_link(TOKENS.own_link(delivery, own)) == LinkName(delivery, own=own)
    assert TOKENS.read_unsubscribe(TOKENS.unsubscribe(delivery)) == delivery
    assert (len(TOKENS.link(delivery, number)), len(TOKENS.own_link(delivery, own))) == (28, 36)


@given(IDS)
def test_a_token_serves_no_other_purpose(delivery: int) -> None:
    assert TOKENS.read_unsubscribe(TOKENS.link(delivery, 0)) is None
    assert TOKENS.read_unsubscribe(TOKENS.own_link(delivery, 0)) is None
    assert TOKENS.read_link(TOKENS.unsubscribe(delivery)) is None
    assert Tokens(b"another").read_link(TOKENS.link(delivery, 0)) is None
    assert Tokens.of_app(b"a").read_link(Tokens.of_app(b"b").link(delivery, 0)) is None


@given(st.text(max_size=60))
@example("")
@example("A" * 28)
@example("A" * 36)
@example("é" * 28)
@example("AQEAIAAAAAAAAQOQbmRQlvFm4s5_\n")
@example("//evil.test/aaaaaaaaaaaaaaaa")
def test_what_we_did_not_make_is_no_token(text: str) -> None:
    assert TOKENS.read_link(text) is None
    assert TOKENS.read_unsubscribe(text) is None


@given(IDS, st.integers(0, 27), st.sampled_from("AZaz09-_"))
def test_a_changed_token_is_no_token(delivery: int, place: int, letter: str) -> None:
    token = TOKENS.link(delivery, 5)
    changed = token[:place] + letter + token[place + 1 :]
    assert TOKENS.read_link(changed) == (LinkName(delivery, number=5) if changed == token else None)
    assert TOKENS.read_link(token[:place]) is None
    assert TOKENS.read_link(token + token[:8]) is None


def test_without_a_key_nothing_is_made() -> None:
    with pytest.raises(ValueError, match="without a key"):
        Tokens(b"")


# --- addresses ---


@pytest.mark.parametrize(
    ("url", "exact"),
    [
        ("https://acme.test/a%2Fb?sig=x%2By+z&next=https%3A%2F%2Fb.test#f", None),
        ("https://acme.test/?redirect=https://a.test/?b=1&c=2", None),
        ("https://acme.test/p;v=1?x=a;b&&y=", None),
        ("https://acme.test/шлях?q=ї#кінець", "https://acme.test/%D1%88%D0%BB%D1%8F%D1%85?q=%D1%97#%D0%BA%D1%96%D0%BD%D0%B5%D1%86%D1%8C"),
        ("https://пример.укр:8080/a%2Fb", "https://xn--e1afmkfd.xn--j1amh:8080/a%2Fb"),
        ("https://acme.test/\r\nSet-Cookie: a=b", "https://acme.test/Set-Cookie:%20a=b"),
        ("https://[é/x", "https://[%C3%A9/x"),
    ],
)  # fmt: skip
def test_an_address_stays_as_it_is_byte_for_byte(url: str, exact: str | None) -> None:
    assert exact_location(url) == (exact or url)


@given(st.text(max_size=80))
def test_every_address_fits_into_a_header(text: str) -> None:
    exact = exact_location(f"https://{text.encode('utf-8', 'ignore').decode()}")
    assert exact.isascii()
    assert exact.isprintable() or not exact


# --- messages ---

MESSAGE = Message(
    (
        Text(
            f'The <a href="{SALE}">sale</a>, <a href="tg://resolve?domain=acme">we</a>, '
            '<a href="https://acme.test/c/{{ client.id }}">your card</a>',
            buttons=(
                (Link(SALE, "Open"), Reply("More", "More")),
                (Link("https://acme.test/{{ client.id }}", "Mine"), Link(f"{URL}/u/x", "Ours")),
            ),
        ),
    )
)


async def rendered(store: Store, delivery: int) -> Outgoing:
    desk = LinkDesk(store, SECRET, f"{URL}/")
    parts: tuple[Part, ...] = fit(MESSAGE, TELEGRAM).parts
    links = await desk.of_step(delivery // CLIENTS_IN_STEP, parts)
    made = Personaliser(parts, TELEGRAM, {"id"}, links=links)
    (outgoing,) = made.render({"id": "c1"}, address="71", delivery_id=delivery, attempt=1, details={})
    return outgoing


async def leads_to(store: Store, url: str) -> tuple[str, str] | None:
    assert url.startswith(f"{URL}/l/")
    assert len(url) <= link_length(URL)
    name = Tokens.of_app(SECRET).read_link(url.rpartition("/")[2])
    assert name is not None
    return await store.links.find(name)


async def test_every_web_link_of_a_message_leads_through_us(store: Store) -> None:
    delivery = await sent(store)
    outgoing = await rendered(store, delivery)
    name = LinkName(delivery, number=0)
    await store.links.note(Visit(name, "button", Visitor.HUMAN, datetime.now(UTC)))  # what was put is committed by now

    text = [span.url for span in outgoing.text.spans]
    buttons = [button.link for row in outgoing.buttons for button in row if isinstance(button, Link)]
    assert (text[1], buttons[2]) == ("tg://resolve?domain=acme", f"{URL}/u/x")
    assert [await leads_to(store, url) for url in (text[0], text[2], *buttons[:2])] == [
        ("text", SALE),
        ("text", "https://acme.test/c/c1"),
        ("button", SALE),
        ("button", "https://acme.test/c1"),
    ]
    assert not any("c1" in url for url in (text[0], text[2], *buttons[:2]))


async def test_a_message_that_is_rendered_again_has_the_same_links(store: Store) -> None:
    delivery = await sent(store)

    assert await rendered(store, delivery) == await rendered(store, delivery)
