"""messages.send of the simulated VK: who may be written to, what is taken, what a repeat brings."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateways.simulator.phones import DELETED, ChatMedia, ChatMessage, SimClient
from gateways.simulator.platform import Platform, SimAccount
from gateways.simulator.vk.checks import read_attachments, read_carousel, read_keyboard, read_text
from gateways.simulator.vk.community import CHANGES_S, WORDS, Community, VkError, bad

Json = dict[str, Any]
Values = Mapping[str, str]

MAX_TEXT = 4096
MAX_PEERS = 100
MAX_DELETED = 1000  # of one messages.delete; VKCOM/vk-api-schema
CHAT_PEERS = 2_000_000_000
_INT32 = range(-(2**31), 2**31)

# What a client's state answers; whoever is not there at all never wrote.
REFUSALS: Mapping[str, int] = {
    "": 901,
    "never_wrote": 901,
    "denied": 901,
    "blocked": 901,
    "blacklisted": 900,
    "private": 902,
    "deleted": 18,
    "window_closed": 950,
}


@dataclass(frozen=True, slots=True)
class Sending:
    """`emit` tells what happened: kind and object of an event."""

    platform: Platform
    account: SimAccount
    community: Community
    emit: Callable[[str, Json], None]

    def send(self, values: Values) -> Any:
        """The response. Raises VkError where the call as a whole is refused."""
        random_id = _random_id(values)
        peers, listed = _peers(values)
        message = self._read(values, peers)
        if listed:
            return [self._answer(peer, values, message, random_id) for peer in peers]
        if (code := self._refusal(peers[0])) is not None:
            raise VkError(code)
        return self._keep(peers[0], values, message, random_id)[0]

    def edit(self, values: Values) -> int:
        """messages.edit: everything of the message is replaced. Raises VkError."""
        client, before = self._find(values.get("message_id", ""))
        if before is None or client is None or client.id != values.get("peer_id"):
            raise bad("message_id is invalid")
        if time.time() - before.at > CHANGES_S:
            raise VkError(909)
        if (code := self._refusal(client.id)) is not None:
            raise VkError(code)
        message = self._read(values, [client.id])
        client.change(replace(message, id=before.id, at=before.at, state=before.state, raw=dict(values)))
        return 1

    def delete(self, values: Values) -> list[Json]:
        """messages.delete: each message by itself, of whomever; one that is gone is named without an error."""
        names = [name.strip() for name in values.get("message_ids", "").split(",")]
        if len(names) > MAX_DELETED or not all(name.isdecimal() for name in names):
            raise bad("message_ids is invalid")
        return [self._delete(name, for_all=values.get("delete_for_all") == "1") for name in names]

    def _delete(self, name: str, *, for_all: bool) -> Json:
        client, message = self._find(name)
        peer = self.community.peers.get(int(name), "0")
        item = {"peer_id": int(peer), "message_id": int(name), "conversation_message_id": 0}
        if client is None or message is None:
            return {**item, "response": 0}
        if for_all and time.time() - message.at > CHANGES_S:
            return {**item, "response": 0, "error": {"code": 924, "description": WORDS[924]}}
        if for_all:
            client.change(ChatMessage(message.id, from_us=True, at=message.at, state=DELETED))
        return {**item, "response": 1}

    def _find(self, message_id: str) -> tuple[SimClient | None, ChatMessage | None]:
        """Whose message of ours it is, and the message while it stands there."""
        peer = self.community.peers.get(int(message_id)) if message_id.isdecimal() else None
        if peer is None:
            return None, None
        client = self.platform.client(self.account.key, peer)
        return client, next((each for each in client.messages if each.id == message_id), None)

    def _answer(self, peer: str, values: Values, message: ChatMessage, random_id: int) -> Json:
        """What stands in the list for one receiver."""
        if (code := self._refusal(peer)) is not None:
            error = {"code": code, "description": WORDS[code]}
            return {"peer_id": int(peer), "message_id": 0, "conversation_message_id": 0, "error": error}
        message_id, conversation_message_id = self._keep(peer, values, message, random_id)
        return {"peer_id": int(peer), "message_id": message_id, "conversation_message_id": conversation_message_id}

    def _refusal(self, peer: str) -> int | None:
        return REFUSALS.get(self.platform.state_of(self.account, peer))

    def _keep(self, peer: str, values: Values, message: ChatMessage, random_id: int) -> tuple[int, int]:
        """The ids of the message; of the one that a repeat brought before."""
        if not self.platform.keeps:
            self.community.message_id += 1
            self.platform.take(self.account, peer, _content(values), None)
            return self.community.message_id, 1
        dialog, now = self.community.dialog(peer), time.time()
        repeated = dialog.find_repeat(random_id, now)
        if repeated is not None:
            self.community.repeats_dropped += 1
            return repeated, dialog.conversation_message_id
        message_id = self.community.next_message(dialog)
        self.community.peers[message_id] = peer
        dialog.sent.append((random_id, now, message_id))
        shown = replace(message, id=str(message_id), at=now, raw=dict(values))
        self.platform.take(self.account, peer, _content(values), shown)
        self.emit(
            "message_reply",
            {
                "id": message_id, "date": int(now), "out": 1, "peer_id": int(peer), "random_id": random_id,
                "from_id": -self.community.group_id, "text": values.get("message", ""),
                "conversation_message_id": dialog.conversation_message_id,
            },
        )  # fmt: skip
        return message_id, dialog.conversation_message_id

    def _read(self, values: Values, peers: Sequence[str]) -> ChatMessage:
        """What of it stands on a phone. Raises VkError."""
        text = values.get("message", "")
        if len(text) > MAX_TEXT:
            raise VkError(914)
        media: tuple[ChatMedia, ...] = ()
        if values.get("attachment"):
            media = read_attachments(values["attachment"], peers, self.community)
        if "lat" in values or "long" in values:
            media = (*media, _location(values))
        cards = read_carousel(values["template"], self.community) if values.get("template") else ()
        if cards and not text:
            raise bad("message is required with a template")
        if not text.strip() and not media:
            raise bad("message is empty or invalid")
        rows = read_keyboard(values["keyboard"]) if values.get("keyboard") else ()
        rich = read_text(text, values.get("format_data", ""))
        return ChatMessage("", from_us=True, at=0.0, text=rich, media=media, rows=rows, cards=cards)


def _random_id(values: Values) -> int:
    try:
        number = int(values["random_id"])
    except (LookupError, ValueError):
        raise bad("random_id is a required parameter") from None
    if number not in _INT32:
        raise bad("random_id is not int32")
    return number


def _peers(values: Values) -> tuple[list[str], bool]:
    """Who gets it, and whether the answer is a list of them."""
    listed = values.get("peer_ids") or values.get("user_ids")
    peers = listed.split(",") if listed else [values.get("peer_id") or values.get("user_id") or ""]
    peers = [peer.strip() for peer in peers]
    if not all(peer.removeprefix("-").isdecimal() for peer in peers):
        raise bad("peer_ids is invalid" if listed else "peer_id is undefined")
    if len(peers) > MAX_PEERS:
        raise bad("peer_ids has too many elements")
    return list(dict.fromkeys(peers)), bool(listed)


def _location(values: Values) -> ChatMedia:
    try:
        latitude, longitude = float(values["lat"]), float(values["long"])
    except (LookupError, ValueError):
        raise bad("lat and long go together") from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise bad("lat is invalid")
    return ChatMedia("location", name=f"{latitude}, {longitude}")


def _content(values: Values) -> tuple[str, ...]:
    return tuple(values.get(name, "") for name in ("message", "attachment", "keyboard", "template", "lat", "long"))
