"""How Viber signs what it posts to us; bots-api, Callbacks: HMAC-SHA256 of the raw body, the bot's token as the key."""

import hashlib
import hmac


def sign(token: str, body: bytes) -> str:
    return hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
