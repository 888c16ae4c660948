"""The list of all sentences for translators: `python -m bot.catalogue` writes it to bot/locale/carillon.pot."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from bot.texts import DOMAIN, LOCALE_FOLDER

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
                    found[words if isinstance(words, str) else (words[0], words[1])] = None
    yield from sorted(found, key=str)


def template() -> bytes:
    """The list as gettext keeps it."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    catalogue = Catalog(project="Carillon", charset="utf-8")
    for words in sentences():
        catalogue.add(words)
    written = BytesIO()
    write_po(written, catalogue, omit_header=True, width=120)
    return written.getvalue()


if __name__ == "__main__":
    LOCALE_FOLDER.mkdir(exist_ok=True)
    TEMPLATE.write_bytes(template())
