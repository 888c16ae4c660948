"""The simulated WhatsApp Cloud API over real HTTP: the Graph API's paths of numbers and accounts, and their webhooks.

python -m gateways.simulator.whatsapp.server --port 8084 --accounts 3
"""

import base64
import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

from gateways.simulator.faults import Fault, FaultKind
from gateways.simulator.hooks import Hook
from gateways.simulator.listening import run_until_interrupted, serve, server_options
from gateways.simulator.meta import GraphError, MetaPlatform
from gateways.simulator.phones import ChatMessage, SimClient
from gateways.simulator.platform import Call, SimAccount, Window, json_response
from gateways.simulator.whatsapp import events
from gateways.simulator.whatsapp.limits import PairLimit, PortfolioLimit
from gateways.simulator.whatsapp.marks import rich_of
from gateways.simulator.whatsapp.media import MediaShelf
from gateways.simulator.whatsapp.sending import Seen, recipient_of, seen_of
from gateways.simulator.whatsapp.templates import TemplateBook

Json = dict[str, Any]

WABA = "2000"
WINDOW_S = 24 * 3600.0
_FAILS_AFTER_S = 0.02

# What a status says of a send to a client in such a state; the last three meet marketing templates only.
FAILURES: Mapping[str, int] = {"no_whatsapp": 131026, "blocked_by_us": 130403}
MARKETING_FAILURES: Mapping[str, int] = {"stopped": 131050, "capped": 131049, "experiment": 130472}
_REACHED = ("active", *MARKETING_FAILURES)


