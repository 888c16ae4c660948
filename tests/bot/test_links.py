"""What clients and platforms fetch, over real HTTP: links, the page to unsubscribe, kept files."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession, web
from sqlalchemy import text
from yarl import URL

from bot.config import read
from bot.desk import Desk, open_desk
from bot.dialogs.talk import House
from bot.http import serve
from bot.links import FollowedLinks, public_pages, settle_clicks
from engine.clock import FakeClock
from engine.links import Tokens
from engine.visitors import SHIPPED, Visitors
from gateways.base import AddressStatus
from gateways.public_media import media_token
from storage.database import Database
from storage.links import BUTTON, PENDING_FOR, TEXT, Links, OwnLink
from storage.schema import CLIENTS_IN_STEP
from storage.store import Store
from tests.storage.people import add, card_of
from tests.storage.sent import counted, happened, sent

CONFIG = """
[app]
name = "Acme <b>"
public_url = "https://m.acme.test"
secret = "of the tests"
[storage]
url = "{url}"
[[channels]]
id = "tg-shop"
kind = "telegram"
token = "1:SHOP"
"""
SALE = "https://acme.test/a%2Fb?sig=x%2By+z&next=https%3A%2F%2Fb.test#top"
PERSON = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1"}
TELEGRAM = {"User-Agent": "TelegramBot (like TwitterBot)"}


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Outside:
    """Somebody out there with a link."""

    desk: Desk
    url: str
    session: ClientSession
    revoked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def tokens(self) -> Tokens:
        return Tokens.of_app(self.desk.secret)

    async def ask(self, path: str, method: str = "GET", **more: Any) -> Got:
        options = {"headers": PERSON, "allow_redirects": False, **more}
        async with self.session.request(method, URL(self.url + path, encoded=True), **options) as response:
            return Got(response.status, response.headers, await response.read())

    async def link(self, *links: tuple[str, str]) -> tuple[int, Sequence[str]]:
        """A delivery, and the paths of its links."""
        delivery = await sent(self.desk.store)
        numbers = await self.desk.store.links.keep(delivery // CLIENTS_IN_STEP, links or [(BUTTON, SALE)])
        return delivery, [f"/l/{self.tokens.link(delivery, number)}" for number in numbers.values()]


@pytest.fixture
async def outside(made_storage_url: str, tmp_path: Path) -> AsyncIterator[Outside]:
    async with opened(made_storage_url, tmp_path) as outside:
        yield outside


@asynccontextmanager
async def opened(storage_url: str, folder: Path) -> AsyncIterator[Outside]:
    config = read(CONFIG.replace("{url}", storage_url), folder / "config.toml", {})
    async with open_desk(config) as desk, ClientSession() as session:
        revoked: list[tuple[str, int]] = []
        app = web.Application()
        for mount in public_pages(desk, House("Acme <b>"), lambda *address: revoked.append(address)):
            mount(app)
        async with serve(app, "127.0.0.1", 0) as port:
            yield Outside(desk, f"http://127.0.0.1:{port}", session, revoked)


@asynccontextmanager
async def followed_on(outside: Outside, store: Store) -> AsyncIterator[Outside]:
    """The links alone, impatient, on another store."""
    app = web.Application()
    FollowedLinks(store, outside.tokens, Visitors([SHIPPED]), outside.desk.clock, noted_within_s=0.1).add_to(app)
    async with serve(app, "127.0.0.1", 0) as port:
        yield Outside(outside.desk, f"http://127.0.0.1:{port}", outside.session)


# --- links ---


async def test_a_link_leads_on_byte_for_byte_and_is_counted(outside: Outside) -> None:
    _, (path,) = await outside.link()

    response = await outside.ask(path)

    assert response.status == 302
    assert response.headers["Location"] == SALE
    assert response.headers["Cache-Control"] == "no-store, private"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Robots-Tag"] == "noindex"
    assert "Set-Cookie" not in response.headers
    assert response.body == b""
    assert await counted(outside.desk.store) == {"clicked:any": 1, "clicked:link": 1, "clicks:any": 1, "clicks:link": 1}


async def test_a_link_of_the_client_s_own_leads_on_too(outside: Outside) -> None:
    delivery, _ = await outside.link()
    outside.desk.store.links.keep_own(OwnLink(delivery, 77, TEXT, "https://acme.test/?c=1"))
    await outside.link()  # what was put is committed by now

    response = await outside.ask(f"/l/{outside.tokens.own_link(delivery, 77)}")

    assert (response.status, response.headers["Location"]) == (302, "https://acme.test/?c=1")
    assert (await counted(outside.desk.store))["clicked:text_link"] == 1


async def test_a_look_without_opening_is_not_counted(outside: Outside) -> None:
    _, (path,) = await outside.link()

    response = await outside.ask(path, "HEAD")

    assert (response.status, response.headers["Location"]) == (302, SALE)
    assert await happened(outside.desk.store) == []


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT", "DELETE"])
async def test_another_method_is_refused(outside: Outside, method: str) -> None:
    _, (path,) = await outside.link()

    assert (await outside.ask(path, method)).status == 405
    assert await happened(outside.desk.store) == []


@pytest.mark.parametrize("headers", [TELEGRAM, {**PERSON, "Sec-Purpose": "prefetch;prerender"}])
async def test_a_preview_leads_on_and_is_kept_apart(outside: Outside, headers: dict[str, str]) -> None:
    _, (path,) = await outside.link()

    assert (await outside.ask(path, headers=headers)).headers["Location"] == SALE
    assert await counted(outside.desk.store) == {}
    assert [type_ for type_, _details in await happened(outside.desk.store)] == ["fetched"]


def forged(outside: Outside, delivery: int) -> Sequence[str]:
    good = outside.tokens.link(delivery, 0)
    return [
        f"/l/{token}"
        for token in (
            "abc",
            good[:-1],
            good + "A",
            ("B" if good[0] == "A" else "A") + good[1:],
            outside.tokens.unsubscribe(delivery),
            outside.tokens.link(delivery, 9),
            outside.tokens.own_link(delivery, 9),
            Tokens(b"another").link(delivery, 0),
            "%2F%2Fevil.test",
            "javascript:alert(1)",
            "A" * 5000,
        )
    ]


async def test_what_we_did_not_sign_leads_nowhere(outside: Outside) -> None:
    delivery, _ = await outside.link()

    responses = [await outside.ask(path) for path in forged(outside, delivery)]

    assert {(response.status, response.text) for response in responses} == {(404, "This link leads nowhere.")}
    assert all("Location" not in response.headers for response in responses)
    assert await happened(outside.desk.store) == []


async def test_a_storm_on_one_link_is_few_writes(outside: Outside) -> None:
    _, (path,) = await outside.link()
    commits = outside.desk.store.writer.figures.members

    responses = await asyncio.gather(*(outside.ask(path) for _ in range(200)))

    assert {response.status for response in responses} == {302}
    assert outside.desk.store.writer.figures.members - commits <= 10  # one each second
    assert (await counted(outside.desk.store))["clicked:any"] == 1


async def test_a_client_gets_there_while_the_storage_is_away(tmp_path: Path) -> None:
    file = tmp_path / "carillon.db"
    async with opened(f"sqlite:///{file}", tmp_path) as outside:
        _, (known, other) = await outside.link((BUTTON, SALE), (BUTTON, "https://acme.test/other"))
        reading = Database(f"sqlite:///{file}")
        store = replace(outside.desk.store, links=Links(reading, outside.desk.store.writer))
        async with followed_on(outside, store) as there:
            assert (await there.ask(known)).status == 302

            outside.desk.store.writer.stop()
            await reading.close()
            file.rename(tmp_path / "away.db")
            file.mkdir()

            assert (await there.ask(known, headers=TELEGRAM)).headers["Location"] == SALE
            unknown = await there.ask(other)
            assert (unknown.status, unknown.headers["Retry-After"]) == (503, "5")


async def test_a_client_does_not_wait_for_a_slow_storage(outside: Outside) -> None:
    _, (path,) = await outside.link()
    async with followed_on(outside, outside.desk.store) as there, outside.desk.store.database.writing() as somebody:
        if somebody.dialect.name == "postgresql":
            await somebody.execute(text("LOCK TABLE events IN EXCLUSIVE MODE"))
        assert (await there.ask(path)).status == 302
        assert await counted(outside.desk.store) == {}

    await outside.link()  # the writer takes its turn
    assert (await counted(outside.desk.store))["clicked:link"] == 1


async def test_clicks_that_waited_are_settled_in_time(outside: Outside) -> None:
    three = [(BUTTON, f"https://acme.test/{number}") for number in range(3)]
    _, paths = await outside.link(*three)
    await outside.ask(paths[0])
    assert await counted(outside.desk.store) == {}

    clock = FakeClock(outside.desk.clock.now() + PENDING_FOR)
    settling = asyncio.create_task(settle_clicks(outside.desk.store, clock))
    async with asyncio.timeout(10):
        while not await counted(outside.desk.store):
            await asyncio.sleep(0.01)
    settling.cancel()

    assert (await counted(outside.desk.store))["clicked:link"] == 1


# --- leaving ---


async def test_a_page_asks_and_its_button_unsubscribes(outside: Outside) -> None:
    delivery, _ = await outside.link()
    path = f"/u/{outside.tokens.unsubscribe(delivery)}"

    asked = await outside.ask(path)
    still = (await card_of(outside.desk.store, "c1")).addresses[0]
    left = await outside.ask(path, "POST")
    gone = (await card_of(outside.desk.store, "c1")).addresses[0]
    again = [await outside.ask(path, "POST"), await outside.ask(path)]

    assert (asked.status, left.status, asked.headers["Content-Type"]) == (200, 200, "text/html; charset=utf-8")
    assert "Unsubscribe from Acme &lt;b&gt;?" in asked.text
    assert '<form method="post">' in asked.text
    assert "on Telegram" in left.text
    assert (still.status, gone.status) == (AddressStatus.ENABLED, AddressStatus.UNSUBSCRIBED)
    assert all(each.text == left.text for each in again)
    assert "<form" not in left.text
    assert outside.revoked == [("tg-shop", gone.id)]
    assert await counted(outside.desk.store) == {"unsubscribed": 1}


async def test_the_page_runs_nothing_and_tells_nobody(outside: Outside) -> None:
    delivery, _ = await outside.link()

    response = await outside.ask(f"/u/{outside.tokens.unsubscribe(delivery)}")

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store, private"
    assert "Set-Cookie" not in response.headers
    assert "<script" not in response.text


async def test_a_mail_program_unsubscribes_with_one_click(outside: Outside) -> None:
    delivery, _ = await outside.link()

    response = await outside.ask(
        f"/u/{outside.tokens.unsubscribe(delivery)}", "POST", data={"List-Unsubscribe": "One-Click"}
    )

    assert response.status == 200
    assert (await card_of(outside.desk.store, "c1")).addresses[0].status is AddressStatus.UNSUBSCRIBED


async def test_who_comes_back_can_leave_again(outside: Outside) -> None:
    from gateways.base import Wrote
    from storage.happenings import Happening
    from storage.inbound import Taken

    delivery, _ = await outside.link()
    path = f"/u/{outside.tokens.unsubscribe(delivery)}"
    await outside.ask(path, "POST")
    now = outside.desk.clock.now()
    start = Happening(Wrote("71", now, "w1", "START"), wish="start")
    await outside.desk.store.inbound.take(Taken("tg-shop", now, (start,)))

    assert "<form" in (await outside.ask(path)).text
    await outside.ask(path, "POST")

    assert (await card_of(outside.desk.store, "c1")).addresses[0].status is AddressStatus.UNSUBSCRIBED
    assert len(outside.revoked) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_forged_link_unsubscribes_nobody(outside: Outside, method: str) -> None:
    delivery, _ = await outside.link()
    ours = outside.tokens
    tokens = ["abc", ours.link(delivery, 0), ours.unsubscribe(delivery + 5), Tokens(b"another").unsubscribe(delivery)]

    for token in tokens:
        response = await outside.ask(f"/u/{token}", method)
        assert response.status == 404
        assert "This link does not work" in response.text

    assert (await card_of(outside.desk.store, "c1")).addresses[0].status is AddressStatus.ENABLED


async def test_only_the_delivery_s_channel_is_left(outside: Outside) -> None:
    await add(outside.desk.store, {"id": "c1", "tg-shop": "71", "tg-news": "72"})
    delivery, _ = await outside.link()

    await outside.ask(f"/u/{outside.tokens.unsubscribe(delivery)}", "POST")

    statuses = {each.channel: each.status.value for each in (await card_of(outside.desk.store, "c1")).addresses}
    assert statuses == {"tg-shop": "unsubscribed", "tg-news": "enabled"}


# --- kept files ---


async def test_a_platform_fetches_a_kept_file(outside: Outside) -> None:
    source = outside.desk.media.keep(b"%PDF-1.7 price list", "prices.pdf")
    path = f"/media/{media_token(outside.desk.secret, source)}"

    response = await outside.ask(path)
    looked = await outside.ask(path, "HEAD")

    assert (response.status, response.body) == (200, b"%PDF-1.7 price list")
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert (looked.status, looked.headers["Content-Length"], looked.body) == (200, "19", b"")


async def test_a_file_without_our_signature_is_not_given(outside: Outside) -> None:
    source = outside.desk.media.keep(b"secret prices", "prices.pdf")
    gone = media_token(outside.desk.secret, f"media:{'0' * 64}.pdf")

    for token in (source.removeprefix("media:"), media_token(b"another", source), gone, "..%2F..%2Fsecret", "x"):
        assert (await outside.ask(f"/media/{token}")).status == 404
