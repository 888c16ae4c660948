"""What every simulated messenger has in common: accounts, clients' phones, faults, throttling, counts, receipts.

A messenger subclasses `Platform` with its own dialect and keeps to it: `identify`, `answer`, `fault_answer` for what we
ask, `on_…` for what its clients do. `Call` is one request of ours, as it came.
"""

import asyncio
import json
import random
import time
from abc import abstractmethod
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from gateways.simulator.control import answer_control
from gateways.simulator.counts import Accepted
from gateways.simulator.faults import Fault, FaultKind, Faults
from gateways.simulator.hooks import Hook, Hooks
from gateways.simulator.listening import BAD_GATEWAY, Hangup, Listening, hang_up, wait_for_hangup
from gateways.simulator.phones import ChatMessage, PhoneEvent, Phones, SimClient
from gateways.simulator.subscription import Subscription


@dataclass
class Call:
    """One request. `outcome` is the HTTP status in words or what was done to the connection: "200", "dropped" …"""

    method: str  # of HTTP
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    arrived_at: float  # monotonic seconds
    account: str = ""  # as `identify` names them
    name: str = ""  # what is asked: send_message …
    client: str = ""
    outcome: str = "waiting"

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @cached_property
    def form(self) -> dict[str, str]:
        """The body as a form; the last value where a name stands twice."""
        return dict(self.pairs)

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        try:
            return parse_qsl(self.body.decode(), keep_blank_values=True)
        except UnicodeDecodeError:
            return []


class Window:
    """A sliding window: at most `most` in any `window_s` seconds."""

    def __init__(self, most: int, window_s: float = 1.0) -> None:
        self.most = most
        self.window_s = window_s
        self._moments: deque[float] = deque()

    def admit(self, now: float) -> float:
        """0.0 and booked, or the seconds until there is room."""
        while self._moments and self._moments[0] <= now - self.window_s:
            self._moments.popleft()
        if len(self._moments) >= self.most:
            return self._moments[0] + self.window_s - now
        self._moments.append(now)
        return 0.0


@dataclass
class SimAccount:
    """One account of ours there. `receipts` says after how many seconds a client's phone reports what: {"delivered":
    0.1, "read": 0.3}; a state that is not in it is not reported by itself. Each message's are up to `receipts_vary`
    times later, at random."""

    key: str  # what its calls are recognised by: a token, a page, a number
    name: str = "Shop"
    details: dict[str, Any] = field(default_factory=dict)
    revoked: bool = False
    accepted: Accepted = field(default_factory=Accepted)
    clients: dict[str, SimClient] = field(default_factory=dict)
    everyone: str = ""  # the state of whoever is not in `clients`; "": nobody else is there
    hook: Hook | None = None
    limits: dict[str, Window] = field(default_factory=dict)  # by what they count
    receipts: dict[str, float] = field(default_factory=dict)
    receipts_vary: float = 1.0
    read_share: float = 1.0  # of messages that are read


