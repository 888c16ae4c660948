"""Phones of clients of one account on a simulated messenger other than Telegram."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.surfaces.console import wire
from bot.surfaces.console.phones import Phone, PhoneEvent, Picture, picture_type
from gateways.markup import RichText, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateways.simulator import phones as simulated
    from gateways.simulator.phones import ChatButton, ChatCard, ChatMedia, ChatMessage, SimClient
    from gateways.simulator.platform import Platform
    from gateways.simulator.subscription import Subscription

_PLACE = re.compile(r"(-?\d+(?:\.\d+)?), ?(-?\d+(?:\.\d+)?)")
_URL = re.compile(r"https?://[^\s<>]*[^\s<>.,;:!?)]")
_KEYBOARD_BELOW = frozenset({"viber"})  # where buttons stand under the chat and not under their message


class PlatformPhones:
    """`kind` is how they look, `title` what people call the messenger where that is not the platform's name; files
    under `own_url`, our own server's, are the only ones that the page may show.

    On the page a message is called by its place in the chat: what platforms call theirs is long and not for URLs."""

    def __init__(
        self,
        platform: "Platform",
        account: str,
        client_ids: Sequence[str],
        *,
        channel: str,
        kind: str,
        title: str = "",
        own_url: str = "",
    ) -> None:
        self._platform = platform
        self._account = account
        self._channel = channel
        self._kind = kind
        self._title = title or platform.title
        self._own_url = own_url
        self._clients: Mapping[str, SimClient] = {
            f"{channel}.{client_id}": platform.client(account, client_id) for client_id in client_ids
        }

    def phones(self) -> list[Phone]:
        return [
            Phone(phone, client.name, self._title, self._channel, client.state, self._kind)
            for phone, client in self._clients.items()
        ]

    def messages(self, phone: str) -> list[wire.Json]:
        chat = enumerate(self._clients[phone].chat)
        return [self._message(phone, place, message) for place, message in chat if message.state != "deleted"]

    @contextmanager
    def events(self) -> "Iterator[AsyncIterator[PhoneEvent]]":
        with self._platform.subscribe() as subscription:
            yield self._seen(subscription)

    async def _seen(self, subscription: "Subscription[simulated.PhoneEvent]") -> AsyncIterator[PhoneEvent]:
        async for event in subscription:
            phone = f"{self._channel}.{event.client}"
            if event.account == self._account and phone in self._clients and (what := self._happened(phone, event)):
                yield PhoneEvent(phone, what)

    def press(self, phone: str, message_id: str, number: int) -> None:
        message = self._find(phone, message_id)
        self._platform.presses(self._clients[phone], message.id, number)

    def say(self, phone: str, text: str) -> None:
        self._platform.says(self._clients[phone], text)

    def block(self, phone: str) -> None:
        self._platform.changes(self._clients[phone], "blocked")

    def unblock(self, phone: str) -> None:
        self._platform.changes(self._clients[phone], "active")

    def picture(self, phone: str, message_id: str) -> Picture:
        """`message_id` is the message's, a point, and the picture's number, those of cards last."""
        place, _, number = message_id.partition(".")
        message = self._find(phone, place)
        contents = [*(item.content for item in message.media), *(card.content for card in message.cards)]
        content = contents[int(number)] if number.isdecimal() and int(number) < len(contents) else None
        if content is None:
            raise LookupError("the message has no such picture")
        return Picture(content, picture_type(content))

    # --- what stands there, as JSON

    def _find(self, phone: str, message_id: str) -> "ChatMessage":
        chat = self._clients[phone].chat
        if not message_id.isdecimal() or int(message_id) >= len(chat):
            raise LookupError("the phone has no such message")
        return chat[int(message_id)]

    def _happened(self, phone: str, event: "simulated.PhoneEvent") -> wire.Json | None:
        match event.kind:
            case "message" if event.message is not None:
                place = [message.id for message in self._clients[phone].chat].index(event.message.id)
                if event.message.state == "deleted":
                    return {"kind": "deleted", "id": str(place)}
                return {"kind": "message", "message": self._message(phone, place, event.message)}
            case "state":
                return {"kind": "state", "state": event.text}
            case "note" if event.text:
                return {"kind": "note", "text": event.text}
            case _:
                return None

    def _message(self, phone: str, place: int, message: "ChatMessage") -> wire.Json:
        kept = f"/console/phones/{quote(phone, safe='')}/{place}"
        shown = [item for item in message.media if item.kind != "location"]
        rows = [[_button(button) for button in row] for row in message.rows]
        below = self._kind in _KEYBOARD_BELOW
        made: wire.Json = {
            "id": str(place),
            "side": "bot" if message.from_us else "me",
            "at": datetime.fromtimestamp(message.at, UTC).isoformat(),
            "text": wire.tree(_with_links(message.text)),
            "media": [self._media(item, f"{kept}.{message.media.index(item)}") for item in shown],
            "rows": [] if below else rows,
            "keyboard": rows if below else [],
            "cards": [
                self._card(card, f"{kept}.{number}") for number, card in enumerate(message.cards, len(message.media))
            ],
        }
        if message.from_us:
            made["state"] = message.state
        if (found := next(filter(None, map(_location, message.media)), None)) is not None:
            made["location"] = found
        return made

    def _media(self, item: "ChatMedia", kept: str) -> wire.Json:
        url = kept if item.content is not None and item.kind == "picture" else self._own(item.url)
        return {"kind": item.kind, "url": url, "name": "" if item.kind == "picture" else item.name}

    def _card(self, card: "ChatCard", kept: str) -> wire.Json:
        return {
            "title": card.title,
            "text": card.text,
            "picture": kept if card.content is not None else self._own(card.picture),
            "buttons": [_button(button) for button in card.buttons],
        }

    def _own(self, url: str) -> str | None:
        """The path of a file that our own server gives out: the page asks no other."""
        return url.removeprefix(self._own_url) if self._own_url and url.startswith(f"{self._own_url}/") else None


def _button(button: "ChatButton") -> wire.Json:
    action = button.action.removeprefix("loud ")
    return {"label": button.label, "kind": action, **(wire.opened(button.value) if action == "link" else {})}


def _with_links(rich: RichText) -> RichText:
    """A bare address can be opened, as on every phone."""
    words = [span for span in rich.spans if span.tag == "a"]
    found = [Span("a", link.start(), link.end(), link[0]) for link in _URL.finditer(rich.text)]
    bare = [link for link in found if not any(one.start < link.end and link.start < one.end for one in words)]
    return RichText(rich.text, (*rich.spans, *bare))


def _location(item: "ChatMedia") -> list[float] | None:
    found = _PLACE.search(item.url) or _PLACE.search(item.name) if item.kind == "location" else None
    return [float(found[1]), float(found[2])] if found else None
