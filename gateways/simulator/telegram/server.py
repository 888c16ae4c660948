"""The simulated Telegram Bot API over real HTTP.

python -m gateways.simulator.telegram.server --port 8081 --bots 3
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from inspect import isawaitable
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from gateways.simulator.faults import Fault, FaultKind, Faults
from gateways.simulator.listening import (
    BAD_GATEWAY,
    MAX_BODY_BYTES,
    Hangup,
    Listening,
    hang_up,
    run_until_interrupted,
    serve,
    server_options,
    wait_for_hangup,
)
from gateways.simulator.subscription import Subscription
from gateways.simulator.telegram.answers import Refusal, accepted_body, throttled
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import ClientState, SimulatedClient
from gateways.simulator.telegram.control import Control
from gateways.simulator.telegram.forms import Call, read_call
from gateways.simulator.telegram.ledger import RecordedCall
from gateways.simulator.telegram.messages import Event
from gateways.simulator.telegram.methods.table import METHODS, Method
from gateways.simulator.telegram.world import World

_JSON = {"Content-Type": "application/json"}


class TelegramSimulator(Listening):
    """Bots, clients, faults and counts behind one address. Everything else hangs on `world`."""

    def __init__(self, *, seed: int = 0, allow_insecure_webhooks: bool = True) -> None:
        super().__init__()
        self.world = World(seed)
        self.world.allows_insecure_webhooks = allow_insecure_webhooks
        self._control = Control(self)

    # --- life

    async def stop(self) -> None:
        for bot in self.world.bots.values():
            bot.updates.interrupt_poll(None)
            if bot.webhook is not None:
                await bot.webhook.close()
                bot.webhook = None
        for subscription in list(self.world.subscriptions):
            subscription.close()
        await super().stop()

    def routes(self) -> list[web.RouteDef]:
        """The same server inside another aiohttp application; `start` is not needed then."""
        return [
            web.route("*", path, self.handle) for path in ("/bot{tail:.+}", "/file/bot{tail:.+}", "/_sim/{tail:.+}")
        ]

    @property
    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(self.routes())
        return app

    # --- bots, clients, and what they did

    def add_bot(
        self,
        token: str,
        *,
        username: str = "shop_demo_bot",
        first_name: str = "Shop",
        is_admin: bool = False,
        keeps_messages: bool | None = None,
    ) -> SimulatedBot:
        bot = self.world.bots[token] = SimulatedBot(
            self.world, token, username, first_name, is_admin=is_admin, keeps_messages=keeps_messages
        )
        return bot

    def add_client(self, bot: SimulatedBot, user_id: int, first_name: str, **card: Any) -> SimulatedClient:
        """`last_name`, `username`, `language_code`, `state`: see SimulatedBot.add_client."""
        return bot.add_client(user_id, first_name, **card)

    def bot(self, token: str) -> SimulatedBot:
        return self.world.bots[token]

    @property
    def faults(self) -> Faults:
        return self.world.faults

    def requests(self, token: str | None = None, method: str | None = None) -> list[RecordedCall]:
        return self.world.ledger.find(token, method)

    def accepted_by_chat(self, token: str) -> Counter[int | str]:
        return self.world.bots[token].accepted.by_chat

    def accepted_at(self, token: str) -> Sequence[float]:
        """When each sending call was taken, in monotonic seconds; see ledger.most_in_window and rate_per_s."""
        return self.world.bots[token].accepted.at

    def subscribe(self, bound: int = 10_000) -> Subscription[Event]:
        """Events from now on; the oldest are lost where nobody reads `bound` of them."""
        return self.world.subscribe(bound)

    # --- requests

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived_at = time.monotonic()
        path, _, query = request.raw_path.partition("?")
        if "%" in path:
            path = unquote(path)
        try:
            if self.dark:
                raise Hangup
            if path.startswith("/bot"):
                token, _, name = path[4:].partition("/")
                return await self._answer_call(request, token, name.removeprefix("test/"), query, arrived_at)
            if path.startswith("/file/bot"):
                return self._answer_file(*path[9:].split("/", 1))
            if path.startswith("/_sim/"):
                return await self._control.answer(request, path.removeprefix("/_sim/"))
        except Hangup:
            return hang_up(request)
        return _refused(Refusal(404))

    async def _answer_call(
        self, request: web.BaseRequest, token: str, name: str, query: str, arrived_at: float
    ) -> web.StreamResponse:
        known = METHODS.get(name.lower())
        method = name if known is None else known[0]
        record = self.world.ledger.open(token, method, arrived_at)
        faults = self.world.faults
        if faults.take(token, method, None, before_reading=True):
            record.outcome = "closed"
            raise Hangup
        try:
            call = await read_call(request, query)
            record.values, record.files = call.values, call.files
            response = await self._obey(request, token, method, call, record)
        except Refusal as refusal:
            record.outcome, record.description = str(refusal.code), refusal.description
            response = _refused(refusal)
        delay_s = faults.answer_delay_s(token, method)
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        return response

    async def _obey(
        self, request: web.BaseRequest, token: str, method: str, call: Call, record: RecordedCall
    ) -> web.StreamResponse:
        bot = self.world.bots.get(token)
        if bot is None:
            raise Refusal(401 if token.partition(":")[0].isdigit() and ":" in token else 404)
        bot.require_token()
        known = METHODS.get(method.lower())
        if known is None:
            raise Refusal(404, ": method not found")
        fault = self.world.faults.take(token, method, call.number("chat_id"), before_reading=False)
        if fault is not None:
            return await self._suffer(fault, request, bot, known, call, record)
        result = await self._execute(bot, known, call)
        record.outcome = "200"
        return web.Response(body=accepted_body(result), headers=_JSON)

    async def _execute(self, bot: SimulatedBot, known: tuple[str, Method, bool], call: Call) -> object:
        _, method, sends = known
        if sends:
            if bot.pressure.watches_sends:
                bot.get_chat(call.values.get("chat_id"))  # a refused chat costs no budget
                wait_s = bot.pressure.admit(call.number("chat_id"), time.monotonic())
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
            if call.files and bot.pressure.slows_equal_uploads:
                await self._hold_uploads(bot, call)
        result = method(bot, call)
        return await result if isawaitable(result) else result

    async def _hold_uploads(self, bot: SimulatedBot, call: Call) -> None:
        for upload in call.files.values():
            wait_s, refusal = bot.pressure.admit_upload(upload.size_bytes, time.monotonic())
            await asyncio.sleep(wait_s)
            if refusal is not None:
                raise refusal

    async def _suffer(
        self,
        fault: Fault,
        request: web.BaseRequest,
        bot: SimulatedBot,
        known: tuple[str, Method, bool],
        call: Call,
        record: RecordedCall,
    ) -> web.StreamResponse:
        if fault.kind is FaultKind.HANG:
            await asyncio.sleep(fault.seconds)
        result: object = None
        after = ""
        if fault.takes_message:
            try:
                result = await self._execute(bot, known, call)
                after = " after accept"
            except Refusal:
                if fault.kind in (FaultKind.HANG, FaultKind.SLOW):
                    raise
        match fault.kind:
            case FaultKind.DROP:
                record.outcome = "dropped" + after
                raise Hangup
            case FaultKind.SILENCE:
                record.outcome = "silent" + after
                await wait_for_hangup(request)
                raise Hangup
            case FaultKind.BAD_GATEWAY:
                record.outcome = "502" + after
                return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
            case FaultKind.SLOW:
                await asyncio.sleep(fault.seconds)
        if fault.holds:
            bot.pressure.close_for(fault.retry_after_s, time.monotonic())
        if (refusal := _refusal_of(fault)) is not None:
            raise refusal
        record.outcome = "200"
        return web.Response(body=accepted_body(result), headers=_JSON)

    def _answer_file(self, token: str, path: str = "") -> web.StreamResponse:
        bot = self.world.bots.get(token)
        if bot is None:
            return _refused(Refusal(401))
        file = self.world.files.find_path(bot.bot_id, path)
        if file is None or file.content is None:
            return _refused(Refusal(404))
        return web.Response(body=file.content, content_type="application/octet-stream")


def _refusal_of(fault: Fault) -> Refusal | None:
    """The answer of the kinds that answer with `ok: false`."""
    match fault.kind:
        case FaultKind.THROTTLE:
            return throttled(fault.retry_after_s)
        case FaultKind.ERROR:
            return Refusal(500, "sent by a fault")
        case FaultKind.REFUSE:
            return Refusal(fault.code, fault.words, fault.parameters)
    return None


def _refused(refusal: Refusal) -> web.Response:
    headers = dict(_JSON)
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    return web.Response(status=refusal.code, body=refusal.body(), headers=headers)


# --- a process of its own


def main() -> None:
    """Bot n of `--bots` has the token `n:simulated`, n from 1."""
    parser = server_options("The Telegram Bot API, simulated.")
    parser.add_argument("--bots", type=int, default=0, help="bots with the tokens 1:simulated, 2:simulated ...")
    parser.add_argument("--everyone", type=ClientState, default=ClientState.ACTIVE, choices=list(ClientState))
    options = parser.parse_args()
    simulator = TelegramSimulator()
    simulator.world.ledger.recording = simulator.world.keeps_messages = not options.count_only
    for number in range(1, options.bots + 1):
        bot = simulator.add_bot(f"{number}:simulated", username=f"simulated_{number}_bot", first_name=f"Bot {number}")
        bot.everyone = options.everyone
    run_until_interrupted(serve(simulator, options))


if __name__ == "__main__":
    main()
