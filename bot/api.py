"""/api/v1: for the user's own systems. Bearer tokens; every error is {"error": "one sentence"}."""

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from bot import api_models as models
from bot.api_description import describe_api
from bot.api_orders import OrdersApi
from bot.api_routes import MAX_PAGE, Route, instant_in, number_in
from bot.desk import Desk
from bot.plain import plain
from bot.why import why_document
from engine.drafts import read_mailing
from engine.errors import Invalid, NotFound, Refused, Stale
from storage.clients import AudienceCount
from storage.records import Actor, ClientCard, Role

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
BY = Actor("API", Role.OPERATOR, "api")


class Api:
    """Mount it with `add_to`. Without tokens in [web] it is closed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._operations = desk.operations
        self._tokens = [token.get_secret_value().encode() for token in desk.config.web.api_tokens]
        self.routes = (*self._routes(), *OrdersApi(desk).routes())
        self._description = json.dumps(describe_api(self.routes, desk.config.app.name), ensure_ascii=False)

    def add_to(self, app: web.Application) -> None:
        app.router.add_get(f"{PREFIX}/openapi.json", self._describe)
        for route in self.routes:
            app.router.add_route(route.method, PREFIX + route.path, self._handler(route))
        app.router.add_route("*", PREFIX + "/{tail:.*}", self._nothing)

    async def _describe(self, _: web.Request) -> web.Response:
        return web.Response(text=self._description, content_type="application/json")

    async def _nothing(self, request: web.Request) -> web.Response:
        return _problem(404, f"There is no {request.method} {request.path}; see {PREFIX}/openapi.json.")

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if not self._knows(request.headers.get("Authorization", "")):
                return _problem(401, "A token of api_tokens in [web] is needed: Authorization: Bearer …")
            try:
                body = await _read(request, route.body) if route.body is not None else None
                document = await route.ask(request, body)
            except NotFound as error:
                return _problem(404, str(error))
            except (Refused, Stale) as error:
                return _problem(409, str(error))
            except Invalid as error:
                return _problem(422, str(error))
            except web.HTTPRequestEntityTooLarge:
                return _problem(413, "The body is above 4 MB; send it in pieces.")
            except Exception as error:
                log.exception("a call failed", extra={"path": route.path, "error": type(error).__name__})
                return _problem(500, "Something broke on our side; it is in the log.")
            return web.Response(
                status=route.status,
                text=json.dumps(document, default=plain, ensure_ascii=False),
                content_type="application/json",
            )

        return handle

    def _knows(self, header: str) -> bool:
        """Whether it is one of the tokens; each is compared in constant time, and all of them always."""
        kind, _, given = header.partition(" ")
        matches = [hmac.compare_digest(given.strip().encode(), token) for token in self._tokens]
        return kind.lower() == "bearer" and any(matches)

    # --- clients ---

    async def _clients(self, request: web.Request, _: None) -> Any:
        limit = number_in(request, "limit", 100, MAX_PAGE)
        found = await self._desk.store.clients.page(
            after=number_in(request, "after", 0), limit=limit, search=request.query.get("search", "")
        )
        return {"clients": [_client(card) for card in found], "next": found[-1].id if len(found) == limit else None}

    async def _upsert(self, _request: web.Request, body: models.ClientsIn) -> Any:
        return await self._upserted(body.clients, body.region)

    async def _upsert_one_or_many(self, _request: web.Request, body: models.ClientOrClientsIn) -> Any:
        if isinstance(body.root, list):
            return await self._upserted(body.root, None)
        outcome = await self._upserted([body.root], None)
        if outcome["rejected"]:
            raise Invalid("{reason}", reason=outcome["rejected"][0]["reason"])
        return outcome

    async def _upserted(self, clients: Sequence[models.ClientIn], region: str | None) -> dict[str, Any]:
        from bot.importing import outcome_document
        from engine.imports import upsert_clients

        desk = self._desk
        self._require_channels(clients)
        rows = [client.model_dump(exclude_unset=True, exclude_none=True) for client in clients]
        channels = desk.settings.channels
        return outcome_document(
            await upsert_clients(desk.store, rows, channels=channels, region=region, clock=desk.clock)
        )

    def _require_channels(self, clients: Sequence[models.ClientIn]) -> None:
        """Raise Invalid for a key that is neither a field nor a channel's id."""
        fields, channels = models.ClientIn.model_fields, self._desk.settings.channels
        for row, client in enumerate(clients, start=1):
            for name in client.model_extra or {}:
                if name not in channels:
                    raise Invalid(
                        "There is no field “{field}” (client {row}); {known} are known.",
                        field=name,
                        row=row,
                        known=", ".join([*fields, *channels]),
                    )

    async def _client(self, request: web.Request, _: None) -> Any:
        return _client(await self._card(request))

    async def _tag_client(self, request: web.Request, body: models.TagsIn) -> Any:
        card = await self._card(request)
        if body.add:
            await self._desk.store.clients.tag(card.id, *body.add)
        if body.remove:
            await self._desk.store.clients.untag(card.id, *body.remove)
        return _client(await self._desk.store.clients.get(card.id))

    async def _tags(self, _request: web.Request, _: None) -> Any:
        return [{"name": name, "clients": count} for name, count in await self._desk.store.clients.tags()]

    async def _card(self, request: web.Request) -> ClientCard:
        words = request.match_info["client"]
        card = await self._desk.store.clients.find_by_any(words)
        if card is None:
            raise NotFound("There is no client “{client}”.", client=words)
        return card

    # --- audiences ---

    async def _segments(self, _request: web.Request, _: None) -> Any:
        return [_segment(each) for each in await self._desk.store.segments.list()]

    async def _segment(self, request: web.Request, _: None) -> Any:
        return _segment(await self._desk.store.segments.get(request.match_info["name"]))

    async def _save_segment(self, request: web.Request, body: models.AudienceIn) -> Any:
        from engine.audience import read_audience

        name, data = request.match_info["name"], _audience(body)
        audience = read_audience(data, await self._desk.store.clients.known_fields())
        count = await self._operations.checker.count_audience(data)
        now = self._desk.clock.now()
        await self._desk.store.segments.save(name, audience, now)
        await self._desk.store.segments.remember_count(name, count.audience, now)
        return _segment(await self._desk.store.segments.get(name))

    async def _delete_segment(self, request: web.Request, _: None) -> Any:
        await self._desk.store.segments.delete(request.match_info["name"])
        return {}

    async def _count(self, _request: web.Request, body: models.CountIn) -> Any:
        if body.routing not in ("main", "chosen"):
            raise Invalid("routing is main or chosen, not “{routing}”.", routing=body.routing)
        count = await self._operations.checker.count_audience(_audience(body.audience), body.routing, body.channels)
        return _counted(count)

    # --- mailings ---

    async def _mailings(self, request: web.Request, _: None) -> Any:
        return await self._operations.list_mailings(
            search=request.query.get("search", ""),
            limit=number_in(request, "limit", 20, MAX_PAGE),
            offset=number_in(request, "offset", 0),
        )

    async def _create(self, _request: web.Request, body: models.MailingIn) -> Any:
        desk = self._desk
        draft = read_mailing(
            body.model_dump(exclude_unset=True),
            folder=None,
            media=desk.media,
            channels=desk.settings.channels,
            kinds=desk.settings.kinds,
            known_fields=await desk.store.clients.known_fields(),
            at=desk.clock.now(),
            timezone=desk.settings.timezone,
        )
        return {"id": await self._operations.create(draft, BY), "status": "draft"}

    async def _figures(self, request: web.Request, _: None) -> Any:
        return await self._operations.figures(_id(request))

    async def _launch(self, request: web.Request, _: None) -> Any:
        launched = await self._operations.launch_or_ask(_id(request), BY)
        approval = launched.approval.state if launched.approval else None
        return {"id": launched.mailing.id, "status": launched.mailing.status, "approval": approval}

    async def _pause(self, request: web.Request, _: None) -> Any:
        mailing = await self._operations.pause(_id(request), BY)
        return {"id": mailing.id, "status": mailing.status}

    async def _resume(self, request: web.Request, _: None) -> Any:
        mailing = await self._operations.resume(_id(request), BY)
        return {"id": mailing.id, "status": mailing.status}

    async def _cancel(self, request: web.Request, _: None) -> Any:
        in_flight = await self._operations.cancel(_id(request), BY)
        return {"id": _id(request), "status": "cancelled", "in_flight": in_flight}

    async def _copy(self, request: web.Request, _: None) -> Any:
        return {"id": await self._operations.copy(_id(request), BY), "status": "draft"}

    async def _delete(self, request: web.Request, _: None) -> Any:
        await self._operations.delete(_id(request), BY)
        return {}

    async def _failed(self, request: web.Request, _: None) -> Any:
        rows = await self._operations.failed(
            _id(request), after_id=number_in(request, "after", 0), limit=number_in(request, "limit", 100, MAX_PAGE)
        )
        return [_delivery(row) for row in rows]

    async def _unknown(self, request: web.Request, _: None) -> Any:
        return [_delivery(row) for row in await self._operations.unknown(_id(request))]

    async def _repeat_unknown(self, request: web.Request, _: None) -> Any:
        return {"repeated": await self._operations.repeat_unknown(_id(request), BY)}

    async def _why(self, request: web.Request, _: None) -> Any:
        document = why_document(await self._operations.why(_id(request), request.match_info["client"]))
        return {name: document[name] for name in models.Why.model_fields}

    async def _stats(self, request: web.Request, _: None) -> Any:
        return await self._operations.totals(instant_in(request, "since"))

    def _routes(self) -> Sequence[Route]:
        page = {"search": "in the name", "limit": "at most so many"}
        made = models.MailingMade
        return (
            Route("GET", "/clients", "The clients by number", self._clients, models.ClientsOut,
                  query=page | {"after": "go on after this number"}),
            Route("POST", "/clients", "Add or update one client, or a list of them", self._upsert_one_or_many,
                  models.Upserted, models.ClientOrClientsIn),
            Route("POST", "/clients/many", "Add or update many", self._upsert, models.Upserted, models.ClientsIn),
            Route("GET", "/clients/{client}", "One client", self._client, models.ClientOut),
            Route("POST", "/clients/{client}/tags", "Add and remove tags", self._tag_client, models.ClientOut,
                  models.TagsIn),
            Route("GET", "/tags", "Every tag", self._tags, models.TagOut, many=True),
            Route("GET", "/segments", "Every segment", self._segments, models.SegmentOut, many=True),
            Route("GET", "/segments/{name}", "One segment", self._segment, models.SegmentOut),
            Route("PUT", "/segments/{name}", "Save a segment", self._save_segment, models.SegmentOut,
                  models.AudienceIn),
            Route("DELETE", "/segments/{name}", "Delete a segment", self._delete_segment),
            Route("POST", "/audience/count", "Count an audience", self._count, models.CountOut, models.CountIn),
            Route("GET", "/mailings", "The mailings, newest first", self._mailings, models.MailingLine, many=True,
                  query=page | {"offset": "leave out so many"}),
            Route("POST", "/mailings", "Create a mailing", self._create, made, models.MailingIn, status=201),
            Route("GET", "/mailings/{id}", "The figures of a mailing", self._figures),
            Route("DELETE", "/mailings/{id}", "Delete a draft", self._delete),
            Route("POST", "/mailings/{id}/launch", "Launch or schedule it", self._launch, models.MailingLaunched),
            Route("POST", "/mailings/{id}/pause", "Hold it", self._pause, made),
            Route("POST", "/mailings/{id}/resume", "Go on where it stopped", self._resume, made),
            Route("POST", "/mailings/{id}/cancel", "End it here", self._cancel, models.Cancelled),
            Route("POST", "/mailings/{id}/copy", "A draft with the same content", self._copy, made, status=201),
            Route("GET", "/mailings/{id}/failed", "Whom it did not reach", self._failed, models.Delivery, many=True,
                  query={"limit": "at most so many", "after": "go on after this delivery"}),
            Route("GET", "/mailings/{id}/unknown", "Who may or may not have it", self._unknown, models.Delivery,
                  many=True),
            Route("POST", "/mailings/{id}/unknown/repeat", "Send to those again", self._repeat_unknown,
                  models.Repeated),
            Route("GET", "/mailings/{id}/why/{client}", "Why a client did or did not get it", self._why, models.Why),
            Route("GET", "/stats", "Counters of all mailings, summed", self._stats,
                  query={"since": "a date such as 2026-11-01"}),
        )  # fmt: skip


