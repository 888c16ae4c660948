"""Mailings as files and programs write them (TOML, JSON), read strictly into a Draft, and back."""

import difflib
import math
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from engine.audience import read_audience
from engine.canary import plain_canary, read_canary
from engine.errors import Invalid, _
from engine.expressions import Fields, compile_expression, has_expressions
from engine.media import PREFIX, Media, check_url, file_name
from engine.rich_texts import mark_text
from engine.schedule import CLIENT, read_start, resolve_start, zone_named
from engine.settings import ChannelSettings
from engine.short_texts import compile_fields, texts_of
from engine.template_parts import check_template
from gateways.message import Carousel, InvalidMessage, Location, Message, plain, read_message
from storage.records import Draft, OnUnknown, Routing

MAX_NAME = 200  # characters
MIN_SPEED, MAX_SPEED = 1.0, 25.0  # messages/second per channel
_MAX_BYTES = 1_000_000
_FIELDS = ("name", "routing", "channels", "speed", "start", "timezone", "on_unknown", "canary", "audience", "message")
_Choice = TypeVar("_Choice", bound=StrEnum)


def read_mailing_file(
    path: Path,
    *,
    media: Media,
    channels: Mapping[str, ChannelSettings],
    kinds: Collection[str],
    known_fields: Collection[str] | None = None,
    at: datetime | None = None,
    timezone: str = "UTC",
) -> Draft:
    """Read a mailing from a TOML file. Relative paths of pictures start at its folder.

    Raises Invalid that names the file and what is wrong in it."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise Invalid(_("{file} is too large for a mailing file."), file=path)
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise Invalid(_("{file} can't be read: {problem}."), file=path, problem=problem) from error
    return read_mailing(
        data,
        folder=path.parent,
        media=media,
        channels=channels,
        kinds=kinds,
        known_fields=known_fields,
        at=at,
        timezone=timezone,
    )


def read_mailing(
    data: Mapping[str, Any],
    *,
    folder: Path | None,
    media: Media,
    channels: Mapping[str, ChannelSettings],
    kinds: Collection[str],
    known_fields: Collection[str] | None = None,
    at: datetime | None = None,
    timezone: str = "UTC",
) -> Draft:
    """Make a draft of plain data, strictly, and keep its pictures and files.

    `folder` is where relative paths start; None for data from afar, which may name URLs and kept files only. With
    `known_fields` the fields in texts are checked too, with `at` (and the app's `timezone`) that the start is to come.
    Raises Invalid that names the field and the nearest one that is known."""
    if not isinstance(data, Mapping):
        raise Invalid(_("A mailing must be a table of fields: {known}."), known=", ".join(_FIELDS))
    try:
        fields = _jsonable(data, "")
    except RecursionError as error:
        raise Invalid(_("The mailing is too deeply nested.")) from error
    _check_names(fields, _FIELDS)
    chosen = _read_channels(fields.get("channels", []), channels)
    routing = _read_routing(fields, chosen)
    audience = _table(fields, "audience")
    read_audience(audience, known_fields)
    zone = _read_zone(fields)
    message = _read_message(fields, kinds, known_fields)
    draft = Draft(
        name=_read_name(fields),
        message=message,
        audience=audience,
        routing=routing,
        channels=chosen,
        speed=_read_speed(fields, [channels[one] for one in chosen or channels]),
        start=_read_start(fields, zone, at, timezone),
        timezone=zone,
        on_unknown=_read_choice(fields, "on_unknown", OnUnknown, OnUnknown.SKIP),
        canary=read_canary(fields.get("canary")),
    )
    return _with_kept_files(draft, fields["message"], folder, media)


def plain_draft(draft: Draft) -> dict[str, Any]:
    """The draft as plain data, which `read_mailing` reads back the same."""
    data: dict[str, Any] = {"name": draft.name, "routing": str(draft.routing)}
    if draft.channels:
        data["channels"] = list(draft.channels)
    if draft.speed is not None:
        data["speed"] = draft.speed
    data["start"] = draft.start
    if draft.timezone is not None:
        data["timezone"] = draft.timezone
    data["on_unknown"] = str(draft.on_unknown)
    if draft.canary is not None:
        data["canary"] = plain_canary(draft.canary)
    if draft.audience:
        data["audience"] = dict(draft.audience)
    return data | {"message": plain(draft.message)}


# --- field by field --------------------------------------------------------------------------------------------------


def _read_name(fields: Mapping[str, Any]) -> str:
    name = fields.get("name")
    if not isinstance(name, str) or not name.strip():
        raise Invalid(_("A mailing needs a name: name = “Spring sale”."))
    name = " ".join(name.split())
    if len(name) > MAX_NAME:
        raise Invalid(
            _("The name has {length} characters; at most {limit} are kept."), length=len(name), limit=MAX_NAME
        )
    return name


def _read_channels(value: Any, known: Mapping[str, ChannelSettings]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Invalid(_("channels must be a list of names: channels = [“tg-shop”]."))
    for one in value:
        if one not in known:
            near = _("There is no channel “{name}”; did you mean “{near}”?")
            raise _unknown(near, _("There is no channel “{name}”; there are: {known}."), one, known)
    return tuple(dict.fromkeys(value))


def _read_routing(fields: Mapping[str, Any], channels: Sequence[str]) -> Routing:
    routing = _read_choice(fields, "routing", Routing, Routing.MAIN)
    if routing is not Routing.MAIN and not channels:
        raise Invalid(_("routing “{routing}” needs channels: channels = [“tg-shop”]."), routing=routing.value)
    return routing


def _read_choice(fields: Mapping[str, Any], name: str, choices: type[_Choice], default: _Choice) -> _Choice:
    value = fields.get(name, default)
    try:
        return choices(value)
    except ValueError as error:
        known = ", ".join(choices)
        raise Invalid(_("{field} is one of {known}, not “{value}”."), field=name, known=known, value=value) from error


def _read_speed(fields: Mapping[str, Any], channels: Sequence[ChannelSettings]) -> float | None:
    speed = fields.get("speed")
    if speed is None:
        return None
    if not isinstance(speed, int | float) or isinstance(speed, bool):
        raise Invalid(_("speed must be a number of messages a second, such as 25.0."))
    most = max((channel.max_rate for channel in channels), default=MAX_SPEED)
    if not MIN_SPEED <= speed <= most:
        words = _("speed is from {least} to {most} messages a second, not {speed}.")
        raise Invalid(words, least=f"{MIN_SPEED:g}", most=f"{most:g}", speed=f"{speed:g}")
    return float(speed)


def _read_zone(fields: Mapping[str, Any]) -> str | None:
    zone = fields.get("timezone")
    if zone is None:
        return None
    if not isinstance(zone, str):
        raise Invalid(_("timezone must be a name such as “Europe/Kyiv”, or “client”."))
    if zone != CLIENT:
        zone_named(zone)
    return zone


def _read_start(fields: Mapping[str, Any], zone: str | None, at: datetime | None, timezone: str) -> str:
    start = fields.get("start", "now")
    if not isinstance(start, str):
        raise Invalid(_("start is “now”, or a date and an hour such as 2026-12-01T10:00."))
    if start.strip().lower() == "now":
        if zone == CLIENT:
            raise Invalid(_("Each client's own hour needs a date and an hour: start = “2026-12-01T10:00”."))
        return "now"
    if read_start(start).tzinfo and zone == CLIENT:
        raise Invalid(_("Each client's own hour has no fixed offset: write {example}."), example=start[:16])
    if at is not None:
        resolve_start(start, zone or timezone, at)
    return start.strip()


def _read_message(fields: Mapping[str, Any], kinds: Collection[str], known_fields: Collection[str] | None) -> Message:
    data = fields.get("message")
    if not isinstance(data, Mapping):
        raise Invalid(_("A mailing needs a message: a table with text, pictures, buttons …"))
    _check_kinds(data, kinds)
    try:
        message = read_message(data)
    except InvalidMessage as error:
        raise Invalid(_("The message can't be read: {problem}."), problem=str(error).rstrip(".")) from error
    if not message.elements and not message.only:
        raise Invalid(_("The message is empty: it needs a text, a picture, a file, a video or a location."))
    _check_texts(message, Fields(known_fields))
    return message


def _check_kinds(data: Mapping[str, Any], known: Collection[str]) -> None:
    kinds, only = data.get("for", []), data.get("only", {})
    if not isinstance(kinds, list) or not isinstance(only, Mapping) or not isinstance(data.get("elements", []), list):
        raise Invalid(_("In a message, elements and for are lists and only is a table by kind of messenger."))
    for kind in (*kinds, *only):
        if kind not in known:
            near = _("There is no kind of messenger “{name}”; did you mean “{near}”?")
            raise _unknown(near, _("There is no kind of messenger “{name}”; there are: {known}."), str(kind), known)


def _check_texts(message: Message, fields: Fields) -> None:
    for element in [*message.elements, *(one for kind in message.only for one in message.for_kind(kind))]:
        cards = element.carousel if isinstance(element, Carousel) else ()
        for rich in ("" if isinstance(element, Location) else element.text, *(card.text for card in cards)):
            compile_expression(mark_text(rich), fields)
        rows = (*element.buttons, *(card.buttons for card in cards))
        short = [text for row in rows for button in row for text in texts_of(button)]
        for text in (*short, *(card.title for card in cards)):
            if has_expressions(text):
                compile_expression(text, fields)
    for own in message.only.values():
        if "template" in own:
            check_template(own["template"])
            compile_fields(own["template"], fields, required=True)


# --- files -----------------------------------------------------------------------------------------------------------


def _with_kept_files(draft: Draft, data: Mapping[str, Any], folder: Path | None, media: Media) -> Draft:
    """The draft with every path of its message exchanged for the kept file. Raises Invalid that names the file."""
    return replace(draft, message=read_message(_Keeper(folder, media).kept(data)))


class _Keeper:
    """Goes through the plain data of a message that has been read once, so its shape is known to be right."""

    def __init__(self, folder: Path | None, media: Media) -> None:
        self._folder = folder
        self._media = media

    def kept(self, data: Mapping[str, Any]) -> dict[str, Any]:
        kept = dict(data)
        if data.get("pictures"):
            kept["pictures"] = [self._source(source, self._media.keep_picture) for source in data["pictures"]]
        for field in ("file", "video"):
            if data.get(field):
                kept[field] = self._source(data[field], self._media.keep)
        if data.get("file") and not data.get("name") and not data["file"].startswith(PREFIX):
            kept["name"] = file_name(data["file"].partition("?")[0])
        if data.get("picture"):
            kept["picture"] = self._source(data["picture"], self._media.keep_picture)
        if data.get("carousel"):
            kept["carousel"] = [self.kept(card) for card in data["carousel"]]
        if isinstance(data.get("template"), Mapping):
            kept["template"] = self._with_header(data["template"])
        if data.get("elements"):
            kept["elements"] = [self.kept(element) for element in data["elements"]]
        if data.get("only"):
            kept["only"] = {kind: self.kept(fields) for kind, fields in data["only"].items()}
        return kept

    def _with_header(self, template: Mapping[str, Any]) -> dict[str, Any]:
        """A file at the head of a template is kept: { file = … }, or its bare name where there is such a file."""
        header = template.get("header")
        if isinstance(header, Mapping) and isinstance(header.get("file"), str):
            return {**template, "header": {**header, "file": self._source(header["file"], self._media.keep)}}
        if isinstance(header, str) and self._folder is not None and _is_file(self._folder / header):
            return {**template, "header": self._media.keep(self._folder / header, header)}
        return dict(template)

    def _source(self, source: str, keep: Callable[[Path, str], str]) -> str:
        if source.startswith(PREFIX):
            self._media.path(source)
            return source
        if "://" in source:
            return check_url(source)
        if self._folder is None:
            words = _("“{source}” is no address of a file; it must start with https:// or http://.")
            raise Invalid(words, source=source[:200])
        return keep(self._folder / source, source)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that can be no name of a file
        return False


# --- plain data ------------------------------------------------------------------------------------------------------


def _table(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name, {})
    if not isinstance(value, dict):
        raise Invalid(_("{field} must be a table."), field=name)
    return value


def _check_names(fields: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in fields:
        if name not in known:
            near = _("A mailing has no field “{name}”; did you mean “{near}”?")
            raise _unknown(near, _("A mailing has no field “{name}”; it knows {known}."), name, known)


def _unknown(words_near: str, words_known: str, name: str, known: Collection[str]) -> Invalid:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return Invalid(words_near, name=name, near=near[0])
    return Invalid(words_known, name=name[:100], known=", ".join(known))


def _jsonable(value: Any, where: str) -> Any:
    """The data with TOML's dates in ISO form, as JSON has them. Raises Invalid for what JSON lacks."""
    match value:
        case Mapping():
            return {str(name): _jsonable(member, f"{where}.{name}".lstrip(".")) for name, member in value.items()}
        case list() | tuple():
            return [_jsonable(member, where) for member in value]
        case datetime() | date() | time():
            return value.isoformat()
        case float() if not math.isfinite(value):
            raise Invalid(_("{field} must be a number."), field=where)
        case str() if "\x00" in value:
            raise Invalid(_("{field} holds a character that no text can have (NUL)."), field=where)
    return value
