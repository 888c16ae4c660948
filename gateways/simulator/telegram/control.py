"""The simulator's own HTTP API, for tests, benchmarks and the sandbox in other processes: POST /_sim/<verb>, JSON."""

import json
from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateways.simulator.counts import most_in_window, rate_per_s
from gateways.simulator.telegram.answers import Json, to_json
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import ClientState
from gateways.simulator.telegram.messages import Message

if TYPE_CHECKING:
    from gateways.simulator.telegram.server import TelegramSimulator


class Control:
    """One method a verb; a wrong argument is a 400 with a sentence."""

    def __init__(self, simulator: "TelegramSimulator") -> None:
        self._simulator = simulator
        self._verbs: dict[str, Callable[[Json], Any]] = {
            "add_bot": self._add_bot,
            "add_clients": self._add_clients,
            "revoke": self._revoke,
            "restore": self._restore,
            "fault": self._fault,
            "latency": self._latency,
            "clear_faults": self._clear_faults,
            "outage": self._outage,
            "pressure": self._pressure,
            "settings": self._settings,
            "stats": self._stats,
            "reset": self._reset,
            "say": self._say,
            "press": self._press,
            "state": self._state,
            "messages": self._messages,
            "requests": self._requests,
        }

    async def answer(self, request: web.BaseRequest, verb: str) -> web.Response:
        do = self._verbs.get(verb)
        if do is None:
            return _answer(404, {"error": f"no verb {verb!r}; there are {', '.join(self._verbs)}"})
        try:
            terms = json.loads(await request.content.read(-1) or b"{}")
            return _answer(200, do(terms))
        except (KeyError, LookupError, TypeError, ValueError) as error:
            return _answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _bot(self, terms: Json) -> SimulatedBot:
        return self._simulator.bot(terms["token"])

    def _add_bot(self, terms: Json) -> Json:
        return self._simulator.add_bot(**terms).me_json()

    def _add_clients(self, terms: Json) -> Json:
        """{token, from, to, state}: ids from..to, both included; or {token, user_id, first_name, ...} for one."""
        bot = self._bot(terms)
        state = ClientState(terms.get("state", ClientState.ACTIVE))
        if "from" in terms:
            bot.add_range(range(terms["from"], terms["to"] + 1), state)
            return {"clients": terms["to"] + 1 - terms["from"]}
        card = {name: value for name, value in terms.items() if name not in ("token", "state")}
        bot.add_client(**card, state=state)
        return {"clients": 1}

    def _revoke(self, terms: Json) -> Json:
        self._bot(terms).revoke(after_messages=terms.get("after_messages", 0))
        return {}

    def _restore(self, terms: Json) -> Json:
        self._bot(terms).restore()
        return {}

    def _fault(self, terms: Json) -> Json:
        """{kind, times | chance, token, method, chat_id, ...}: the terms of Fault."""
        self._simulator.faults.add(**terms)
        return {}

    def _latency(self, terms: Json) -> Json:
        """{latency_s: seconds or [from, to], token, method}."""
        latency = terms["latency_s"]
        latency_s = (float(latency[0]), float(latency[1])) if isinstance(latency, list) else float(latency)
        if "token" in terms or "method" in terms:
            self._simulator.faults.delay_answers(latency_s, token=terms.get("token"), method=terms.get("method"))
        else:
            self._simulator.faults.latency_s = latency_s
        return {}

    def _clear_faults(self, _: Json) -> Json:
        self._simulator.faults.clear()
        return {}

    def _outage(self, terms: Json) -> Json:
        """{seconds}: connections are refused for that long, from a moment after the answer."""
        self._simulator.schedule_outage(float(terms["seconds"]))
        return {}

    def _pressure(self, terms: Json) -> Json:
        """{token, per_second, per_chat, ...}: the knobs of Pressure."""
        _set(self._bot(terms).pressure, {name: value for name, value in terms.items() if name != "token"})
        return {}

    def _settings(self, terms: Json) -> Json:
        """{keeps_messages, recording, refuses_links, query_fresh_s, webhook_time_scale, ...}."""
        if "recording" in terms:
            self._simulator.world.ledger.recording = bool(terms.pop("recording"))
        _set(self._simulator.world, terms)
        return {}

    def _stats(self, terms: Json) -> Json:
        """Of one bot where {token} is given; else of all, by token, and their sum."""
        if "token" in terms:
            return _bot_stats(self._bot(terms))
        bots = {token: _bot_stats(bot) for token, bot in self._simulator.world.bots.items()}
        return {
            "accepted": sum(stats["accepted"] for stats in bots.values()),
            "repeats": sum(stats["repeats"] for stats in bots.values()),
            "most_in_1_s": max((stats["most_in_1_s"] for stats in bots.values()), default=0),
            "calls": dict(self._simulator.world.ledger.count_by_method),
            "bots": bots,
        }

    def _reset(self, terms: Json) -> Json:
        """Forget counts and recorded calls; with {everything: true} bots and files too."""
        world = self._simulator.world
        world.ledger.clear()
        for bot in world.bots.values():
            bot.accepted.clear()
        if terms.get("everything"):
            world.bots.clear()
            world.files.clear()
            world.faults.clear()
        return {}

    def _say(self, terms: Json) -> Json:
        client = self._bot(terms).client(terms["user_id"])
        if "photo_base64" in terms:
            return {"message_id": client.sends_photo(b64decode(terms["photo_base64"]), terms.get("text"))}
        return {"message_id": client.says(terms["text"])}

    def _press(self, terms: Json) -> Json:
        client = self._bot(terms).client(terms["user_id"])
        message_id = terms.get("message_id") or client.last.message_id
        return {"query_id": client.presses(message_id, terms["button"])}

    def _state(self, terms: Json) -> Json:
        """{token, user_id, state}: blocks and unblocks tell the bot."""
        client = self._bot(terms).client(terms["user_id"])
        match ClientState(terms["state"]):
            case ClientState.BLOCKED:
                client.block()
            case ClientState.ACTIVE if client.state is ClientState.BLOCKED:
                client.unblock()
            case state:
                client.state = state
        return {}

    def _messages(self, terms: Json) -> list[Json]:
        return [_message(message) for message in self._bot(terms).client(terms["user_id"]).chat]

    def _requests(self, terms: Json) -> list[Json]:
        calls = self._simulator.requests(terms.get("token"), terms.get("method"))
        return [
            {
                "method": call.method,
                "parameters": call.parameters,
                "arrived_at": call.arrived_at,
                "outcome": call.outcome,
            }
            for call in calls[-terms.get("last", 1000) :]
        ]


def _bot_stats(bot: SimulatedBot) -> Json:
    accepted = bot.accepted
    return {
        "accepted": len(accepted.at),
        "messages": accepted.by_chat.total(),
        "chats": len(accepted.by_chat),
        "chats_with_several": sum(1 for number in accepted.by_chat.values() if number > 1),
        "repeats": accepted.repeats(),
        "most_in_1_s": most_in_window(accepted.at),
        "rate_per_s": round(rate_per_s(accepted.at), 3),
    }


def _message(message: Message) -> Json:
    return {
        "message_id": message.message_id,
        "from_bot": message.from_bot,
        "text": message.text,
        "edited": message.edited,
        "media": [media.kind for media in message.media],
        "buttons": [[button.label for button in row] for row in message.keyboard],
        "raw": message.raw,
    }


def _set(target: object, terms: Json) -> None:
    for name, value in terms.items():
        if name.startswith("_") or not hasattr(target, name):
            raise LookupError(f"{type(target).__name__} has no {name!r}")
        setattr(target, name, value)


def _answer(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=to_json(body).encode(), headers={"Content-Type": "application/json"})
