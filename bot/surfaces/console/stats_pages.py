"""Routes of the page of statistics: of a time, of a mailing, and the pictures of both."""

from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from bot.periods import PERIODS
from bot.surfaces.console import words
from bot.surfaces.console.doors import is_local, spoken_by
from bot.surfaces.console.statistics import WORDS, Sheet, Statistics, period_of
from bot.surfaces.console.web import FILE_HEADERS, IS_HTML, PAGE_HEADERS, STATIC
from bot.texts import Texts
from engine.access import may
from engine.errors import NotFound

if TYPE_CHECKING:
    from jinja2 import Template

    from bot.surfaces.console.surface import ConsoleSurface

_SHOWN = ("today", "yesterday", "week", "month", "all")


def routes(surface: "ConsoleSurface", statistics: Statistics) -> list[web.AbstractRouteDef]:
    pages = _StatsPages(surface, statistics)
    return [
        web.get("/stats", pages.period, allow_head=False),
        web.get(r"/stats/{id:\d{1,15}}", pages.mailing, allow_head=False),
        web.get("/stats/pictures/{kind}/{which}", pages.picture, allow_head=False),
    ]


class _StatsPages:
    def __init__(self, surface: "ConsoleSurface", statistics: Statistics) -> None:
        self._surface = surface
        self._statistics = statistics

    async def period(self, request: web.Request) -> web.Response:
        t = self._texts(request)
        name, page = period_of(request)
        return self._shown(request, t, await self._statistics.of_period(t, name, page), name)

    async def mailing(self, request: web.Request) -> web.Response:
        t = self._texts(request)
        try:
            sheet = await self._statistics.of_mailing(t, int(request.match_info["id"]))
        except NotFound as error:
            raise web.HTTPNotFound(text=t.plain_error(error)) from None
        return self._shown(request, t, sheet, "")

    async def picture(self, request: web.Request) -> web.Response:
        """Drawn anew only where its numbers have changed."""
        t, asked = self._texts(request), request.match_info
        try:
            dark = "dark" in request.query
            content = await self._statistics.picture(t, asked["kind"], asked["which"], dark=dark)
        except NotFound:
            content = None
        if content is None:
            raise web.HTTPNotFound
        return web.Response(body=content, headers=FILE_HEADERS | {"Content-Type": "image/png"})

    def _texts(self, request: web.Request) -> Texts:
        """The words of who asks. Raises HTTPForbidden for everybody else than people with the right to numbers."""
        doorman = self._surface.doorman
        account = doorman.whose(request) or doorman.guest(local=is_local(request))
        person = self._surface.people.get(account or "")
        if person is None or not may(person.role, "statistics"):
            t = self._surface.texts(None, spoken_by(request))
            raise web.HTTPForbidden(text=t.plain(words.NEEDS_LINK))
        return self._surface.texts(account, spoken_by(request))

    def _shown(self, request: web.Request, t: Texts, sheet: Sheet, period: str) -> web.Response:
        body = self._template.render(
            lang=t.locale,
            house=self._surface.title,
            sheet=sheet,
            w={name: t.plain(told, zone=t.timezone) for name, told in WORDS.items()},
            periods=[(name, t.plain(PERIODS[name])) for name in _SHOWN],
            period=period,
            here=request.path_qs,
        )
        return web.Response(body=body.encode(), headers=PAGE_HEADERS | IS_HTML)

    @cached_property
    def _template(self) -> "Template":
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(loader=FileSystemLoader(STATIC), autoescape=True, undefined=StrictUndefined)
        return environment.get_template("stats.html")
