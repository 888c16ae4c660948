"""Our message in VK's words: parameters of messages.send, keyboards, carousels, many sends in one script. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.base import MessageRejected, Outgoing, PartKind
from gateways.jsons import write_json
from gateways.message import Button, Buy, Card, Link, Rows
from gateways.vk.capabilities import MAX_ROWS, VK
from gateways.vk.dialect import format_data, plain, text_and_format

Values = dict[str, Any]

NEUTRAL_TEXT = "⬇️"  # a carousel needs a text beside it; vk.com/dev/bot_docs_templates
_BLANK = "\u2800"  # where one card has a text and another none: all have the structure of the first
_LINK_SLOTS = 2  # of a row's five; python273/vk_api keyboard.py


@dataclass(frozen=True, slots=True)
class Call:
    """One messages.send: `places` are those of its receivers among the messages that were to be sent."""

    values: Values
    addresses: tuple[str, ...]
    places: tuple[int, ...]

    @property
    def parameters(self) -> Values:
        return {"peer_ids": ",".join(self.addresses), **self.values}


def send_values(out: Outgoing, media: Mapping[str, str], random_id: int, intent: str = "default") -> Values:
    """The parameters of messages.send beside the receiver; `media` names attachments by source.

    Raises MessageRejected for a carousel that VK can't show."""
    part = out.part
    text, items = text_and_format(out.text)
    values: Values = {"random_id": random_id}
    if text or out.cards:
        values["message"] = text or NEUTRAL_TEXT
    if items:
        values["format_data"] = encode(format_data(items))
    if part.media and not out.cards:
        values["attachment"] = ",".join(media[source] for source in part.media)
    if part.kind is PartKind.LOCATION:
        values |= {"lat": part.latitude, "long": part.longitude}
    if out.cards:
        first = sum(len(row) for row in out.buttons)
        values["template"] = encode(carousel(out.cards, out.button_data, first, media))
    if out.buttons:
        values["keyboard"] = encode(keyboard(out.buttons, out.button_data))
    if part.extra.get("link_preview") is False:
        values["dont_parse_links"] = 1
    if intent != "default":
        values["intent"] = intent
    values["disable_mentions"] = 1  # a value that looks like one calls nobody
    return values


def edit_values(out: Outgoing, media: Mapping[str, str], message_id: str) -> Values:
    """The parameters of messages.edit, which replaces all that stands there. Raises MessageRejected."""
    values = {name: value for name, value in send_values(out, media, 0).items() if name != "random_id"}
    return {"peer_id": int(out.address), "message_id": int(message_id), **values}


def calls_of(messages: Iterable[tuple[int, str, Values]]) -> list[Call]:
    """Messages (place, address, values) as calls: those that are equal, their random_id too, go in one to all."""
    equal: dict[str, list[tuple[int, str]]] = {}
    known: dict[str, Values] = {}
    for place, address, values in messages:
        key = encode(values)
        if any(address == other for _, other in equal.get(key, ())):
            key = f"{key}{place}"  # one client twice in a call would be one receiver
        equal.setdefault(key, []).append((place, address))
        known[key] = values
    return [
        Call(known[key], tuple(address for _, address in to), tuple(place for place, _ in to))
        for key, to in equal.items()
    ]


def script(method: str, each: Sequence[Values]) -> str:
    """The code of an execute that calls a method with each of these parameters and returns the answers in order."""
    return f"return [{','.join(f'API.{method}({encode(parameters)})' for parameters in each)}];"


def keyboard(rows: Rows, button_data: Sequence[str]) -> Values:
    """Buttons under the message: links open by themselves, every other comes back to us as an event."""
    numbered: list[list[tuple[int, Button]]] = []
    number = 0
    for row in rows:
        numbered.append(list(enumerate(row, start=number)))
        number += len(row)
    lines = _laid_out(numbered)
    return {
        "inline": True,
        "buttons": [[_button(button, index, button_data) for index, button in row] for row in lines],
    }


def carousel(cards: Sequence[Card], button_data: Sequence[str], number: int, media: Mapping[str, str]) -> Values:
    """The template; `number` is that of the first card's first button. Raises MessageRejected."""
    _require_alike(cards)
    with_text = any(card.text for card in cards)
    elements = []
    for card in cards:
        element: Values = {"title": plain(card.title)}
        if with_text:
            element["description"] = plain(card.text) or _BLANK
        if card.picture:
            element["photo_id"] = photo_id(media[card.picture])
            element["action"] = {"type": "open_photo"}
        element["buttons"] = [
            _button(button, index, button_data) for index, button in enumerate(card.buttons, start=number)
        ]
        number += len(card.buttons)
        elements.append(element)
    return {"type": "carousel", "elements": elements}


def photo_id(attachment: str) -> str:
    """photo-1_2_key as a carousel names it: -1_2."""
    return "_".join(attachment.removeprefix("photo").split("_")[:2])


def payload_of(data: str) -> str:
    """What stands in a button for us: VK takes valid JSON only."""
    return encode({"b": data})


def _button(button: Button, index: int, button_data: Sequence[str]) -> Values:
    if isinstance(button, Link):
        return {"action": {"type": "open_link", "label": plain(button.label), "link": button.link}}
    data = button_data[index] if index < len(button_data) else ""
    action = {"type": "callback", "label": plain(button.label), "payload": payload_of(data or f"-{index}")}
    return {"action": action, "color": "positive" if isinstance(button, Buy) else "primary"}


Numbered = list[tuple[int, Button]]


def _laid_out(rows: Sequence[Numbered]) -> Sequence[Numbered]:
    """Each link in a row of its own, as libraries advise; close together where that takes too many rows."""
    wide = [piece for row in rows for piece in _apart(row)]
    if len(wide) <= MAX_ROWS:
        return wide
    packed: list[Numbered] = []
    room = 0
    for numbered in (each for row in rows for each in row):
        slots = _LINK_SLOTS if isinstance(numbered[1], Link) else 1
        if slots > room:
            packed.append([])
            room = VK.max_buttons_in_row.value
        packed[-1].append(numbered)
        room -= slots
    return packed


def _apart(row: Numbered) -> list[Numbered]:
    pieces: list[Numbered] = []
    for numbered in row:
        full = not pieces or len(pieces[-1]) == VK.max_buttons_in_row.value
        if full or isinstance(numbered[1], Link) or isinstance(pieces[-1][-1][1], Link):
            pieces.append([])
        pieces[-1].append(numbered)
    return pieces


def _require_alike(cards: Sequence[Card]) -> None:
    """The first card's structure is that of all; vk.com/dev/bot_docs_templates."""
    if any(bool(card.picture) != bool(cards[0].picture) for card in cards):
        raise MessageRejected("VK shows a carousel where every card has a picture or none has", reason="carousel")
    counts = {len(card.buttons) for card in cards}
    if counts == {0} or len(counts) > 1:
        raise MessageRejected(
            "VK shows a carousel where every card has as many buttons as the first, and at least one", reason="carousel"
        )


def encode(values: Any) -> str:
    """JSON within a form."""
    return write_json(values).decode()
