"""What a person should know of a message while writing it: what an SMS counts of it, and which values are missing."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from engine.check import Checker
from engine.errors import Invalid, _
from engine.expressions import has_expressions, parse_expressions
from engine.fits import Fits
from engine.personalise import Personaliser, TemplateFailed, texts_of
from engine.plan import channels_of
from engine.rich_texts import mark_text
from engine.settings import EngineSettings
from gateways.base import Counted
from gateways.message import Carousel, Element, Location, Message, plain, read_message
from storage.records import Draft
from storage.store import Store

_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
# What makes an expression more than a value: there a default may change what it says.
_DECIDES = re.compile(r"[=<>!]|\b(?:if|and|or|not|in|is)\b")
_IN_LINK = ("in_address", "as_address")
_NAMES = ("name", "first_name", "last_name")


@dataclass(frozen=True, slots=True)
class Missing:
    """`count` clients who can be reached have no value of a field that the message shows to everybody. `mendable`: a
    default can be put in."""

    field: str
    count: int
    mendable: bool


class Writing:
    """Looks, and changes nothing."""

    def __init__(self, store: Store, settings: EngineSettings, checker: Checker) -> None:
        self._store = store
        self._settings = settings
        self._checker = checker
        self._fits = Fits(store, settings)

    async def counted(self, draft: Draft) -> dict[str, tuple[Counted, ...]]:
        """By the title of each messenger that counts: what it counts of every text, for a client of the audience.

        A message that can't be made is left out; the preview says why."""
        channels = [name for name in channels_of(draft, self._settings.channels) if self._counts(name)]
        if not channels:
            return {}
        card = await self._store.clients.sample(self._checker.audience_of(draft))
        values = await self._store.clients.values_of(card.id) if card is not None else {}
        fits = await self._fits.of(draft.message, channels)
        known_fields = await self._store.clients.known_fields()
        told: dict[str, tuple[Counted, ...]] = {}
        for fit in fits.values():
            if fit.fitted is not None and fit.able.counted is not None and fit.able.title not in told:
                try:
                    made = Personaliser(fit.fitted.parts, fit.able, known_fields, links=self._links()).render(
                        values, address="", delivery_id=0, attempt=0, details={}
                    )
                except TemplateFailed:
                    continue
                told[fit.able.title] = tuple(fit.able.counted(outgoing.text) for outgoing in made)
        return told

    async def missing(self, draft: Draft) -> tuple[Missing, ...]:
        """Fields that the message shows as they are, and that some of those who can be reached have not. Raises Invalid
        where the audience can't be read."""
        bare = bare_fields(draft.message)
        known = await self._store.clients.known_fields() if bare else set()
        asked = {field: _fields_behind(field) for field in sorted(bare) if field in known}
        counts = await self._store.clients.count_unknown(self._checker.audience_of(draft), asked)
        return tuple(Missing(field, count, bare[field]) for field, count in counts.items() if count)

    def _counts(self, channel: str) -> bool:
        return self._settings.channels[channel].able.counted is not None

    def _links(self) -> Any:
        length = self._settings.link_length
        return None if length is None else lambda _delivery, _place, _index, _url: "https://".ljust(length, "x")


def _fields_behind(field: str) -> tuple[str, ...]:
    """Those of the card that a message's field is made of: who has no name is called by the first and the last one."""
    return _NAMES if field == "name" else ("tag",) if field == "tags" else (field,)


def bare_fields(message: Message) -> dict[str, bool]:
    """The client fields that some text shows without a default or a condition; whether `with_default` can help."""
    found: dict[str, bool] = {}
    for text in _texts(message):
        if "{{" in text:
            try:
                body = parse_expressions(mark_text(text)).body
            except Invalid:  # told at the preview
                continue
            for field, in_link in _bare(body, frozenset()):
                found[field] = found.get(field, False) or not in_link
    return {field: mendable and with_default(message, field, "x") != message for field, mendable in found.items()}


