"""What a button sends back. Viber has no press of its own: the body of a button comes as a text that the client seems
to have written, so ours are signed for the one client who got them."""

import base64
import hashlib
import hmac
import re

from gateways.viber.capabilities import MAX_ACTION_BODY

START = "start."  # the welcome's button; what follows is the payload of the link that opened the chat
_SIGNATURE = 16  # bytes
_BODY = re.compile(r"(?P<data>[!-~]{1,72})~(?P<signature>[A-Za-z0-9_-]{22})")


class Presses:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def body(self, address: str, data: str) -> str:
        """The ActionBody of a button for this client. Raises ValueError if it would be too long for a phone."""
        body = f"{data}~{self._sign(address, data)}"
        if len(body) > MAX_ACTION_BODY or not _BODY.fullmatch(body):
            raise ValueError("a button's data is too long for Viber")
        return body

    def find(self, address: str, text: str) -> str | None:
        """The data of the button that this client pressed, or None for words of its own."""
        found = _BODY.fullmatch(text)
        if found is None or not hmac.compare_digest(found["signature"], self._sign(address, found["data"])):
            return None
        return found["data"]

    def _sign(self, address: str, data: str) -> str:
        digest = hmac.new(self._key, f"{address}\0{data}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:_SIGNATURE]).decode().rstrip("=")
