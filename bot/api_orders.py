"""Orders and events: what the user's own systems read of us and tell us."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from aiohttp import web

from bot import api_models as models
from bot.api_routes import MAX_PAGE, Route, in_utc, instant_in, number_in
from bot.desk import Desk
from bot.orders import order_document
from engine.errors import Invalid, NotFound
from engine.links import Tokens
from storage.orders import Change, OrderChange
from storage.own_events import OwnEvent
from storage.records import ClientCard

Told = TypeVar("Told", models.OrderIn, models.EventIn)
Row = TypeVar("Row", OrderChange, OwnEvent)


class OrdersApi:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tokens = Tokens.of_app(desk.secret)

    def routes(self) -> Sequence[Route]:
        since = "the `next` of the last answer, to read on; or a date such as 2026-11-01"
        return (
            Route("GET", "/orders", "Orders in the order of their last change: a new one, a changed one comes last",
                  self._page, models.OrdersOut, query={"since": since, "limit": "at most so many"}),
            Route("POST", "/orders", "Tell of an order or of its new state, or of a list of them; a repeat is harmless",
                  self._put_orders, models.OrdersTaken, models.OrderOrOrdersIn),
            Route("POST", "/events", "Tell what a client did, or a list of such events; a repeat is harmless",
                  self._put_events, models.EventsTaken, models.EventOrEventsIn),
        )  # fmt: skip

    # --- orders ---

    async def _page(self, request: web.Request, _: None) -> Any:
        limit = number_in(request, "limit", 100, MAX_PAGE)
        text = request.query.get("since", "0")
        if text.isascii() and text.isdigit():
            after, since = number_in(request, "since", 0), None
        else:
            after, since = 0, instant_in(request, "since")
        found = await self._desk.store.orders.page(after=after, since=since, limit=limit)
        last = found[-1].sequence if found else None if since is not None else after
        return {"orders": [order_document(order) for order in found], "next": last}

    async def _put_orders(self, _: web.Request, body: models.OrderOrOrdersIn) -> Any:
        taken = await _each(body.root, self._read_order, self._desk.store.orders.put)
        return {"added": 0, "updated": 0, "unchanged": 0} | taken

    async def _read_order(self, told: models.OrderIn) -> OrderChange:
        now = self._desk.clock.now()
        if told.id is None and told.number is None:
            raise Invalid("An order needs its id in your system, or our number of it.")
        if (told.amount is None) != (told.currency is None):
            raise Invalid("An amount needs its currency, and a currency its amount.")
        card = await self._card(told.client) if told.client is not None else None
        return OrderChange(
            state=told.state,
            occurred_at=_not_after(now, told.occurred_at),
            received_at=now,
            external_id=told.id,
            number=told.number,
            client_id=card.id if card is not None else None,
            delivery_id=await self._brought_by(told, card),
            sku=told.sku,
            amount=told.amount,
            currency=told.currency,
        )

    async def _brought_by(self, told: models.OrderIn, card: ClientCard | None) -> int | None:
        """The delivery that the system says brought the order. Raises Invalid, NotFound."""
        if told.click is not None:
            return self._clicked(told.click)
        if told.mailing is None:
            return None
        if card is None:
            raise Invalid("An order of a mailing needs its client.")
        mailing = await self._desk.operations.get(told.mailing)
        rows = await self._desk.store.deliveries.rows(mailing.step_id, client_id=card.id, limit=1)
        if not rows:
            raise NotFound("Mailing {id} did not go to the client “{client}”.", id=told.mailing, client=told.client)
        return rows[0].id

    # --- events ---

    async def _put_events(self, _: web.Request, body: models.EventOrEventsIn) -> Any:
        taken = await _each(body.root, self._read_event, self._desk.store.own_events.put)
        return {"added": 0, "unchanged": 0} | taken

    async def _read_event(self, told: models.EventIn) -> OwnEvent:
        now = self._desk.clock.now()
        return OwnEvent(
            id=told.id,
            type=told.type,
            client_id=(await self._card(told.client)).id,
            occurred_at=_not_after(now, told.occurred_at),
            received_at=now,
            delivery_id=self._clicked(told.click) if told.click is not None else None,
            details=told.details,
        )

    # --- both ---

    async def _card(self, words: str) -> ClientCard:
        card = await self._desk.store.clients.find_by_any(words)
        if card is None:
            raise NotFound("There is no client “{client}”.", client=words)
        return card

    def _clicked(self, token: str) -> int:
        """The delivery whose link it is; the token is the last piece of the link's address."""
        link = self._tokens.read_link(token.rpartition("/")[2])
        if link is None:
            raise Invalid("click is no token of a link of ours.")
        return link.delivery_id


async def _each(
    told: Told | Sequence[Told], read: Callable[[Told], Awaitable[Row]], put: Callable[[Row], Awaitable[Change]]
) -> dict[str, Any]:
    """How many came to what; of a list, those that can't be taken are rejected and stop nothing.

    They are written in their order, and together. Raises Invalid for one alone."""
    if not isinstance(told, Sequence):
        return {(await put(await read(told))).value: 1, "rejected": []}
    problems: dict[int, str] = {}
    rows: dict[int, Row] = {}
    for number, one in enumerate(told, start=1):
        try:
            rows[number] = await read(one)
        except Invalid as error:
            problems[number] = str(error)
    outcomes: Counter[str] = Counter()
    for number, outcome in zip(
        rows, await asyncio.gather(*map(put, rows.values()), return_exceptions=True), strict=True
    ):
        if isinstance(outcome, Invalid):
            problems[number] = str(outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            outcomes[outcome.value] += 1
    rejected = [{"row": number, "reason": words} for number, words in sorted(problems.items())]
    return {**outcomes, "rejected": rejected}


def _not_after(now: datetime, told: datetime | None) -> datetime:
    """When it happened: at the latest now, whatever a system's clock says."""
    return now if told is None else min(in_utc(told), now)