def with_default(message: Message, field: str, words: str) -> Message:
    """The message with a default wherever it shows the field as it is, addresses excepted. Raises Invalid for words
    that can't stand in a text."""
    words = " ".join(words.replace("'", "’").split())
    if not words or re.search(r"[{}\\]", words):
        raise Invalid(_("Type a word or two."))
    own = re.compile(rf"client\.{re.escape(field)}\b(?!\s*\|\s*d(?:efault)?\b)")

    def defaulted(found: re.Match[str]) -> str:
        if _DECIDES.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", found[0])):
            return found[0]
        return own.sub(lambda name: f"{name[0]} | default('{words}')", found[0])

    def changed(text: str) -> str:
        """Outside of tags, which hold addresses."""
        pieces, at = [], 0
        for tag in _TAG.finditer(_hidden(text)):
            pieces += [_EXPRESSION.sub(defaulted, text[at : tag.start()]), text[tag.start() : tag.end()]]
            at = tag.end()
        return "".join([*pieces, _EXPRESSION.sub(defaulted, text[at:])])

    return read_message(_over(plain(message), changed))


def _hidden(text: str) -> str:
    """The text with its expressions blanked, at the same places."""
    return _EXPRESSION.sub(lambda found: " " * len(found[0]), text)


_SHOWN = frozenset({"text", "label", "title", "message"})


def _over(value: Any, changed: Any, name: str = "") -> Any:
    match value:
        case str() if name in _SHOWN and has_expressions(value):
            return changed(value)
        case Mapping():
            # A platform's template asks by itself what stands for a missing value.
            return {key: one if key == "template" else _over(one, changed, key) for key, one in value.items()}
        case list() | tuple():
            return [_over(one, changed, name) for one in value]
    return value


def _texts(message: Message) -> Iterator[str]:
    """Everything that clients read."""
    for element in (*message.elements, *(one for kind in message.only for one in message.for_kind(kind))):
        yield from _texts_of(element)


def _texts_of(element: Element) -> Iterator[str]:
    if not isinstance(element, Location):
        yield element.text
    cards = element.carousel if isinstance(element, Carousel) else ()
    for card in cards:
        yield from (card.title, card.text)
    for row in (*element.buttons, *(card.buttons for card in cards)):
        for button in row:
            yield from texts_of(button)[:1]


def _bare(body: Iterable[nodes.Node], minded: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """Fields that are shown and not `minded` by a condition around; whether that is in an address."""
    for node in body:
        if isinstance(node, nodes.Output):
            for piece in node.nodes:
                yield from _bare_in(piece, minded, in_link=False)
        elif isinstance(node, nodes.If):
            inner = minded | set(_fields_of(node.test))
            for branch in (node.body, node.elif_, node.else_):
                yield from _bare(branch, inner)


def _bare_in(node: nodes.Node, minded: frozenset[str], *, in_link: bool) -> Iterator[tuple[str, bool]]:
    match node:
        case nodes.Getattr(node=nodes.Name(name="client"), attr=str(field)) if field not in minded:
            yield field, in_link
        case nodes.Getitem(node=nodes.Name(name="client"), arg=nodes.Const(value=str(field))) if field not in minded:
            yield field, in_link
        case nodes.Filter(name="default" | "d") | nodes.Compare() | nodes.Test() | nodes.Not() | nodes.Or():
            return
        case nodes.Filter(name=name, node=nodes.Node() as inner):
            yield from _bare_in(inner, minded, in_link=in_link or name in _IN_LINK)
        case nodes.CondExpr(test=test, expr1=one, expr2=other):
            inside = minded | set(_fields_of(test))
            for branch in (one, other):
                if branch is not None:
                    yield from _bare_in(branch, inside, in_link=in_link)
        case nodes.Getattr() | nodes.Getitem():
            return
        case _:
            for child in node.iter_child_nodes():
                yield from _bare_in(child, minded, in_link=in_link)


def _fields_of(node: nodes.Node) -> Iterator[str]:
    for one in (node, *node.find_all((nodes.Getattr, nodes.Getitem))):
        match one:
            case nodes.Getattr(node=nodes.Name(name="client"), attr=str(field)):
                yield field
            case nodes.Getitem(node=nodes.Name(name="client"), arg=nodes.Const(value=str(field))):
                yield field
