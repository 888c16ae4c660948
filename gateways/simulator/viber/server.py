"""The simulated Viber over real HTTP: the bots' API below /pa, and its callbacks.

python -m gateways.simulator.viber.server --port 8083 --accounts 3
"""

import contextlib
import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from aiohttp import web

from gateways.simulator.faults import Fault, FaultKind
from gateways.simulator.hooks import Hook
from gateways.simulator.listening import run_until_interrupted, serve, server_options
from gateways.simulator.phones import ChatMessage, SimClient
from gateways.simulator.platform import Call, Platform, SimAccount, Window, json_response
from gateways.simulator.viber import events
from gateways.simulator.viber.messages import BAD_DATA, MAX_BODY_BYTES, MAX_RECEIVERS, Refused, Shown, shown_of

Json = dict[str, Any]

SESSION_S = 24 * 3600.0
HOURLY_MOST = 100  # messages to one client in a clock hour without a reply
BROADCASTS = 500  # in 10 s
WORDS: Mapping[int, str] = {
    1: "invalidUrl",
    2: "invalidAuthToken",
    5: "receiverNotRegistered",
    6: "notSubscribed",
    7: "publicAccountBlocked",
    8: "publicAccountNotFound",
    9: "publicAccountSuspended",
    10: "webhookNotSet",
    12: "Too many requests",
    13: "apiVersionNotSupported",
    19: "cannotSendBroadcast",
    20: "broadcastNotAllowed",
    23: "freeMessagesExceeded",
    24: "noBalance",
}
BROADCAST_WORDS = {5: "Not found", 6: "Not subscribed"}  # these two are worded otherwise in a failed_list


