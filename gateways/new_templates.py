"""A template that is being written for a platform to approve: how its text becomes numbered, and the platform's rules.
Pure.

Both who take them here, Meta and Twilio, hand them to WhatsApp, so the rules are one:
developers.facebook.com …/whatsapp/templates, read November 2026; twilio.com/docs/content.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from gateways.base import ButtonKind, NewButton, NewTemplate
from gateways.dialects import WHATSAPP, render_marked
from gateways.markup import InvalidMarkup, read_html, utf16_length
from gateways.message import Button, Link, Reply, Rows
from gateways.templates import Problem

MAX_NAME = 512
MAX_BODY = 1024
MAX_LINE = 60  # of a header, of a footer
MAX_BUTTONS = 10
MAX_OF_KIND: Mapping[ButtonKind, int] = {ButtonKind.REPLY: 10, ButtonKind.LINK: 2, ButtonKind.CALL: 1}
MAX_LABEL = 25
MAX_LINK = 2000
MAX_EXAMPLE = 200  # ours: a sample is a word or two
CATEGORIES = ("marketing", "utility")
LANGUAGES = (
    "en",
    "en_US",
    "en_GB",
    "uk",
    "ru",
    "de",
    "fr",
    "es",
    "pl",
    "it",
    "pt_BR",
    "tr",
)  # some that people ask for

PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,4})?")  # en, pt_BR, zh_HANS …
_PHONE = re.compile(r"\+[0-9]{5,19}")  # 20 with the plus
_ADDRESS = re.compile(r"https?://[^\s{}]+(\{\{1\}\})?")
_FIELD = re.compile(r"client\.([A-Za-z_]\w*)\b.*", re.DOTALL)
_ORDER = tuple(ButtonKind)


def _(words: str) -> str:
    """Mark a sentence for translation where it stands; bot translates it where it is shown."""
    return words


def is_name(words: str) -> bool:
    return _NAME.fullmatch(words) is not None


def name_like(words: str) -> str:
    """The nearest that a name may be; "" where nothing of it can stand."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:MAX_NAME]


def is_language(words: str) -> bool:
    return _LANGUAGE.fullmatch(words) is not None


def is_phone(words: str) -> bool:
    return _PHONE.fullmatch(words) is not None


def with_body(new: NewTemplate, text: str) -> NewTemplate:
    """The template with another text, its placeholders numbered as they stand; examples go along with what they are
    for. A placeholder may name a field of the card (client.first_name) or be any word."""
    known = dict(zip(new.fields, new.examples, strict=False))
    fields: list[str] = []
    numbers = count(1)

    def numbered(found: re.Match[str]) -> str:
        field = _FIELD.fullmatch(found[1])
        number = next(numbers)
        if field is None and found[1].isdecimal() and int(found[1]) <= len(new.fields):
            fields.append(new.fields[int(found[1]) - 1])  # a text that was copied from the card
        else:
            fields.append(f"client.{field[1]}" if field else found[1])
        return f"{{{{{number}}}}}"

    body = PLACE.sub(numbered, text.strip())
    examples = tuple(known.get(field, "") if field and not field.isdecimal() else "" for field in fields)
    return replace(new, body=body, fields=tuple(fields), examples=examples)


def with_button(new: NewTemplate, button: NewButton) -> NewTemplate:
    """The template with one button more; kinds stand together, as platforms ask."""
    return replace(new, buttons=tuple(sorted((*new.buttons, button), key=lambda one: _ORDER.index(one.kind))))


def body_of(new: NewTemplate) -> str:
    """The text in WhatsApp's marks, with its placeholders. Raises InvalidMarkup."""
    return render_marked(read_html(new.body), WHATSAPP)


def filled(new: NewTemplate) -> str:
    """The body with its examples in place, in our HTML subset; a placeholder without one stays."""
    values = dict(zip(map(str, count(1)), new.examples, strict=False))
    return PLACE.sub(lambda found: _escaped(values.get(found[1], "")) or found[0], new.body)


def rows_of(new: NewTemplate) -> Rows:
    """The buttons as clients see them."""
    return tuple((_shown(one),) for one in new.buttons)


def _shown(button: NewButton) -> Button:
    if button.kind is ButtonKind.LINK:
        return Link(PLACE.sub(lambda _found: button.example, button.target), button.label)
    return Reply(button.label, button.label)


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- rules ---


def problems_of(new: NewTemplate) -> list[Problem]:
    """Why no platform would take it: empty where it may be submitted."""
    return [*_term_problems(new), *_body_problems(new), *_line_problems(new), *_button_problems(new)]


def _term_problems(new: NewTemplate) -> Iterator[Problem]:
    if not is_name(new.name):
        yield _("Its name has small Latin letters, digits and _ only."), {}
    if not is_language(new.language):
        yield _("Its language is written like en or pt_BR."), {}
    if new.category not in CATEGORIES:
        yield _("Choose whether it is marketing or utility."), {}


