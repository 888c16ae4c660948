"""What a picture shows: the parts of a message as one messenger gets them, in neutral words. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bot.pictures.fonts import EMOJI, drawn_as
from engine.preview import template_text
from gateways.base import Outgoing, Part, PartKind, Template
from gateways.dialects import with_addresses
from gateways.looks import Look
from gateways.markup import RichText
from gateways.message import Button, Link
from gateways.templates import UnreadableTemplate, find_source, find_template, header_kind, read_template

_HEADERS = {
    "image": PartKind.PICTURE,
    "video": PartKind.VIDEO,
    "document": PartKind.FILE,
    "location": PartKind.LOCATION,
}


@dataclass(frozen=True, slots=True)
class Words:
    """What stands in a picture and is nobody's message, in the person's language."""

    video: str = "Video"
    file: str = "File"
    more: str = "The message goes on"
    link: str = "Link"
    call: str = "Call"
    code: str = "Copy the code"
    reply: str = "Reply"


@dataclass(frozen=True, slots=True)
class Note:
    """A line between messages, such as what follows while the client's window is closed."""

    text: str


@dataclass(frozen=True, slots=True)
class Scene:
    """`name` is who writes, `under` stands small below it; `clock` is the hour on the bubbles, `markup` are the
    marks that this kind of messenger shows."""

    look: Look
    markup: frozenset[str]
    name: str
    under: str
    clock: str
    parts: tuple[Outgoing | Note, ...]
    words: Words = Words()


def sources_in(scene: Scene) -> list[str]:
    """The pictures that the scene shows, each once."""
    found: dict[str, None] = {}
    for part in scene.parts:
        if isinstance(part, Outgoing):
            if part.part.kind in (PartKind.PICTURE, PartKind.ALBUM):
                found |= dict.fromkeys(part.part.media)
            found |= dict.fromkeys(card.picture for card in part.cards if card.picture)
    return list(found)


def is_plainer(scene: Scene) -> bool:
    """Whether it holds emoji that a picture shows as something else."""
    texts = [part.text.text for part in scene.parts if isinstance(part, Outgoing)]
    return any(not drawn_as(found[0]) for text in texts for found in EMOJI.finditer(text))


def shown_parts(parts: Iterable[Outgoing], templates: Sequence[Template], words: Words) -> Iterator[Outgoing]:
    """The same with templates as the messages that clients see."""
    for outgoing in parts:
        yield _of_template(outgoing, templates, words) if outgoing.part.kind is PartKind.TEMPLATE else outgoing


def as_shown(rich: RichText, markup: frozenset[str], *, links_in_words: bool) -> RichText:
    """The text as the messenger shows it: marks that it does not know are plain, an address stands after its words."""
    rich = rich if links_in_words else with_addresses(rich)
    return replace(rich, spans=tuple(span for span in rich.spans if span.tag in markup))


def _of_template(outgoing: Outgoing, templates: Sequence[Template], words: Words) -> Outgoing:
    field = outgoing.part.extra.get("template", {})
    template = find_template(templates, field)
    kind, source = PartKind.TEXT, find_source(field)
    point = (0.0, 0.0)
    try:
        wanted = read_template(field)
    except UnreadableTemplate:
        rows: tuple[tuple[Button, ...], ...] = ()
    else:
        kind = _HEADERS.get(header_kind(wanted, template), PartKind.TEXT)
        if wanted.place is not None:
            point = _number(wanted.place.get("latitude")), _number(wanted.place.get("longitude"))
        kinds = template.buttons if template is not None else ()
        count = max(len(kinds), len(wanted.buttons))
        presses = [button.press for button in wanted.buttons] + [None] * (count - len(wanted.buttons))
        names = [*kinds, *[""] * (count - len(kinds))]
        rows = tuple((press or Link("", _named(name, words)),) for press, name in zip(presses, names, strict=True))
    media = (source,) if source and kind in (PartKind.PICTURE, PartKind.VIDEO, PartKind.FILE) else ()
    part = Part(kind, media=media, latitude=point[0], longitude=point[1])
    return replace(outgoing, part=part, text=RichText(template_text(field, template)), buttons=rows)


def _named(kind: str, words: Words) -> str:
    """A button of a template, whose label nobody tells us."""
    if kind in ("phone", "phone_number", "voice_call"):
        return words.call
    if kind == "copy_code":
        return words.code
    return words.reply if kind in ("quick_reply", "reply", "") else words.link


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
