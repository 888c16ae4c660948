"""The page's routes: the page itself, its files, uploads, pictures, and the socket."""

import asyncio
import json
import re
import tempfile
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from aiohttp import web

from bot.screens import Attachment
from bot.surfaces.console import words
from bot.surfaces.console.doors import COOKIE, is_local, same_origin, spoken_by
from bot.surfaces.console.socket import MAX_FRAME_BYTES, MAX_TEXT, Socket
from bot.texts import Texts
from engine.errors import Invalid
from engine.media import file_name
from gateways.base import PartKind

if TYPE_CHECKING:
    from jinja2 import Template

    from bot.surfaces.console.surface import ConsoleSurface, Invitations

STATIC: Final = Path(__file__).parent / "static"
MAX_UPLOAD_MB: Final = 50  # what Telegram takes by upload; core.telegram.org/bots/api#sending-files
UPLOAD_WITHIN_S: Final = 300.0
FORM_WITHIN_S: Final = 10.0
MAX_UPLOADS_AT_ONCE: Final = 4
HEARTBEAT_S: Final = 25.0

# The page runs only its own files and calls only its own host; foreign text can't become markup anywhere.
_PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types carillon-paste",
    )
)
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAGE_HEADERS = _SAFE | {"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-store"}
IS_HTML = {"Content-Type": "text/html; charset=utf-8"}
_FORM_HEADERS = {  # without a referrer a browser would not tell where the form comes from
    "Content-Security-Policy": _PAGE_POLICY.replace("form-action 'none'", "form-action 'self'"),
    "Referrer-Policy": "same-origin",
}
FILE_HEADERS = _SAFE | {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, no-cache"}
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_SHOWN = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
}
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_VIDEOS = frozenset({".mp4", ".mov", ".m4v"})
_KEPT_NAME = re.compile(r"[0-9a-f]{16,128}(?:\.[A-Za-z0-9]{1,10})?")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(surface: "ConsoleSurface") -> list[web.AbstractRouteDef]:
    pages = _Pages(surface)
    return [
        web.get("/", pages.page, allow_head=False),
        web.get("/console/join", pages.invitation, allow_head=False),
        web.post("/console/join", pages.join),
        web.get("/console/static/{name}", pages.static),
        web.get("/console/session", pages.session),
        web.post("/console/people/{name}", pages.become),
        web.get("/console/socket", pages.socket, allow_head=False),
        web.post("/console/files", pages.upload),
        web.get("/console/media/{name}", pages.media),
        web.get("/console/pictures/{name}", pages.picture),
        web.get("/console/saved/{name}", pages.saved),
        web.get("/console/phones/{phone}/{message}", pages.phone_picture),
    ]


