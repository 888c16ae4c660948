"""One client on several messengers: a link of the client's own, whose start payload ties a new address to the card.

The payload is 20 letters that every messenger's links carry: four bytes of the client's number and eleven of an HMAC.
It tells nothing of the client, and nobody else can make one; what is none is an ordinary source."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping

from engine.settings import ChannelSettings
from storage.store import Store

_ID_BYTES = 4  # storage.schema.CLIENTS_IN_STEP: so many numbers that clients have
_MAC_BYTES = 11
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{20}")
_STANDARD = str.maketrans("-_", "+/")
_MOST_LETTERS = 200  # of words among which a payload is looked for: the link wrote them, not the client


class StartPayloads:
    """Makes and reads start payloads; two that have the same app secret read each other's."""

    def __init__(self, app_secret: bytes) -> None:
        if not app_secret:
            raise ValueError("without a secret anybody could make a payload")
        self._key = hmac.digest(app_secret, b"client links", "sha256")

    def make(self, client_id: int) -> str:
        body = client_id.to_bytes(_ID_BYTES, "big")
        return base64.urlsafe_b64encode(body + self._mac(body)).decode("ascii")

    def read(self, payload: str) -> int | None:
        """The client whose link it was; None for any payload that we did not make."""
        if not _PAYLOAD.fullmatch(payload):
            return None
        raw = binascii.a2b_base64(payload.translate(_STANDARD))
        body, given = raw[:_ID_BYTES], raw[_ID_BYTES:]
        return int.from_bytes(body, "big") if hmac.compare_digest(given, self._mac(body)) else None

    def read_words(self, text: str) -> tuple[int, str] | None:
        """The client whose payload is one of the words, where a link writes the client's first message, and the other
        words."""
        if len(text) > _MOST_LETTERS:
            return None
        words = text.split()
        found = next(((word, client) for word in words if (client := self.read(word)) is not None), None)
        if found is None:
            return None
        return found[1], " ".join(word for word in words if word != found[0])

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_MAC_BYTES]


async def binding_links(
    store: Store, channels: Mapping[str, ChannelSettings], payloads: StartPayloads, client_id: int
) -> Mapping[str, str]:
    """The client's own link to each channel where the client has no address yet. Raises NotFound."""
    card = await store.clients.get(client_id)
    states = await store.channel_states.all()
    on = {address.channel for address in card.addresses}
    return {
        channel: state.link + settings.able.start_link.replace("{payload}", payloads.make(card.id))
        for channel, settings in channels.items()
        if channel not in on and settings.able.start_link and (state := states.get(channel)) and state.link
    }
