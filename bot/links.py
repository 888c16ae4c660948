"""What clients and platforms fetch from us: links that are followed, the page to unsubscribe, kept files.

A link's answer waits for the commit of the click, but not long: the client is to get there even while the storage is
away, as far as we know where.
"""

import asyncio
import base64
import hashlib
import logging
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from aiohttp import hdrs, web

from bot.desk import Desk
from bot.dialogs.talk import House
from bot.http import Mount
from bot.languages import locale_for
from bot.texts import Texts
from engine.clock import Clock
from engine.errors import NotFound
from engine.links import LINK_ROUTE, UNSUBSCRIBE_ROUTE, Tokens
from engine.media import Media
from engine.settings import EngineSettings
from engine.visitors import OWN_LIST, SHIPPED, Visitors
from gateways import public_media
from storage.links import Link, LinkName, Reader, Visit
from storage.store import Store

if TYPE_CHECKING:
    from jinja2 import Template

log = logging.getLogger(__name__)
Key = TypeVar("Key")
Value = TypeVar("Value")

PAGES: Final = Path(__file__).parent / "pages"
NOTED_WITHIN_S: Final = 2.0
SETTLE_EVERY_S: Final = 2.0
KEPT_TARGETS: Final = 20_000  # known by heart, for when the storage is away
KEPT_VISITS: Final = 20_000  # so that ten thousand hits on one link are not ten thousand writes

# platforms/tracking.md section 3
_REDIRECT = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_NOWHERE = "This link leads nowhere."
_FILE_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",  # a file's name is the hash of what is in it
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


class FollowedLinks:
    """GET /l/{token}."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        visitors: Visitors,
        clock: Clock,
        *,
        noted_within_s: float = NOTED_WITHIN_S,
    ) -> None:
        self._store = store
        self._noted_within_s = noted_within_s
        self._tokens = tokens
        self._visitors = visitors
        self._clock = clock
        self._targets: dict[LinkName, Link] = {}
        self._visits: dict[str, None] = {}

    def add_to(self, app: web.Application) -> None:
        app.router.add_get(LINK_ROUTE + "{token}", self._follow)

    async def _follow(self, request: web.Request) -> web.Response:
        name = self._tokens.read_link(request.match_info["token"])
        target = await self._find(name) if name is not None else None
        if name is None or target is None:
            return web.Response(status=404, text=_NOWHERE)
        place, url = target
        if request.method == hdrs.METH_GET:
            headers = {header.lower(): value for header, value in request.headers.items()}
            await self._note(Visit(name, place, self._visitors.classify(headers), self._clock.now()))
        # Not HTTPFound, which writes a%2Fb as a/b and so breaks signed addresses.
        return web.Response(status=302, headers={**_REDIRECT, "Location": url})

    async def _find(self, name: LinkName) -> Link | None:
        if name not in self._targets:
            try:
                found = await self._store.links.find(name)
            except Exception as error:
                log.exception("where a link leads could not be read", extra={"error": type(error).__name__})
                raise web.HTTPServiceUnavailable(text="Try again soon.", headers={"Retry-After": "5"}) from error
            if found is None:
                return None
            _remember(self._targets, name, found, KEPT_TARGETS)
        return self._targets[name]

    async def _note(self, visit: Visit) -> None:
        """Commit the visit. When that takes too long it goes on by itself, and the client goes on too."""
        if visit.key in self._visits:
            return
        _remember(self._visits, visit.key, None, KEPT_VISITS)
        try:
            async with asyncio.timeout(self._noted_within_s):
                await self._store.links.note(visit)
        except TimeoutError:
            log.warning("a click is written down later than it was answered")
        except Exception as error:
            self._visits.pop(visit.key, None)
            log.exception("a click could not be written down", extra={"error": type(error).__name__})


class LeavePage:
    """GET and POST /u/{token}: a page with a button, and what the button does.

    A POST without the page, as mail programs make it (RFC 8058), does the same; a second one changes nothing.

    `revoked` is told of each address that may not be written to any more."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        settings: EngineSettings,
        clock: Clock,
        *,
        house: House,
        revoked: Callable[[str, int], None],
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._settings = settings
        self._clock = clock
        self._house = house
        self._revoked = revoked

    def add_to(self, app: web.Application) -> None:
        app.router.add_get(UNSUBSCRIBE_ROUTE + "{token}", self._ask)
        app.router.add_post(UNSUBSCRIBE_ROUTE + "{token}", self._leave)

    async def _ask(self, request: web.Request) -> web.Response:
        _, reader = await self._find(request)
        if reader is None:
            return self._unknown()
        if reader.is_out:
            return self._left(reader)
        t = self._texts(reader)
        return self._page(
            t,
            heading=t.plain("Unsubscribe from {name}?", name=self._house.name),
            words=t.plain(
                "You will get no more messages from {name} on {messenger}.",
                name=self._house.name,
                messenger=self._messenger(reader),
            ),
            button=t.plain("Unsubscribe"),
        )

    async def _leave(self, request: web.Request) -> web.Response:
        delivery_id, reader = await self._find(request)
        if delivery_id is None or reader is None:
            return self._unknown()
        for address in await self._store.links.leave(delivery_id, self._clock.now()):
            self._revoked(address.channel, address.address_id)
        return self._left(reader)

    async def _find(self, request: web.Request) -> tuple[int | None, Reader | None]:
        delivery_id = self._tokens.read_unsubscribe(request.match_info["token"])
        if delivery_id is None:
            return None, None
        return delivery_id, await self._store.links.find_reader(delivery_id)

    def _left(self, reader: Reader) -> web.Response:
        t = self._texts(reader)
        words = t.plain(
            "{name} sends you no more messages on {messenger}. To come back, write START there.",
            name=self._house.name,
            messenger=self._messenger(reader),
        )
        return self._page(t, heading=t.plain("You are unsubscribed"), words=words)

    def _unknown(self) -> web.Response:
        t = Texts(self._house.locale)
        words = t.plain("It may have been cut off on its way. Open it from the message itself.")
        return self._page(t, heading=t.plain("This link does not work"), words=words, status=404)

    def _texts(self, reader: Reader) -> Texts:
        return Texts(locale_for(reader.language, self._house.locale))

    def _messenger(self, reader: Reader) -> str:
        channel = self._settings.channels.get(reader.channel)
        return channel.able.title if channel is not None else reader.channel

    def _page(self, t: Texts, *, heading: str, words: str, button: str = "", status: int = 200) -> web.Response:
        body = self._template.render(
            lang=t.locale, title=self._house.name, style=self._style, heading=heading, words=words, button=button
        )
        return web.Response(status=status, text=body, content_type="text/html", headers=self._headers)

    @cached_property
    def _template(self) -> "Template":
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)
        return environment.get_template("leave.html")

    @cached_property
    def _style(self) -> str:
        from markupsafe import Markup

        return Markup((PAGES / "leave.css").read_text("utf-8"))  # noqa: S704  # our own file

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode("ascii")
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'"
        return {
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
        }


