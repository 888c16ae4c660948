"""The simulated VK API over real HTTP: methods, upload servers, the Callback API and Bots Long Poll.

python -m gateways.simulator.vk.server --port 8083 --accounts 3
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from gateways.simulator.faults import Fault, FaultKind
from gateways.simulator.listening import run_until_interrupted, serve, server_options
from gateways.simulator.meta import multipart_of
from gateways.simulator.phones import ChatMessage, SimClient
from gateways.simulator.platform import Call, Platform, SimAccount, Window, json_response
from gateways.simulator.vk.checks import read_calls
from gateways.simulator.vk.community import Community, VkError, bad
from gateways.simulator.vk.events import Events
from gateways.simulator.vk.methods import Methods
from gateways.simulator.vk.sending import Sending

Json = dict[str, Any]

REQUESTS_PER_S = 20  # of a community's key; dev.vk.com/en/api/bots/development/messages
MOST_CALLS = 25  # of one execute; dev.vk.com/ru/method/execute
FIRST_GROUP = 190000017
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
_REFUSED_FILES = (".mp3", ".exe", ".bat", ".apk")
_CLIENT_INFO = {
    "button_actions": ["text", "vkpay", "open_app", "location", "open_link", "callback"],
    "keyboard": True, "inline_keyboard": True, "carousel": True, "lang_id": 0,
}  # fmt: skip
_LEAVING = ("denied", "blocked")


class VkSimulator(Platform):
    """Communities, each known by its key. A client's states: active, never_wrote, denied, blacklisted, private,
    deleted, window_closed.

    `details` of an account: group_id, secret (of a callback server set by hand), rights, not_told (events that such a
    server does not get), pushes_reads (False: readings are told by asking only)."""

    title = "VK"

    def __init__(self, **terms: Any) -> None:
        super().__init__(**terms)
        self.communities: dict[str, Community] = {}
        self.events = Events(self.hooks)

    def add_account(self, key: str, **terms: Any) -> SimAccount:
        account = super().add_account(key, **terms)
        group_id = int(account.details.setdefault("group_id", FIRST_GROUP + len(self.communities)))
        self.communities[key] = Community(group_id, account.name)
        account.limits.setdefault("requests", Window(REQUESTS_PER_S))
        return account

    # --- calls

    def identify(self, call: Call) -> tuple[str, str, str]:
        first, _, rest = call.path.removeprefix("/").partition("/")
        if first == "method":
            values = _values_of(call) if call.body else {}
            peer = values.get("peer_ids") or values.get("peer_id") or ""
            return _key_of(call, values), rest, "" if "," in peer else peer
        group = call.query.get("group") or rest
        key = next((key for key, each in self.communities.items() if str(each.group_id) == group), "")
        return key, first, ""

    async def answer(self, call: Call) -> web.Response:
        first, _, rest = call.path.removeprefix("/").partition("/")
        community = self.communities.get(call.account)
        if first == "upload" and community is not None:
            return self._take_upload(rest, call, community)
        if first == "lp" and community is not None:
            return await self.events.poll(call, community)
        if first != "method":
            return web.Response(status=404, text="not found")
        values = _values_of(call)
        try:
            return json_response(self._answer_method(call, values))
        except VkError as error:
            return _refused(error, values, call.name)

    def fault_answer(self, call: Call, fault: Fault) -> web.Response:
        """A throttle is code 6, an error 10; a refusal has the code that the fault names."""
        codes = {FaultKind.THROTTLE: 6, FaultKind.ERROR: 10}
        return _refused(VkError(codes.get(fault.kind, fault.code)), _values_of(call), call.name)

    def _answer_method(self, call: Call, values: Mapping[str, str]) -> Json:
        if call.headers.get("Content-Type", "").startswith("application/json"):
            raise bad("JSON bodies are not supported")
        account = self.accounts.get(call.account)
        if account is None or account.revoked:
            raise VkError(5)
        if "v" not in values:
            raise VkError(8, "v (version) is required")
        if account.limits["requests"].admit(time.monotonic()) > 0:
            raise VkError(6)
        if call.name == "execute":
            return self._execute(account, values)
        return {"response": self._do(account, call.name, values)}

    def _do(self, account: SimAccount, name: str, values: Mapping[str, str]) -> Any:
        community = self.communities[account.key]
        sending = Sending(self, account, community, partial(self.events.emit, account, community))
        own = {"messages.send": sending.send, "messages.edit": sending.edit, "messages.delete": sending.delete}
        if name in own:
            return own[name](values)
        methods = Methods(
            self.url,
            account,
            community,
            self.events,
            partial(self.state_of, account),
            partial(self.client, account.key),
        )
        do = methods.table.get(name)
        if do is None:
            raise VkError(3)
        return do(values)

    def _execute(self, account: SimAccount, values: Mapping[str, str]) -> Json:
        """Every call of the script is made, whatever becomes of the others."""
        calls = read_calls(values.get("code", ""))
        if len(calls) > MOST_CALLS:
            raise VkError(13, "Too many API calls")
        returned: list[Any] = []
        errors: list[Json] = []
        for name, given in calls:
            try:
                returned.append(self._do(account, name, {key: _plain(value) for key, value in given.items()}))
            except VkError as error:
                returned.append(False)
                errors.append({"method": name, "error_code": error.code, "error_msg": str(error)})
        return {"response": returned, **({"execute_errors": errors} if errors else {})}

    def _take_upload(self, kind: str, call: Call, community: Community) -> web.Response:
        kept = community.uploads.pop(call.query.get("token", ""), None)
        part = multipart_of(call).get("photo" if kind == "photo" else "file")
        if kept is None or part is None or not part[0]:
            return json_response({"error": "no_file"})
        name, _, content = part
        if kind == "photo":
            photo = json.dumps([{"photo": f"{len(content):x}", "sizes": []}]) if content.startswith(_PICTURES) else "[]"
            kept |= {"photo": photo, "server": 900001, "content": content}
            return json_response({"server": 900001, "photo": photo, "hash": community.keep_upload(kept)})
        if name.lower().endswith(_REFUSED_FILES) or not content:
            return json_response({"error": "unsupported extension"})
        return json_response({"file": community.keep_upload(kept | {"title": name, "content": content})})

    # --- what clients do

    def on_said(self, client: SimClient, message: ChatMessage) -> None:
        """Who writes allows us to answer. `raw` of the message adds to VK's own: ref, payload …"""
        if client.state in ("never_wrote", *_LEAVING):
            self.changes(client, "active")
        self._say(client, message.text.text, message.raw if isinstance(message.raw, Mapping) else {})

    def on_pressed(self, client: SimClient, message: ChatMessage, number: int) -> None:
        button = message.buttons[number]
        if button.action == "text":
            self._say(client, button.label, {"payload": button.value} if button.value else {})
        elif button.action == "reply":
            community = self.communities[client.account]
            content = {
                "user_id": int(client.id), "peer_id": int(client.id), "event_id": community.note_press(client.id),
                "payload": json.loads(button.value or "{}"),
                "conversation_message_id": community.dialog(client.id).conversation_message_id,
            }  # fmt: skip
            self._emit(client, "message_event", content)

    def on_state(self, client: SimClient, before: str) -> None:
        user = {"user_id": int(client.id)}
        match client.state:
            case "denied" | "blocked":
                self._emit(client, "message_deny", user)
            case "blacklisted":
                self._emit(client, "user_block", {"admin_id": 1, **user, "unblock_date": 0, "reason": 0, "comment": ""})
            case "active" if before == "blacklisted":
                self._emit(client, "user_unblock", {"admin_id": 1, **user, "by_end_date": 0})
            case "active" if before in ("never_wrote", *_LEAVING):
                self._emit(client, "message_allow", {**user, "key": str(client.details.get("key", ""))})

    def on_reported(self, client: SimClient, message: ChatMessage) -> None:
        """Reading is a watermark; nothing is ever told of a delivery."""
        if message.state != "read":
            return
        dialog = self.communities[client.account].dialog(client.id)
        dialog.out_read = max(dialog.out_read, int(message.id))
        if self.accounts[client.account].details.get("pushes_reads", True):
            content = {
                "from_id": int(client.id), "peer_id": int(client.id), "read_message_id": dialog.out_read,
                "conversation_message_id": dialog.conversation_message_id,
            }  # fmt: skip
            self._emit(client, "message_read", content)

    def _say(self, client: SimClient, text: str, more: Mapping[str, Any]) -> None:
        community = self.communities[client.account]
        dialog = community.dialog(client.id)
        message_id = community.next_message(dialog)
        dialog.in_read = message_id
        message = {
            "id": message_id, "conversation_message_id": dialog.conversation_message_id, "date": int(time.time()),
            "from_id": int(client.id), "peer_id": int(client.id), "out": 0, "version": 10000000 + message_id,
            "text": text, "attachments": [], "fwd_messages": [], "important": False, "is_hidden": False,
            "random_id": 0, **more,
        }  # fmt: skip
        self._emit(client, "message_new", {"message": message, "client_info": _CLIENT_INFO})

    def _emit(self, client: SimClient, kind: str, content: Mapping[str, Any]) -> None:
        self.events.emit(self.accounts[client.account], self.communities[client.account], kind, content)

    async def settled(self) -> None:
        """Wait until no event is on its way."""
        await self.hooks.settled()
        await asyncio.sleep(0)