class _Pages:
    def __init__(self, surface: "ConsoleSurface") -> None:
        self._surface = surface
        self._doorman = surface.doorman
        self._static = {file.name: file for file in STATIC.iterdir() if file.suffix in _TYPES}
        self._uploading = 0

    # --- the page

    async def page(self, request: web.Request) -> web.Response:
        """The page, for whoever comes by a link or has a session; 403 and one sentence for everybody else."""
        local = is_local(request)
        account = self._doorman.use_key(request.query.get("key", ""), local=local)
        cookie = None
        if account is None:
            account = self._doorman.whose(request)
        else:
            cookie = self._doorman.open_session(account)
        if account is None and (account := self._doorman.guest(local=local)) is not None:
            cookie = self._doorman.open_session(account)
        if account is None:
            t = self._surface.texts(None, spoken_by(request))
            return self._closed(t, t.plain(words.NEEDS_LINK), t.plain(words.NEEDS_LINK_MORE))
        response = self._opened(account, spoken_by(request))
        if cookie is not None:
            self._let_in(request, response, cookie)
        return response

    async def invitation(self, request: web.Request) -> web.Response:
        """Whom the code invites, and a button to come in: looking at the link must not use it up, as programs that
        show what is behind a link do."""
        code, t = request.query.get("code", ""), self._surface.texts(None, spoken_by(request))
        try:
            invited = await self._invitations.invited(code, self._surface.clock.now())
        except Invalid as error:
            return self._closed(t, t.plain_error(error), t.plain(words.NEEDS_LINK))
        heading = t.plain(words.INVITED, name=invited.person, house=self._surface.title)
        return self._closed(t, heading, t.plain(words.INVITED_MORE, role=invited.role.value), code=code)

    async def join(self, request: web.Request) -> web.Response:
        """The button was pressed: the code is used up, and the page opens."""
        self._require_origin(request)
        try:
            async with asyncio.timeout(FORM_WITHIN_S):
                form = await request.post()
        except TimeoutError as error:
            raise web.HTTPRequestTimeout from error
        code, t = str(form.get("code", "")), self._surface.texts(None, spoken_by(request))
        try:
            person = await self._invitations.join(code, "console", None, self._surface.clock.now())
        except Invalid as error:
            return self._closed(t, t.plain_error(error), t.plain(words.NEEDS_LINK))
        if person is None:
            raise web.HTTPNotFound
        answer = web.Response(status=303, headers=_SAFE | {"Location": "/"})
        self._let_in(request, answer, self._doorman.open_session(person.name))
        return answer

    @property
    def _invitations(self) -> "Invitations":
        if self._surface.invitations is None:
            raise web.HTTPNotFound
        return self._surface.invitations

    def _let_in(self, request: web.Request, response: web.StreamResponse, session: str) -> None:
        secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        response.set_cookie(COOKIE, session, httponly=True, samesite="Strict", secure=secure, path="/")

    async def static(self, request: web.Request) -> web.StreamResponse:
        file = self._static.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        headers = _SAFE | {"Content-Type": f"{_TYPES[file.suffix]}; charset=utf-8", "Cache-Control": "no-cache"}
        return web.FileResponse(file, headers=headers)

    async def session(self, request: web.Request) -> web.Response:
        """Whether the session still holds: a page whose socket is refused asks here why."""
        self._person(request)
        return web.Response(status=204)

    async def become(self, request: web.Request) -> web.Response:
        """In the demo, who sits at this machine may be any of its people, and sees what each of them sees."""
        self._require_origin(request)
        account = self._doorman.guest(local=is_local(request), name=request.match_info["name"])
        if account is None:
            raise web.HTTPNotFound
        answer = web.Response(status=204, headers=_SAFE)
        self._let_in(request, answer, self._doorman.open_session(account))
        return answer

    async def socket(self, request: web.Request) -> web.StreamResponse:
        account = self._person(request)
        self._require_origin(request)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_FRAME_BYTES)
        await socket.prepare(request)
        self._surface.opened(socket)
        try:
            await Socket(self._surface, account, request, socket).run()
        finally:
            self._surface.closed(socket)
        return socket

    # --- files

    async def upload(self, request: web.Request) -> web.Response:
        """Keep one file for the message that the person is writing; what can't be used is told in a sentence."""
        account = self._person(request)
        self._require_origin(request)
        name = file_name(unquote(request.headers.get("X-File-Name", "")))
        t = self._surface.texts(account)
        if self._uploading >= MAX_UPLOADS_AT_ONCE:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "2"})
        self._uploading += 1
        try:
            with tempfile.TemporaryDirectory(prefix="carillon-") as folder:
                file = Path(folder) / "upload"
                async with asyncio.timeout(UPLOAD_WITHIN_S):
                    if not await _receive(request, file):
                        problem = t.plain(words.WORDS["file_too_large"], name=name, most=MAX_UPLOAD_MB)
                        return web.json_response({"problem": problem}, status=413)
                source = await asyncio.to_thread(self._surface.media.keep, file, name)
        except Invalid as error:
            return web.json_response({"problem": t.plain(error.words, **error.values)}, status=422)
        finally:
            self._uploading -= 1
        attachment = Attachment(_kind_of(name), source, name)
        upload = self._surface.chat(account).keep_upload(attachment)
        return web.json_response({"id": upload, "kind": attachment.kind.value, "name": name})

    async def media(self, request: web.Request) -> web.StreamResponse:
        """A kept file. Only pictures and videos are shown in place; everything else is for saving."""
        self._person(request)
        name = request.match_info["name"]
        if not _KEPT_NAME.fullmatch(name):
            raise web.HTTPNotFound
        try:
            file = self._surface.media.path(f"media:{name}")
        except (Invalid, FileNotFoundError):
            raise web.HTTPNotFound from None
        if not await asyncio.to_thread(file.is_file):
            raise web.HTTPNotFound
        kind = _SHOWN.get(file.suffix.lower())
        headers = FILE_HEADERS | {"Content-Type": kind or "application/octet-stream"}
        if kind is None:
            headers["Content-Disposition"] = "attachment"
        return web.FileResponse(file, headers=headers)

    async def picture(self, request: web.Request) -> web.Response:
        account = self._person(request)
        content = self._surface.chat(account).find_picture(request.match_info["name"])
        if content is None:
            raise web.HTTPNotFound
        return web.Response(body=content, headers=FILE_HEADERS | {"Content-Type": "image/png"})

    async def saved(self, request: web.Request) -> web.Response:
        """A file of a card, for saving."""
        account = self._person(request)
        file = self._surface.chat(account).find_file(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        disposition = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
        headers = FILE_HEADERS | {"Content-Type": "application/octet-stream", "Content-Disposition": disposition}
        return web.Response(body=file.content, headers=headers)

    async def phone_picture(self, request: web.Request) -> web.Response:
        self._person(request)
        if self._surface.phones is None:
            raise web.HTTPNotFound
        try:
            found = self._surface.phones.picture(request.match_info["phone"], request.match_info["message"])
        except LookupError:
            raise web.HTTPNotFound from None
        return web.Response(body=found.content, headers=FILE_HEADERS | {"Content-Type": found.content_type})

    # --- who it is

    def _person(self, request: web.Request) -> str:
        account = self._doorman.whose(request)
        if account is None:
            raise web.HTTPForbidden(text=self._surface.texts(None, spoken_by(request)).plain(words.NEEDS_LINK))
        return account

    def _require_origin(self, request: web.Request) -> None:
        if not same_origin(request, self._surface.public_url):
            raise web.HTTPForbidden(text="This request comes from another page.")

    # --- templates

    def _opened(self, account: str, language: str) -> web.Response:
        t = self._surface.texts(account, language)
        page_words = words.page_words(t)
        settings = {"words": page_words, "maxText": MAX_TEXT, "maxFileMb": MAX_UPLOAD_MB}
        body = self._templates["index.html"].render(
            lang=t.locale,
            title=self._surface.title,
            w=page_words,
            phones=self._surface.phones is not None,
            stats=self._surface.statistics is not None,
            # "<" never stands in the block, so no word can end it.
            settings=json.dumps(settings, ensure_ascii=False).replace("<", "\\u003c"),
        )
        return web.Response(body=body.encode(), headers=PAGE_HEADERS | IS_HTML)

    def _closed(self, t: Texts, heading: str, more: str, *, code: str = "") -> web.Response:
        """A sentence for whoever may not see the page; with a `code`, the button by which they come in."""
        title, come_in = self._surface.title, t.plain(words.COME_IN)
        body = self._templates["closed.html"].render(
            lang=t.locale, title=title, heading=heading, more=more, code=code, come_in=come_in
        )
        headers = PAGE_HEADERS | IS_HTML | (_FORM_HEADERS if code else {})
        return web.Response(body=body.encode(), status=200 if code else 403, headers=headers)

    @cached_property
    def _templates(self) -> dict[str, "Template"]:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(loader=FileSystemLoader(STATIC), autoescape=True, undefined=StrictUndefined)
        return {name: environment.get_template(name) for name in ("index.html", "closed.html")}


async def _receive(request: web.Request, file: Path) -> bool:
    """Write the body to a file as it comes; False where it is too large."""
    if (request.content_length or 0) > MAX_UPLOAD_MB * 1024 * 1024:
        return False
    size_bytes = 0
    with file.open("wb") as opened:
        async for piece in request.content.iter_chunked(65536):
            size_bytes += len(piece)
            if size_bytes > MAX_UPLOAD_MB * 1024 * 1024:
                return False
            opened.write(piece)
    return True


def _kind_of(name: str) -> PartKind:
    ending = Path(name).suffix.lower()
    if ending in _PICTURES:
        return PartKind.PICTURE
    return PartKind.VIDEO if ending in _VIDEOS else PartKind.FILE