class ViberSimulator(Platform):
    """Bots by token. A client's states: active (subscribed), opened, unsubscribed or blocked; whoever is in no list is
    not registered.

    `details` of a bot: needs_webhook (True), broadcast (0, or the status with which it is refused: 19, 20), status (of
    every send: 7, 9, 23, 24 …), billable, delivers_inbound, event_types, uri. Of a client: api_version, country,
    language, devices (how often it says delivered), fails (the words of a `failed` that follows). `clock` gives Unix
    seconds."""

    title = "Viber"

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.clock: Callable[[], float] = time.time
        self._random = random.Random(seed)
        self._methods: Mapping[str, Callable[[Call, SimAccount], Any]] = {
            "send_message": self._send_message,
            "broadcast_message": self._broadcast_message,
            "get_account_info": self._account_info,
            "get_user_details": self._user_details,
            "get_online": self._online,
        }

    # --- calls

    def identify(self, call: Call) -> tuple[str, str, str]:
        token = call.headers.get("X-Viber-Auth-Token", "")
        name = call.path.removeprefix("/pa/")
        values = call.json if call.body else None
        if not isinstance(values, dict):
            return token, name, ""
        receiver = values.get("receiver")
        return token or str(values.get("auth_token") or ""), name, receiver if isinstance(receiver, str) else ""

    async def answer(self, call: Call) -> web.Response:
        try:
            if call.method != "POST" or not isinstance(call.json, dict):
                raise Refused(BAD_DATA, "bad_data: a JSON object must be posted")
            account = self._account(call)
            if call.name == "set_webhook":
                return json_response(await self._set_webhook(call.json, account))
            method = self._methods.get(call.name)
            if method is None:
                raise Refused(BAD_DATA, "bad_data: there is no such method")
            return json_response({"status": 0, "status_message": "ok", **method(call, account)})
        except Refused as refused:
            return _refusal(refused.status, refused.words)

    def fault_answer(self, call: Call, fault: Fault) -> web.Response:
        if fault.kind is FaultKind.ERROR:
            return web.Response(status=500, text="Internal Server Error")
        if fault.kind is FaultKind.THROTTLE:
            return _refusal(12, "maximum messages from Public Account to Viber user without reply exceeded.")
        return _refusal(fault.code, WORDS.get(fault.code, fault.words))

    def _account(self, call: Call) -> SimAccount:
        if not call.account:
            raise Refused(2, "missing_auth_token")
        account = self.accounts.get(call.account)
        if account is None or account.revoked:
            raise Refused(2, WORDS[2])
        return account

    def _account_info(self, call: Call, account: SimAccount) -> Json:
        hook = account.hook
        return {
            "id": f"pa:{crc32(account.key.encode())}",
            "name": account.name,
            "uri": account.details.get("uri", "simulated"),
            "webhook": hook.url if hook is not None else "",
            "event_types": list(self._event_types(account)) if hook is not None else [],
            "subscribers_count": sum(client.state == "active" for client in account.clients.values()),
        }

    def _user_details(self, call: Call, account: SimAccount) -> Json:
        """Twice in twelve hours for each client."""
        client = account.clients.get(str(call.json.get("id")))
        if client is None:
            raise Refused(5, WORDS[5])
        window = account.limits.setdefault(f"details of {client.id}", Window(2, 12 * 3600.0))
        if window.admit(self.clock()):
            raise Refused(12, WORDS[12])
        return {"message_token": self.new_token(), "user": events.user_of(client)}

    def _online(self, call: Call, account: SimAccount) -> Json:
        asked = call.json.get("ids")
        if not isinstance(asked, list) or not 1 <= len(asked) <= 100:
            raise Refused(BAD_DATA, "bad_data: ids")
        is_online = {each: self.state_of(account, str(each)) == "active" for each in asked}
        return {"users": [{"id": each, "online_status": 0 if online else 4} for each, online in is_online.items()]}

    # --- sending

    def _send_message(self, call: Call, account: SimAccount) -> Json:
        shown = self._require_sending(call, account)
        if not call.client:
            raise Refused(4, "missing_data: receiver")
        self._require_reachable(account, call.client, shown)
        token = self.new_token()
        billing = self._bill(account, call.client)
        self._deliver(account, call.client, token, shown, call.json)
        return {"message_token": token, "chat_hostname": events.HOSTNAME, "billing_status": billing}

    def _broadcast_message(self, call: Call, account: SimAccount) -> Json:
        refused = account.details.get("broadcast", 0)
        if refused:
            raise Refused(refused, WORDS[refused])
        shown = self._require_sending(call, account)
        receivers = call.json.get("broadcast_list")
        if not isinstance(receivers, list) or not 1 <= len(receivers) <= MAX_RECEIVERS:
            raise Refused(BAD_DATA, "bad_data: broadcast_list")
        if account.limits.setdefault("broadcasts", Window(BROADCASTS, 10.0)).admit(time.monotonic()):
            raise Refused(12, WORDS[12])
        token = self.new_token()
        failed: list[Json] = []
        for receiver in map(str, receivers):
            try:
                self._require_reachable(account, receiver, shown)
            except Refused as refusal:
                words = BROADCAST_WORDS.get(refusal.status, refusal.words)
                failed.append({"receiver": receiver, "status": refusal.status, "status_message": words})
            else:
                self._deliver(account, receiver, token, shown, call.json)
        return {"message_token": token} | ({"failed_list": failed} if failed else {})

    def _require_sending(self, call: Call, account: SimAccount) -> Shown:
        if status := account.details.get("status", 0):
            raise Refused(status, WORDS.get(status, "general error"))
        if account.hook is None and account.details.get("needs_webhook", True):
            raise Refused(10, WORDS[10])
        if len(call.body) > MAX_BODY_BYTES:
            raise Refused(BAD_DATA, "bad_data: the request is larger than 30kb")
        return shown_of(call.json)

    def _require_reachable(self, account: SimAccount, client_id: str, shown: Shown) -> None:
        state = self.state_of(account, client_id)
        if not state:
            raise Refused(5, WORDS[5])
        if state != "active":
            raise Refused(6, WORDS[6])
        client = account.clients.get(client_id)
        if client is None:
            return
        if shown.version > events.version_of(client):
            raise Refused(13, WORDS[13])
        hour, number = client.details.get("unanswered", (0, 0))
        now = int(self.clock() // 3600)
        if now == hour and number >= HOURLY_MOST:
            raise Refused(12, WORDS[12])
        client.details["unanswered"] = (now, number + 1 if now == hour else 1)

    def _bill(self, account: SimAccount, client_id: str) -> int:
        client = account.clients.get(client_id)
        in_session = client is not None and self.clock() - client.last_wrote_at < SESSION_S
        if in_session:
            return 2 if account.details.get("billable") else 1
        return 5 if account.details.get("billable") else 3

    def _deliver(self, account: SimAccount, client_id: str, token: int, shown: Shown, values: Json) -> None:
        content = {name: value for name, value in values.items() if name not in ("receiver", "broadcast_list")}
        message = ChatMessage(
            str(token), True, self.clock(), shown.text, shown.media, shown.rows, shown.cards, raw=content
        )
        self.take(account, client_id, json.dumps(content, sort_keys=True), message if self.keeps else None)
        client = account.clients.get(client_id)
        if client is not None and (words := client.details.get("fails")):
            self._tell(account, "failed", token, user_id=client_id, desc=words)

    def new_token(self) -> int:
        """Beyond 2**53, and odd, so that a float would change it."""
        return self._random.randrange(5 * 10**18 + 1, 5_990_000_000_000_000_000, 2)

    # --- the webhook

    async def _set_webhook(self, values: Json, account: SimAccount) -> Json:
        """Our hook is asked during the call, and must answer 200."""
        url = values.get("url")
        if not isinstance(url, str):
            raise Refused(4, "missing_data: url")
        if not url:
            account.hook = None
            return {"status": 0, "status_message": "ok", "event_types": []}
        before = account.hook
        wanted = values.get("event_types")
        account.details["event_types"] = events.OPTIONAL if wanted is None else tuple(wanted)
        hook = Hook(url) if before is None else before
        if not await self._answers(account, url):
            raise Refused(1, "invalidUrl: the webhook does not answer 200")
        hook.url = url
        account.hook = hook
        return {"status": 0, "status_message": "ok", "event_types": list(self._event_types(account))}

    async def _answers(self, account: SimAccount, url: str) -> bool:
        body, headers = events.signed(account.key, events.envelope("webhook", self.clock(), self.new_token()))
        probe = Hook(url, retries=0)
        with contextlib.suppress(TimeoutError):
            await self.hooks.post(probe, body, headers)
        return probe.taken > 0

    def _event_types(self, account: SimAccount) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*account.details.get("event_types", events.OPTIONAL), *events.ALWAYS)))

    def _tell(
        self,
        account: SimAccount,
        event: str,
        token: int | None,
        is_taken: Callable[[int, bytes], bool] = lambda status, _: status == 200,
        **rest: Any,
    ) -> None:
        if account.hook is not None and event in self._event_types(account):
            body, headers = events.signed(account.key, events.envelope(event, self.clock(), token, **rest))
            self.hooks.post(account.hook, body, headers, is_taken=is_taken)

    # --- what clients do

    def on_said(self, client: SimClient, message: ChatMessage) -> None:
        self._write(client, events.inbound_of(message))

    def on_pressed(self, client: SimClient, message: ChatMessage, number: int) -> None:
        """The button's body, or its URL, comes as if the client had written it."""
        button = message.buttons[number]
        silent = not button.action.startswith("loud ")
        if not silent:
            client.own_message(button.value)
        if not button.action.endswith("none"):
            self._write(client, {"type": "text", "text": button.value}, silent=silent)

    def on_state(self, client: SimClient, before: str) -> None:
        account = self.accounts[client.account]
        if client.state == "active" and before != "active":
            self._tell(account, "subscribed", self.new_token(), user=events.user_of(client))
        elif client.state in ("unsubscribed", "blocked") and before == "active":
            self._tell(account, "unsubscribed", self.new_token(), user_id=client.id)
        elif client.state == "opened":
            self.opens(client)

    def on_reported(self, client: SimClient, message: ChatMessage) -> None:
        if client.details.get("fails"):
            return
        account = self.accounts[client.account]
        if message.state == "delivered":
            for _ in range(client.details.get("devices", 1)):
                self._tell(account, "delivered", int(message.id), user_id=client.id)
        elif message.state == "read" and message.id not in client.details.setdefault("seen", set()):
            # The chat is opened: all that waits there is read, and Viber says so once.
            for each in client.messages:
                client.details["seen"].add(each.id)
                if each.state != "read":
                    client.mark(each.id, "read")
            self._tell(account, "seen", int(message.id), user_id=client.id)

    def opens(self, client: SimClient, context: str = "") -> None:
        """The client opens the chat, by a link that carries `context`; who is no subscriber is shown our welcome."""
        account = self.accounts[client.account]
        is_subscribed = client.state == "active"

        def welcomed(status: int, body: bytes) -> bool:
            if status == 200 and body and not is_subscribed:
                self._welcome(client, body)
            return status == 200

        rest = {"context": context} if context else {}
        user = events.user_of(client)
        self._tell(
            account,
            "conversation_started",
            self.new_token(),
            welcomed,
            type="open",
            **rest,
            user=user,
            subscribed=is_subscribed,
        )

    def _welcome(self, client: SimClient, body: bytes) -> None:
        """One welcome of the JSON that we answered; what is no message is shown to nobody."""
        try:
            values = json.loads(body)
            shown = shown_of(values)
        except (ValueError, Refused, AttributeError):
            return
        client.details["tracking_data"] = values.get("tracking_data", "")
        token = str(self.new_token())
        client.keep(ChatMessage(token, True, self.clock(), shown.text, shown.media, shown.rows, raw=values))

    def _write(self, client: SimClient, message: Json, *, silent: bool = False) -> None:
        """A client's message subscribes without an event of its own, and answers whatever we sent."""
        account = self.accounts[client.account]
        client.last_wrote_at = self.clock()
        client.details.pop("unanswered", None)
        last = client.messages[-1].raw if client.messages else None
        tracked = last.get("tracking_data") if isinstance(last, dict) else None
        if tracked:
            message["tracking_data"] = tracked
        if client.state != "active":
            client.become("active")
        token = self.new_token()
        self._tell(account, "message", token, sender=events.user_of(client), message=message, silent=silent)
        if account.details.get("delivers_inbound"):
            self._tell(account, "delivered", token, user_id=client.id)


def _refusal(status: int, words: str) -> web.Response:
    return json_response({"status": status, "status_message": words, "chat_hostname": events.HOSTNAME})


def main() -> None:
    """Bot n of `--accounts` has the token `n-simulated`, n from 1, and sends without a webhook."""
    parser = server_options("Viber's bots API, simulated.")
    parser.add_argument("--accounts", type=int, default=0, help="bots with the tokens 1-simulated, 2-simulated ...")
    parser.add_argument("--everyone", default="active", help="the state of whoever is not named")
    options = parser.parse_args()
    simulator = ViberSimulator()
    simulator.keeps = not options.count_only
    for number in range(1, options.accounts + 1):
        details = {"needs_webhook": False}
        simulator.add_account(f"{number}-simulated", name=f"Bot {number}", everyone=options.everyone, details=details)
    run_until_interrupted(serve(simulator, options))


if __name__ == "__main__":
    main()
