"""Orders as programs see them, and the calls that tell the user's system of each change.

A call is a POST of {"event": "order", "order": …} with two headers: X-Carillon-Timestamp, in seconds since 1970, and
X-Carillon-Signature, "sha256=" and the hexadecimal HMAC-SHA256 of timestamp, a point and the body under
orders_hook_secret. Any answer from 200 to 299 ends it; until one comes it is made again, for ever.
"""

import asyncio
import hashlib
import hmac
import json
import logging
from datetime import datetime, timedelta
from typing import Any, Final

from yarl import URL

from bot.desk import Desk
from bot.plain import plain
from engine.clock import Clock
from gateways.base import GatewayError
from gateways.http import HttpClient, target
from storage.order_hooks import Due, OrderHooks
from storage.orders import OrderRecord

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
PAUSES_S: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)  # after tries that failed; the last one repeats
ANSWER_WITHIN_S: Final = 10.0
_AT_ONCE: Final = 20


def order_document(order: OrderRecord) -> dict[str, Any]:
    return {
        "number": order.number,
        "id": order.external_id,
        "client": order.client_external_id,
        "client_number": order.client_id,
        "mailing": order.mailing_id,
        "channel": order.channel,
        "sku": order.sku,
        "amount": f"{order.amount:f}" if order.amount is not None else None,
        "currency": order.currency,
        "state": order.state.value,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }


class OrderHook:
    """Tells the user's system of every order and its changes; what is still to be told stands in storage."""

    def __init__(self, hooks: OrderHooks, clock: Clock, url: str, secret: bytes) -> None:
        self._hooks = hooks
        self._clock = clock
        self.url = url
        self._secret = secret
        self._http = HttpClient()

    async def run(self) -> None:
        """Until cancelled. Whatever can't be written or read now is tried again."""
        await self.open()
        try:
            while True:
                try:
                    await self.tell_due()
                except Exception:
                    log.exception("orders could not be told")
                await self._clock.sleep(LOOK_EVERY_S)
        finally:
            await self.close()

    async def open(self) -> None:
        await self._http.open()

    async def close(self) -> None:
        await self._http.close()

    async def tell_due(self) -> None:
        """One round: whoever is due, once."""
        now = self._clock.now()
        await self._hooks.gather(now)
        await asyncio.gather(*(self._tell(due, now) for due in await self._hooks.due(now, limit=_AT_ONCE)))

    async def _tell(self, due: Due, now: datetime) -> None:
        problem = await self._call(due.order)
        if problem is None:
            await self._hooks.told(due.order)
            return
        pause_s = PAUSES_S[min(due.tries, len(PAUSES_S) - 1)]
        log.warning("an order could not be told", extra={"order": due.order.number, "why": problem, "again_s": pause_s})
        await self._hooks.put_off(due.order, now + timedelta(seconds=pause_s))

    async def _call(self, order: OrderRecord) -> str | None:
        """None, or why it is to be told again."""
        document = {"event": "order", "order": order_document(order)}
        body = json.dumps(document, default=plain, ensure_ascii=False).encode()
        headers = sign(body, self._secret, self._clock.now()) | {"Content-Type": "application/json"}
        try:
            answer = await self._http.call(target("POST", URL(self.url), headers), body, total_s=ANSWER_WITHIN_S)
        except GatewayError as error:
            return error.words
        return None if 200 <= answer.status < 300 else f"it answered {answer.status}"


def sign(body: bytes, secret: bytes, at: datetime) -> dict[str, str]:
    """The headers that prove a call to be ours, and of now."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Carillon-Timestamp": timestamp, "X-Carillon-Signature": f"sha256={digest}"}


def order_hook_of(desk: Desk) -> OrderHook | None:
    """The calls that [web] asks for, if it does."""
    config = desk.config.web
    if config.orders_hook is None or config.orders_hook_secret is None:
        return None
    secret = config.orders_hook_secret.get_secret_value().encode()
    return OrderHook(desk.store.order_hooks, desk.clock, config.orders_hook, secret)