class Platform(Listening):
    """Start it, add accounts and clients, point a channel's api_base at `url`."""

    title = "Messenger"

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.accounts: dict[str, SimAccount] = {}
        self.faults = Faults(seed)
        self.hooks = Hooks(seed)
        self.phones = Phones()
        self.calls: deque[Call] = deque(maxlen=20_000)
        self.count_by_name: Counter[str] = Counter()
        self.keeps = True  # off: only counted, for a benchmark of a million
        self._luck = random.Random(seed)

    # --- what a messenger defines

    @abstractmethod
    def identify(self, call: Call) -> tuple[str, str, str]:
        """The account's key, what is asked, and the client, as far as the request shows them ("" otherwise)."""

    @abstractmethod
    async def answer(self, call: Call) -> web.Response:
        """Do what is asked, and answer as the platform does."""

    @abstractmethod
    def fault_answer(self, call: Call, fault: Fault) -> web.Response:
        """The platform's own words for a throttle (retry_after_s), an error (500) or a refusal (code, words)."""

    def on_said(self, client: SimClient, message: ChatMessage) -> None:
        """The client wrote: post the platform's event."""

    def on_pressed(self, client: SimClient, message: ChatMessage, number: int) -> None:
        """The client pressed button `number` of a message of ours, counted through all its buttons."""

    def on_state(self, client: SimClient, before: str) -> None:
        """The client blocked, unblocked, allowed … : `client.state` is the new state."""

    def on_reported(self, client: SimClient, message: ChatMessage) -> None:
        """A message of ours is delivered or read now: `message.state`."""

    # --- accounts, clients, and what they did

    def add_account(self, key: str, **terms: Any) -> SimAccount:
        """`name`, `details`, `everyone`, `receipts` …: the fields of SimAccount."""
        account = self.accounts[key] = SimAccount(key, **terms)
        return account

    def add_client(self, account: str, client_id: str, name: str = "", **terms: Any) -> SimClient:
        """`state`, `details`: the fields of SimClient."""
        client = SimClient(account, client_id, name, phones=self.phones, **terms)
        self.accounts[account].clients[client_id] = client
        return client

    def client(self, account: str, client_id: str) -> SimClient:
        """Raises LookupError; with `everyone` set, whoever is asked for is there."""
        known = self.accounts[account]
        if client_id not in known.clients and known.everyone:
            self.add_client(account, client_id, state=known.everyone)
        return known.clients[client_id]

    def state_of(self, account: SimAccount, client_id: str) -> str:
        """The client's state without making a phone; "" if nobody is there."""
        client = account.clients.get(client_id)
        return client.state if client is not None else account.everyone

    def requests(self, account: str | None = None, name: str | None = None) -> list[Call]:
        return [
            call
            for call in self.calls
            if (account is None or call.account == account) and (name is None or call.name == name)
        ]

    def subscribe(self, bound: int = 10_000) -> Subscription[PhoneEvent]:
        return self.phones.subscribe(bound)

    # --- what a messenger's own code uses

    def take(self, account: SimAccount, client_id: str, content: object, message: ChatMessage | None) -> None:
        """Count a message as taken, show it on the phone, and report it as the account's receipts say."""
        account.accepted.add(time.monotonic(), client_id, content)
        if message is None or not self.keeps:
            return
        client = self.client(account.key, client_id)
        client.keep(message)
        later = self._luck.uniform(1.0, account.receipts_vary)
        is_read = self._luck.random() < account.read_share
        for state, after_s in account.receipts.items():
            if is_read or state != "read":
                self.hooks.later(after_s * later, partial(self.report, client, message.id, state))

    def report(self, client: SimClient, message_id: str, state: str) -> None:
        """The phone reports: delivered, read. A client who is away reports nothing."""
        if client.state == "active" and (marked := client.mark(message_id, state)) is not None:
            self.on_reported(client, marked)

    def judge_template(self, name: str, status: str, reason: str = "") -> None:
        """What becomes of a template that was submitted. Raises LookupError where nobody submits any."""
        raise LookupError(f"{self.title} has no templates")

    # --- what clients do

    def says(self, client: SimClient, text: str, **more: Any) -> ChatMessage:
        message = client.own_message(text, **more)
        self.on_said(client, message)
        return message

    def presses(self, client: SimClient, message_id: str, number: int) -> None:
        """Raises LookupError where there is no such message or button."""
        message = client.find(message_id)
        if not 0 <= number < len(message.buttons):
            raise LookupError(f"the message has no button {number}")
        self.on_pressed(client, message, number)

    def changes(self, client: SimClient, state: str) -> None:
        """The client blocks, unblocks, allows, leaves …"""
        before = client.state
        client.become(state)
        self.on_state(client, before)

    # --- life and requests

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        await self.hooks.start()
        await super().start(host, port)

    async def stop(self) -> None:
        await self.hooks.stop()
        for subscription in list(self.phones.subscriptions):
            subscription.close()
        await super().stop()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived_at = time.monotonic()
        try:
            if self.dark:
                raise Hangup
            if request.path.startswith("/_sim/"):
                return await answer_control(self, request)
            return await self._answer(request, arrived_at)
        except Hangup:
            return hang_up(request)

    async def _answer(self, request: web.BaseRequest, arrived_at: float) -> web.StreamResponse:
        parts = urlsplit(request.raw_path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        call = Call(request.method, request.path, query, request.headers, b"", arrived_at)
        if self.keeps:
            self.calls.append(call)
        call.account, call.name, _ = self.identify(call)
        if self.faults.take(call.account, call.name, None, before_reading=True):
            call.outcome = "closed"
            raise Hangup
        call.body = await request.read()
        for name in ("json", "pairs", "form"):
            call.__dict__.pop(name, None)
        call.account, call.name, call.client = self.identify(call)
        self.count_by_name[call.name] += 1
        fault = self.faults.take(call.account, call.name, call.client or None, before_reading=False)
        response = await self.answer(call) if fault is None else await self._suffer(fault, request, call)
        account = self.accounts.get(call.account)
        if account is not None and account.hook is not None and account.hook.before_answer:
            await self.hooks.settled()
        delay_s = self.faults.answer_delay_s(call.account, call.name)
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        if call.outcome == "waiting":
            call.outcome = str(response.status)
        return response

    async def _suffer(self, fault: Fault, request: web.BaseRequest, call: Call) -> web.Response:
        if fault.kind is FaultKind.HANG:
            await asyncio.sleep(fault.seconds)
        response = await self.answer(call) if fault.takes_message else None
        after = " after accept" if response is not None else ""
        match fault.kind:
            case FaultKind.DROP:
                call.outcome = "dropped" + after
                raise Hangup
            case FaultKind.SILENCE:
                call.outcome = "silent" + after
                await wait_for_hangup(request)
                raise Hangup
            case FaultKind.BAD_GATEWAY:
                call.outcome = "502" + after
                return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
            case FaultKind.SLOW:
                await asyncio.sleep(fault.seconds)
            case FaultKind.THROTTLE | FaultKind.ERROR | FaultKind.REFUSE:
                response = self.fault_answer(call, fault)
                call.outcome = str(response.status) + after
        assert response is not None  # noqa: S101  # SLOW and HANG take the message
        return response


def json_response(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(status=status, body=body, headers={"Content-Type": "application/json", **(headers or {})})
