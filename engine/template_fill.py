"""A template of the platform, filled by a person value by value. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateways.base import Template
from gateways.templates import FILE_HEADERS


class Place(StrEnum):
    BODY = "body"
    HEAD = "head"
    FILE = "file"  # the picture, video or document at the head
    POINT = "point"  # the place at the head
    BUTTON = "button"
    REPLY = "reply"  # what a client says by a quick reply: with words of ours it is a click, without it is a text


# Buttons that a person is asked for.
_ASKS = {"url_parameter": Place.BUTTON, "copy_code": Place.BUTTON, "quick_reply": Place.REPLY}


@dataclass(frozen=True, slots=True)
class Slot:
    """What is to be filled. `name` is the placeholder, or a button's number from 1."""

    place: Place
    name: str = ""

    def __str__(self) -> str:
        return f"{self.place.value}:{self.name}"


def slots_of(template: Template) -> tuple[Slot, ...]:
    """In the order in which a person is asked."""
    head: list[Slot] = [Slot(Place.HEAD, name) for name in template.header_parameters]
    if template.header in FILE_HEADERS:
        head = [Slot(Place.FILE)]
    elif template.header == "location":
        head = [Slot(Place.POINT)]
    body = [Slot(Place.BODY, name) for name in template.parameters]
    buttons = [Slot(_ASKS[kind], str(number)) for number, kind in enumerate(template.buttons, start=1) if kind in _ASKS]
    return (*head, *body, *buttons)


def field_of(template: Template, values: Mapping[str, Any]) -> dict[str, Any]:
    """The `template` field of a message, with the values by slot."""
    field: dict[str, Any] = {"name": template.name, "language": template.language}
    if template.parameters:
        field["parameters"] = _named(Place.BODY, template.parameters, values)
    if template.header_parameters:
        field["header"] = _named(Place.HEAD, template.header_parameters, values)
    for place in (Place.FILE, Place.POINT):
        if (head := values.get(str(Slot(place)))) is not None:
            field["header"] = head
    buttons = [_button(str(number), values) for number in range(1, len(template.buttons) + 1)]
    if any(buttons):
        field["buttons"] = buttons
    return field


def _button(number: str, values: Mapping[str, Any]) -> Any:
    said = values.get(str(Slot(Place.REPLY, number)))
    return {"message": said} if said else values.get(str(Slot(Place.BUTTON, number)), "")


def _named(place: Place, names: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    """A list where the placeholders are numbers, else a table by name."""
    given = {name: values.get(str(Slot(place, name)), "") for name in names}
    return list(given.values()) if all(map(str.isdecimal, names)) else given
