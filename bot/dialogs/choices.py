"""What a condition can be made of: the fields that cards have, how each can be compared, and the values to press."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.dialogs.talk import Talk, chosen, digest
from bot.texts import _
from engine.audience import field_words
from engine.errors import NotFound
from gateways.base import AddressStatus
from storage.fields import INSTANTS, TEXTS

LANGUAGES = ("en", "uk", "ru", "es", "de", "pl")
MOST_VALUES = 200  # that are offered to be paged through; a search looks among all
_KEPT_VALUES = 100  # of the buttons that a chat shows

_FIRST = ("tag", "language", "channel", "last_seen", "created_at", "last_wrote", "subscribed_to", "connection")
_LATER = ("main_channel", "timezone", "name", "first_name", "last_name", "phone", "email", "id")
_CLOSED: Final = ("tag", "channel", "main_channel", "connection", "subscribed_to")  # nothing else can be asked for

_SET = ("is", "is_not", "contains", "known", "unknown")
_TIME = ("within_days", "not_within_days", "lt", "gte", "between", "is", "known", "unknown")
_NUMBER = ("gte", "lte", "between", "is", "is_not", "known", "unknown")
_COMPARISONS: Mapping[str, Sequence[str]] = {
    "channel": ("is", "is_not", "known", "unknown"),
    "main_channel": ("is", "is_not", "known", "unknown"),
    "connection": ("is", "is_not"),
    "number": _NUMBER,
    "date": _TIME,
    "time": _TIME,
    "text": _SET,
    "unknown": ("is", "is_not", "contains", "gte", "lte", "known", "unknown"),
}
WORDS: Mapping[str, str] = {
    "is": _("is"),
    "is_not": _("is not"),
    "contains": _("contains"),
    "gt": _("over"),
    "gte": _("at least"),
    "lt": _("under"),
    "lte": _("at most"),
    "between": _("from … to …"),
    "known": _("is known"),
    "unknown": _("is not known"),
    "within_days": _("within days"),
    "not_within_days": _("not within days"),
}
_WORDS_OF_TIMES: Mapping[str, str] = {
    "within_days": _("in the last days"),
    "not_within_days": _("not in the last days"),
    "lt": _("before"),
    "gte": _("since"),
    "is": _("on a day"),
}
_CONNECTIONS = {
    AddressStatus.ENABLED.value: _("connected"),
    AddressStatus.UNSUBSCRIBED.value: _("unsubscribed"),
    AddressStatus.BLOCKED.value: _("blocked us"),
    AddressStatus.GONE.value: _("gone from the messenger"),
    "none": _("no address"),
}
_SPANS = (1, 7, 30, 90, 180, 365)  # days


@dataclass(frozen=True, slots=True)
class Field:
    """A field of cards: what it is called in this language, and what can be asked of it."""

    name: str
    label: str
    kind: str

    @property
    def comparisons(self) -> Sequence[str]:
        return _COMPARISONS.get(self.name) or _COMPARISONS[self.kind]

    @property
    def is_time(self) -> bool:
        return self.kind in ("date", "time")

    @property
    def is_closed(self) -> bool:
        """Whether only what is offered can be asked for."""
        return self.name in _CLOSED

    def word(self, comparison: str) -> str:
        return (self.is_time and _WORDS_OF_TIMES.get(comparison)) or WORDS[comparison]


@dataclass(frozen=True, slots=True)
class Value:
    """What stands in the filter, and what its button says."""

    is_: str | int
    label: str


async def fields_of(talk: Talk) -> list[Field]:
    """Those that are asked for most stand first, the user's own between them and the rest."""
    own = await talk.store.audiences.attribute_types()
    named = [*_FIRST, *own, *_LATER]
    return [Field(name, _label(talk, name), own[name] if name in own else _kind(name)) for name in named]


def _label(talk: Talk, name: str) -> str:
    words = field_words(name, talk.t.plain)
    return words[:1].upper() + words[1:] if name in (*_FIRST, *_LATER) else name


def _kind(name: str) -> str:
    return "time" if name in INSTANTS else "text"


async def field_named(talk: Talk, short_name: str) -> Field:
    """The field that a token means. Raises NotFound when it has gone in between."""
    fields = await fields_of(talk)
    name = chosen([one.name for one in fields], short_name)
    return next(one for one in fields if one.name == name)


async def values_of(talk: Talk, field: Field, comparison: str, words: str = "") -> list[Value]:
    """What can be pressed, the likeliest first; with `words`, what holds them."""
    if comparison in ("is", "is_not") and not field.is_time:
        found = await _held(talk, field, words)
        piece = words.casefold()
        return [one for one in found if piece in one.label.casefold()] if words else found
    if comparison in ("within_days", "not_within_days"):
        return [Value(days, talk.t.plain_plural("{count} day", "{count} days", days)) for days in _SPANS]
    if comparison in ("lt", "gte") and field.is_time:
        today = talk.clock.now().astimezone(ZoneInfo(talk.settings.timezone)).date()
        ago = ((days, (today - timedelta(days=days)).isoformat()) for days in _SPANS[1:])
        return [Value(day, talk.t.plain_plural("{count} day ago", "{count} days ago", days)) for days, day in ago]
    return []


async def _held(talk: Talk, field: Field, words: str) -> list[Value]:
    t = talk.t
    match field.name:
        case "tag":
            return [Value(name, f"{name} · {t.number(count)}") for name, count in await talk.store.clients.tags()]
        case "channel" | "main_channel":
            return [Value(channel, channel) for channel in talk.settings.channels]
        case "connection":
            return [Value(status, t.plain(words)) for status, words in _CONNECTIONS.items()]
        case "language":
            held = await talk.store.audiences.values_of("language", "", MOST_VALUES)
            return [Value(code, _language(talk, code)) for code in dict.fromkeys([*held, *LANGUAGES])]
        case "id" | "name" | "first_name" | "last_name" | "phone" | "email" if not words:
            return []  # nearly every client's is another one: they are looked for by typing
        case _:
            held = await talk.store.audiences.values_of(field.name, words, MOST_VALUES)
            return [Value(one, one) for one in held]


def _language(talk: Talk, code: str) -> str:
    from babel import Locale, UnknownLocaleError

    try:
        name = Locale.parse(code, sep="-").get_display_name(talk.t.locale)
    except (ValueError, UnknownLocaleError):
        name = None
    return f"{code} · {name}" if name else code


def is_text_of_card(field: Field) -> bool:
    """Whether numbers in it are only letters: a phone, an id."""
    return field.name in TEXTS


def keep_values(talk: Talk, values: Sequence[Value]) -> None:
    """Remember what the buttons of this chat mean: a value may be too long for a token."""
    kept = dict(talk.state.get("values") or {}) | {digest(str(one.is_)): one.is_ for one in values}
    talk.state["values"] = dict(list(kept.items())[-_KEPT_VALUES:])


async def value_named(talk: Talk, field: Field, comparison: str, short_name: str) -> str | int:
    """The value that a token means. Raises NotFound where it is offered no more."""
    kept = (talk.state.get("values") or {}).get(short_name)
    if kept is not None:
        return kept if isinstance(kept, int) else str(kept)
    for one in await values_of(talk, field, comparison):  # pressed by somebody else in the same chat
        if digest(str(one.is_)) == short_name:
            return one.is_
    raise NotFound(_("That is no longer in the list; choose again."))
