"""What the simulated Viber posts to our webhook, signed; bots-api, Callbacks."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from gateways.simulator.phones import ChatMessage, SimClient

Json = dict[str, Any]

HOSTNAME = "SN-CHAT-03_"
ALWAYS = ("message", "subscribed", "unsubscribed")
OPTIONAL = ("delivered", "seen", "failed", "conversation_started")


def envelope(event: str, at: float, token: int | None, **rest: Any) -> Json:
    values: Json = {"event": event, "timestamp": int(at * 1000), "chat_hostname": HOSTNAME}
    return values | ({} if token is None else {"message_token": token}) | rest


def user_of(client: SimClient) -> Json:
    """What Viber tells of a client; `details` may add country, language, api_version."""
    known: Json = {name: client.details[name] for name in ("country", "language") if name in client.details}
    return {"id": client.id, "name": client.name or "Subscriber", **known, "api_version": version_of(client)}


def version_of(client: SimClient) -> int:
    version: int = client.details.get("api_version", 10)
    return version


def inbound_of(message: ChatMessage) -> Json:
    """A client's own message as the `message` of its event."""
    if not message.media:
        return {"type": "text", "text": message.text.text}
    (media,) = message.media
    values: Json = {"type": media.kind} | ({"text": message.text.text} if message.text.text else {})
    if media.kind == "location":
        latitude, _, longitude = media.name.partition(",")
        return values | {"location": {"lat": float(latitude), "lon": float(longitude)}}
    if media.kind == "contact":
        return values | {"contact": {"name": media.name, "phone_number": media.url}}
    if media.kind == "sticker":
        return values | {"sticker_id": int(media.name)}
    return values | {"media": media.url} | ({"file_name": media.name} if media.name else {})


def signed(token: str, event: Json) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    signature = hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "X-Viber-Content-Signature": signature}
