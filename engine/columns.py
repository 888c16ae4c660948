"""What a column of somebody's file means, by the name that it has there, in our languages."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.client_rows import KNOWN_COLUMNS
from engine.settings import ChannelSettings

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+?[\d\s().-]{9,20}")
LOOKS_LIKE_KEY = re.compile(rf"\s*(?:{EMAIL.pattern}|{PHONE.pattern}|\d{{5,}})\s*")

_KEYS = ("id", "phone", "email")
_CALLED: Mapping[str, str] = {
    name: column
    for column, names in {
        "id": "client id, customer id, external id, customer, crm id, ид, код, код клиента, номер клиента, "
        "код клієнта, номер клієнта, ід",
        "phone": "phone number, mobile, mobile phone, mobile number, cell, cell phone, tel, telephone, телефон, тел, "
        "мобильный, мобильный телефон, номер телефона, мобільний, мобільний телефон, номер телефону",
        "email": "e mail, mail, email address, e mail address, почта, эл почта, электронная почта, пошта, ел пошта, "
        "електронна пошта, емейл, имейл",
        "name": "full name, client name, фио, піб, полное имя, повне ім'я, клиент, клієнт",
        "first_name": "first name, firstname, given name, имя, ім'я",
        "last_name": "last name, lastname, surname, family name, фамилия, прізвище",
        "language": "lang, язык, мова",
        "timezone": "time zone, часовой пояс, часовий пояс",
        "tags": "tag, labels, теги, метки, мітки",
        "subscribed_to": "subscribed to, source, источник, джерело",
        "main_channel": "main channel",
    }.items()
    for name in names.split(", ")
}
_OF_KINDS = ("", "id", "chat id", "user id", "account", "address")  # what may stand behind a messenger's name


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column is: a column of client files, an attribute, or an address on one of `channels`."""

    name: str
    channels: tuple[str, ...] = ()

    @property
    def is_key(self) -> bool:
        """Whether clients are known by it."""
        return self.name in _KEYS or bool(self.channels)

    @property
    def is_importable_key(self) -> bool:
        return self.is_key and bool(self.import_as)

    @property
    def import_as(self) -> str:
        """What an import calls it; "" where it can't tell which channel is meant."""
        if not self.channels:
            return self.name
        return self.channels[0] if len(self.channels) == 1 else ""


def meaning_of(name: str, channels: Mapping[str, ChannelSettings], attributes: Collection[str] = ()) -> Meaning | None:
    """None for a name that says nothing to us."""
    if name in channels:
        return Meaning(name, (name,))
    plain = " ".join(re.sub(r"[_\-.:/#№()]+", " ", name.casefold().replace("’", "'")).split())
    column = plain.replace(" ", "_")
    if column in KNOWN_COLUMNS:
        return Meaning(column)
    if plain in _CALLED:
        return Meaning(_CALLED[plain])
    if own := next((one for one in attributes if one.casefold() == name.strip().casefold()), None):
        return Meaning(own)
    return _of_kind(plain, channels)


def meaning_named(name: str, channels: Mapping[str, ChannelSettings]) -> Meaning:
    """What somebody says that a column is: a channel, a column of client files, or an attribute."""
    return Meaning(name, (name,) if name in channels else ())


def _of_kind(plain: str, channels: Mapping[str, ChannelSettings]) -> Meaning | None:
    first, _space, rest = plain.partition(" ")
    if rest not in _OF_KINDS:
        return None
    found = tuple(
        name
        for name, one in channels.items()
        if first in (one.kind, one.able.title.casefold(), name.casefold(), *one.able.also_called)
    )
    return Meaning(channels[found[0]].kind, found) if found else None
