"""The HTML subset: whatever a composed text holds comes back as it was; whatever a person mistypes is told."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateways.markup import (
    CLOSE,
    MARKS,
    OPEN,
    TAGS,
    InvalidMarkup,
    RichText,
    Span,
    addresses_of,
    link_addresses,
    mark,
    number_addresses,
    read_html,
    read_marked,
    read_number,
    to_html,
    utf16_length,
)

# Emoji with joiners and flags, right-to-left, combining marks, what HTML and Jinja know, line ends.
_LETTERS = "aб 😀👩‍👩‍👧🇺🇦שלום\u200f\u202e\u0301e\u0308<>&\"'{}%#;/\n\r\t\0\u2028=-"
_plain = st.text(st.sampled_from(_LETTERS) | st.characters(exclude_categories=["Co"]), max_size=12).filter(
    lambda text: not any(begin in text for begin in ("{{", "{%", "{#"))
)
_urls = st.text(st.sampled_from("https://a.b?c=d&copy=1\"'<> &amp;é😀%20#"), min_size=1, max_size=24)


@st.composite
def rich_texts(draw: st.DrawFn, inside: frozenset[str] = frozenset(), depth: int = 0) -> RichText:
    """Texts as a person can compose them: spans that nest, none in itself, nothing in code."""
    text, spans = "", list[Span]()
    for _ in range(draw(st.integers(0, 3))):
        piece = RichText(draw(_plain))
        free = sorted(TAGS - inside)
        if free and depth < 4 and draw(st.booleans()):
            tag = draw(st.sampled_from(free))
            solid = tag in ("code", "pre")
            held = RichText(draw(_plain)) if solid else draw(rich_texts(inside | {tag}, depth + 1))
            if held.text:
                url = draw(_urls) if tag == "a" else ""
                spans.append(Span(tag, len(text), len(text) + len(held.text), url))
                spans += [Span(each.tag, each.start + len(text), each.end + len(text), each.url) for each in held.spans]
                text += held.text
        text += piece.text
    return RichText(text, tuple(spans))


def _has_expressions(rich: RichText) -> bool:
    texts = [rich.text, *(span.url for span in rich.spans)]
    return any(begin in text for text in texts for begin in ("{{", "{%", "{#"))


@given(rich_texts())
@example(RichText("x", (Span("b", 0, 1), Span("i", 0, 1), Span("a", 0, 1, "https://a.b/?c=1&copy=2&amp;d=\"'"))))
@example(RichText("</b>&lt;b&gt;&amp;amp;", (Span("b", 0, 4),)))
@example(RichText("e\u0301👩‍👩‍👧", (Span("b", 1, 2), Span("i", 3, 4))))
@example(RichText("שלום abc", (Span("b", 0, 4),)))
def test_what_was_composed_is_read_back_the_same(rich: RichText) -> None:
    if _has_expressions(rich):
        return
    assert read_html(to_html(rich)) == rich


@given(
    _plain,
    st.lists(st.builds(Span, st.sampled_from([*sorted(TAGS), "blink"]), st.integers(-2, 14), st.integers(-2, 14),
                       st.sampled_from(["", "https://a.b/"])), max_size=8),
)  # fmt: skip
def test_spans_of_any_kind_make_html_that_can_be_read(text: str, spans: list[Span]) -> None:
    """A foreign platform's formatting may cross, repeat and point beyond the text."""
    read = read_html(to_html(RichText(text, tuple(spans))))
    assert read.text == text
    assert read_html(to_html(read)) == read


def test_spans_that_cross_are_cut_where_they_do() -> None:
    crossing = RichText("abcd", (Span("b", 0, 3), Span("i", 1, 4)))
    assert to_html(crossing) == "<b>a<i>bc</i></b><i>d</i>"


@given(
    st.text(max_size=60)
    | st.text(st.sampled_from("<>/!?-[]ab \"'=&#;x{}%\ue000\ue001\ue010\ue0f0\ue0f1" + "0"), max_size=30)
)
@example("<![foo x")
@example("<!-- x")
@example("<?x")
@example('<a href="')
@example("&#xe000;&#xe010;x")
@example("\ue0f07\ue0f1")
def test_any_source_is_read_or_refused_with_words(source: str) -> None:
    try:
        marked = mark(source)
    except InvalidMarkup:
        return
    rich = read_marked(marked)
    assert rich.text == rich.text.translate(MARKS)
    for span in rich.spans:
        assert 0 <= span.start < span.end <= len(rich.text)


@given(st.text(st.sampled_from(OPEN + CLOSE + "\ue001\ue010\ue011\ue012\ue018ab"), max_size=20))
def test_any_row_of_marks_can_be_read(marked: str) -> None:
    rich = read_marked(marked)
    for span in rich.spans:
        assert 0 <= span.start < span.end <= len(rich.text)


