"""Words: escaped, counted, dated; and each of them in the list for translators."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import bot.dialogs
from bot.catalogue import KEYWORDS, sentences, template
from bot.texts import Html, Texts
from engine.errors import Invalid

DIALOGS = Path(bot.dialogs.__path__[0])
T = Texts("en", "Europe/Kyiv")
AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_values_can_not_break_a_card() -> None:
    assert T("<b>{name}</b>", name="<i>&") == "<b>&lt;i&gt;&amp;</b>"
    assert T("<b>{name}</b>", name=Html("<i>x</i>")) == "<b><i>x</i></b>"
    assert T.plain("{name}", name="<i>&") == "<i>&"
    assert T.error(Invalid("<b> is never closed in {name}", name="<x>")) == "&lt;b&gt; is never closed in &lt;x&gt;"
    assert T.error(Invalid("{{ client }} stands alone")) == "{{ client }} stands alone"


def test_plurals_follow_the_number() -> None:
    assert T.plural("{count} client", "{count} clients", 1) == "1 client"
    assert T.plural("{count} client", "{count} clients", 40000) == "40,000 clients"


@pytest.mark.parametrize(("share", "shown"), [(0, "0%"), (0.001, "1%"), (0.5, "50%"), (0.999, "99%"), (1, "100%")])
def test_a_share_is_whole_only_at_the_end(share: float, shown: str) -> None:
    assert T.share(share) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (40, "40 s"), (79, "1 min 19 s"), (3600, "1 h"), (3930, "1 h 5 min"), (180000, "2 d 2 h")],
)
def test_a_span_has_its_two_largest_units(seconds: float, shown: str) -> None:
    assert T.span(seconds) == shown


def test_a_moment_always_names_its_zone() -> None:
    assert T.moment(AT) == "Sat, 21 Nov 2026, 11:00 (Europe/Kyiv)"
    assert T.moment(AT, "UTC") == "Sat, 21 Nov 2026, 09:00 (UTC)"


def test_how_long_ago() -> None:
    assert T.ago(AT, AT + timedelta(seconds=5)) == "just now"
    assert T.ago(AT, AT + timedelta(hours=3)) == "3 h ago"
    assert T.ago(AT, AT + timedelta(days=9)) == "21 Nov 2026"


def test_an_unknown_language_speaks_english() -> None:
    assert Texts("de", "UTC")("Menu") == "Menu"


def test_the_list_for_translators_holds_every_kind_of_sentence() -> None:
    found = set(sentences())
    assert ("{count} client found:", "{count} clients found:") in found  # a card's
    assert "blocked us" in found  # a table's
    assert "There is no mailing {id}." in found  # the engine's
    assert template().get("There is no mailing {id}.") is not None


def _bare_sentences(file: Path) -> Iterator[str]:
    """Sentences of a file that no call hands to gettext; docstrings and logs are for us."""
    around: list[ast.AST] = []

    def look(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            handed = any(isinstance(one, ast.Call) and _called(one) in _FOR_US for one in around)
            is_sentence = re.search(r"^\W*[A-Z].*[a-z]{2,} [a-z]{2,}", node.value)
            if is_sentence and not handed and not isinstance(around[-1], ast.Expr):
                yield f"{file.name}:{node.lineno}: {node.value}"
        around.append(node)
        for child in ast.iter_child_nodes(node):
            yield from look(child)
        around.pop()

    return look(ast.parse(file.read_text()))


_FOR_US = {*KEYWORDS, "info", "warning", "error", "exception", "ValueError", "create_task"}


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


@pytest.mark.parametrize("name", ["conversation.py", "progress.py", *(file.name for file in DIALOGS.glob("*.py"))])
def test_every_sentence_goes_through_gettext(name: str) -> None:
    file = DIALOGS / name if (DIALOGS / name).exists() else DIALOGS.parent / name
    assert list(_bare_sentences(file)) == []


def test_every_sentence_can_be_filled() -> None:
    for words in sentences():
        for one in (words,) if isinstance(words, str) else words:
            for name in re.findall(r"(?<!\{)\{([^{}]*)\}(?!\})", one):
                assert re.fullmatch(r"[a-z_]+(:g)?", name), one
