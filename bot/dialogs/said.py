"""What somebody sent, as elements of a message; and the name and the buttons that words can mean."""

import html
import re
from dataclasses import replace
from datetime import datetime

from bot.screens import Attachment, Said
from bot.texts import _
from engine.errors import Invalid
from engine.prices import read_price
from gateways.base import PartKind
from gateways.markup import InvalidMarkup, read_html
from gateways.message import Button, Buy, Element, File, Link, Location, Message, Pictures, Reply, Rows, Text, Video

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_DASH = re.compile(r"\s+[-–—]\s+|\s*(?:=>|→)\s*")
_BARE_LINK = re.compile(r"(?:https?://|tg://)\S+", re.IGNORECASE)
_DOMAIN = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?:/\S*)?", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?…]+(?:\s+|$)|\n+")
_LEFT_GAP = re.compile(r"[ ,]*\0(?=\s*[,.:;!?…])")  # "Hello \0," without the name that stood there
_NAME_LENGTH = 40  # characters: a name must fit a button and a line of a list
MAX_LABEL = 64  # characters; each kind's own limit is checked when the message is fitted


def elements_of(said: Said) -> tuple[Element, ...]:
    """The elements that say the same, in order. Raises Invalid where nothing of it can be sent on."""
    if said.problem:
        raise Invalid(said.problem)
    pictures = tuple(one.source for one in said.attachments if one.kind is PartKind.PICTURE)
    others = [one for one in said.attachments if one.kind is not PartKind.PICTURE]
    text = as_template(said.text)
    elements: list[Element] = [Pictures(pictures, text)] if pictures else []
    for attachment in others:
        elements.append(_file(attachment, "" if elements else text))
    if not elements and text.strip():
        elements.append(Text(text))
    if said.location is not None:
        elements.append(Location(said.location))
    if not elements:
        raise _nothing(said)
    if said.buttons:
        elements[-1] = replace(elements[-1], buttons=said.buttons)
    return tuple(elements)


def as_template(text: str) -> str:
    """The text with expressions as a person meant them: what a messenger or an escape put inside them is taken out."""
    return _EXPRESSION.sub(lambda found: html.unescape(_TAG.sub("", found[0])), text)


def message_from(said: Said) -> Message:
    return Message(elements=elements_of(said))


def name_for(message: Message, at: datetime) -> str:
    """A name from the first words of the message, else from the day."""
    for element in message.elements:
        words = _first_words(getattr(element, "text", ""))
        if words:
            return words
    return f"{at:%Y-%m-%d %H:%M}"


def read_buttons(words: str) -> Rows:
    """Rows of buttons as they were typed: a row a line, "|" between buttons of one row, "Label - https://…" for a link,
    "Label - words" for words that the client says, "Label - item - 19.90 EUR" for an order. Raises Invalid that names
    the line."""
    rows = [tuple(read_button(one) for one in line.split(" | ")) for line in words.splitlines() if line.strip()]
    if not rows:
        raise Invalid(_("Type a button as: Label - https://…"))
    return tuple(rows)


def read_button(words: str) -> Button:
    label, target = _split(words.strip())
    if not label:
        raise Invalid(_("“{words}” has no label: type Label - https://…"), words=_cut(words))
    if len(label) > MAX_LABEL:
        raise Invalid(_("The label “{words}” is too long: {most} signs at most."), words=_cut(label), most=MAX_LABEL)
    if _is_link(target):
        return Link(link_of(target), label)
    if not target:
        raise Invalid(
            _("“{words}” has no address: type Label - https://… or Label - what the client says."), words=_cut(words)
        )
    item, price = _split(target)
    if read_price(price) is not None:
        return Buy(item, label, price)
    return Reply(target, label)


def link_of(words: str) -> str:
    """The address that was typed, with https:// where it was left out. Raises Invalid."""
    words = words.strip()
    if _BARE_LINK.fullmatch(words):
        return words
    if _DOMAIN.fullmatch(words):
        return f"https://{words}"
    raise Invalid(_("“{words}” is no address of a page: it should begin with https://"), words=_cut(words))


def with_buttons(message: Message, rows: Rows) -> Message:
    """The message with these buttons under its last element."""
    if not message.elements:
        return message
    last = replace(message.elements[-1], buttons=rows)
    return replace(message, elements=(*message.elements[:-1], last))


def buttons_of(message: Message) -> Rows:
    return message.elements[-1].buttons if message.elements else ()


def _file(attachment: Attachment, text: str) -> Element:
    if attachment.kind is PartKind.VIDEO:
        return Video(attachment.source, text)
    return File(attachment.source, attachment.name, text)


def _nothing(said: Said) -> Invalid:
    if said.unusable:
        return Invalid(
            _("A {what} can't be sent on to clients. Send a text, a picture, an album, a file, a video or a location."),
            what=said.unusable,
        )
    return Invalid(_("There is nothing in it. Send a text, a picture, an album, a file, a video or a location."))


def _first_words(text: str) -> str:
    """The first sentence that says something to everybody: one that greets by a client's own name does not."""
    marked = _EXPRESSION.sub("\0", text)
    try:
        marked = read_html(marked).text
    except InvalidMarkup:
        marked = _TAG.sub("", marked)
    sentences = [words for words in (" ".join(one.split()) for one in _SENTENCE.split(marked)) if words]
    best = next((words for words in sentences if "\0" not in words and " " in words), "")
    best = _LEFT_GAP.sub("", best or next(iter(sentences), ""))
    best = " ".join(best.replace("\0", "").split()).strip(" ,.:;-–—")
    return best if len(best) <= _NAME_LENGTH else best[:_NAME_LENGTH].rsplit(" ", 1)[0].rstrip(" ,") + "…"


def _split(words: str) -> tuple[str, str]:
    pieces = _DASH.split(words, maxsplit=1)
    if len(pieces) == 2:
        return pieces[0].strip(), pieces[1].strip()
    found = _BARE_LINK.search(words)
    if found:
        return words[: found.start()].strip(" -–—:"), found[0]
    return words, ""


def _is_link(target: str) -> bool:
    return bool(_BARE_LINK.fullmatch(target) or _DOMAIN.fullmatch(target))


def _cut(words: str) -> str:
    words = words.strip()
    return words if len(words) <= 60 else words[:59] + "…"
