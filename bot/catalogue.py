"""The lists of all sentences for translators.

`python -m bot.catalogue` writes bot/locale/carillon.pot from the code and brings the list of each language up to date:
new sentences stand there untranslated, those that are gone are gone, and what was translated stays."""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bot.languages import DOMAIN, LOCALE_FOLDER, TRANSLATED, list_of

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

_PACKAGES = ("bot", "engine", "storage", "gateways")
_SKIPPED = ("simulator", "migrations")
# How a sentence stands in the code: Texts and its methods, `_`, and the errors that carry a sentence; with the places
# of the arguments that are sentences.
KEYWORDS = {
    "_": (0,),
    "t": (0,),
    "plain": (0,),
    "plural": (0, 1),
    "plain_plural": (0, 1),
    "Invalid": (0,),
    "Refused": (0,),
    "NotFound": (0,),
    "Stale": (0,),
    "ChannelBroken": (0,),
    "MessageRejected": (0,),
    "_broken": (0,),
}
_OWN_WORDS = re.compile(r"(?<!\{)\b[A-Za-z]+ [a-z]+")  # a sentence, not a value beside another
_CODE = re.compile(r"[a-z]+(_[a-z]+)+")  # what a program says to a program, by an error that has the same name
TEMPLATE = LOCALE_FOLDER / f"{DOMAIN}.pot"


@cache
def sentences() -> tuple[str | tuple[str, str], ...]:
    """Every sentence of the code, with its plural where it has one, each once, in order."""
    root = Path(__file__).parent.parent
    found: dict[str | tuple[str, str], None] = {}
    for package in _PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            if not set(_SKIPPED) & set(file.parts):
                found |= dict.fromkeys(_in_code(ast.parse(file.read_text(encoding="utf-8"))))
    return tuple(sorted(found, key=str))


def _in_code(tree: ast.AST) -> Iterator[str | tuple[str, str]]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        places = KEYWORDS.get(getattr(call.func, "id", "") or getattr(call.func, "attr", ""), ())
        words = [list(_written(call.args[place])) for place in places if place < len(call.args)]
        if len(words) == 2 and words[0] and words[1]:
            yield words[0][0], words[1][0]
        elif words:
            yield from (one for one in words[0] if not _CODE.fullmatch(one))


def _written(argument: ast.expr) -> Iterator[str]:
    """The sentence that stands there, or both of which one is chosen."""
    match argument:
        case ast.Constant(value=str(words)) if words:
            yield words
        case ast.IfExp(body=one, orelse=other):
            yield from (*_written(one), *_written(other))
        case ast.JoinedStr(values=pieces) if _OWN_WORDS.search(words := _unfilled(pieces)):
            yield words


def _unfilled(pieces: Sequence[ast.expr]) -> str:
    """A sentence that is filled where it stands, as `bot.languages.retold` knows it again: with {names} in it."""
    names = iter(("value", "other", "third", "fourth"))
    told = (
        str(piece.value) if isinstance(piece, ast.Constant) else f"{{{_name_of(piece) or next(names)}}}"
        for piece in pieces
    )
    return "".join(told)


def _name_of(piece: ast.expr) -> str:
    """`words` of {error.words} and `why` of {why}: such a value may be a sentence of ours itself."""
    value = piece.value if isinstance(piece, ast.FormattedValue) else piece
    name = getattr(value, "attr", "") or getattr(value, "id", "")
    return name if name in ("words", "why") else ""


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
