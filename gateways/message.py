"""What is said, neutral of any messenger: elements in order, each with rows of buttons.

The one form of a message in files, in storage and in memory: `read_message` makes it from plain data, `plain` turns it
back, `content_hash` names it. Texts are templates in our HTML subset (see `gateways.markup`) with Jinja expressions.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

_STRICT = ConfigDict(extra="forbid", str_strip_whitespace=False)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Link:
    """A button that opens a URL."""

    link: str
    label: str


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Reply:
    """A button that says `message` to us in the client's name."""

    message: str
    label: str


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Buy:
    """A button that opens an order of one item; `price` is an amount and a currency, such as "19.90 EUR"."""

    buy: str
    label: str
    price: str | None = None


Button = Link | Reply | Buy
Rows = tuple[tuple[Button, ...], ...]


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Text:
    text: str
    buttons: Rows = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Pictures:
    """One picture or an album. A source is an http(s) URL, or `media:NAME` for a file kept in data_dir/media."""

    pictures: tuple[str, ...]
    text: str = ""
    buttons: Rows = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class File:
    file: str
    name: str | None = None
    text: str = ""
    buttons: Rows = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Video:
    video: str
    text: str = ""
    buttons: Rows = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Point:
    latitude: float
    longitude: float


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Location:
    location: Point
    buttons: Rows = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Card:
    """One card of a carousel; `picture` is a source as in Pictures."""

    title: str
    text: str = ""
    picture: str | None = None
    buttons: tuple[Button, ...] = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Carousel:
    carousel: tuple[Card, ...]
    text: str = ""  # stands before the cards
    buttons: Rows = ()


Element = Text | Pictures | File | Video | Location | Carousel


@dataclass(frozen=True, slots=True)
class Message:
    """`kinds` are the messenger kinds it exists for (empty: all). `only` holds what differs on one kind: other
    elements, fields of the short form that take the place of the common ones, and fields that this kind's gateway
    knows, such as a WhatsApp template. docs/decisions/one-message.md tells how they come together."""

    elements: tuple[Element, ...] = ()
    kinds: frozenset[str] = frozenset()
    only: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def for_kind(self, kind: str) -> tuple[Element, ...]:
        """The elements that a client on this kind of messenger gets."""
        return _elements_for(self.elements, self.only.get(kind, {}))


class InvalidMessage(ValueError):
    """The plain data is no message; the words say where and why, for the person who wrote it."""


def for_all(message: Message) -> Message:
    """The same message for every kind of messenger; what differs on single kinds stays."""
    return replace(message, kinds=frozenset())


def only_for(message: Message, *kinds: str) -> Message:
    """The same message for these kinds of messenger alone; `for_all` undoes it."""
    return replace(message, kinds=frozenset(kinds))


_ELEMENT: TypeAdapter[Element] = TypeAdapter(Element)
_SHAPES: Mapping[str, TypeAdapter[Any]] = {
    "text": TypeAdapter(Text),
    "pictures": TypeAdapter(Pictures),
    "file": TypeAdapter(File),
    "video": TypeAdapter(Video),
    "location": TypeAdapter(Location),
    "carousel": TypeAdapter(Carousel),
}
_MEDIA = ("pictures", "file", "name", "video", "location", "carousel")
_SHORT_FORM = ("text", *_MEDIA, "buttons")
ELEMENT_FIELDS = frozenset({*_SHORT_FORM, "elements"})  # what in `only.<kind>` is not the kind's own


def read_message(data: Mapping[str, Any]) -> Message:
    """Make a message from plain data: the long form (`elements`), or the short form of one element.

    Raises InvalidMessage that names the element and the field."""
    _require_storable(data)
    rest = {key: value for key, value in data.items() if key not in (*_SHORT_FORM, "elements", "for", "only")}
    if rest:
        raise InvalidMessage(f"a message has no field “{next(iter(rest))}”; it knows {_listed(_KNOWN_FIELDS)}")
    short = _short_form_in(data)
    if short and data.get("elements"):
        raise InvalidMessage("a message is written either in short (text, pictures, buttons) or as elements, not both")
    sources = _list_of(data, "elements", Mapping) or ([short] if short else [])
    elements = tuple(_read_element(source, number) for number, source in enumerate(sources, start=1))
    kinds = frozenset(_list_of(data, "for", str))
    return Message(elements=elements, kinds=kinds, only=_read_only(data.get("only") or {}, elements))


_BROKEN = re.compile("[\0\ud800-\udfff]")
_KNOWN_FIELDS = ("text", "pictures", "file", "video", "location", "carousel", "buttons", "elements", "for", "only")


def plain(message: Message) -> dict[str, Any]:
    """The message as plain data in its long form, which `read_message` reads back unchanged."""
    data: dict[str, Any] = {"elements": [_plain_element(element) for element in message.elements]}
    if message.kinds:
        data["for"] = sorted(message.kinds)
    if message.only:
        data["only"] = {kind: dict(fields) for kind, fields in sorted(message.only.items())}
    return data


