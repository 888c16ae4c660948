"""The simulated Messenger Platform over real HTTP: the Graph API's paths of a Page, and its webhook.

python -m gateways.simulator.facebook.server --port 8082 --accounts 3
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateways.simulator.facebook import events
from gateways.simulator.facebook.sending import MEDIA, Seen, read_envelope, recipient_of, seen_of, utility_of
from gateways.simulator.listening import run_until_interrupted, serve, server_options
from gateways.simulator.meta import GraphError, MetaPlatform, multipart_of
from gateways.simulator.phones import ChatMedia, ChatMessage, SimClient
from gateways.simulator.platform import Call, SimAccount, json_response

Json = dict[str, Any]

WINDOW_S = 24 * 3600.0
AGENT_WINDOW_S = 7 * WINDOW_S
ATTACHMENT_LIFE_S = 90 * WINDOW_S
MAX_FILE_BYTES = 25 * 1024 * 1024

# How a send to a client in such a state is refused.
REFUSALS: Mapping[str, tuple[int, int, str]] = {
    "blocked": (551, 1545041, "(#551) This person isn't available right now."),
    "blocked_elsewhere": (200, 1545041, "(#551) 此用户目前无法联系。"),  # localised, as one was captured
    "cannot_receive": (10, 2018108, "(#10) This person cannot receive messages now"),
    "other_app": (10, 2018300, "(#10) Another app is controlling this thread now."),
    "never_wrote": (10, 2018278, "(#10) This message is sent outside of allowed window."),
}


@dataclass(frozen=True, slots=True)
class Attachment:
    page: str
    media: ChatMedia
    uploaded_at: float  # Unix seconds


class FacebookSimulator(MetaPlatform):
    """Pages of one app. A client's states: active, never_wrote, and those of REFUSALS.

    `details` of a page: token, username, templates (as message_templates lists them), subscribed (its fields; absent:
    all, as an app has them that was set up by hand), window_s, mids, echoes, timestamps, refuses."""

    title = "Messenger"
    object_name = "page"

    def __init__(self, **terms: Any) -> None:
        super().__init__(**terms)
        self.attachments: dict[str, Attachment] = {}
        self.attachment_life_s = ATTACHMENT_LIFE_S
        self.unreachable: set[str] = set()  # URLs that Meta can't fetch
        self._paths: Mapping[str, Callable[[Call, SimAccount], web.Response]] = {
            "messages": self._messages,
            "message_attachments": self._message_attachments,
            "subscribed_apps": self._subscribed_apps,
            "messenger_profile": self._messenger_profile,
            "message_templates": self._message_templates,
            "": self._page,
        }

    # --- calls

    def identify(self, call: Call) -> tuple[str, str, str]:
        first, *rest = self.parts(call)
        name = rest[0] if rest else first if first == "debug_token" else ""
        page = self._page_of_token(call) if first == "me" else first
        return page, name, recipient_of(call.json) if name == "messages" and call.body else ""

    def _page_of_token(self, call: Call) -> str:
        """Whose token it is; the only page there is, where pages have no tokens."""
        token = self.token_of(call)
        named = (key for key, account in self.accounts.items() if account.details.get("token") == token)
        return next(named, next(iter(self.accounts)) if len(self.accounts) == 1 else "")

    async def answer(self, call: Call) -> web.Response:
        try:
            if call.name == "debug_token":
                return self._debug_token(call)
            if call.name == "subscriptions" and call.account == self.app_id:
                return await self.subscribe_app(call)
            answer = self._paths.get(call.name)
            if answer is None:
                raise GraphError(2500, f"Unknown path components: /{call.name}")
            account = self.require_token(call, self.accounts.get(call.account))
            response = answer(call, account)
            response.headers.update(self.usage_headers(account))
        except GraphError as error:
            return error.response()
        except (KeyError, TypeError, ValueError, AttributeError):
            return GraphError(100, "(#100) Invalid parameter").response()
        return response

    def _messages(self, call: Call, account: SimAccount) -> web.Response:
        values = call.json
        messaging_type, tag, message = read_envelope(values)
        seen = self._seen(account, messaging_type, message)
        self.require_sending(account, seen.weight)
        client = recipient_of(values)
        self._require_reachable(account, client, messaging_type, tag)
        mid = f"m_{secrets.token_urlsafe(24)}"
        shown = ChatMessage(
            mid, True, time.time(), text=seen.rich, media=seen.media, rows=seen.rows, cards=seen.cards, raw=values
        )
        told = {name: value for name, value in message.items() if name != "metadata"}
        self.take(account, client, repr(told), shown if self.keeps else None)
        if account.details.get("echoes", True):
            self._tell(account, "echo", events.echo(account, client, self.app_id, shown, message))
        return json_response({"recipient_id": client, "message_id": mid})

    def _seen(self, account: SimAccount, messaging_type: str, message: Json) -> Seen:
        if messaging_type == "UTILITY" or "template" in message:
            if messaging_type != "UTILITY" or "template" not in message:
                raise GraphError(100, "(#100) A template goes with messaging_type UTILITY, and nothing else does")
            return utility_of(message, account.details.get("templates", []))
        living = {
            key: each.media
            for key, each in self.attachments.items()
            if each.page == account.key and time.time() - each.uploaded_at < self.attachment_life_s
        }
        return seen_of(message, living)

    def _require_reachable(self, account: SimAccount, client_id: str, messaging_type: str, tag: str) -> None:
        state = self.state_of(account, client_id)
        if not state:
            raise GraphError(100, "(#100) No matching user found", 2018001)
        if state in REFUSALS and not (state == "never_wrote" and messaging_type == "UTILITY"):
            code, subcode, words = REFUSALS[state]
            raise GraphError(code, words, subcode)
        client = account.clients.get(client_id)
        wrote_at = client.last_wrote_at if client is not None else 0.0
        window_s = AGENT_WINDOW_S if tag == "HUMAN_AGENT" else float(account.details.get("window_s", WINDOW_S))
        # A client who is there without ever having written was put there: its window is open.
        if messaging_type != "UTILITY" and wrote_at and time.time() - wrote_at > window_s:
            code, subcode, words = REFUSALS["never_wrote"]
            raise GraphError(code, words, subcode)

    def _message_attachments(self, call: Call, account: SimAccount) -> web.Response:
        form = multipart_of(call)
        values = call.json or {"message": _json_field(form)}
        attachment = values["message"]["attachment"]
        kind = MEDIA.get(attachment["type"])
        if kind is None:
            raise GraphError(100, "(#100) Unsupported attachment type", 2018047)
        if "filedata" in form:
            name, _, content = form["filedata"]
            if not content or len(content) > MAX_FILE_BYTES:
                raise GraphError(100, "(#100) The attachment is empty or too large", 2018109)
            media = ChatMedia(kind, name=name, content=content)
        else:
            url = str(attachment["payload"]["url"])
            if url in self.unreachable or not url.startswith(("https://", "http://127.0.0.1")):
                raise GraphError(100, "(#100) Failed to fetch the file from the url", 2018008)
            media = ChatMedia(kind, url=url)
        attachment_id = str(secrets.randbelow(9 * 10**15) + 10**15)
        self.attachments[attachment_id] = Attachment(account.key, media, time.time())
        return json_response({"attachment_id": attachment_id})

    def _subscribed_apps(self, call: Call, account: SimAccount) -> web.Response:
        if call.method == "POST":
            values = call.json if isinstance(call.json, dict) else {**call.query, **call.form}
            names = str(values["subscribed_fields"]).split(",")
            if unknown := set(names) - set(events.FIELD_OF.values()) - {"messenger_template_status_update", "standby"}:
                raise GraphError(100, f"(#100) Param subscribed_fields must be one of the known, not {min(unknown)}")
            account.details["subscribed"] = names
            return json_response({"success": "true"})
        names = account.details.get("subscribed", list(events.FIELD_OF.values()))
        listed = [{"id": self.app_id, "name": "App", "subscribed_fields": names}] if names else []
        return json_response({"data": listed})

    def _messenger_profile(self, call: Call, account: SimAccount) -> web.Response:
        profile: Json = account.details.setdefault("profile", {})
        if call.method == "POST":
            profile.update(call.json)
            return json_response({"result": "success"})
        wanted = call.query.get("fields", "").split(",")
        found = {name: profile[name] for name in wanted if name in profile}
        return json_response({"data": [found] if found else []})

    def _message_templates(self, call: Call, account: SimAccount) -> web.Response:
        templates: list[Json] = account.details.setdefault("templates", [])
        if call.method == "POST":
            template = {"id": str(secrets.randbelow(10**15)), "status": "APPROVED", **call.json}
            templates.append(template)
            return json_response({name: template[name] for name in ("id", "status", "category")})
        start, most = int(call.query.get("after") or 0), int(call.query.get("limit") or 25)
        end = start + most
        paging: Json = {"cursors": {"before": str(start), "after": str(end)}}
        if end < len(templates):
            paging["next"] = f"{self.url}{call.path}?after={end}"
        return json_response({"data": templates[start:end], "paging": paging})

    def _page(self, _: Call, account: SimAccount) -> web.Response:
        username = account.details.get("username")
        named = {"username": username} if username else {}
        return json_response({"id": account.key, "name": account.name, **named})

    def _debug_token(self, call: Call) -> web.Response:
        self.require_app_token(call)
        page = next(
            (each for each in self.accounts.values() if each.details.get("token") == call.query["input_token"]), None
        )
        scopes = ["pages_messaging", "pages_manage_metadata", "pages_show_list"]
        valid = page is not None and not page.revoked
        return json_response({"data": {"app_id": self.app_id, "is_valid": valid, "expires_at": 0, "scopes": scopes}})

    # --- what clients do

    def on_said(self, client: SimClient, message: ChatMessage) -> None:
        told: Json = {"mid": f"m_{secrets.token_urlsafe(12)}"}
        if message.text:
            told["text"] = message.text.text
        if message.media:
            told["attachments"] = [{"type": media.kind, "payload": {"url": media.url}} for media in message.media]
        self._wrote(client, "message", message=told)

    def on_pressed(self, client: SimClient, message: ChatMessage, number: int) -> None:
        button = message.buttons[number]
        mid = f"m_{secrets.token_urlsafe(12)}"
        if button.action == "chip":
            client.own_message(button.label)
            told = {"mid": mid, "text": button.label, "quick_reply": {"payload": button.value}}
            self._wrote(client, "message", message=told)
        elif button.action == "reply":
            client.last_wrote_at = time.time()
            self._wrote(client, "postback", postback={"mid": mid, "title": button.label, "payload": button.value})

    def on_reported(self, client: SimClient, message: ChatMessage) -> None:
        account = self.accounts[client.account]
        make = events.read if message.state == "read" else events.delivery
        self._tell(account, message.state if message.state == "read" else "delivery", make(account, client.id, message))

    def opens(self, client: SimClient, ref: str = "", *, source: str = "SHORTLINK") -> None:
        """The client follows an m.me link: a new chat begins with the Get Started button, an old one tells the ref."""
        account = self.accounts[client.account]
        referral = {"referral": {"ref": ref, "source": source, "type": "OPEN_THREAD"}} if ref else {}
        started = account.details.get("profile", {}).get("get_started")
        is_new = client.state == "never_wrote" or not client.chat
        client.last_wrote_at = time.time()
        if client.state == "never_wrote":
            client.become("active")
        if is_new and started:
            told = {"mid": f"m_{secrets.token_urlsafe(12)}", "title": "Get Started", **started, **referral}
            self._wrote(client, "postback", postback=told)
        elif referral and not is_new:
            self._wrote(client, "referral", **referral)

    def reacts(self, client: SimClient, message: ChatMessage, emoji: str = "❤") -> None:
        client.last_wrote_at = time.time()
        told = {"reaction": "love", "emoji": emoji, "action": "react", "mid": message.id}
        self._wrote(client, "reaction", reaction=told)

    def restrict(self, account: SimAccount, action: str = "block", reason: str = "too many reports") -> None:
        """Meta blocks, warns or unblocks the Page."""
        account.details["refuses"] = [10, 1893063] if action == "block" else None
        told = {"action": action, "reason": reason}
        event = {"recipient": {"id": account.key}, "timestamp": events.stamp(account), "policy_enforcement": told}
        self._tell(account, "policy_enforcement", event)

    def _wrote(self, client: SimClient, kind: str, **what: Any) -> None:
        if client.state == "never_wrote":
            client.become("active")
        account = self.accounts[client.account]
        self._tell(account, kind, events.from_client(account, client.id, **what), standby=client.state == "other_app")

    def _tell(self, account: SimAccount, kind: str, event: Json, *, standby: bool = False) -> None:
        subscribed = account.details.get("subscribed")
        if subscribed is None or events.FIELD_OF[kind] in subscribed:
            self.post_entry(account, events.entry_of(account, event, standby=standby))

    def on_unsubscribed(self, account: SimAccount) -> None:
        account.details["subscribed"] = []


def _json_field(form: Mapping[str, tuple[str, str, bytes]]) -> Json:
    found: Json = json.loads(form["message"][2])
    return found


def main() -> None:
    """Page n of `--accounts` has the id 1000+n, n from 1, and the token page-n, which tells Meta whose “me” is."""
    parser = server_options("The Messenger Platform, simulated.")
    parser.add_argument("--accounts", type=int, default=0, help="pages with the ids 1001, 1002 …")
    parser.add_argument("--everyone", default="active", help="the state of whoever is not named")
    options = parser.parse_args()
    simulator = FacebookSimulator()
    simulator.keeps = not options.count_only
    for number in range(1, options.accounts + 1):
        details = {"token": f"page-{number}"}
        simulator.add_account(str(1000 + number), name=f"Page {number}", everyone=options.everyone, details=details)
    run_until_interrupted(serve(simulator, options))


if __name__ == "__main__":
    main()
