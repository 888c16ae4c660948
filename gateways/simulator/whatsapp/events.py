"""What the simulated WhatsApp tells our webhook, as Meta's documentation prints it; platforms/whatsapp.md section 8."""

import hashlib
import time
from typing import Any

from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount

Json = dict[str, Any]

ERRORS = {  # title and details, as …/support/error-codes prints them
    130403: ("Business blocked user", "Message failed to send because this business has blocked the recipient."),
    130472: (
        "User's number is part of an experiment",
        "Failed to send message because this user's phone number is part of an experiment",
    ),
    131026: ("Message undeliverable", "Message Undeliverable."),
    131047: (
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    131048: (
        "Spam rate limit hit",
        "Message failed to send because there are restrictions on how many messages can be sent from this number.",
    ),
    131049: (
        "This message was not delivered to maintain healthy ecosystem engagement.",
        "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
    ),
    131050: (
        "Unable to deliver the message.",
        "This recipient has chosen to stop receiving marketing messages on WhatsApp from your business.",
    ),
    132015: ("Template is Paused", "Template is paused due to low quality and cannot be sent."),
}


def user_id_of(client: SimClient) -> str:
    """The client's business-scoped id: the one that it was given, or one made of its name here."""
    if "user_id" in client.details:
        return str(client.details["user_id"])
    digits = int.from_bytes(hashlib.sha256(client.id.encode()).digest()[:8])
    return f"GB.{digits}"


def wa_id_of(client: SimClient) -> str:
    """The phone as WhatsApp writes it; "" where the client hides it."""
    return "" if client.details.get("hidden") else str(client.details.get("wa_id", client.id))


def entry_of(account: SimAccount, field: str, value: Json) -> Json:
    """An event about the whole WhatsApp account."""
    return {"id": account.details["waba"], "time": int(time.time()), "changes": [{"value": value, "field": field}]}


def messages_entry(account: SimAccount, client: SimClient | None, field: str = "messages", **what: Any) -> Json:
    """An event of one number; the client's contact goes along, where there is one."""
    metadata = {"display_phone_number": account.details["display"], "phone_number_id": account.key}
    contacts = {"contacts": [_contact(client)]} if client is not None else {}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **contacts, **what}
    return {"id": account.details["waba"], "changes": [{"value": value, "field": field}]}


def said(account: SimAccount, client: SimClient, wamid: str, kind: str, content: Json | None, **more: Any) -> Json:
    phone = wa_id_of(client)
    message: Json = {"from": phone} if phone else {}
    message |= {"from_user_id": user_id_of(client), "id": wamid, "timestamp": str(int(time.time())), "type": kind}
    if content is not None:
        message[kind] = content
    return messages_entry(account, client, messages=[{**message, **more}])


def status(account: SimAccount, client: SimClient, wamid: str, state: str, sent: Json, category: str) -> Json:
    """A receipt. Pricing comes with `sent` and with the first of `delivered` and `read`."""
    told = _status(client, wamid, state, sent)
    if state in ("sent", "delivered"):
        told["pricing"] = {
            "billable": category != "service",
            "pricing_model": "PMP",
            "category": category,
            "type": "regular" if category != "service" else "free_customer_service",
        }
    return messages_entry(account, client, statuses=[told])


def failed(account: SimAccount, client: SimClient, wamid: str, code: int, sent: Json) -> Json:
    title, details = ERRORS[code]
    href = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"
    error = {"code": code, "title": title, "message": title, "error_data": {"details": details}, "href": href}
    return messages_entry(account, None, statuses=[{**_status(client, wamid, "failed", sent), "errors": [error]}])


def preference(account: SimAccount, client: SimClient, value: str) -> Json:
    ids = _ids(client)
    wish = {
        **ids,
        "detail": f"User requested to {value} marketing messages",
        "category": "marketing_messages",
        "value": value,
        "timestamp": int(time.time()),
    }
    return messages_entry(account, client, "user_preferences", user_preferences=[wish])


def template_status(account: SimAccount, template: Json, event: str) -> Json:
    value = {
        "event": event,
        "message_template_id": int(template["id"]),
        "message_template_name": template["name"],
        "message_template_language": template["language"],
        "message_template_category": template["category"],
        "reason": template["rejected_reason"],
    }
    return entry_of(account, "message_template_status_update", value)


def _status(client: SimClient, wamid: str, state: str, sent: Json) -> Json:
    told: Json = {"id": wamid, "status": state, "timestamp": str(int(time.time()))}
    if phone := wa_id_of(client):
        told["recipient_id"] = phone
    told["recipient_user_id"] = user_id_of(client)
    if opaque := sent.get("biz_opaque_callback_data"):
        told["biz_opaque_callback_data"] = opaque
    return told


def _contact(client: SimClient) -> Json:
    profile = {"name": client.name or client.id}
    if username := client.details.get("username"):
        profile["username"] = username
    return {"profile": profile, **_ids(client)}


def _ids(client: SimClient) -> Json:
    phone = wa_id_of(client)
    return {**({"wa_id": phone} if phone else {}), "user_id": user_id_of(client)}