def _plain_element(element: Element) -> dict[str, Any]:
    data: dict[str, Any] = _ELEMENT.dump_python(element, mode="json")
    return {name: value for name, value in data.items() if value is not None}


def content_hash(message: Message) -> str:
    """A name for exactly this content: two messages have the same one only if every field is the same."""
    canonical = json.dumps(plain(message), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def sources_of(message: Message) -> list[str]:
    """Every picture, file and video source of the message, in order, those of single kinds included."""
    elements = [*message.elements, *(element for kind in message.only for element in message.for_kind(kind))]
    sources: list[str] = []
    for element in elements:
        match element:
            case Pictures(pictures=pictures):
                sources.extend(pictures)
            case File(file=source) | Video(video=source):
                sources.append(source)
            case Carousel(carousel=cards):
                sources.extend(card.picture for card in cards if card.picture)
    templates = [fields["template"] for fields in message.only.values() if isinstance(fields.get("template"), Mapping)]
    for header in (template.get("header") for template in templates):
        if isinstance(header, Mapping) and isinstance(header.get("file"), str):
            sources.append(header["file"])
        elif isinstance(header, str) and header.startswith(("media:", "https://", "http://")):
            sources.append(header)
    return list(dict.fromkeys(sources))


def _short_form_in(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in _SHORT_FORM if data.get(name) not in (None, "", [], ())}


def _elements_for(common: tuple[Element, ...], other: Mapping[str, Any]) -> tuple[Element, ...]:
    """What of the common elements stays beside the differences of one kind. Raises InvalidMessage."""
    if other.get("elements"):
        own = _short_form_in(other) | {"elements": other["elements"]}
        return read_message(own).elements
    given = {name: other[name] for name in _SHORT_FORM if name in other}
    if not given:
        return common
    if len(common) == 1:
        kept = _plain_element(common[0])
        if any(given.get(name) for name in _MEDIA if name != "name"):
            kept = {name: value for name, value in kept.items() if name not in _MEDIA}
        given = kept | given
    short = _short_form_in(given)
    if short.keys() == {"buttons"}:
        short["text"] = ""
    return read_message({"elements": [short] if short else []}).elements


def _list_of(data: Mapping[str, Any], name: str, wanted: type) -> Sequence[Any]:
    values = data.get(name) or ()
    if not isinstance(values, list | tuple | frozenset | set) or not all(isinstance(value, wanted) for value in values):
        what = "messenger kinds, such as [“telegram”]" if wanted is str else "tables, such as { text = “…” }"
        raise InvalidMessage(f"“{name}” must be a list of {what}")
    return tuple(values)


def _require_storable(value: Any) -> None:
    """What no database keeps is refused here, where a person can still mend it."""
    if isinstance(value, str):
        if _BROKEN.search(value):
            raise InvalidMessage("a text holds a broken character; write it anew")
    elif isinstance(value, float):
        if not isfinite(value):
            raise InvalidMessage("a number is not finite")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _require_storable(name)
            _require_storable(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _require_storable(inner)


def _read_only(data: Any, common: tuple[Element, ...]) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(data, Mapping):
        raise InvalidMessage("“only” must be a table of messenger kinds")
    for kind, fields in data.items():
        if not isinstance(fields, Mapping):
            raise InvalidMessage(f"only.{kind} must be a table of fields")
        try:
            _elements_for(common, fields)
        except InvalidMessage as error:
            raise InvalidMessage(f"only.{kind}: {error}") from error
    return {kind: dict(fields) for kind, fields in data.items()}


def _read_element(data: Mapping[str, Any], number: int) -> Element:
    if not isinstance(data, Mapping):
        raise InvalidMessage(f"element {number} must be a table such as {{ text = “…” }}")
    # A text beside a picture, file or video is its caption, so text decides last.
    shape = next((name for name in ("carousel", "pictures", "file", "video", "location", "text") if name in data), None)
    if shape is None:
        raise InvalidMessage(f"element {number} needs one of {_listed(tuple(_SHAPES))}")
    try:
        element: Element = _SHAPES[shape].validate_python(data)
    except ValidationError as error:
        raise InvalidMessage(f"element {number}: {_first_problem(error)}") from error
    if not data[shape] and shape in ("pictures", "carousel"):
        raise InvalidMessage(f"element {number}: {shape} is empty")
    return element


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(place) for place in problem["loc"] if place not in ("Link", "Reply", "Buy"))
    if where.startswith("buttons."):
        return f"{where}: a button is {{ link, label }}, {{ message, label }} or {{ buy, price, label }}"
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"it has no field “{where}”"
    return f"{where}: {problem['msg']}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