@given(st.text(st.sampled_from("<b>&amp;/i{}\"'ab "), max_size=20))
def test_a_value_opens_and_closes_nothing(value: str) -> None:
    marked = mark('<b>Hi {{ name }}</b> <a href="https://a.b/{{ name }}">x</a>')
    rich = read_marked(marked.replace("{{ name }}", value).replace("{{ (name) | in_address }}", "v"))
    assert rich.text == f"Hi {value} x"
    assert [span.tag for span in rich.spans] == ["b", "a"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<b>x", "<b> is never closed"),
        ("x</b>", "</b> closes nothing"),
        ("<b><i>x</b></i>", "</b> closes <i>"),
        ("<p>x</p>", "<p> is not known here; a text may hold a, b, blockquote"),
        ("<br/>", "<br> is not known here"),
        ("<script>alert(1)</script>", "<script> is not known here"),
        ("<span>x</span>", "<span> is not known here"),
        ("<b/>", "<b/> holds nothing"),
        ("<b><strong>x</strong></b>", "<b> can't stand inside another <b>"),
        ("<code><b>x</b></code>", "<b> can't stand inside <code>"),
        ("<pre><code>x</pre></code>", "</pre> closes <code>"),
        ("<pre><code>x", "<code> is never closed"),
        ("<a>x</a>", "a link needs its address"),
        ('<a href="">x</a>', "a link needs its address"),
        ("a <b", "“<b” is no whole tag; a plain < is written &lt;"),
        ("<!-- x -->", "“<!-- x -->” is no whole tag"),
        ("<![CDATA[x]]>", "no whole tag"),
        ("mail <me@acme.test>", "“<me@acme.test>” is no whole tag"),
        ("<a href='x>y</a>", "no whole tag"),
    ],
)
def test_what_a_person_mistyped_is_told(source: str, words: str) -> None:
    with pytest.raises(InvalidMarkup) as raised:
        read_html(source)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("source", "text", "spans"),
    [
        ("<STRONG>x</Strong>", "x", [Span("b", 0, 1)]),
        ("<em>a</em><ins>b</ins><del>c</del><strike>d</strike>", "abcd",
         [Span("i", 0, 1), Span("u", 1, 2), Span("s", 2, 3), Span("s", 3, 4)]),
        ('<span class="tg-spoiler">x</span>', "x", [Span("tg-spoiler", 0, 1)]),
        ('<pre><code class="language-python">x</code></pre>', "x", [Span("pre", 0, 1)]),
        ("<a href=https://a.b/c>x</a>", "x", [Span("a", 0, 1, "https://a.b/c")]),
        ("<a title='t' href='https://a.b/?x=1&copy=2'>x</a>", "x", [Span("a", 0, 1, "https://a.b/?x=1&copy=2")]),
        ("<b></b>x", "x", []),
        ("5 < 6 & 7 > 2 <3", "5 < 6 & 7 > 2 <3", []),
        ("&lt;b&gt; &amp;lt; &#128512; &quot;&nbsp;&unknown; AT&T", '<b> &lt; 😀 "\xa0&unknown; AT&T', []),
        ("&copy 2026", "&copy 2026", []),
        ("", "", []),
    ],
)  # fmt: skip
def test_the_subset_is_read(source: str, text: str, spans: list[Span]) -> None:
    assert read_html(source) == RichText(text, tuple(spans))


def test_expressions_pass_untouched_and_hide_no_tag() -> None:
    assert mark("a {{ '<b>' }} {% if x < 3 %}c{% endif %}") == "a {{ '<b>' }} {% if x < 3 %}c{% endif %}"


def test_a_value_inside_an_address_is_escaped_for_an_address() -> None:
    marked = mark('<a href="https://a.b/?n={{ client.name }}">{{ client.name }}</a>')
    assert "{{ (client.name) | in_address }}" in marked
    assert marked.count("in_address") == 1


def test_a_long_text_of_many_tags_is_read_quickly() -> None:
    rich = read_html("<b>x</b>" * 20_000 + "<" * 1 + " " * 50_000)
    assert len(rich.spans) == 20_000


@pytest.mark.parametrize(
    ("source", "links"),
    [
        ("See https://a.test/x, or HTTP://b.test.", ["https://a.test/x", "HTTP://b.test"]),
        ("(https://a.test)", ["https://a.test"]),
        ("<b>https://a.test</b>", ["https://a.test"]),
        ('<a href="https://a.test">https://b.test</a>', ["https://a.test"]),
        ("<code>https://a.test</code> <pre>https://b.test</pre>", []),
        ("{{ client.url | default('https://a.test') }}", []),
        ("https://a.test/?n={{ client.id }}&b=1.", ["https://a.test/?n={{ (client.id) | in_address }}&b=1"]),
        ("https://{{ client.shop }}", ["https://{{ (client.shop) | in_address }}"]),
        ("{% if client.vip %}https://a.test{% endif %}", ["https://a.test"]),
        ("no address", []),
    ],
)
def test_addresses_that_stand_by_themselves_become_links(source: str, links: list[str]) -> None:
    assert addresses_of(link_addresses(mark(source))) == links


@given(rich_texts())
@example(RichText("https://a.test https://b.test", (Span("b", 0, 29),)))
def test_links_made_of_addresses_change_no_word_and_no_other_span(rich: RichText) -> None:
    if _has_expressions(rich):
        return
    linked = read_marked(link_addresses(mark(to_html(rich))))
    assert linked.text == rich.text
    assert [span for span in linked.spans if span.tag != "a"] == [span for span in rich.spans if span.tag != "a"]


def test_numbers_of_addresses_come_off_again() -> None:
    marked = number_addresses(mark("".join(f'<a href="https://{number}.test">x</a>' for number in range(100))))
    read = [read_number(span.url) for span in read_marked(marked).spans]
    assert read[95] == (95, "https://95.test")
    assert read[96] == (None, "https://96.test")
    assert read_number("https://a.test") == (None, "https://a.test")
    assert read_number("") == (None, "")


@given(st.text(max_size=20))
def test_utf16_units_are_counted(text: str) -> None:
    assert utf16_length(text) == sum(2 if letter > "\uffff" else 1 for letter in text)
