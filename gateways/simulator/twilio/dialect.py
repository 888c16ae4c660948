"""How the simulated Twilio speaks: its refusals, a message as JSON, and the forms that it posts, signed."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from aiohttp import web

from gateways.simulator.phones import ChatButton, ChatMedia
from gateways.simulator.platform import json_response

Json = dict[str, Any]

# As twilio.com/docs/api/errors words them.
WORDS: Mapping[int, str] = {
    20003: "Authentication Error - invalid username",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    21211: "Invalid 'To' Phone Number",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21606: "The 'From' phone number provided is not a valid message-capable Twilio phone number for this destination",
    21609: "The 'StatusCallback' URL is not a valid URL.",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "This 'From' number has exceeded the maximum number of queued messages",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21620: "Invalid media URL(s)",
    21623: "Number of media files exceeds allowed limit",
    21655: "The ContentSid is Invalid",
    21656: "The Content Variables Parameter is invalid",
    21703: "The Messaging Service does not have a phone number available to send a message",
    21705: "The Messaging Service Sid is invalid",
    21910: "Invalid 'From' and 'To' pair. 'From' and 'To' should be of the same channel",
    30409: "The message can not be canceled",
}


class TwilioError(Exception):
    def __init__(self, code: int, status: int = 400, words: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.words = words or WORDS.get(code, f"Error {code}")

    def response(self, headers: Mapping[str, str] | None = None) -> web.Response:
        more = f"https://www.twilio.com/docs/errors/{self.code}"
        document = {"code": self.code, "message": self.words, "more_info": more, "status": self.status}
        return json_response(document, self.status, headers)


@dataclass
class Message:
    """One message of ours as Twilio keeps it; `to` and `sender` have their prefixes."""

    account_sid: str
    to: str
    sender: str | None
    service: str | None
    body: str
    segments: int
    callback: str | None
    validity_s: float
    is_template: bool
    media: tuple[ChatMedia, ...] = ()
    rows: tuple[tuple[ChatButton, ...], ...] = ()
    problem: int = 0  # the code by which it fails once it leaves the queue
    sid: str = ""
    status: str = "queued"
    error_code: int | None = None
    created_at: float = 0.0  # Unix seconds
    accepted_at: float = 0.0  # monotonic
    statuses: list[str] = field(default_factory=list)

    @property
    def on_whatsapp(self) -> bool:
        return self.to.startswith("whatsapp:")

    @property
    def client(self) -> str:
        return client_of(self.to)

    def document(self) -> Json:
        """twilio.com/docs/messaging/api/message-resource: numbers are strings, dates RFC 2822."""
        uri = f"/2010-04-01/Accounts/{self.account_sid}/Messages/{self.sid}"
        left = self.status not in ("queued", "accepted", "scheduled")
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "messaging_service_sid": self.service,
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": self.status,
            "direction": "outbound-api",
            "num_segments": "0" if self.status == "accepted" else str(self.segments),
            "num_media": str(len(self.media)),
            "error_code": self.error_code,
            "error_message": None,
            "price": None,
            "price_unit": None,
            "api_version": "2010-04-01",
            "date_created": formatdate(self.created_at),
            "date_updated": formatdate(self.created_at),
            "date_sent": formatdate(self.created_at) if left else None,
            "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json"},
        }


def client_of(address: str) -> str:
    """A phone's digits, or the id of a person without a visible phone."""
    return address.removeprefix("whatsapp:").removeprefix("+")


def status_form(message: Message) -> dict[str, str]:
    """twilio.com/docs/messaging/guides/track-outbound-message-status"""
    form = {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageStatus": message.status,
        "SmsStatus": message.status,
        "AccountSid": message.account_sid,
        "From": message.sender or "",
        "To": message.to,
        "ApiVersion": "2010-04-01",
    }
    if message.service is not None:
        form["MessagingServiceSid"] = message.service
    if message.error_code is not None:
        form["ErrorCode"] = str(message.error_code)
    if message.on_whatsapp:
        form |= {"ChannelPrefix": "whatsapp", "ChannelToAddress": message.to.removeprefix("whatsapp:")}
        if message.status in ("delivered", "read", "undelivered"):
            form["EventType"] = message.status.upper()
    return form


def signed(url: str, form: Mapping[str, str], auth_token: str) -> dict[str, str]:
    """The headers of a request to `url`, which has no fragment; twilio.com/docs/usage/webhooks/webhooks-security."""
    text = url + "".join(name + form[name] for name in sorted(form))
    proof = hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()
    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": base64.b64encode(proof).decode(),
        "I-Twilio-Idempotency-Token": secrets.token_hex(16),
        "User-Agent": "TwilioProxy/1.1",
    }


def sid(prefix: str, name: str = "") -> str:
    """A new one, or always the same one for a name."""
    return prefix + (hashlib.md5(name.encode(), usedforsecurity=False).hexdigest() if name else secrets.token_hex(16))
