"""Marks that we write are read back by a small reader of the dialect, which shares nothing with the writer."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateways.base import TextUnit
from gateways.dialects import (
    VIBER,
    WHATSAPP,
    Dialect,
    marked_measure,
    plain_measure,
    plain_text,
    render_marked,
    with_addresses,
)
from gateways.markup import RichText, Span, read_html
from tests.gateways.test_markup import rich_texts

Z = "\u200b"
TAGS_OF = {"*": {"b"}, "_": {"i"}, "~": {"s"}, "```": {"code", "pre"}}
Letters = list[tuple[str, frozenset[str]]]


def read_back(text: str, dialect: Dialect) -> Letters:
    """The letters without the marks, each with the marks that a client of the dialect shows it in."""
    follows = r"(?=[*_~`]*(?:\s|$))" if dialect.space_follows else r"(?=[*_~`]*(?:[\W]|_|$))(?![*_~]*[^\W_])"
    ranges: list[tuple[int, int, str]] = []
    hidden = text
    for mark in ("```", "*", "_", "~"):
        written = re.escape(mark)
        pair = rf"(?<![^\W_]){written}(?=[^\s{Z}])[^\n\r\u2028\u2029]*?(?<=[^\s{Z}]){written}{follows}"
        for found in re.finditer(pair, hidden):
            ranges.append((found.start(), found.end(), mark))
            if mark == "```":  # what is inside is shown as it is
                hidden = hidden[: found.start()] + "`" * len(found[0]) + hidden[found.end() :]
    marks = {place + step for s, e, m in ranges for place in (s, e - len(m)) for step in range(len(m))}
    return [
        (letter, frozenset(mark for start, end, mark in ranges if start <= place < end))
        for place, letter in enumerate(text)
        if place not in marks
    ]


def visible(letters: Letters) -> Letters:
    """Without what nobody sees, and with marks inside addresses decoded."""
    seen = [each for each in letters if each[0] != Z]
    text = "".join(letter for letter, _ in seen)
    for code, letter in (("%2A", "*"), ("%5F", "_"), ("%7E", "~"), ("%60", "`")):
        while (place := text.find(code)) >= 0:
            seen[place : place + 3] = [(letter, seen[place][1])]
            text = text.replace(code, letter, 1)
    return seen


def composed(rich: RichText) -> Letters:
    """The letters of the text, each with the marks of its tags."""
    letters = []
    for place, letter in enumerate(rich.text):
        tags = {span.tag for span in rich.spans if span.start <= place < span.end}
        letters.append((letter, frozenset(mark for mark, own in TAGS_OF.items() if tags & own)))
    return letters


_literal = st.text(st.sampled_from("ab *_~`\n.,(é\u0301😀👩‍👩‍👧ש\u200f"), max_size=10)
_pieces = st.one_of(_literal, st.sampled_from(["https://a.test/_x_", "https://a.test/a_b~", "**a**", "```", "x*", " "]))
_spans = st.lists(
    st.builds(Span, st.sampled_from(["b", "i", "s", "code", "pre", "u"]), st.integers(0, 30), st.integers(0, 30)),
    max_size=5,
)
_links = st.lists(
    st.builds(Span, st.just("a"), st.integers(0, 30), st.integers(0, 30), st.sampled_from(["https://l.test/_", "https://a.test/"])),
    max_size=2,
)  # fmt: skip


@st.composite
def crossing(draw: st.DrawFn) -> RichText:
    """Text full of marks, under spans that nest, touch and cross as they like."""
    text = "".join(draw(st.lists(_pieces, max_size=6)))
    return RichText(text, (*draw(_spans), *draw(_links)))


@pytest.mark.parametrize("dialect", [VIBER, WHATSAPP], ids=["viber", "whatsapp"])
@given(rich=st.one_of(crossing(), rich_texts()))
@example(rich=read_html("<b>*a*</b> _<i>b</i>_ `<code>`c`</code>`"))
@example(rich=RichText("abcdef", (Span("b", 0, 4), Span("i", 2, 6))))
@example(rich=RichText("ab cd ef", (Span("b", 0, 5), Span("i", 3, 8))))
@example(rich=RichText("e\u0301 x", (Span("b", 0, 1), Span("i", 1, 4))))
def test_only_what_was_composed_is_marked_and_no_letter_is_lost(dialect: Dialect, rich: RichText) -> None:
    wanted = visible(composed(with_addresses(rich)))
    got = visible(read_back(render_marked(rich, dialect), dialect))
    assert [letter for letter, _ in got] == [letter for letter, _ in wanted]
    for place, ((letter, marks), (_, allowed)) in enumerate(zip(got, wanted, strict=True)):
        if dialect.space_follows and not letter.isalnum():  # the punctuation after a word may take its marks along
            allowed = allowed.union(*(tags for _, tags in wanted[:place]))
        assert marks <= allowed


_words = st.text(st.sampled_from("abcшлуמל😀7"), min_size=1, max_size=5)
_tags = st.sampled_from(["", "", "b", "i", "s", "code"])


@pytest.mark.parametrize("dialect", [VIBER, WHATSAPP], ids=["viber", "whatsapp"])
@given(words=st.lists(st.tuples(_words, _tags, _tags), min_size=1, max_size=8), ends=st.sampled_from(["", "\n", " "]))
def test_what_covers_whole_words_is_marked_exactly(
    dialect: Dialect, words: list[tuple[str, str, str]], ends: str
) -> None:
    text, spans = "", list[Span]()
    for word, *tags in words:
        spans += [Span(tag, len(text), len(text) + len(word)) for tag in sorted({*tags} - {""})]
        text += word + (ends or " ")
    rich = RichText(text, tuple(span for span in spans if "code" not in {o.tag for o in spans if o is not span}))
    wanted = [(letter, frozenset({"```"}) if "```" in marks else marks) for letter, marks in composed(rich)]
    assert read_back(render_marked(rich, dialect), dialect) == wanted


@pytest.mark.parametrize(
    ("source", "viber", "whatsapp"),
    [
        ("<b>Hello, Ann!</b>", "*Hello, Ann!*", "*Hello, Ann!*"),
        ("<b>Ann</b>, (<i>hi</i>)", "*Ann,* (_hi)_", "*Ann*, (_hi_)"),
        ("<b>all <i>of</i> it</b>", "*all _of_ it*", "*all _of_ it*"),
        ("<b><i>both</i></b>", "*_both_*", "*_both_*"),
        ("Hi<b> Ann </b>!", "Hi *Ann* !", "Hi *Ann* !"),
        ("<b>a\nb</b>", "*a*\n*b*", "*a*\n*b*"),
        ("<b>un</b>likely <s>b</s>", "unlikely ~b~", "unlikely ~b~"),
        ("<pre>a *b*\nc_d</pre>", "```a *b*```\n```c_d```", "```a *b*```\n```c_d```"),
        ("<b>run <code>x</code> now</b>", "*run* ```x``` *now*", "*run* ```x``` *now*"),
        ("<u>a</u> <tg-spoiler>b</tg-spoiler> <blockquote>c</blockquote>", "a b c", "a b c"),
        ("2 * 3 = 6, snake_case", "2 * 3 = 6, snake_case", "2 * 3 = 6, snake_case"),
        ("*x* _y", f"*{Z}x{Z}* _{Z}y", f"*{Z}x{Z}* _{Z}y"),
        ("```", f"`{Z}`{Z}`", f"`{Z}`{Z}`"),
        ("<b>*x*</b>", f"*{Z}x{Z}*", f"*{Z}*x*{Z}*"),
        ("https://a.test/_x_y", "https://a.test/%5Fx_y", "https://a.test/%5Fx_y"),
    ],
)  # fmt: skip
def test_a_text_in_marks(source: str, viber: str, whatsapp: str) -> None:
    rich = read_html(source)
    assert render_marked(rich, VIBER) == viber
    assert render_marked(rich, WHATSAPP) == whatsapp


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('The <a href="https://a.test/x">sale</a>.', "The sale (https://a.test/x)."),
        ('<a href="https://a.test/">https://a.test</a>', "https://a.test"),
        ('<a href="https://t.test/l/7">https://a.test/x</a>!', "https://t.test/l/7!"),
        ('<a href="https://a.test"> sale </a>on', " sale (https://a.test) on"),
        ('<a href="https://a.test">sale</a> <a href="https://b.test">b</a>', "sale (https://a.test) b (https://b.test)"),
    ],
)  # fmt: skip
def test_a_link_is_written_with_its_address(source: str, expected: str) -> None:
    assert plain_text(read_html(source)) == expected
    assert render_marked(read_html(source), WHATSAPP) == expected


def test_marks_stay_off_an_address() -> None:
    rich = read_html('<b>The <a href="https://a.test/_">sale</a> is on</b>')
    assert render_marked(rich, WHATSAPP) == "*The sale* (https://a.test/%5F) *is on*"


def test_spans_keep_their_words_where_an_address_is_written() -> None:
    rich = read_html('<a href="https://a.test"><b>The</b> sale</a> <i>is</i> on')
    written = with_addresses(rich)
    assert written.text == "The sale (https://a.test) is on"
    assert [written.text[span.start : span.end] for span in written.spans] == ["The", "is"]


def test_a_measure_counts_what_is_written() -> None:
    rich = read_html('<b>a😀</b> <a href="https://a.test">b</a>')
    assert plain_measure(TextUnit.CHARACTERS)(rich) == len("a😀 b (https://a.test)")
    assert plain_measure(TextUnit.UTF16)(rich) == len("a😀 b (https://a.test)") + 1
    assert marked_measure(WHATSAPP, TextUnit.BYTES)(rich) == len("*a😀* b (https://a.test)".encode())