class WhatsAppSimulator(MetaPlatform):
    """Numbers of one portfolio. An account's key is the number's id. A client is named by its phone's digits, or by a
    business-scoped id where nobody knows the phone; its states: active, blocked (of us: nothing arrives, nobody says
    so), stopped, capped, experiment (these three get no marketing), no_whatsapp, blocked_by_us.

    `details` of an account: waba, display, verified_name, quality, tier, token, window_s, opened (every client's window
    is open), subscribed, refuses. Of a client: user_id, hidden (its phone), wa_id (as WhatsApp writes it), username."""

    title = "WhatsApp"
    object_name = "whatsapp_business_account"
    usage_type = "whatsapp"

    def __init__(self, **terms: Any) -> None:
        super().__init__(**terms)
        self.templates = TemplateBook()
        self.media = MediaShelf()
        self.pairs = PairLimit()
        self.portfolio = PortfolioLimit()
        self.approves_after_s: float | None = None  # what is submitted; None: a control verb says what becomes of it
        self.throttle_status = 400  # of HTTP; 429 is seen as well
        self.held: dict[str, list[tuple[SimAccount, SimClient, ChatMessage]]] = {}  # by template
        self._by_user_id: dict[tuple[str, str], SimClient] = {}

    def add_account(self, key: str, **terms: Any) -> SimAccount:
        account = super().add_account(key, **terms)
        number = len(self.accounts)
        defaults = {"waba": WABA, "display": f"44207946{number:04}", "verified_name": account.name, "quality": "GREEN"}
        account.details = {**defaults, "tier": "TIER_UNLIMITED", "subscribed": True, **account.details}
        account.limits.setdefault("throughput", Window(80))
        return account

    def add_client(self, account: str, client_id: str, name: str = "", **terms: Any) -> SimClient:
        client = super().add_client(account, client_id, name, **terms)
        self._by_user_id[account, events.user_id_of(client)] = client
        return client

    # --- calls

    def identify(self, call: Call) -> tuple[str, str, str]:
        first, *rest = self.parts(call)
        if first == "app" or self.templates.samples.is_session(first):
            return next(iter(self.accounts), ""), "samples", ""
        name = rest[0] if rest else "media_node" if self.media.number_of(first) else ""
        account = first if first in self.accounts else self.media.number_of(first)
        if not account:
            account = next((key for key, each in self.accounts.items() if each.details["waba"] == first), "")
        return account, name, recipient_of(call.json) if name == "messages" and call.body else ""

    async def answer(self, call: Call) -> web.Response:
        try:
            if call.name == "subscriptions":
                return await self._subscribe_app(call)
            account = self.require_token(call, self.accounts.get(call.account))
            return await self._answer_account(call, account)
        except GraphError as error:
            return error.response()
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return GraphError(100, "(#100) Invalid parameter").response()

    async def _answer_account(self, call: Call, account: SimAccount) -> web.Response:
        is_number = self.parts(call)[0] == account.key
        if call.name == "samples" and call.method == "POST":
            return self.templates.samples.answer(call, self.parts(call)[0])
        if call.name == "media_node":
            return self.media.answer(call, self.parts(call)[0])
        if is_number and (call.name, call.method) == ("messages", "POST"):
            return self._messages(call, account)
        if is_number and (call.name, call.method) == ("media", "POST"):
            return self.media.upload(call, account.key)
        if is_number and not call.name:
            return await self._number(call, account)
        if not is_number and call.name == "message_templates":
            return self._templates(call, account)
        if not is_number and call.name == "subscribed_apps":
            return await self._subscribed_apps(call, account)
        raise GraphError(2500, f"Unknown path components: /{call.name}")

    def _templates(self, call: Call, account: SimAccount) -> web.Response:
        response = self.templates.answer(call, account.details["waba"])
        if call.method == "POST" and self.approves_after_s is not None:
            self.hooks.later(self.approves_after_s, partial(self._approve, call.json["name"]))
        return response

    def _approve(self, name: str) -> None:
        """Unless a control verb has judged it before."""
        if any(one["name"] == name and one["status"] == "PENDING" for one in self.templates.of(WABA)):
            self.judge_template(name, "approved")

    # --- sending

    def _messages(self, call: Call, account: SimAccount) -> web.Response:
        values = call.json
        if isinstance(values, dict) and values.get("status") == "read":
            return json_response({"success": True})
        known = self.templates.of(account.details["waba"])
        seen = seen_of(values, known, partial(self.media.find, account.key))
        self._require_room(account, recipient_of(values))
        client = self._client_of(account, recipient_of(values))
        wamid = _wamid(client)
        shown = ChatMessage(
            wamid, True, time.time(), text=rich_of(seen.text), media=seen.media, rows=seen.rows, raw=values
        )
        failure = self._failure(account, client, seen)
        is_held = failure is None and seen.template is not None and seen.template.get("held") is True
        told = {name: value for name, value in values.items() if name != "biz_opaque_callback_data"}
        appears = self.keeps and failure is None and not is_held
        self.take(account, client.id, repr(told), shown if appears else None)
        if failure is not None:
            entry = events.failed(account, client, wamid, failure, values)
            self.hooks.later(_FAILS_AFTER_S, partial(self._tell_messages, account, entry))
        if is_held and seen.template is not None:
            self.held.setdefault(seen.template["name"], []).append((account, client, shown))
        return json_response(_taken(values, client, wamid, is_template=seen.template is not None, is_held=is_held))

    def _require_room(self, account: SimAccount, client: str) -> None:
        """Raises GraphError for a throttle."""
        self.require_sending(account)
        now = time.monotonic()
        if account.limits["throughput"].admit(now) > 0:
            raise self._throttle(130429, "Rate limit hit", "Cloud API message throughput has been reached.")
        if not self.pairs.admit((account.key, client), now):
            details = "Message failed to send because there were too many messages sent to this user in a short time."
            raise self._throttle(131056, "(Business Account, Consumer Account) pair rate limit hit", details)

    def _throttle(self, code: int, title: str, details: str) -> GraphError:
        data = {"messaging_product": "whatsapp", "details": details}
        return GraphError(code, f"(#{code}) {title}", status=self.throttle_status, error_data=data)

    def fault_answer(self, call: Call, fault: Fault) -> web.Response:
        if call.name == "messages" and fault.kind is FaultKind.THROTTLE and not fault.holds:
            return self._throttle(130429, "Rate limit hit", "Cloud API message throughput has been reached.").response()
        if call.name == "messages" and fault.kind is FaultKind.ERROR and fault.accepted:
            return GraphError(131000, "(#131000) Something went wrong", status=500).response()
        return super().fault_answer(call, fault)

    def _client_of(self, account: SimAccount, named: str) -> SimClient:
        """Whoever is meant; somebody without WhatsApp where nobody is known."""
        known = account.clients.get(named) or self._by_user_id.get((account.key, named))
        if known is not None:
            return known
        if self.keeps:
            return self.add_client(account.key, named, state=account.everyone or "no_whatsapp")
        return SimClient(account.key, named, state=account.everyone or "no_whatsapp")

    def _failure(self, account: SimAccount, client: SimClient, seen: Seen) -> int | None:
        """The code under which a status will say that it did not arrive."""
        if client.state in FAILURES:
            return FAILURES[client.state]
        is_open = self._is_open(account, client)
        if seen.template is None:
            return None if is_open else 131047
        if seen.template["category"] == "MARKETING" and client.state in MARKETING_FAILURES:
            return MARKETING_FAILURES[client.state]
        return None if is_open or self.portfolio.admit(account.details["tier"], client.id, time.time()) else 131048

    def _is_open(self, account: SimAccount, client: SimClient) -> bool:
        window_s = float(account.details.get("window_s", WINDOW_S))
        return bool(account.details.get("opened")) or time.time() - client.last_wrote_at < window_s

    # --- numbers and accounts

    async def _number(self, call: Call, account: SimAccount) -> web.Response:
        details = account.details
        if call.method == "POST":
            wanted = call.json["webhook_configuration"]
            await self._point(account, "override", wanted)
            return json_response({"success": True})
        hooks = {"phone_number": details.get("override"), "whatsapp_business_account": details.get("waba_override"),
                 "application": self.callback_url}  # fmt: skip
        known = {
            "display_phone_number": f"+{details['display']}",
            "verified_name": details["verified_name"],
            "quality_rating": details["quality"],
            "throughput": {"level": "STANDARD"},
            "platform_type": "CLOUD_API",
            "webhook_configuration": {name: url for name, url in hooks.items() if url},
            "whatsapp_business_manager_messaging_limit": details["tier"],
        }
        wanted_fields = call.query.get("fields", "display_phone_number,verified_name").split(",")
        return json_response({name: known[name] for name in wanted_fields if name in known} | {"id": account.key})

    async def _subscribed_apps(self, call: Call, account: SimAccount) -> web.Response:
        siblings = [each for each in self.accounts.values() if each.details["waba"] == account.details["waba"]]
        if call.method == "POST":
            values = call.json if isinstance(call.json, dict) else {}
            for each in siblings:
                if "override_callback_uri" in values:
                    await self._point(each, "waba_override", values)
                each.details["subscribed"] = True
            return json_response({"success": True})
        app = {"whatsapp_business_api_data": {"id": self.app_id, "name": "App", "link": "https://app.test/"}}
        return json_response({"data": [app] if account.details["subscribed"] else []})

    async def _point(self, account: SimAccount, name: str, wanted: Json) -> None:
        """Messages of the number go to its own address, else to its account's, else to the app's. Raises GraphError."""
        url = wanted["override_callback_uri"]
        if url and (len(url) > 200 or not await self.asks_challenge(url, wanted["verify_token"])):
            raise GraphError(2200, "(#2200) Callback verification failed")
        account.details[name] = url
        self._use_hook(account)

    def _use_hook(self, account: SimAccount) -> None:
        details = account.details
        url = details.get("override") or details.get("waba_override") or self.callback_url
        if url and (account.hook is None or account.hook.url != url):
            account.hook = Hook(url)

    async def _subscribe_app(self, call: Call) -> web.Response:
        response = await self.subscribe_app(call)
        for account in self.accounts.values():
            self._use_hook(account)
        return response

    # --- what is told

    def _tell_messages(self, account: SimAccount, entry: Json) -> None:
        if account.details["subscribed"]:
            self.post_entry(account, entry)

    def tell_app(self, account: SimAccount, entry: Json) -> None:
        """What overrides do not move: templates, preferences, the account. They go to the app's one address."""
        if not account.details["subscribed"]:
            return
        if self.callback_url:
            self.post_body(account, Hook(self.callback_url), [entry])
        else:  # an app that was set up by hand, with the same address
            self.post_entry(account, entry)

    def report(self, client: SimClient, message_id: str, state: str) -> None:
        """Meta says `sent` by itself; the rest the client's phone does, unless it has blocked us."""
        reaches = state == "sent" or client.state in _REACHED
        if reaches and (marked := client.mark(message_id, state)) is not None:
            self.on_reported(client, marked)

    def on_reported(self, client: SimClient, message: ChatMessage) -> None:
        account = self.accounts[client.account]
        category = self.templates.category_of(account.details["waba"], message.raw)
        entry = events.status(account, client, message.id, message.state, message.raw, category)
        self._tell_messages(account, entry)

    def release_held(self, name: str, *, drop: bool = False) -> None:
        """Template pacing ends: what was held is sent, or failed for good."""
        for account, client, message in self.held.pop(name, []):
            if drop:
                self._tell_messages(account, events.failed(account, client, message.id, 132015, message.raw))
                continue
            client.keep(message)
            for state, after_s in (account.receipts or {"sent": 0.0}).items():
                self.hooks.later(after_s, partial(self.report, client, message.id, state))

    def judge_template(self, name: str, status: str, reason: str = "") -> None:
        for waba in {each.details["waba"] for each in self.accounts.values()}:
            self.change_template(waba, name, status.upper(), reason or "NONE")

    def change_template(self, waba: str, name: str, event: str, reason: str = "NONE") -> None:
        """Meta approves, rejects, pauses … a template and says so."""
        account = next(each for each in self.accounts.values() if each.details["waba"] == waba)
        for template in self.templates.change(waba, name, event, reason):
            self.tell_app(account, events.template_status(account, template, event))

    def restrict(self, account: SimAccount, restriction: str = "RESTRICTED_BIZ_INITIATED_MESSAGING") -> None:
        account.details["refuses"] = [131031, 0]
        info = [{"restriction_type": restriction, "expiration": int(time.time()) + 86_400}]
        told = {"event": "ACCOUNT_RESTRICTION", "restriction_info": info}
        self.tell_app(account, events.entry_of(account, "account_update", told))

    # --- what clients do

    def on_said(self, client: SimClient, message: ChatMessage) -> None:
        if message.media:
            kind = {"picture": "image", "file": "document"}.get(message.media[0].kind, message.media[0].kind)
            content: Json = {"id": str(secrets.randbelow(10**15)), "mime_type": "application/octet-stream"}
            if message.text:
                content["caption"] = message.text.text
            self._said(client, kind, content)
        else:
            self._said(client, "text", {"body": message.text.text})

    def on_pressed(self, client: SimClient, message: ChatMessage, number: int) -> None:
        button = message.buttons[number]
        context = {"from": self.accounts[client.account].details["display"], "id": message.id}
        if button.action in ("reply", "row", "quick_reply"):
            client.own_message(button.label)
        if button.action == "quick_reply":
            content = {"payload": button.value, "text": button.label}
            self._said(client, "button", content, context=context)
        elif button.action in ("reply", "row"):
            kind = "button_reply" if button.action == "reply" else "list_reply"
            reply = {"type": kind, kind: {"id": button.value, "title": button.label}}
            self._said(client, "interactive", reply, context=context)

    def on_state(self, client: SimClient, before: str) -> None:
        """Only stopping and resuming our marketing is told; a block is not."""
        value = "stop" if client.state == "stopped" else "resume" if before == "stopped" else ""
        if value:
            account = self.accounts[client.account]
            self.tell_app(account, events.preference(account, client, value))

    def moves(self, client: SimClient, phone: str) -> SimClient:
        """The client takes another number; the chat goes along."""
        account = self.accounts[client.account]
        system = {"body": f"User changed from {client.id} to {phone}", "wa_id": phone, "type": "user_changed_number"}
        self._tell_messages(account, events.said(account, client, _wamid(client), "system", system))
        moved = self.add_client(account.key, phone, client.name, last_wrote_at=client.last_wrote_at)
        client.become("no_whatsapp")
        return moved

    def _said(self, client: SimClient, kind: str, content: Json, **more: Any) -> None:
        client.last_wrote_at = time.time()
        account = self.accounts[client.account]
        self._tell_messages(account, events.said(account, client, _wamid(client), kind, content, **more))