class PublicMedia:
    """GET /media/{token}: a kept file, for platforms that fetch pictures and files by URL."""

    def __init__(self, media: Media, secret: bytes) -> None:
        self._media = media
        self._secret = secret

    def add_to(self, app: web.Application) -> None:
        app.router.add_get(public_media.ROUTE + "{token}", self._give)

    async def _give(self, request: web.Request) -> web.StreamResponse:
        source = public_media.find_source(self._secret, request.match_info["token"])
        try:
            file = self._media.path(source) if source is not None else None
        except NotFound:
            file = None
        if file is None:
            raise web.HTTPNotFound(text="There is no such file.")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return web.FileResponse(file, headers={**_FILE_HEADERS, "Content-Type": kind})


def public_pages(desk: Desk, house: House, revoked: Callable[[str, int], None]) -> Sequence[Mount]:
    """What mounts all of these. An operator's own list of previewing programs stands beside the data."""
    store, clock, tokens = desk.store, desk.clock, Tokens.of_app(desk.secret)
    visitors = Visitors((SHIPPED, desk.config.data_dir / OWN_LIST))
    return (
        FollowedLinks(store, tokens, visitors, clock).add_to,
        LeavePage(store, tokens, desk.settings, clock, house=house, revoked=revoked).add_to,
        PublicMedia(desk.media, desk.secret).add_to,
    )


async def settle_clicks(store: Store, clock: Clock) -> None:
    """Count, in time, the clicks that could have been a scanner's; until cancelled."""
    while True:
        try:
            await store.links.settle(clock.now())
        except Exception:
            log.exception("clicks could not be settled")
        await clock.sleep(SETTLE_EVERY_S)


def _remember(kept: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    """Forget the oldest where there are too many."""
    while len(kept) >= most:
        kept.pop(next(iter(kept)))
    kept[key] = value
