"""Files on their way in and out of the page."""

import io
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from PIL import Image

from bot.screens import Attachment, Said
from bot.surfaces.console import web
from gateways.base import PartKind
from tests.bot.console.script import Site


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (8, 6), (30, 120, 90)).save(made, "PNG")
    return made.getvalue()


async def send(console: Site, content: bytes, name: str, **headers: str) -> tuple[int, Any]:
    every = {"Origin": console.url, "X-File-Name": quote(name), **headers}
    async with console.session.post(f"{console.url}/console/files", data=io.BytesIO(content), headers=every) as answer:
        told = await answer.json() if answer.content_type == "application/json" else await answer.text()
        return answer.status, told


async def test_a_picture_travels_with_the_message(console: Site) -> None:
    await console.enter()
    status, told = await send(console, picture(), "весна.png")
    assert (status, told["kind"], told["name"]) == (200, "picture", "весна.png")
    async with console.page() as page:
        await page.say(type="say", key="key-0001", html="Look", files=[told["id"], "unknown"])
        entry = (await page.told("entry"))["entry"]
        await page.told("done")
    said = console.script.heard[-1].what
    assert isinstance(said, Said)
    (attachment,) = said.attachments
    assert attachment == Attachment(PartKind.PICTURE, attachment.source, "весна.png")
    async with console.session.get(console.url + entry["media"][0]["url"]) as answer:
        assert (answer.content_type, await answer.read()) == ("image/png", picture())
        assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "kind"), [("prices.pdf", "file"), ("clip.mp4", "video"), ("page.html", "file"), ("none", "file")]
)
async def test_other_files_are_videos_or_files(console: Site, name: str, kind: str) -> None:
    await console.enter()
    assert (await send(console, b"content", name))[1]["kind"] == kind


async def test_a_broken_picture_is_told_in_a_sentence(console: Site) -> None:
    await console.enter()
    status, told = await send(console, b"no picture", "sale.png")
    assert status == 422
    assert told["problem"] == "The picture sale.png can't be read: it is damaged, or no picture."


async def test_a_file_that_is_too_large_is_told_in_a_sentence(console: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_UPLOAD_MB", 1)
    await console.enter()
    status, told = await send(console, b"x" * (1024 * 1024 + 1), "all.zip")
    assert (status, told["problem"]) == (413, "all.zip is too large: 1 MB are the most.")


async def test_only_the_page_itself_uploads(console: Site) -> None:
    assert (await send(console, b"x", "x.txt"))[0] == 403
    await console.enter()
    assert (await send(console, b"x", "x.txt", Origin="https://evil.test"))[0] == 403


async def test_a_page_among_the_files_is_saved_and_never_shown(console: Site) -> None:
    await console.enter()
    source = console.surface.media.keep(b"<script>alert(1)</script>", "page.html")  # type: ignore[arg-type]
    async with console.session.get(f"{console.url}/console/media/{source.removeprefix('media:')}") as answer:
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["..%2f..%2fconfig.toml", "ab.png", "%00", "0" * 64 + ".png"])
async def test_files_that_are_not_kept_are_not_found(console: Site, name: str) -> None:
    await console.enter()
    async with console.session.get(f"{console.url}/console/media/{name}") as answer:
        assert answer.status == 404


async def test_files_and_pictures_are_for_people_with_a_session(console: Site) -> None:
    async with ClientSession() as stranger:
        for path in (f"media/{'0' * 64}.png", "pictures/x", "phones/1/1"):
            async with stranger.get(f"{console.url}/console/{path}") as answer:
                assert answer.status == 403


async def test_the_page_s_own_files_are_served_and_nothing_beside_them(console: Site) -> None:
    for name, kind in (("app.js", "text/javascript"), ("base.css", "text/css"), ("bell.svg", "image/svg+xml")):
        async with console.session.get(f"{console.url}/console/static/{name}") as answer:
            assert (answer.status, answer.content_type) == (200, kind)
    for name in ("index.html", "..%2fweb.py", "missing.js"):
        async with console.session.get(f"{console.url}/console/static/{name}") as answer:
            assert answer.status == 404
