"""The simulated Twilio over real HTTP: messages, contents, numbers, services and senders, and its webhooks.

python -m gateways.simulator.twilio.server --port 8083 --accounts 3
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from gateways.markup import RichText
from gateways.simulator.faults import Fault, FaultKind
from gateways.simulator.hooks import Hook
from gateways.simulator.listening import run_until_interrupted, serve, server_options
from gateways.simulator.phones import ChatMessage, SimClient
from gateways.simulator.platform import Call, Platform, SimAccount, json_response
from gateways.simulator.twilio.accounts import credentials, credentials_in, number_of, sender_of, set_hook
from gateways.simulator.twilio.contents import Contents
from gateways.simulator.twilio.dialect import Message, TwilioError, client_of, sid, signed, status_form
from gateways.simulator.twilio.posting import inbound_form, patience_of
from gateways.simulator.twilio.sending import REFUSED, Queue, end_of, read_message, starts_at

WINDOW_S = 24 * 3600.0
PARALLEL = 100  # requests of one account at once
DEFAULT_SID = "AC" + "0" * 32
STOP = ("STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT")
START = ("START", "UNSTOP", "YES")
STOPPED = "You have successfully been unsubscribed. You will not receive any more messages from this number."
STARTED = "You have successfully been re-subscribed to messages from this number."


class TwilioSimulator(Platform):
    """An account here is one sender of ours: its key is "+447…", "whatsapp:+447…" or a service's MG….

    A client's states: active, never_wrote (its window is closed), and those of `sending`. `details` of a sender:
    account_sid, auth_token (absent: any), friendly_name, sender (the number by which a service sends),
    segments_per_s and queue_s of its queue, opted_out (a set of clients), opt_out_words ({"STOP": […], "START": […]}
    of Advanced Opt-Out), parallel, status ("suspended" …), window_s."""

    title = "Twilio"

    def __init__(self, **terms: Any) -> None:
        super().__init__(**terms)
        self.contents = Contents()
        self.sent: dict[str, Message] = {}
        self._queues: dict[str, Queue] = {}
        self._in_flight: dict[str, int] = {}

    def add_account(self, key: str, **terms: Any) -> SimAccount:
        account = super().add_account(key, **terms)
        account.details.setdefault("account_sid", DEFAULT_SID)
        account.details.setdefault("opted_out", set())
        return account

    # --- calls

    def identify(self, call: Call) -> tuple[str, str, str]:
        parts = call.path.strip("/").split("/")
        name = next((part.removesuffix(".json") for part in reversed(parts) if not _is_sid(part)), "")
        if name == "Accounts":
            return self._of_account(call), "Account", ""
        if name != "Messages" or call.method != "POST" or not call.body:
            return self._of_account(call), name, ""
        form = call.form
        key = next((form[each] for each in ("From", "MessagingServiceSid") if form.get(each) in self.accounts), "")
        return key or self._of_account(call), name, client_of(form.get("To", ""))

    def _of_account(self, call: Call) -> str:
        account_sid = credentials(call)[0]
        mine = (key for key, each in self.accounts.items() if each.details["account_sid"] == account_sid)
        return next(mine, next(iter(self.accounts), ""))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        account_sid = credentials_in(request.headers.get("Authorization", ""))[0]
        self._in_flight[account_sid] = self._in_flight.get(account_sid, 0) + 1
        try:
            return await super().handle(request)
        finally:
            self._in_flight[account_sid] -= 1

    async def answer(self, call: Call) -> web.Response:
        try:
            account_sid = self._require_credentials(call)
            parts = call.path.strip("/").split("/")
            match parts:
                case ["2010-04-01", "Accounts", one] if one == f"{account_sid}.json" and call.method == "GET":
                    return self._account(account_sid)
                case ["2010-04-01", "Accounts", one, *rest] if one == account_sid:
                    return await self._of_the_account(call, account_sid, rest)
                case ["v1", "Content" | "ContentAndApprovals", *_]:
                    return self.contents.answer(call, account_sid, parts[1:])
                case ["v1", "Services", service]:
                    return self._service(call, service)
                case ["v2", "Channels", "Senders", *rest]:
                    return self._senders(call, account_sid, rest)
            raise TwilioError(20404, 404)
        except TwilioError as error:
            return error.response()

    def fault_answer(self, call: Call, fault: Fault) -> web.Response:
        if fault.kind is FaultKind.THROTTLE:
            return TwilioError(20429, 429).response({"Retry-After": str(fault.retry_after_s)})
        if fault.kind is FaultKind.ERROR:
            return TwilioError(20500, 500).response()
        return TwilioError(fault.code, 400, fault.words).response()

    def _require_credentials(self, call: Call) -> str:
        account_sid, token = credentials(call)
        senders = [each for each in self.accounts.values() if each.details["account_sid"] == account_sid]
        if not senders or any(each.revoked or each.details.get("auth_token", token) != token for each in senders):
            raise TwilioError(20003, 401)
        if self._in_flight.get(account_sid, 0) > min(each.details.get("parallel", PARALLEL) for each in senders):
            raise TwilioError(20429, 429)
        for each in senders:
            each.details.setdefault("auth_token", token)
        return account_sid

    async def _of_the_account(self, call: Call, account_sid: str, rest: list[str]) -> web.Response:
        match call.method, rest:
            case "POST", ["Messages.json"]:
                return await self._take(call)
            case "GET", ["Messages.json"]:
                return self._list(call, account_sid)
            case "GET", ["Messages", one]:
                return json_response(self._message(one).document())
            case "POST", ["Messages", one]:
                return self._cancel(call, one)
            case "GET", ["IncomingPhoneNumbers.json"]:
                wanted = call.query.get("PhoneNumber")
                numbers = [number_of(each) for each in self._senders_of(account_sid) if each.key.startswith("+")]
                shown = [each for each in numbers if wanted in (None, each["phone_number"])]
                return json_response({"incoming_phone_numbers": shown, "page": 0, "next_page_uri": None})
            case "POST", ["IncomingPhoneNumbers", one]:
                account = self._named(account_sid, one.removesuffix(".json"))
                set_hook(account, call.form.get("SmsUrl"))
                return json_response(number_of(account))
        raise TwilioError(20404, 404)

    def _account(self, account_sid: str) -> web.Response:
        details = self._senders_of(account_sid)[0].details
        name, status = details.get("friendly_name", "Acme"), details.get("status", "active")
        return json_response({"sid": account_sid, "friendly_name": name, "status": status, "type": "Full"})

    # --- messages

    async def _take(self, call: Call) -> web.Response:
        account = self.accounts.get(call.account)
        form = call.form
        known = (
            account
            if account is not None and account.key in (form.get("From"), form.get("MessagingServiceSid"))
            else None
        )
        message = read_message(call, known, self.contents.by_sid)
        assert known is not None  # noqa: S101  # read_message refuses without
        if message.service is not None and message.sender is None:
            number = str(known.details.get("sender", "+447700900900"))
            message.sender = f"whatsapp:{number}" if message.on_whatsapp else number
        client, now = message.client, time.monotonic()
        state = self.state_of(known, client)
        if client in known.details["opted_out"]:
            raise TwilioError(21610)
        if state in REFUSED:
            raise TwilioError(REFUSED[state])
        queue = self._queue(known)
        full = queue.wait_s(now) > queue.most_s
        if full and message.service is None:
            raise TwilioError(21611)
        message.sid = sid("MM" if message.media else "SM")
        message.created_at, message.accepted_at = time.time(), now
        known.accepted.add(now, client, (message.body, message.media))
        if self.keeps:
            self.sent[message.sid] = message
            await self._plan(known, message, call, full=full)
        return json_response(message.document(), 201)

    async def _plan(self, account: SimAccount, message: Message, call: Call, *, full: bool) -> None:
        """Queue it; it leaves later, or dies in the queue."""
        content_sid = call.form.get("ContentSid")
        message.problem = end_of(
            message,
            self.state_of(account, message.client),
            self.contents.status_of(content_sid),
            window_open=self._window_open(account, message.client),
            category=self.contents.category_of(content_sid),
        )
        if not message.problem and not await self._fetched(message):
            message.problem = 63019
        if (at := starts_at(call.form)) is not None:
            message.status = "scheduled"
            self.hooks.later(max(0.0, at - time.time()), partial(self._leave, account, message))
            return
        queue = self._queue(account)
        wait_s = queue.wait_s(message.accepted_at)
        queue.add(message.accepted_at, message.segments)
        if full or wait_s > message.validity_s:
            message.problem, wait_s = (30001, 0.0) if full else (30036, message.validity_s)
        self._tell(account, message, "accepted" if message.service is not None else "queued")
        self.hooks.later(wait_s, partial(self._leave, account, message))

    def _leave(self, account: SimAccount, message: Message) -> None:
        if message.status == "canceled":
            return
        # WhatsApp and Twilio's own queue refuse before it is sent, carriers after.
        if message.problem and (message.on_whatsapp or message.problem in (30001, 30036)):
            self._fail(account, message, "failed")
            return
        self._tell(account, message, "sent")
        if message.problem:
            self._fail(account, message, "undelivered")
            return
        client = self.client(account.key, message.client)
        client.keep(_chat_message(message))
        for state, after_s in account.receipts.items():
            self.hooks.later(after_s, partial(self.report, client, message.sid, state))

    def _fail(self, account: SimAccount, message: Message, status: str) -> None:
        message.error_code = message.problem
        self._tell(account, message, status)

    def _tell(self, account: SimAccount, message: Message, status: str) -> None:
        message.status = status
        message.statuses.append(status)
        if message.callback is not None:
            self._post(account, message.callback, status_form(message))

    def _window_open(self, account: SimAccount, client_id: str) -> bool:
        """A client who is there without ever having written was put there: its window is open."""
        client = account.clients.get(client_id)
        if self.state_of(account, client_id) == "never_wrote":
            return False
        wrote_at = client.last_wrote_at if client is not None else 0.0
        return not wrote_at or time.time() - wrote_at <= float(account.details.get("window_s", WINDOW_S))

    async def _fetched(self, message: Message) -> bool:
        """Twilio fetches files; here only those of this very machine."""
        near = [each.url for each in message.media if urlsplit(each.url).hostname in ("127.0.0.1", "localhost")]
        return all([(await self.hooks.ask(url, {}))[0] == 200 for url in near])

    def _queue(self, account: SimAccount) -> Queue:
        if account.key not in self._queues:
            details = account.details
            self._queues[account.key] = Queue(
                float(details.get("segments_per_s", 0.0)), float(details.get("queue_s", 36_000.0))
            )
        return self._queues[account.key]

    def _message(self, name: str) -> Message:
        message = self.sent.get(name.removesuffix(".json"))
        if message is None:
            raise TwilioError(20404, 404)
        return message

    def _list(self, call: Call, account_sid: str) -> web.Response:
        """Newest first, by To, From and DateSent (a day, UTC)."""

        def fits(message: Message) -> bool:
            day = time.strftime("%Y-%m-%d", time.gmtime(message.created_at))
            given = {"To": message.to, "From": message.sender, "DateSent": day}
            wanted = {**call.query, "DateSent": call.query.get("DateSent", day)[:10]}  # a moment counts as its day
            return message.account_sid == account_sid and all(
                wanted[name] == value for name, value in given.items() if name in wanted
            )

        found = [message.document() for message in reversed(self.sent.values()) if fits(message)]
        size, page = int(call.query.get("PageSize", "50")), int(call.query.get("Page", "0"))
        following = urlencode({**call.query, "Page": page + 1}) if len(found) > (page + 1) * size else None
        return json_response(
            {
                "messages": found[page * size : (page + 1) * size],
                "page": page,
                "next_page_uri": f"{call.path}?{following}" if following else None,
            }
        )

    def _cancel(self, call: Call, name: str) -> web.Response:
        message = self._message(name)
        if call.form.get("Status") != "canceled" or message.status != "scheduled":
            raise TwilioError(30409)
        account = self.accounts[message.service or message.sender or ""]
        self._tell(account, message, "canceled")
        return json_response(message.document())

    # --- numbers, services, senders

    def _senders_of(self, account_sid: str) -> list[SimAccount]:
        return [each for each in self.accounts.values() if each.details["account_sid"] == account_sid]

    def _named(self, account_sid: str, wanted: str) -> SimAccount:
        for each in self._senders_of(account_sid):
            if wanted in (sid("PN", each.key), sid("XE", each.key)):
                return each
        raise TwilioError(20404, 404)

    def _service(self, call: Call, name: str) -> web.Response:
        account = self.accounts.get(name)
        if account is None or not name.startswith("MG"):
            raise TwilioError(20404, 404)
        if call.method == "POST":
            set_hook(account, call.form.get("InboundRequestUrl"))
            if "UseInboundWebhookOnNumber" in call.form:
                account.details["own_webhooks"] = call.form["UseInboundWebhookOnNumber"].lower() == "true"
        own = bool(account.details.get("own_webhooks", False))
        url = account.hook.url if account.hook is not None else None
        return json_response(
            {"sid": name, "friendly_name": account.name, "inbound_request_url": url, "inbound_method": "POST",
             "status_callback": None, "use_inbound_webhook_on_number": own, "validity_period": 36_000}
        )  # fmt: skip

    def _senders(self, call: Call, account_sid: str, rest: list[str]) -> web.Response:
        if rest and call.method == "POST":
            account = self._named(account_sid, rest[0])
            webhook = call.json.get("webhook", {}) if isinstance(call.json, dict) else {}
            set_hook(account, webhook.get("callback_url"))
            return json_response(sender_of(account), 202)
        if rest:
            return json_response(sender_of(self._named(account_sid, rest[0])))
        shown = [sender_of(each) for each in self._senders_of(account_sid) if each.key.startswith("whatsapp:")]
        return json_response({"senders": shown, "meta": {"key": "senders", "next_page_url": None}})

    def judge_template(self, name: str, status: str, reason: str = "") -> None:
        for content_sid in self.contents.submitted(name):
            self.contents.judge(content_sid, status, reason)

    # --- what clients do

    def on_said(self, client: SimClient, message: ChatMessage) -> None:
        account = self.accounts[client.account]
        words = account.details.get("opt_out_words")
        said = message.text.text.strip().upper()
        on_whatsapp = self._on_whatsapp(account, client)
        lists: Mapping[str, Any] = words or ({} if on_whatsapp else {"STOP": STOP, "START": START})
        wish = next((name for name, known in lists.items() if said in [each.upper() for each in known]), "")
        if client.state == "never_wrote":
            client.become("active")
        self._heed(account, client, wish)
        more = {"OptOutType": wish} if words and wish else {}
        self._inbound(account, client, message, **more)

    def _heed(self, account: SimAccount, client: SimClient, wish: str) -> None:
        """Twilio blocks and answers by itself, and tells us all the same."""
        if wish == "STOP":
            account.details["opted_out"].add(client.id)
        elif wish == "START":
            account.details["opted_out"].discard(client.id)
        if wish in ("STOP", "START"):
            words = RichText(STOPPED if wish == "STOP" else STARTED)
            client.keep(ChatMessage(sid("SM"), from_us=True, at=time.time(), text=words))

    def on_pressed(self, client: SimClient, message: ChatMessage, number: int) -> None:
        button = message.buttons[number]
        if button.action == "reply":
            said = client.own_message(button.label)
            pressed = {
                "MessageType": "button", "ButtonText": button.label, "OriginalRepliedMessageSid": message.id,
                **({"ButtonPayload": button.value} if button.value else {}),
            }  # fmt: skip
            self._inbound(self.accounts[client.account], client, said, **pressed)

    def on_reported(self, client: SimClient, message: ChatMessage) -> None:
        kept = self.sent.get(message.id)
        if kept is not None and (kept.on_whatsapp or message.state != "read"):
            self._tell(self.accounts[client.account], kept, message.state)

    def _inbound(self, account: SimAccount, client: SimClient, message: ChatMessage, **more: str) -> None:
        if account.hook is not None:
            form = inbound_form(account, client, message, self.url, on_whatsapp=self._on_whatsapp(account, client))
            self._post(account, account.hook.url, form | more)

    def _on_whatsapp(self, account: SimAccount, client: SimClient) -> bool:
        """A service carries both: then the client's details say which."""
        return account.key.startswith("whatsapp:") or client.details.get("on") == "whatsapp"

    def _post(self, account: SimAccount, registered: str, form: Mapping[str, str]) -> None:
        url, retries, is_taken = patience_of(registered)
        hook = replace(account.hook or Hook(url), url=url, retries=retries)
        headers = signed(url, form, str(account.details.get("auth_token", "")))
        self.hooks.post(hook, urlencode(form).encode(), headers, is_taken=is_taken)


def _chat_message(message: Message) -> ChatMessage:
    return ChatMessage(
        message.sid,
        from_us=True,
        at=time.time(),
        text=RichText(message.body),
        media=message.media,
        rows=message.rows,
        raw=message,
    )


def _is_sid(part: str) -> bool:
    bare = part.removesuffix(".json")
    return len(bare) == 34 and bare[:2].isupper() and bare[2:].isalnum()


def main() -> None:
    """Sender n of `--accounts` is +44770090000n, for SMS and on WhatsApp, n from 1, in the account AC000…; it takes any
    token."""
    parser = server_options("Twilio, simulated.")
    parser.add_argument("--accounts", type=int, default=0, help="the numbers +447700900001, +447700900002 …")
    parser.add_argument("--everyone", default="active", help="the state of whoever is not named")
    options = parser.parse_args()
    simulator = TwilioSimulator()
    simulator.keeps = not options.count_only
    for number in range(1, options.accounts + 1):
        phone = f"+{447700900000 + number}"
        for key in (phone, f"whatsapp:{phone}"):
            simulator.add_account(key, name=f"Shop {number}", everyone=options.everyone)
    run_until_interrupted(serve(simulator, options))


if __name__ == "__main__":
    main()
