"""The languages that the bot speaks: a list of sentences each, `bot/locale/<language>/LC_MESSAGES/carillon.po`.

The lists are read as they are, once in the life of a process; nothing is compiled beforehand, so nothing can be stale.
"""

import gettext
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

LOCALE_FOLDER: Final = Path(__file__).parent / "locale"
DOMAIN: Final = "carillon"
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "ru": "Русский", "uk": "Українська"}  # each by its own name
TRANSLATED: Final = tuple(language for language in LANGUAGES if language != "en")

_NAME = re.compile(r"\{([a-z_]+)(?::[^{}]*)?\}")
_WORDS = frozenset({"words", "why", "reason", "problem", "status", "value"})  # {names} that a whole sentence fills
_ENOUGH_LETTERS = 8  # a sentence of fewer own letters, such as "{name}: {value}", would know everything as itself


def locale_for(language: str | None, otherwise: str) -> str:
    """The locale that speaks this language, if there is one; English is what sentences are written in."""
    name = (language or "").replace("_", "-").partition("-")[0].lower()
    return name if name in LANGUAGES else otherwise


def list_of(language: str) -> Path:
    return LOCALE_FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def catalogue_of(language: str) -> "Catalog":
    from babel.messages.pofile import read_po

    with list_of(language).open("rb") as file:
        return read_po(file, locale=language)


@cache
def translations_of(language: str) -> gettext.NullTranslations:
    """What gettext asks; English for every language that we don't speak."""
    if language not in TRANSLATED:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo

    compiled = BytesIO()
    write_mo(compiled, catalogue_of(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache(maxsize=1024)
def retold(words: str, language: str) -> str:
    """A sentence that was kept or logged in English, in that language as far as it is one of ours.

    What is kept for everybody (why a mailing stopped, what a channel broke by) is kept in English, filled already: the
    list of sentences knows it again by what stands between its {names}. A platform's own words, and what stands in
    brackets behind a sentence of ours, stay as they are."""
    if language not in TRANSLATED or not words:
        return words
    for shape in _shapes(language):
        found = _filled(shape, words)
        if found is not None:
            values = found | {name: retold(value, language) for name, value in found.items() if name in _WORDS}
            return shape.translated.format(**values) if values else shape.translated
    channel, colon, rest = words.partition(": ")
    if colon and (told := retold(rest, language)) != rest:
        return f"{channel}: {told}"
    ours, bracket, theirs = words.partition(" (")
    return f"{retold(ours, language)} ({theirs}" if bracket else words


@dataclass(frozen=True, slots=True)
class _Shape:
    """A sentence of the list with how it begins and ends whatever fills it, and what it is in the other language."""

    words: str
    begins: str
    ends: str
    translated: str


@cache
def _shapes(language: str) -> tuple[_Shape, ...]:
    """Those with the most words of their own first, so that the nearest one knows a sentence."""
    found = sorted(_told(language), key=lambda one: len(_NAME.sub("", one[0])), reverse=True)
    return tuple(_Shape(words, *_around(words), translated) for words, translated in found)


def _told(language: str) -> Iterator[tuple[str, str]]:
    for message in catalogue_of(language):
        if isinstance(message.id, str) and isinstance(message.string, str) and message.id and message.string:
            own = sum(letter.isalpha() for letter in _NAME.sub("", message.id))
            if own >= _ENOUGH_LETTERS or not _NAME.search(message.id):
                yield message.id, message.string


def _around(words: str) -> tuple[str, str]:
    names = list(_NAME.finditer(words))
    return (words[: names[0].start()], words[names[-1].end() :]) if names else (words, words)


def _filled(shape: _Shape, words: str) -> dict[str, str] | None:
    """What fills the {names} of a sentence where the words are made of it; None where they are not."""
    if not words.startswith(shape.begins) or not words.endswith(shape.ends):
        return None
    found = _pattern(shape.words).fullmatch(words)
    return found.groupdict() if found else None


@lru_cache(maxsize=256)  # compiling them all would hold up the loop
def _pattern(words: str) -> re.Pattern[str]:
    pieces, at, seen = [], 0, set[str]()
    for name in _NAME.finditer(words):
        again = name[1] in seen
        seen.add(name[1])
        pieces += [re.escape(words[at : name.start()]), f"(?P={name[1]})" if again else f"(?P<{name[1]}>.+?)"]
        at = name.end()
    return re.compile("".join([*pieces, re.escape(words[at:])]), re.DOTALL)