def _values_of(call: Call) -> Mapping[str, str]:
    """The form, however it is encoded."""
    if call.headers.get("Content-Type", "").startswith("multipart/"):
        return {name: content.decode(errors="replace") for name, (_, _, content) in multipart_of(call).items()}
    return {**call.query, **call.form}


def _key_of(call: Call, values: Mapping[str, str]) -> str:
    return values.get("access_token") or call.headers.get("Authorization", "").removeprefix("Bearer ").strip()


def _plain(value: Any) -> str:
    """A script's value as a form would have it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refused(error: VkError, values: Mapping[str, str], method: str) -> web.Response:
    """VK answers 200 whatever happens, and echoes what it was asked, without the key."""
    hidden: Sequence[str] = ("access_token", "photo", "code")
    echo = [{"key": name, "value": value} for name, value in values.items() if name not in hidden]
    params = [{"key": "oauth", "value": "1"}, {"key": "method", "value": method}, *echo]
    return json_response({"error": {"error_code": error.code, "error_msg": str(error), "request_params": params}})


def main() -> None:
    """Community n of `--accounts` has the key vk-n and the id 190000016 + n, n from 1."""
    parser = server_options("The VK API, simulated.")
    parser.add_argument("--accounts", type=int, default=0, help="communities with the keys vk-1, vk-2 …")
    parser.add_argument("--everyone", default="active", help="the state of whoever is not named")
    options = parser.parse_args()
    simulator = VkSimulator()
    simulator.keeps = not options.count_only
    for number in range(1, options.accounts + 1):
        simulator.add_account(f"vk-{number}", name=f"Community {number}", everyone=options.everyone)
    run_until_interrupted(serve(simulator, options))


if __name__ == "__main__":
    main()
