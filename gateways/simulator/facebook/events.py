"""What the simulated Messenger tells our webhook, as Meta's documentation prints it."""

import time
from typing import Any

from gateways.simulator.phones import ChatMessage
from gateways.simulator.platform import SimAccount

Json = dict[str, Any]

# Which field of the Page's subscription an event comes by.
FIELD_OF = {
    "message": "messages",
    "echo": "message_echoes",
    "postback": "messaging_postbacks",
    "referral": "messaging_referrals",
    "optin": "messaging_optins",
    "delivery": "message_deliveries",
    "read": "message_reads",
    "reaction": "message_reactions",
    "policy_enforcement": "messaging_policy_enforcement",
}


def stamp(account: SimAccount, at: float | None = None) -> int | str:
    """A moment as this account's events write it: `details["timestamps"]` is "ms", "s" or "text"."""
    at = time.time() if at is None else at
    match account.details.get("timestamps", "ms"):
        case "s":
            return int(at)
        case "text":
            return str(int(at * 1000))
    return int(at * 1000)


def entry_of(account: SimAccount, event: Json, *, standby: bool = False) -> Json:
    return {"id": account.key, "time": int(time.time() * 1000), "standby" if standby else "messaging": [event]}


def from_client(account: SimAccount, client: str, **what: Any) -> Json:
    return {"sender": {"id": client}, "recipient": {"id": account.key}, "timestamp": stamp(account), **what}


def echo(account: SimAccount, client: str, app_id: str, message: ChatMessage, sent: Json) -> Json:
    """Sender and recipient are swapped in it."""
    told = {"is_echo": True, "app_id": int(app_id), "metadata": sent.get("metadata", ""), "mid": message.id}
    if "text" in sent:
        told["text"] = sent["text"]
    at = stamp(account, message.at)
    return {"sender": {"id": account.key}, "recipient": {"id": client}, "timestamp": at, "message": told}


def delivery(account: SimAccount, client: str, message: ChatMessage) -> Json:
    told: Json = {"watermark": stamp(account, message.at)}
    if account.details.get("mids", True):
        told["mids"] = [message.id]
    return from_client(account, client, delivery=told)


def read(account: SimAccount, client: str, message: ChatMessage) -> Json:
    return from_client(account, client, read={"watermark": stamp(account, message.at)})