def _wamid(client: SimClient) -> str:
    """As real ones: opaque, and with the client's phone inside."""
    inner = b"\x1d\x04" + client.id.encode()[:40] + secrets.token_bytes(12)
    return f"wamid.{base64.b64encode(inner).decode()}"


def _taken(values: Json, client: SimClient, wamid: str, *, is_template: bool, is_held: bool) -> Json:
    if isinstance(values.get("to"), str):
        contact = {"input": values["to"], "wa_id": str(client.details.get("wa_id", client.id))}
    else:
        contact = {"input": values["recipient"], "user_id": values["recipient"]}
    message = {"id": wamid}
    if is_template:
        message["message_status"] = "held_for_quality_assessment" if is_held else "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}


def main() -> None:
    """Number n of `--accounts` has the id 3000+n, n from 1, of the account 2000, and takes any token; the template
    “hello” (en) takes one value."""
    parser = server_options("The WhatsApp Cloud API, simulated.")
    parser.add_argument("--accounts", type=int, default=0, help="numbers with the ids 3001, 3002 …")
    parser.add_argument("--everyone", default="active", help="the state of whoever is not named")
    options = parser.parse_args()
    simulator = WhatsAppSimulator()
    simulator.keeps = not options.count_only
    for number in range(1, options.accounts + 1):
        simulator.add_account(str(3000 + number), name=f"Number {number}", everyone=options.everyone)
    simulator.templates.add(WABA, "hello", body="Hello {{1}}, the sale is on.")
    run_until_interrupted(serve(simulator, options))


if __name__ == "__main__":
    main()
