"""What the page is told, as JSON: rich text as a tree of nodes, cards with their buttons, messages as clients see them.

The page builds its elements from these trees; no markup travels to it.
"""

import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from bot.screens import Button, Screen
from gateways.base import Outgoing, PartKind
from gateways.markup import InvalidMarkup, RichText, Span, read_html
from gateways.message import Button as MessageButton
from gateways.message import Buy, Card, Link, Reply

log = logging.getLogger(__name__)

Json = dict[str, Any]

_OPENED = frozenset({"http", "https", "mailto", "tel", "tg"})
MEDIA = "media:"


def tree(rich: RichText) -> list[Any]:
    """Nodes in order: a string, or {"tag", "nodes"} with "url" for a link. Spans that cross are cut in two."""
    return _nodes(rich.text, 0, len(rich.text), sorted(rich.spans, key=_outer_first))


def html_tree(source: str) -> list[Any]:
    """The tree of a text in our HTML subset; what can't be read is shown as it stands."""
    try:
        return tree(read_html(source))
    except InvalidMarkup:
        log.warning("a card is not in our HTML subset")
        return [source]


def card(screen: Screen, picture: str | None = None, files: Sequence[tuple[str, str]] = ()) -> Json:
    """A card of the bot; `picture` is the address of its picture, `files` are names and addresses of its files."""
    made: Json = {"text": html_tree(screen.text), "rows": [[_button(one) for one in row] for row in screen.rows]}
    if picture:
        made["picture"] = picture
    if files:
        made["files"] = [{"kind": "file", "name": name, "url": url} for name, url in files]
    if screen.live is not None:
        made["live"] = True
    return made


def message(outgoing: Outgoing) -> Json:
    """A message as a client gets it: the preview's bubble."""
    part = outgoing.part
    made: Json = {
        "kind": part.kind.value,
        "text": tree(outgoing.text),
        "media": [media_address(source) for source in part.media],
        "rows": [[message_button(one) for one in row] for row in outgoing.buttons],
    }
    if outgoing.cards:
        made["cards"] = [_message_card(card) for card in outgoing.cards]
    if part.kind is PartKind.LOCATION:
        made["location"] = [part.latitude, part.longitude]
    if part.kind is PartKind.FILE:
        made["name"] = part.name or _last_name(part.media)
    return made


def _message_card(card: Card) -> Json:
    made: Json = {"title": card.title, "text": card.text, "buttons": [message_button(one) for one in card.buttons]}
    return made | ({"picture": media_address(card.picture)} if card.picture else {})


def message_button(button: MessageButton) -> Json:
    match button:
        case Link(link=url, label=label):
            return {"label": label, "kind": "link", **opened(url)}
        case Buy(label=label, price=price):
            return {"label": label, "kind": "buy", **({"price": price} if price else {})}
        case Reply(label=label):
            return {"label": label, "kind": "message"}


def media_address(source: str) -> str | None:
    """Where the page finds a kept file; None for one that lies elsewhere, because the page calls no other host."""
    return f"/console/media/{quote(source.removeprefix(MEDIA), safe='')}" if source.startswith(MEDIA) else None


def _button(button: Button) -> Json:
    if button.url:
        return {"label": button.label, "style": button.style.value, **opened(button.url)}
    return {"label": button.label, "style": button.style.value, "token": button.token}


def opened(url: str) -> Json:
    """The address where it is one that a browser may open; javascript: and the like are none."""
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        return {}
    return {"url": url} if scheme in _OPENED else {}


def _nodes(text: str, start: int, end: int, spans: Sequence[Span]) -> list[Any]:
    nodes: list[Any] = []
    at = start
    while spans:
        span, *others = spans
        inner = [_cut(one, one.start, min(one.end, span.end)) for one in others if one.start < span.end]
        later = [_cut(one, max(one.start, span.end), one.end) for one in others if one.end > span.end]
        if span.start > at:
            nodes.append(text[at : span.start])
        node: Json = {"tag": span.tag, "nodes": _nodes(text, span.start, span.end, inner)}
        nodes.append(node | (opened(span.url) if span.tag == "a" else {}))
        at = span.end
        spans = sorted(later, key=_outer_first)
    if at < end:
        nodes.append(text[at:end])
    return nodes


def _cut(span: Span, start: int, end: int) -> Span:
    return Span(span.tag, start, end, span.url)


def _outer_first(span: Span) -> tuple[int, int]:
    return span.start, -span.end


def _last_name(media: Sequence[str]) -> str:
    return media[0].rsplit("/", 1)[-1].removeprefix(MEDIA) if media else ""
