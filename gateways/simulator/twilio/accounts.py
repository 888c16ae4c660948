"""Who calls the simulated Twilio, and its numbers, services and senders as JSON."""

import base64
from dataclasses import replace
from email.utils import formatdate

from gateways.simulator.hooks import Hook
from gateways.simulator.platform import Call, SimAccount
from gateways.simulator.twilio.dialect import Json, sid


def credentials(call: Call) -> tuple[str, str]:
    """The account's sid and its token; "" where there are none."""
    return credentials_in(call.headers.get("Authorization", ""))


def credentials_in(header: str) -> tuple[str, str]:
    kind, _, proof = header.partition(" ")
    try:
        name, _, token = base64.b64decode(proof, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return (name, token) if kind == "Basic" else ("", "")


def number_of(account: SimAccount) -> Json:
    url = account.hook.url if account.hook is not None else ""
    return {
        "sid": sid("PN", account.key), "phone_number": account.key, "friendly_name": account.name, "sms_url": url,
        "sms_method": "POST", "status": "in-use", "date_created": formatdate(0),
    }  # fmt: skip


def sender_of(account: SimAccount) -> Json:
    url = account.hook.url if account.hook is not None else None
    return {
        "sid": sid("XE", account.key), "sender_id": account.key,
        "status": account.details.get("sender_status", "ONLINE"),
        "webhook": {"callback_url": url, "callback_method": "POST", "status_callback_url": None},
    }  # fmt: skip


def set_hook(account: SimAccount, url: str | None) -> None:
    if url is not None:
        account.hook = replace(account.hook, url=url) if account.hook is not None else Hook(url)
