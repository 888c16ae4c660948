"""A simulated messenger's own HTTP API, for tests, benchmarks and the sandbox: POST /_sim/<verb>, JSON.

`account` is the account's key, `client` a client's address there.
"""

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateways.simulator.counts import most_in_window, rate_per_s
from gateways.simulator.hooks import Hook

if TYPE_CHECKING:
    from gateways.simulator.phones import ChatMessage, SimClient
    from gateways.simulator.platform import Platform, SimAccount

Json = dict[str, Any]


async def answer_control(platform: "Platform", request: web.BaseRequest) -> web.Response:
    """One method of `_Verbs` a verb; a wrong argument is a 400 with a sentence."""
    verb = request.path.removeprefix("/_sim/")
    do = None if verb.startswith("_") else getattr(_Verbs(platform), verb, None)
    if do is None:
        return web.json_response({"error": f"there is no verb {verb!r}"}, status=404)
    try:
        terms = json.loads(await request.read() or b"{}")
        return web.json_response(do(**terms))
    except (LookupError, TypeError, ValueError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)


class _Verbs:
    def __init__(self, platform: "Platform") -> None:
        self._platform = platform

    def add_account(self, **terms: Any) -> Json:
        return {"account": self._platform.add_account(**terms).key}

    def add_clients(self, account: str, ids: list[str], state: str = "active") -> Json:
        for client_id in ids:
            self._platform.add_client(account, client_id, state=state)
        return {"clients": len(ids)}

    def everyone(self, account: str, state: str) -> Json:
        """Whoever is not named is there, in this state."""
        self._account(account).everyone = state
        return {}

    def revoke(self, account: str, revoked: bool = True) -> Json:
        self._account(account).revoked = revoked
        return {}

    def hook(self, account: str, **terms: Any) -> Json:
        """{url, delay_s, duplicates, shuffle_s, before_answer …}: the terms of Hook."""
        self._account(account).hook = Hook(**terms)
        return {}

    def receipts(self, account: str, **after_s: float) -> Json:
        """{delivered: seconds, read: seconds}: what phones report by themselves."""
        self._account(account).receipts = after_s
        return {}

    def fault(self, **terms: Any) -> Json:
        """{kind, times | chance, token, method, chat_id …}: the terms of Fault."""
        self._platform.faults.add(**terms)
        return {}

    def limits(self, account: str, **most: int) -> Json:
        """{requests: 100000}: how many of what an account may make, where it is not to be the platform's own number."""
        for what, number in most.items():
            self._account(account).limits[what].most = number
        return {}

    def latency(self, latency_s: float | list[float]) -> Json:
        self._platform.faults.latency_s = (
            (float(latency_s[0]), float(latency_s[1])) if isinstance(latency_s, list) else float(latency_s)
        )
        return {}

    def clear_faults(self) -> Json:
        self._platform.faults.clear()
        return {}

    def outage(self, seconds: float) -> Json:
        """Connections are refused for that long, from a moment after the answer."""
        self._platform.schedule_outage(float(seconds))
        return {}

    def stats(self, account: str | None = None) -> Json:
        """Of one account; else of all, by key, and their sum."""
        if account is not None:
            return _stats(self._account(account))
        accounts = {key: _stats(each) for key, each in self._platform.accounts.items()}
        return {
            "accepted": sum(stats["accepted"] for stats in accounts.values()),
            "repeats": sum(stats["repeats"] for stats in accounts.values()),
            "most_in_1_s": max((stats["most_in_1_s"] for stats in accounts.values()), default=0),
            "calls": dict(self._platform.count_by_name),
            "accounts": accounts,
        }

    def reset(self) -> Json:
        """Forget counts and recorded calls."""
        self._platform.calls.clear()
        self._platform.count_by_name.clear()
        for account in self._platform.accounts.values():
            account.accepted.clear()
        return {}

    def say(self, account: str, client: str, text: str) -> Json:
        return {"id": self._platform.says(self._client(account, client), text).id}

    def press(self, account: str, client: str, number: int, message: str | None = None) -> Json:
        phone = self._client(account, client)
        self._platform.presses(phone, message or phone.last.id, number)
        return {}

    def state(self, account: str, client: str, state: str) -> Json:
        self._platform.changes(self._client(account, client), state)
        return {}

    def report(self, account: str, client: str, state: str, message: str | None = None) -> Json:
        """A message is delivered or read now."""
        phone = self._client(account, client)
        self._platform.report(phone, message or phone.last.id, state)
        return {}

    def template(self, name: str, status: str, reason: str = "") -> Json:
        """approved, rejected, paused …: what becomes of a template that was submitted."""
        self._platform.judge_template(name, status, reason)
        return {}

    def messages(self, account: str, client: str) -> list[Json]:
        return [_message(message) for message in self._client(account, client).chat]

    def requests(self, account: str | None = None, name: str | None = None, last: int = 1000) -> list[Json]:
        return [
            {"name": call.name, "body": call.body.decode(errors="replace"), "outcome": call.outcome}
            for call in self._platform.requests(account, name)[-last:]
        ]

    def _account(self, account: str) -> "SimAccount":
        return self._platform.accounts[account]

    def _client(self, account: str, client: str) -> "SimClient":
        return self._platform.client(account, client)


def _stats(account: "SimAccount") -> Json:
    accepted = account.accepted
    return {
        "accepted": len(accepted.at),
        "clients": len(accepted.by_chat),
        "clients_with_several": sum(1 for number in accepted.by_chat.values() if number > 1),
        "repeats": accepted.repeats(),
        "most_in_1_s": most_in_window(accepted.at),
        "rate_per_s": round(rate_per_s(accepted.at), 3),
    }


def _message(message: "ChatMessage") -> Json:
    return {
        "id": message.id,
        "from_us": message.from_us,
        "text": message.text.text,
        "media": [media.kind for media in message.media],
        "buttons": [button.label for button in message.buttons],
        "state": message.state,
    }
