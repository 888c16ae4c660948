"""Kept files for platforms that fetch by URL: a signed path that nobody can guess, the same at every send.

The last segment of the path is a token: the file's name in data_dir/media, a signature, and the file's extension at
the end, because Viber goes by it. Nothing is stored, so a restart changes no address.
"""

import hmac
import re

from gateways.signatures import derive_secret

PREFIX = "media:"
ROUTE = "/media/"  # the token follows
_SIGNATURE = 32  # letters of hexadecimal: 128 bits
_NAME = re.compile(r"(?P<stem>[A-Za-z0-9_-]{1,64})(?P<extension>\.[A-Za-z0-9]{1,10})")
_TOKEN = re.compile(
    rf"(?P<stem>[A-Za-z0-9_-]{{1,64}})-(?P<signature>[0-9a-f]{{{_SIGNATURE}}})(?P<extension>\.[A-Za-z0-9]{{1,10}})"
)


def media_url(public_url: str, secret: bytes, source: str) -> str:
    """The URL under which our server gives a `media:` source. Raises ValueError for any other source."""
    return f"{public_url.rstrip('/')}{ROUTE}{media_token(secret, source)}"


def media_token(secret: bytes, source: str) -> str:
    """The last segment of that URL. Raises ValueError for what is no `media:` source with an extension."""
    found = _NAME.fullmatch(source.removeprefix(PREFIX)) if source.startswith(PREFIX) else None
    if found is None:
        raise ValueError("only kept files whose name has an extension can be given out")
    return f"{found['stem']}-{_sign(secret, found[0])}{found['extension']}"


def find_source(secret: bytes, token: str) -> str | None:
    """The `media:` source that a token names, or None for one that we did not make."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    name = found["stem"] + found["extension"]
    return PREFIX + name if hmac.compare_digest(found["signature"], _sign(secret, name)) else None


def _sign(secret: bytes, name: str) -> str:
    if not secret:
        raise ValueError("without a secret anybody could make an address")
    return derive_secret(secret, "public media", name)[:_SIGNATURE]
