"""Phones of clients of one simulated Telegram bot."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bot.surfaces.console import wire
from bot.surfaces.console.phones import Phone, PhoneEvent, Picture, picture_type
from gateways.markup import RichText, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateways.simulator.subscription import Subscription
    from gateways.simulator.telegram.bots import SimulatedBot
    from gateways.simulator.telegram.clients import SimulatedClient
    from gateways.simulator.telegram.entities import Entity
    from gateways.simulator.telegram.messages import Button, Event, Message
    from gateways.simulator.telegram.server import TelegramSimulator


class TelegramPhones:
    def __init__(
        self, simulator: "TelegramSimulator", bot: "SimulatedBot", user_ids: Sequence[int], *, channel: str
    ) -> None:
        self._simulator = simulator
        self._bot = bot
        self._channel = channel
        self._clients: Mapping[str, SimulatedClient] = {str(user_id): bot.client(user_id) for user_id in user_ids}

    def phones(self) -> list[Phone]:
        return [
            Phone(phone, _name(client), "Telegram", self._channel, client.state.value, "telegram")
            for phone, client in self._clients.items()
        ]

    def messages(self, phone: str) -> list[wire.Json]:
        return [_message(phone, message) for message in self._client(phone).chat]

    @contextmanager
    def events(self) -> "Iterator[AsyncIterator[PhoneEvent]]":
        with self._simulator.subscribe() as subscription:
            yield self._seen(subscription)

    async def _seen(self, subscription: "Subscription[Event]") -> AsyncIterator[PhoneEvent]:
        async for event in subscription:
            phone = str(event.chat_id)
            if event.token == self._bot.token and phone in self._clients and (what := _happened(phone, event)):
                yield PhoneEvent(phone, what)

    def press(self, phone: str, message_id: str, number: int) -> None:
        client = self._client(phone)
        message = self._find(phone, message_id)
        buttons = [button for row in (*message.keyboard, *message.reply_keyboard) for button in row]
        if not 0 <= number < len(buttons):
            raise LookupError(f"the message has no button {number}")
        button = buttons[number]
        client.presses(message.message_id, button.callback_data or button.label)

    def say(self, phone: str, text: str) -> None:
        self._client(phone).says(text)

    def block(self, phone: str) -> None:
        self._client(phone).block()

    def unblock(self, phone: str) -> None:
        self._client(phone).unblock()

    def picture(self, phone: str, message_id: str) -> Picture:
        for media in self._find(phone, message_id).media:
            if media.kind == "photo" and media.content is not None:
                return Picture(media.content, picture_type(media.content))
        raise LookupError("the message has no picture")

    def _client(self, phone: str) -> "SimulatedClient":
        return self._clients[phone]

    def _find(self, phone: str, message_id: str) -> "Message":
        for message in self._client(phone).chat:
            if str(message.message_id) == message_id:
                return message
        raise LookupError("the phone has no such message")


def _happened(phone: str, event: "Event") -> wire.Json | None:
    from gateways.simulator.telegram.messages import EventKind

    match event.kind:
        case EventKind.MESSAGE | EventKind.SAID | EventKind.EDITED if event.message is not None:
            return {"kind": "message", "message": _message(phone, event.message)}
        case EventKind.DELETED:
            return {"kind": "deleted", "id": str(event.message_id)}
        case EventKind.STATE:
            return {"kind": "state", "state": event.text}
        case EventKind.ACTION:
            return {"kind": "typing"}
        case EventKind.ANSWERED:
            return {"kind": "note", "text": event.text} if event.text else None
        case _:
            return None


def _message(phone: str, message: "Message") -> wire.Json:
    from datetime import UTC, datetime

    made: wire.Json = {
        "id": str(message.message_id),
        "side": "bot" if message.from_bot else "me",
        "at": datetime.fromtimestamp(message.date, UTC).isoformat(),
        "text": wire.tree(rich_text(message.text, message.entities)),
        "media": [
            {
                "kind": "picture" if media.kind == "photo" else media.kind,
                "url": f"/console/phones/{phone}/{message.message_id}"
                if media.kind == "photo" and media.content is not None
                else None,
                "name": "" if media.kind == "photo" else media.file_name or "",
            }
            for media in message.media
        ],
        "rows": [[_button(button) for button in row] for row in message.keyboard],
        "keyboard": [[_button(button) for button in row] for row in message.reply_keyboard],
    }
    if message.edited:
        made["edited"] = True
    if message.media_group_id:
        made["group"] = message.media_group_id
    if message.location:
        made["location"] = list(message.location)
    return made


def _button(button: "Button") -> wire.Json:
    return {"label": button.label, **({"url": button.url} if button.url else {})}


_TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
    "spoiler": "tg-spoiler",
}


def rich_text(text: str, entities: "Sequence[Entity]") -> RichText:
    """Telegram's entities, counted in UTF-16 units, as spans over code points."""
    if not entities:
        return RichText(text)
    place_of = [place for place, sign in enumerate(text) for _unit in range(1 if ord(sign) < 0x10000 else 2)]
    place_of.append(len(text))
    spans = []
    for entity in entities:
        start = place_of[min(entity.offset, len(place_of) - 1)]
        end = place_of[min(entity.end, len(place_of) - 1)]
        match entity.type:
            case "text_link":
                spans.append(Span("a", start, end, entity.url or ""))
            case "url":
                spans.append(Span("a", start, end, text[start:end]))
            case known if known in _TAGS:
                spans.append(Span(_TAGS[known], start, end))
    return RichText(text, tuple(spans))


def _name(client: "SimulatedClient") -> str:
    return " ".join(part for part in (client.first_name, client.last_name) if part)
