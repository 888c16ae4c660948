"""A message that the platform approved beforehand: what the `template` field of a message says, whether that fits what
the platform knows, and the values as Meta's kinds take them. Pure.

    template = { name = "spring_sale", language = "en", parameters = ["{{ client.first_name }}", "30%"],
                 header = "media:sale.jpg", buttons = ["abc?m=7", { message = "Stop promotions" }] }

`parameters` fill the body's placeholders in order, or by name where it is a table. `header` fills those of a text
header in the same way; of a picture, video or document it is the source (or { file, name }), of a location
{ latitude, longitude, name, address }. `buttons` has an entry for each button of the template, in order: the end of
its URL, the code to copy, { message } or { buy, price } for a quick reply that comes back to us, "" for nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.base import Template
from gateways.message import Buy, Reply, Rows

Json = dict[str, Any]
Problem = tuple[str, Mapping[str, object]]  # a gettext message id with {names}, and what fills them

FILE_HEADERS = ("image", "video", "document")
MAX_PAYLOAD = 256  # of a quick reply; developers.facebook.com …/whatsapp/templates, read Nov 2026
_FIELDS = ("name", "language", "parameters", "header", "buttons", "sid")  # sid: Twilio's, in place of name and language
_TAKES_VALUE = {"url_parameter": "url", "copy_code": "copy_code"}  # kind of button, and of the value that it needs
_VIDEOS = (".mp4", ".3gp")
_PICTURES = (".jpg", ".jpeg", ".png")


_NUMBER = re.compile("[0-9]{1,4}").fullmatch


def _(words: str) -> str:
    """Mark a sentence for translation where it stands; bot translates it where it is shown."""
    return words


class UnreadableTemplate(ValueError):
    """The field is no template; `words` is a gettext message id, `values` fill it."""

    def __init__(self, words: str, **values: object) -> None:
        super().__init__(words.format(**values) if values else words)
        self.words = words
        self.values = values


@dataclass(frozen=True, slots=True)
class TemplateButton:
    """What one button of the template is given. `kind`: "" nothing, "value" the end of a URL or a code (whichever the
    template's button takes), "press" a quick reply that comes back to us."""

    kind: str = ""
    value: str = ""
    press: Reply | Buy | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The field, read. Values in order are named "1", "2" … `header_values` are those of a text header."""

    name: str
    language: str
    parameters: Mapping[str, Any]
    header_values: Mapping[str, Any]
    header_source: str = ""
    header_name: str | None = None
    place: Mapping[str, Any] | None = None
    buttons: tuple[TemplateButton, ...] = ()


def read_template(field: object) -> Wanted:
    """Read the `template` field of a message, rendered or not. Raises UnreadableTemplate."""
    if not isinstance(field, Mapping):
        raise UnreadableTemplate(_("A template is a table of name, language and parameters."))
    for key in field:
        if key not in _FIELDS:
            raise UnreadableTemplate(
                _("A template has no field “{field}”; it knows {known}."), field=key, known=", ".join(_FIELDS)
            )
    by_sid = isinstance(field.get("sid"), str)
    name, language = (field.get(key, "" if by_sid else None) for key in ("name", "language"))
    if not by_sid and not (isinstance(name, str) and name.strip() and isinstance(language, str) and language.strip()):
        raise UnreadableTemplate(_("A template needs its name and its language."))
    buttons = field.get("buttons") or ()
    if not isinstance(buttons, list | tuple):
        raise UnreadableTemplate(_("The buttons of a template are a list, one entry for each button."))
    header = _read_header(field.get("header"))
    return Wanted(
        name=str(name).strip(),
        language=str(language).strip(),
        parameters=_read_values(field.get("parameters")),
        buttons=tuple(_read_button(button) for button in buttons),
        **header,
    )


def rows_of(field: object) -> Rows:
    """The buttons of the template that come back to us when they are pressed, as one row; they give `button_data`
    their numbers. Raises UnreadableTemplate."""
    presses = tuple(button.press for button in read_template(field).buttons if button.press is not None)
    return (presses,) if presses else ()


def find_source(field: object) -> str | None:
    """The file that the header shows, if there is one."""
    header = field.get("header") if isinstance(field, Mapping) else None
    source = header.get("file") if isinstance(header, Mapping) else header
    return source if isinstance(source, str) and _is_source(source) else None


def problems_of(field: object, template: Template | None) -> list[Problem]:
    """Why this template can't be sent so: empty where it can. `template` is what the platform knows under that name and
    language, None where it knows none."""
    try:
        wanted = read_template(field)
    except UnreadableTemplate as error:
        return [(error.words, error.values)]
    if template is None:
        words = _("There is no template “{name}” in the language “{language}”.")
        return [(words, {"name": wanted.name, "language": wanted.language})]
    return [
        *_status_problems(template),
        *_value_problems(_IN_TEXT, template.name, wanted.parameters, template.parameters),
        *_header_problems(wanted, template),
        *_button_problems(wanted, template),
    ]


def find_template(templates: Sequence[Template], field: object) -> Template | None:
    """The one of these that the field names; of several, one that may be sent."""
    if not isinstance(field, Mapping):
        return None
    if sid := field.get("sid"):
        return next((one for one in templates if one.external_id == sid), None)
    named = [one for one in templates if (one.name, one.language) == (field.get("name"), field.get("language"))]
    return next((one for one in named if one.status == "approved"), named[0] if named else None)


def header_kind(wanted: Wanted, template: Template | None) -> str:
    """What the header is given: "", "text", "image", "video", "document" or "location". Where the platform's own word
    is not known, the ending of the file tells."""
    if template is not None and template.header:
        return template.header
    if wanted.place is not None:
        return "location"
    if not wanted.header_source:
        return "text" if wanted.header_values else ""
    path = wanted.header_source.lower().partition("?")[0]
    if path.endswith(_PICTURES):
        return "image"
    return "video" if path.endswith(_VIDEOS) else "document"


def components(
    wanted: Wanted, template: Template | None, button_data: Sequence[str], header_file: Mapping[str, Any] | None = None
) -> list[Json]:
    """The values as Meta takes them, parts without values left out; developers.facebook.com …/templates, Nov 2026.

    `header_file` is {"id": …} or {"link": …} of the header's file. Raises ValueError for an empty value."""
    made: list[Json] = []
    if header := _header_parameters(wanted, header_kind(wanted, template), header_file):
        made.append({"type": "header", "parameters": header})
    if body := _text_parameters(wanted.parameters):
        made.append({"type": "body", "parameters": body})
    data = iter(button_data)
    for index, button in enumerate(wanted.buttons):
        kind = template.buttons[index] if template is not None and index < len(template.buttons) else ""
        if button.kind == "press":
            payload = next(data, "") or (button.press.message if isinstance(button.press, Reply) else "")
            parameter = {"type": "payload", "payload": _filled(payload)[:MAX_PAYLOAD]}
            made.append(_button(index, "quick_reply", parameter))
        elif button.kind == "value" and kind == "copy_code":
            made.append(_button(index, "copy_code", {"type": "coupon_code", "coupon_code": _filled(button.value)}))
        elif button.kind == "value":
            made.append(_button(index, "url", {"type": "text", "text": _filled(button.value)}))
    return made


# --- reading ---


def _read_values(values: object) -> Mapping[str, Any]:
    if values is None:
        return {}
    if isinstance(values, list | tuple):
        values = {str(number): value for number, value in enumerate(values, start=1)}
    if not isinstance(values, Mapping) or not all(map(_is_value, values.values())):
        raise UnreadableTemplate(_("The values of a template are a list, or a table by name."))
    named = {str(name): value for name, value in values.items()}
    # Values in order are sent in order, however the table lists them.
    return dict(sorted(named.items(), key=lambda item: int(item[0]))) if all(map(_NUMBER, named)) else named


def _is_value(value: object) -> bool:
    """A text, a number, or a whole parameter such as { type = "currency", … }."""
    if isinstance(value, Mapping):
        return isinstance(value.get("type"), str)
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _read_header(header: object) -> dict[str, Any]:
    if header is None or header == "":
        return {"header_values": {}}
    if isinstance(header, Mapping) and "latitude" in header:
        return {"header_values": {}, "place": dict(header)}
    if isinstance(header, Mapping) and "file" in header:
        name = header.get("name")
        return {"header_values": {}, "header_source": str(header["file"]), "header_name": str(name) if name else None}
    if isinstance(header, str) and _is_source(header):
        return {"header_values": {}, "header_source": header}
    return {"header_values": _read_values([header] if isinstance(header, str | int | float) else header)}


def _is_source(value: str) -> bool:
    return value.startswith(("media:", "https://", "http://"))


def _read_button(entry: object) -> TemplateButton:
    match entry:
        case None | "" | False:
            return TemplateButton()
        case str() | int() | float():
            return TemplateButton("value", str(entry))
        case {"message": str(message), **rest} if not set(rest) - {"label"}:
            return TemplateButton("press", press=Reply(message, str(rest.get("label") or message)))
        case {"buy": str(sku), **rest} if not set(rest) - {"label", "price"}:
            price = rest.get("price")
            return TemplateButton("press", press=Buy(sku, str(rest.get("label") or sku), str(price) if price else None))
    raise UnreadableTemplate(
        _("A button of a template is given the end of its link, a code, a message, a purchase or nothing.")
    )


# --- checking ---


def _status_problems(template: Template) -> Iterator[Problem]:
    if template.status != "approved":
        values = {"name": template.name, "status": template.status, "reason": template.reason}
        if template.reason:
            yield _("The template “{name}” can't be sent: it is {status} ({reason})."), values
        else:
            yield _("The template “{name}” can't be sent: it is {status}."), values


_IN_TEXT = (
    _("The text of the template “{name}” takes {takes} values; the message gives {gives}."),
    _("The text of the template “{name}” takes these values: {takes}; the message gives: {gives}."),
)
_IN_HEAD = (
    _("The head of the template “{name}” takes {takes} values; the message gives {gives}."),
    _("The head of the template “{name}” takes these values: {takes}; the message gives: {gives}."),
)


def _value_problems(
    words: tuple[str, str], name: str, given: Mapping[str, Any], wanted: Sequence[str]
) -> Iterator[Problem]:
    """`words` are for values in order and for values by name."""
    in_order, by_name = words
    if set(given) != set(wanted) and all(map(_NUMBER, (*wanted, *given))):
        yield in_order, {"name": name, "takes": len(wanted), "gives": len(given)}
    elif set(given) != set(wanted):
        takes, gives = (", ".join(names) or "—" for names in (wanted, given))
        yield by_name, {"name": name, "takes": takes, "gives": gives}
    for one, value in given.items():
        if one in wanted and isinstance(value, str) and not value.strip():
            yield _("A value of the template “{name}” is empty: {value}."), {"name": name, "value": one}


def _header_problems(wanted: Wanted, template: Template) -> Iterator[Problem]:
    values = {"name": template.name}
    has = bool(wanted.header_source or wanted.place)
    if template.header in FILE_HEADERS:
        if not wanted.header_source:
            yield _("The template “{name}” shows a file at its head: header must name it."), values
    elif template.header == "location":
        if wanted.place is None:
            words = _("The template “{name}” shows a place at its head: header must hold latitude and longitude.")
            yield words, values
    elif has:
        yield _("The template “{name}” shows no file and no place at its head."), values
    else:
        yield from _value_problems(_IN_HEAD, template.name, wanted.header_values, template.header_parameters)


def _button_problems(wanted: Wanted, template: Template) -> Iterator[Problem]:
    values = {"name": template.name}
    if len(wanted.buttons) > len(template.buttons):
        words = _("The template “{name}” has {has} buttons; the message gives values for {gives}.")
        yield words, {**values, "has": len(template.buttons), "gives": len(wanted.buttons)}
    for index, kind in enumerate(template.buttons):
        button = wanted.buttons[index] if index < len(wanted.buttons) else TemplateButton()
        numbered = {**values, "number": index + 1}
        if kind in _TAKES_VALUE:
            if button.kind != "value" or not button.value.strip():
                yield _("Button {number} of the template “{name}” needs a value."), numbered
        elif button.kind == "value" or (button.kind == "press" and kind != "quick_reply"):
            yield _("Button {number} of the template “{name}” takes no such value."), numbered


# --- rendering ---


def _header_parameters(wanted: Wanted, kind: str, file: Mapping[str, Any] | None) -> list[Json]:
    if kind in FILE_HEADERS and file is not None:
        named = {"filename": wanted.header_name} if kind == "document" and wanted.header_name else {}
        return [{"type": kind, kind: {**file, **named}}]
    if kind == "location" and wanted.place is not None:
        return [{"type": "location", "location": {name: str(value) for name, value in wanted.place.items()}}]
    return _text_parameters(wanted.header_values)


def _text_parameters(values: Mapping[str, Any]) -> list[Json]:
    return [_text_parameter(name, value) for name, value in values.items()]


def _text_parameter(name: str, value: Any) -> Json:
    parameter = dict(value) if isinstance(value, Mapping) else {"type": "text", "text": _filled(value)}
    return parameter if name.isdigit() else {**parameter, "parameter_name": name}


_BROKEN_LINE = re.compile(r"[\r\n\t\v\f\x85\u2028\u2029]+| {5,}")


def _filled(value: object) -> str:
    """One line: a value with line breaks, tabs or more than four spaces in a row is refused (132012, 132018)."""
    line = _BROKEN_LINE.sub(" ", str(value)).strip()
    if not line:
        raise ValueError("a value of the template is empty")
    return line


def _button(index: int, sub_type: str, parameter: Json) -> Json:
    return {"type": "button", "sub_type": sub_type, "index": str(index), "parameters": [parameter]}
