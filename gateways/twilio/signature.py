"""X-Twilio-Signature: that a request to our hook comes from Twilio.

twilio.com/docs/usage/webhooks/webhooks-security and twilio-python 9.13.0 `request_validator.py`: HMAC over the URL that
we registered and then, by name, each parameter of the form with its value; of a body that is no form the hash stands in
the URL. Twilio may or may not sign the port."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from gateways.base import BadSignature, Hook
from gateways.signatures import require_same

_SIGNATURE = "x-twilio-signature"
_SETTINGS = "x-twilio-webhooks-signature-settings"
_PORTS = {"https": 443, "http": 80}
MAX_FIELDS = 1000

Pairs = Sequence[tuple[str, str]]


def require_signed(request: Hook, hook_url: str, auth_token: str, shared_key: str = "") -> None:
    """Raises BadSignature. `hook_url` is the hook as Twilio knows it, whatever a proxy made of it on the way.

    A shared key, where the account has made one, signs in place of the auth token."""
    algorithm = _algorithm(request.headers.get(_SETTINGS, ""))
    key = {"HMAC_SHA1": auth_token, "HMAC_SHA256": shared_key}.get(algorithm, "")
    given = request.headers.get(_SIGNATURE)
    if not key or given is None:
        raise BadSignature
    query = request.raw_query or urlencode(request.query)
    pairs = _signed_pairs(request)
    digest = algorithm.removeprefix("HMAC_").lower()
    expected = [_sign(key, url, pairs, digest) for url in _spellings(f"{hook_url}?{query}" if query else hook_url)]
    if not any([hmac.compare_digest(_raw(given), each) for each in expected]):  # noqa: C419  # each, for equal time
        raise BadSignature


def _signed_pairs(request: Hook) -> Pairs:
    if is_form(request.headers):
        try:
            body = request.body.decode("utf-8", "surrogateescape")
            return parse_qsl(body, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_FIELDS)
        except ValueError:
            raise BadSignature from None
    if request.body:
        require_same(request.query.get("bodySHA256"), hashlib.sha256(request.body).hexdigest())
    return ()


def is_form(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


def _sign(key: str, url: str, pairs: Pairs, digest: str) -> bytes:
    # Values that stand twice under one name count once, in their order.
    signed = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.new(key.encode(), _raw(signed), digest).digest())


def _spellings(url: str) -> list[str]:
    """The URL as it is, without its port, and with the scheme's own."""
    parts = urlsplit(url)
    host, _, port = parts.netloc.rpartition(":") if parts.port else (parts.netloc, "", "")
    bare = parts._replace(netloc=host).geturl()
    full = parts._replace(netloc=f"{host}:{port or _PORTS.get(parts.scheme, 443)}").geturl()
    return [url, bare, full]


def _algorithm(settings: str) -> str:
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return "HMAC_SHA1"


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
