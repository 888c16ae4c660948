import pytest

from gateways.simulator.telegram.answers import Refusal
from gateways.simulator.telegram.methods.texts import formatted


def marks(text: str, mode: str = "HTML") -> tuple[str, list[tuple[str, int, int]]]:
    plain, entities = formatted(text, mode, None)
    return plain, [(entity.type, entity.offset, entity.length) for entity in entities]


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("<b>a</b>", "a", [("bold", 0, 1)]),
        ("<strong>a</strong><em>b</em>", "ab", [("bold", 0, 1), ("italic", 1, 1)]),
        ("<b>a<i>b</i></b>", "ab", [("bold", 0, 2), ("italic", 1, 1)]),
        ("😀<b>a</b>", "😀a", [("bold", 2, 1)]),
        ('<span class="tg-spoiler">a</span><tg-spoiler>b</tg-spoiler>', "ab", [("spoiler", 0, 1), ("spoiler", 1, 1)]),
        (
            "<u>a</u><ins>b</ins><s>c</s><del>d</del>",
            "abcd",
            [("underline", 0, 1), ("underline", 1, 1), ("strikethrough", 2, 1), ("strikethrough", 3, 1)],
        ),
        ("<blockquote>a\nb</blockquote>", "a\nb", [("blockquote", 0, 3)]),
        ("<blockquote expandable>a</blockquote>", "a", [("expandable_blockquote", 0, 1)]),
        ('<pre><code class="language-python">x</code></pre>', "x", [("pre", 0, 1)]),
        ("<code>a<b>b</b></code>", "ab", [("code", 0, 2)]),
        ('<a href="https://shop.example">a</a>', "a", [("text_link", 0, 1)]),
        ("<a href='https://shop.example/?a=1&amp;b=2'>a</a>", "a", [("text_link", 0, 1)]),
        ('<a href="nonsense">a</a>', "a", []),
        ('<a href="tg://user?id=7">a</a>', "a", [("text_mention", 0, 1)]),
        ('<tg-time unix="1798761600" format="d">soon</tg-time>', "soon", [("date_time", 0, 4)]),
        ('<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>', "👍", [("custom_emoji", 0, 2)]),
        ("&lt;b&gt; &amp;amp; &quot;x&quot; &#33; &#x41; &nbsp;", '<b> &amp; "x" ! A &nbsp;', []),
        ("  <b> a </b>  ", "a", [("bold", 0, 1)]),
        ("<b></b>x", "x", []),
        ("<B>x</B>", "x", [("bold", 0, 1)]),
        (
            "/start @shop_bot #sale https://shop.example/x.",
            "/start @shop_bot #sale https://shop.example/x.",
            [("bot_command", 0, 6), ("mention", 7, 9), ("hashtag", 17, 5), ("url", 23, 22)],
        ),
    ],
)
def test_html_becomes_text_and_entities(source: str, text: str, entities: list[tuple[str, int, int]]) -> None:
    assert marks(source) == (text, entities)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>a</p>", 'Unsupported start tag "p" at byte offset 0'),
        ("ж<br>", 'Unsupported start tag "br" at byte offset 2'),
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
    ],
)
def test_broken_html_is_refused_with_its_place(source: str, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        formatted(source, "HTML", None)
    assert refused.value.description == f"Bad Request: can't parse entities: {words}"


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        (
            "*a* _b_ __c__ ~d~ ||e||",
            "a b c d e",
            [("bold", 0, 1), ("italic", 2, 1), ("underline", 4, 1), ("strikethrough", 6, 1), ("spoiler", 8, 1)],
        ),
        ("*a _b_*", "a b", [("bold", 0, 3), ("italic", 2, 1)]),
        ("[a](https://shop.example/x)", "a", [("text_link", 0, 1)]),
        ("`a.b` ```python\nx=1```", "a.b x=1", [("code", 0, 3), ("pre", 4, 3)]),
        (">a\n>b\nc", "a\nb\nc", [("blockquote", 0, 3)]),
        (r"1\.5 \*", "1.5 *", []),
    ],
)
def test_markdown_v2_becomes_text_and_entities(source: str, text: str, entities: list[tuple[str, int, int]]) -> None:
    assert marks(source, "MarkdownV2") == (text, entities)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Hi.", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("*a", "Can't find end of Bold entity at byte offset 0"),
        ("ж `a", "Can't find end of Code entity at byte offset 3"),
        ("[a](b", "Can't find end of a URL at byte offset 3"),
    ],
)
def test_broken_markdown_is_refused(source: str, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        formatted(source, "MarkdownV2", None)
    assert refused.value.description == f"Bad Request: can't parse entities: {words}"


def test_entities_are_counted_in_utf16_and_cut_to_the_text() -> None:
    given = [
        {"type": "bold", "offset": 2, "length": 100},
        {"type": "italic", "offset": 50, "length": 2},
        {"type": "unheard_of", "offset": 0, "length": 1},
    ]
    text, entities = formatted("😀ab ", "", given)
    assert (text, [(each.type, each.offset, each.length) for each in entities]) == ("😀ab", [("bold", 2, 2)])


def test_an_entity_that_ends_inside_a_symbol_is_refused() -> None:
    with pytest.raises(Refusal, match="ends in a middle of a UTF-16 symbol"):
        formatted("😀", "", [{"type": "bold", "offset": 0, "length": 1}])


def test_entities_are_passed_over_where_a_parse_mode_is_given() -> None:
    assert formatted("<b>a</b>", "HTML", [{"type": "italic", "offset": 0, "length": 1}])[1][0].type == "bold"


def test_only_a_hundred_entities_are_kept() -> None:
    given = [{"type": "bold", "offset": 2 * number, "length": 1} for number in range(150)]
    assert len(formatted("a " * 150, "", given)[1]) == 100


def test_leading_blanks_are_cut_and_offsets_follow() -> None:
    text, entities = formatted("\n  ab", "", [{"type": "bold", "offset": 3, "length": 1}])
    assert (text, entities[0].offset) == ("ab", 0)
