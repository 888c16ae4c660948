"""A preview for people at a terminal and for programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.preview import template_text
from gateways.base import Outgoing, Part, PartKind
from gateways.message import Buy, Card, Link, Reply

if TYPE_CHECKING:
    from rich.console import Console

    from engine.preview import Preview


_KEPT = "media:"
_KEPT_NAMES = {PartKind.FILE: "a file", PartKind.VIDEO: "a video"}


def preview_document(preview: "Preview") -> dict[str, Any]:
    client = preview.client
    return {
        "client": (client.external_id or client.id) if client else None,
        "channel": preview.channel,
        "parts": [_part_document(outgoing) for outgoing in preview.outgoing],
        "outside": [_part_document(outgoing) for outgoing in preview.outside],
        "is_outside": preview.is_outside,
        "losses": [str(loss) for loss in preview.losses],
    }


def print_preview(out: "Console", preview: "Preview") -> None:
    client = preview.client
    name = (client.name or client.first_name or client.external_id or f"#{client.id}") if client else "nobody"
    out.print(f"{preview.channel}, with the values of {name}:", style="dim", markup=False)
    _print_parts(out, preview.outgoing)
    if preview.outside:
        now = ", as it is now" if preview.is_outside else ""
        out.print(f"While the client's window is closed{now}:", style="dim", markup=False)
        _print_parts(out, preview.outside)
    elif preview.is_outside:
        out.print("The window of this client is closed: nothing would be sent now.", style="yellow", markup=False)
    for loss in preview.losses:
        out.print(f"Not as it was written: {loss}", style="yellow", markup=False)


def _print_parts(out: "Console", parts: Sequence[Outgoing]) -> None:
    for outgoing in parts:
        document = _part_document(outgoing)
        heading = document["kind"] + (f": {', '.join(_media_names(outgoing.part))}" if outgoing.part.media else "")
        out.rule(heading, align="left", style="dim")
        if "template" in document:
            out.print(template_text(document["template"], None), markup=False)
        if document["text"]:
            out.print(document["text"], markup=False)
        for card in document.get("cards", ()):
            out.print(f"  {card['title']}", markup=False)
            if card["text"]:
                out.print(f"  {card['text']}", markup=False)
        for row in document["buttons"]:
            out.print("  ".join(f"[ {button['label']} ]" for button in row), markup=False)


def _media_names(part: Part) -> list[str]:
    """What a person calls the part's files: a kept one is stored under a hash, which says nothing."""
    kept = part.name or _KEPT_NAMES.get(part.kind, "a picture")
    return [kept if source.startswith(_KEPT) else source for source in part.media]


def _part_document(outgoing: Outgoing) -> dict[str, Any]:
    part = outgoing.part
    document: dict[str, Any] = {
        "kind": part.kind.value,
        "text": outgoing.text.text,
        "buttons": [[_button_document(button) for button in row] for row in outgoing.buttons],
    }
    if part.media:
        document["media"] = list(part.media)
    if part.name:
        document["name"] = part.name
    if "template" in part.extra:
        document["template"] = part.extra["template"]
    if outgoing.cards:
        document["cards"] = [_card_document(card) for card in outgoing.cards]
    if part.kind is PartKind.LOCATION:
        document |= {"latitude": part.latitude, "longitude": part.longitude}
    return document


def _card_document(card: Card) -> dict[str, Any]:
    buttons = [_button_document(button) for button in card.buttons]
    return {"title": card.title, "text": card.text, "picture": card.picture, "buttons": buttons}


def _button_document(button: Link | Reply | Buy) -> dict[str, Any]:
    match button:
        case Link(link=link, label=label):
            return {"label": label, "link": link}
        case Reply(message=message, label=label):
            return {"label": label, "message": message}
        case Buy(buy=buy, label=label, price=price):
            return {"label": label, "buy": buy, "price": price}
