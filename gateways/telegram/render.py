"""Our message in Telegram's words: entities, keyboards, and the parameters of each call. Pure."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from gateways.base import Outgoing
from gateways.markup import RichText, Span, utf16_length
from gateways.message import Link, Rows
from gateways.telegram.capabilities import MAX_ENTITIES

Values = dict[str, Any]

_TYPES = {
    "b": "bold",
    "i": "italic",
    "u": "underline",
    "s": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
}
_SOLID = frozenset({"code", "pre"})  # hold no other formatting; core.telegram.org/bots/api#formatting-options
_SPLIT = frozenset({"b", "i", "u", "s", "tg-spoiler"})  # what can stand in pieces around them


def chat_id(address: str) -> int | str:
    """A number where the address is one, else the @name as it is."""
    return int(address) if address.removeprefix("-").isdecimal() else address


def text_values(out: Outgoing, chat: int | str) -> Values:
    """The parameters of sendMessage."""
    if not out.text.spans and not out.buttons and not out.part.extra:
        text = out.text.text
        return {"chat_id": chat, "text": text if "\r" not in text else text.replace("\r", "")}
    text, entities = text_and_entities(out.text)
    values: Values = {"chat_id": chat, "text": text}
    if entities:
        values["entities"] = entities
    if out.part.extra.get("link_preview") is False:
        values["link_preview_options"] = {"is_disabled": True}
    return _with_rest(values, out)


def media_values(out: Outgoing, chat: int | str, parameter: str, reference: str) -> Values:
    """The parameters of sendPhoto, sendVideo or sendDocument; `reference` is a URL, a file_id or attach://."""
    return _with_rest({"chat_id": chat, parameter: reference, **caption(out.text)}, out)


def album_values(out: Outgoing, chat: int | str, references: Sequence[str]) -> Values:
    """The parameters of sendMediaGroup: the caption on the first picture stands under all of them."""
    media: list[Values] = [{"type": "photo", "media": reference} for reference in references]
    media[0] |= caption(out.text)
    values = _with_rest({"chat_id": chat, "media": media}, out)
    values.pop("reply_markup", None)
    return values


def location_values(out: Outgoing, chat: int | str) -> Values:
    return _with_rest({"chat_id": chat, "latitude": out.part.latitude, "longitude": out.part.longitude}, out)


def keyboard(rows: Rows, button_data: Sequence[str]) -> Values:
    """An inline keyboard: links open by themselves, every other button comes back to us with its data."""
    number = 0
    lines: list[list[Values]] = []
    for row in rows:
        line: list[Values] = []
        for button in row:
            if isinstance(button, Link):
                line.append({"text": button.label, "url": button.link})
            else:
                data = button_data[number] if number < len(button_data) else ""
                line.append({"text": button.label, "callback_data": data or f"-{number}"})
            number += 1
        lines.append(line)
    return {"inline_keyboard": lines}


def text_and_entities(rich: RichText) -> tuple[str, list[Values]]:
    """The text without carriage returns, which Telegram drops, and its entities in UTF-16 units, outer before inner."""
    rich = _without_returns(rich)
    spans = _merged(_around_code(rich.spans))[:MAX_ENTITIES]
    if utf16_length(rich.text) == len(rich.text):
        return rich.text, [_entity(span, span.start, span.end) for span in spans]
    wide = [place for place, letter in enumerate(rich.text) if letter > "\uffff"]  # two UTF-16 units each
    return rich.text, [
        _entity(span, span.start + bisect_left(wide, span.start), span.end + bisect_left(wide, span.end))
        for span in spans
    ]


def _entity(span: Span, start: int, end: int) -> Values:
    entity: Values = {"type": _TYPES[span.tag], "offset": start, "length": end - start}
    if span.tag == "a":
        entity["url"] = span.url
    return entity


def caption(rich: RichText) -> Values:
    """The parameters of a text that stands under media."""
    if not rich.text:
        return {}
    text, entities = text_and_entities(rich)
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def _with_rest(values: Values, out: Outgoing) -> Values:
    if out.buttons:
        values["reply_markup"] = keyboard(out.buttons, out.button_data)
    extra: Mapping[str, Any] = out.part.extra
    if extra:
        if extra.get("silent") is True:
            values["disable_notification"] = True
        if extra.get("protect") is True:
            values["protect_content"] = True
    return values


def _without_returns(rich: RichText) -> RichText:
    if "\r" not in rich.text:
        return rich
    returns = [place for place, letter in enumerate(rich.text) if letter == "\r"]
    spans = [replace(span, start=_before(returns, span.start), end=_before(returns, span.end)) for span in rich.spans]
    return RichText(rich.text.replace("\r", ""), tuple(span for span in spans if span.end > span.start))


def _before(returns: Sequence[int], place: int) -> int:
    return place - bisect_left(returns, place)


def _around_code(spans: Sequence[Span]) -> Sequence[Span]:
    """Bold and its like cut into the pieces around code, which holds no other formatting."""
    solid = sorted((span.start, span.end) for span in spans if span.tag in _SOLID)
    if not solid:
        return spans
    kept: list[Span] = []
    for span in spans:
        if span.tag not in _SPLIT:
            kept.append(span)
            continue
        at = span.start
        for start, end in solid:
            if end <= at or start >= span.end:
                continue
            if start > at:
                kept.append(Span(span.tag, at, start))
            at = end
        if at < span.end:
            kept.append(Span(span.tag, at, span.end))
    return kept


def _merged(spans: Sequence[Span]) -> Sequence[Span]:
    """In order of place, outer first; spans of one kind that touch become one, where that crosses no other span."""
    ordered = sorted(spans, key=lambda span: (span.start, -span.end))
    if len({span.tag for span in ordered}) == len(ordered):
        return ordered
    for tag in _SPLIT:
        same = [span for span in ordered if span.tag == tag]
        for before, after in pairwise(same):
            joined = Span(tag, before.start, max(before.end, after.end))
            if after.start <= before.end and not any(_cross(joined, span) for span in ordered):
                rest = [span for span in ordered if span is not before and span is not after]
                return _merged([*rest, joined])
    return ordered


def _cross(one: Span, other: Span) -> bool:
    return one.start < other.start < one.end < other.end or other.start < one.start < other.end < one.end