def _body_problems(new: NewTemplate) -> Iterator[Problem]:
    try:
        text = body_of(new)
    except InvalidMarkup:
        yield _("Its text can't be read: send it again."), {}
        return
    if not text.strip():
        yield _("It has no text yet."), {}
        return
    if (length := utf16_length(text)) > MAX_BODY:
        yield _("Its text has {length} characters; {most} is the most."), {"length": length, "most": MAX_BODY}
    bare = text.strip(" \n\t*_~`")
    if (first := PLACE.match(bare)) is not None:
        yield _("Its text begins with {place}: put a word before it."), {"place": first[0]}
    if (last := re.search(r"\{\{[^{}]*\}\}[*_~`]*$", bare)) is not None:
        yield _("Its text ends with {place}: put a word or a full stop after it."), {"place": last[0].rstrip("*_~`")}
    if (pair := re.search(r"(\{\{[^{}]*\}\})[\s*_~`]*(\{\{[^{}]*\}\})", text)) is not None:
        yield _("{one} and {other} stand side by side: put a word between them."), {"one": pair[1], "other": pair[2]}
    if "{{" in PLACE.sub("", text) or "}}" in PLACE.sub("", text):
        yield _("A pair of braces in its text is not closed."), {}
    yield from _example_problems(new)


def _example_problems(new: NewTemplate) -> Iterator[Problem]:
    for number, example in enumerate(new.examples, start=1):
        if not example.strip():
            yield _("{place} has no example: whoever approves it wants to see one."), {"place": f"{{{{{number}}}}}"}
        elif not is_example(example):
            yield _("The example of {place} is one line, with no braces."), {"place": f"{{{{{number}}}}}"}


def is_example(words: str) -> bool:
    """A value that may stand in a placeholder."""
    return bool(words.strip()) and len(words) <= MAX_EXAMPLE and not re.search(r"[\n\r\t{}]| {5,}", words)


def _line_problems(new: NewTemplate) -> Iterator[Problem]:
    if new.header and new.picture:
        yield _("It has words and a picture at its head: only one of them can stand there."), {}
    for line in (new.header, new.footer):
        yield from line_problems(line)


def line_problems(line: str) -> Iterator[Problem]:
    """Of words at the head, or of a footer."""
    if (length := utf16_length(line)) > MAX_LINE:
        yield (
            _("“{line}” has {length} characters; {most} is the most."),
            {
                "line": line,
                "length": length,
                "most": MAX_LINE,
            },
        )
    if "\n" in line or "{{" in line:
        yield _("The head and the footer are one line each, without fields."), {}


def _button_problems(new: NewTemplate) -> Iterator[Problem]:
    if len(new.buttons) > MAX_BUTTONS:
        yield _("It has {count} buttons; {most} is the most."), {"count": len(new.buttons), "most": MAX_BUTTONS}
    for kind, most in MAX_OF_KIND.items():
        if sum(one.kind is kind for one in new.buttons) > most:
            yield _TOO_MANY[kind], {"most": most}
    if len({one.label for one in new.buttons}) < len(new.buttons):
        yield _("Two of its buttons say the same."), {}
    for button in new.buttons:
        yield from button_problems(button)


_TOO_MANY: Mapping[ButtonKind, str] = {
    ButtonKind.REPLY: _("It may have {most} quick replies."),
    ButtonKind.LINK: _("It may have {most} buttons with a link."),
    ButtonKind.CALL: _("It may have {most} button that calls a phone."),
}


def button_problems(button: NewButton) -> Iterator[Problem]:
    yield from label_problems(button.label)
    if button.kind is ButtonKind.LINK:
        yield from _link_problems(button)
    elif button.kind is ButtonKind.CALL and not is_phone(button.target):
        yield _("A phone is written with + and its country, such as +447700900123."), {}


def label_problems(label: str) -> Iterator[Problem]:
    if not label.strip() or "{{" in label or "\n" in label:
        yield _("A button says a word or two, without fields."), {}
    if (length := utf16_length(label)) > MAX_LABEL:
        values = {"label": label, "length": length, "most": MAX_LABEL}
        yield _("The button “{label}” has {length} characters; {most} is the most."), values


def _link_problems(button: NewButton) -> Iterator[Problem]:
    if _ADDRESS.fullmatch(button.target) is None or len(button.target) > MAX_LINK:
        yield _("“{link}” is no address of a page: it begins with https://."), {"link": button.target[:80]}
    elif PLACE.search(button.target) and (not is_example(button.example) or " " in button.example):
        yield _("The link of “{label}” needs an example of its end."), {"label": button.label}


# --- kept ---


def plain(new: NewTemplate) -> dict[str, Any]:
    """As JSON."""
    return {
        "name": new.name,
        "language": new.language,
        "category": new.category,
        "body": new.body,
        "fields": list(new.fields),
        "examples": list(new.examples),
        "header": new.header,
        "picture": new.picture,
        "footer": new.footer,
        "buttons": [
            {"kind": one.kind.value, "label": one.label, "target": one.target, "example": one.example}
            for one in new.buttons
        ],
    }


def read_new(kept: Mapping[str, Any]) -> NewTemplate:
    """What `plain` made."""
    lists: Mapping[str, Sequence[Any]] = {name: tuple(kept[name]) for name in ("fields", "examples")}
    buttons = tuple(NewButton(**{**one, "kind": ButtonKind(one["kind"])}) for one in kept["buttons"])
    return NewTemplate(**{**kept, **lists, "buttons": buttons})
