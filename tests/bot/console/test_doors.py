from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, WSServerHandshakeError

from bot.screens import Command
from bot.surfaces.console.doors import MAX_SESSIONS, SESSION_IDLE_S, Doorman
from engine.clock import FakeClock
from tests.bot.console.script import ANN, MAX, Site, site


async def status_of(url: str, **headers: str) -> int:
    """How a browser that was never here is answered."""
    async with ClientSession() as stranger, stranger.get(url, headers=headers) as answer:
        return answer.status


async def test_without_a_link_the_page_answers_403_and_a_sentence(console: Site) -> None:
    async with console.session.get(f"{console.url}/") as answer:
        assert answer.status == 403
        assert "opens with the link that Carillon printed" in await answer.text()
        assert "Set-Cookie" not in answer.headers


async def test_a_link_opens_the_page_once(console: Site) -> None:
    link = console.link()
    assert await status_of(link) == 200
    assert await status_of(link) == 403


async def test_who_opened_the_page_may_load_it_again(console: Site) -> None:
    link = console.link()
    for url in (link, link, f"{console.url}/"):
        async with console.session.get(url) as answer:
            assert answer.status == 200


async def test_looking_ahead_with_head_does_not_use_up_a_link(console: Site) -> None:
    link = console.link()
    async with console.session.head(link) as answer:
        assert answer.status == 405
    assert await status_of(link) == 200


async def test_a_wrong_link_opens_nothing(console: Site) -> None:
    assert await status_of(f"{console.url}/?key=guessed") == 403
    assert await status_of(f"{console.url}/?key=") == 403


async def test_the_session_is_kept_from_scripts_and_other_sites(console: Site) -> None:
    async with console.session.get(console.link()) as answer:
        cookie = SimpleCookie(answer.headers["Set-Cookie"])["carillon"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", "")


async def test_behind_https_the_cookie_travels_nowhere_else(console: Site) -> None:
    async with console.session.get(console.link(), headers={"X-Forwarded-Proto": "https"}) as answer:
        assert SimpleCookie(answer.headers["Set-Cookie"])["carillon"]["secure"] is True


async def test_the_page_allows_nothing_from_elsewhere(console: Site) -> None:
    async with console.session.get(console.link()) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


async def test_each_link_is_for_one_person(console: Site) -> None:
    links = console.surface.links(console.url)
    assert [person for person, _ in links] == [ANN, MAX]
    async with console.session.get(links[1][1]) as answer:
        assert answer.status == 200
    async with console.page() as page:
        assert (await page.told("hello"))["me"] == {"name": "Max", "role": "manager"}


async def test_the_socket_is_refused_without_a_session(console: Site) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        async with console.page():
            pass
    assert refused.value.status == 403


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://127.0.0.1:1", "", "https://127.0.0.1"])
async def test_the_socket_is_refused_to_a_page_of_another_origin(console: Site, origin: str) -> None:
    await console.enter()
    with pytest.raises(WSServerHandshakeError) as refused:
        async with console.page(headers={"Origin": origin}):
            pass
    assert refused.value.status == 403


async def test_the_public_address_is_an_origin_of_ours(tmp_path: Path) -> None:
    async with site(tmp_path, public_url="https://m.acme.test") as served:
        await served.enter()
        async with served.page(headers={"Origin": "https://m.acme.test"}) as page:
            await page.told("hello")


async def test_a_session_tells_whether_it_holds(console: Site) -> None:
    assert await status_of(f"{console.url}/console/session") == 403
    await console.enter()
    async with console.session.get(f"{console.url}/console/session") as answer:
        assert answer.status == 204


async def test_in_the_demo_a_link_opens_again_and_again_on_this_machine(tmp_path: Path) -> None:
    async with site(tmp_path, demo=True) as served:
        link = served.link("Max")
        assert [await status_of(link) for _ in range(3)] == [200, 200, 200]


async def test_in_the_demo_the_page_opens_without_a_link_on_this_machine(tmp_path: Path) -> None:
    async with site(tmp_path, demo=True) as served:
        async with served.session.get(f"{served.url}/") as answer:
            assert answer.status == 200
        async with served.page() as page:
            assert (await page.told("hello"))["me"]["name"] == "Ann"


async def test_in_the_demo_one_may_be_any_of_its_people(tmp_path: Path) -> None:
    async with site(tmp_path, demo=True) as served:
        await served.session.get(f"{served.url}/")
        async with served.page() as page:
            assert (await page.told("hello"))["people"] == [
                {"name": "Ann", "role": "owner"},
                {"name": "Max", "role": "manager"},
            ]
        become, own = f"{served.url}/console/people/Max", {"Origin": served.url}
        async with served.session.post(become, headers={"Origin": "http://elsewhere.test"}) as answer:
            assert answer.status == 403
        async with served.session.post(f"{served.url}/console/people/Nobody", headers=own) as answer:
            assert answer.status == 404
        async with served.session.post(become, headers=own) as answer:
            assert answer.status == 204
        async with served.page() as page:
            assert (await page.told("hello"))["me"] == {"name": "Max", "role": "manager"}


async def test_outside_the_demo_nobody_becomes_another(console: Site) -> None:
    await console.enter()
    async with console.page() as page:
        assert "people" not in await page.told("hello")
    become = f"{console.url}/console/people/Max"
    async with console.session.post(become, headers={"Origin": console.url}) as answer:
        assert answer.status == 404
    async with console.page() as page:
        assert (await page.told("hello"))["me"]["name"] == "Ann"


@pytest.mark.parametrize(
    "header", [{"Host": "evil.test"}, {"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}]
)
async def test_the_demo_lets_nobody_in_from_elsewhere(tmp_path: Path, header: dict[str, str]) -> None:
    async with site(tmp_path, demo=True) as served:
        assert await status_of(f"{served.url}/", **header) == 403
        assert await status_of(served.link(), **header) == 403


async def test_one_person_s_session_reads_nothing_of_another_s(console: Site) -> None:
    name = console.surface.chat("Ann").keep_picture(b"PNG")
    await console.enter("Max")
    async with console.session.get(f"{console.url}/console/pictures/{name}") as answer:
        assert answer.status == 404
    await console.surface.act("Ann", Command("now"))
    async with console.page() as page:
        assert (await page.told("hello"))["entries"] == []


async def test_a_session_that_nobody_uses_ends(tmp_path: Path) -> None:
    clock = FakeClock()
    async with site(tmp_path, clock=clock) as served:
        await served.enter()
        await clock.advance(SESSION_IDLE_S - 1)
        async with served.session.get(f"{served.url}/console/session") as answer:
            assert answer.status == 204
        await clock.advance(SESSION_IDLE_S + 1)
        async with served.session.get(f"{served.url}/console/session") as answer:
            assert answer.status == 403


async def test_of_too_many_sessions_the_one_unused_for_longest_ends(console: Site) -> None:
    jars = [CookieJar(unsafe=True) for _ in range(MAX_SESSIONS + 1)]
    for jar in jars:
        async with ClientSession(cookie_jar=jar) as browser, browser.get(console.link()) as answer:
            assert answer.status == 200
    for jar, status in ((jars[0], 403), (jars[1], 204), (jars[-1], 204)):
        async with ClientSession(cookie_jar=jar) as browser, browser.get(f"{console.url}/console/session") as answer:
            assert answer.status == status


def test_nobody_is_let_in_where_there_are_no_people() -> None:
    assert Doorman({}, FakeClock(), demo=True).guest(local=True) is None