async def _read(request: web.Request, model: type[BaseModel]) -> BaseModel:
    """The body as the model says. Raises Invalid that names the field."""
    try:
        data = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is no JSON.") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = problem["loc"][1:] if model in models.EACH else problem["loc"]
        where = ".".join(str(part) for part in place)
        if problem["type"] == "extra_forbidden":
            known = ", ".join(models.EACH.get(model, model).model_fields)
            raise Invalid("There is no field “{field}”; {known} are known.", field=where, known=known) from None
        words = problem["msg"][:1].lower() + problem["msg"][1:]
        raise Invalid("{field}: {words}.", field=where or "the body", words=words) from None


def _problem(status: int, words: str) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response(models.Problem(error=words).model_dump(), status=status, headers=headers)


def _id(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise NotFound("There is no mailing {id}.", id=text)
    return int(text)


def _audience(body: models.AudienceIn) -> dict[str, Any]:
    return body.model_dump(exclude_unset=True, exclude_none=True)


def _client(card: ClientCard) -> dict[str, Any]:
    return {
        "number": card.id,
        "id": card.external_id,
        **{name: getattr(card, name) for name in ("name", "first_name", "last_name", "language", "timezone")},
        **{name: getattr(card, name) for name in ("main_channel", "tags", "subscribed_to", "attributes")},
        **{name: getattr(card, name) for name in ("created_at", "last_seen_at")},
        "addresses": [{name: getattr(place, name) for name in models.Address.model_fields} for place in card.addresses],
    }


def _segment(segment: Any) -> dict[str, Any]:
    return {name: getattr(segment, name) for name in models.SegmentOut.model_fields}


def _counted(count: AudienceCount) -> dict[str, Any]:
    return {name: getattr(count, name) for name in models.CountOut.model_fields}


def _delivery(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in models.Delivery.model_fields}
