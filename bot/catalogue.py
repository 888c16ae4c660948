"""The lists of all sentences for translators.

`python -m bot.catalogue` writes bot/locale/carillon.pot from the code and brings the list of each language up to date:
new sentences stand there untranslated, those that are gone are gone, and what was translated stays."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from bot.languages import DOMAIN, LOCALE_FOLDER, TRANSLATED, list_of

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

_PACKAGES = ("bot", "engine", "storage", "gateways")
_SKIPPED = ("simulator", "migrations")
# How a sentence stands in the code: Texts and its methods, `_`, and the errors that carry a sentence.
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "t": None,
    "plain": None,
    "plural": (1, 2),
    "plain_plural": (1, 2),
    "Invalid": None,
    "Refused": None,
    "NotFound": None,
    "Stale": None,
}
_CODE = re.compile(r"[a-z]+(_[a-z]+)+")  # what a program says to a program, by an error that has the same name
TEMPLATE = LOCALE_FOLDER / f"{DOMAIN}.pot"


def sentences() -> Iterator[str | tuple[str, str]]:
    """Every sentence of the code, with its plural where it has one, each once, in order."""
    from babel.messages.extract import extract

    root = Path(__file__).parent.parent
    found: dict[str | tuple[str, str], None] = {}
    for package in _PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            if not set(_SKIPPED) & set(file.parts):
                for _line, words, _comments, _context in extract("python", BytesIO(file.read_bytes()), KEYWORDS):
                    if not _CODE.fullmatch(str(words)):
                        found[words if isinstance(words, str) else (words[0], words[1])] = None
    yield from sorted(found, key=str)


def template() -> "Catalog":
    from babel.messages.catalog import Catalog

    catalogue = Catalog(project="Carillon", charset="utf-8", fuzzy=False)
    for words in sentences():
        catalogue.add(words)
    return catalogue


def merged(language: str) -> "Catalog":
    """The list of a language with the sentences that the code has now."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po

    file = list_of(language)
    catalogue = Catalog(locale=language, project="Carillon", charset="utf-8", fuzzy=False)
    if file.exists():
        with file.open("rb") as opened:
            catalogue = read_po(opened, locale=language)
    new = template()
    new.creation_date = catalogue.creation_date  # a date that changes at every run says nothing
    catalogue.update(new, no_fuzzy_matching=True)
    return catalogue


def write() -> None:
    from babel.messages.pofile import write_po

    LOCALE_FOLDER.mkdir(exist_ok=True)
    with TEMPLATE.open("wb") as opened:
        write_po(opened, template(), omit_header=True, width=120)
    for language in TRANSLATED:
        catalogue = merged(language)
        list_of(language).parent.mkdir(parents=True, exist_ok=True)
        with list_of(language).open("wb") as opened:
            write_po(opened, catalogue, ignore_obsolete=True, width=120)


if __name__ == "__main__":
    write()
