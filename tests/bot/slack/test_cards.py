"""Screens in Slack's words and words of Slack's in ours, without a wire."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.screens import Button, Command, Press, Screen, Style
from bot.surfaces.slack.cards import MAX_BLOCKS, form, posts_of, preview_of
from bot.surfaces.slack.events import FilledForm, Heard, Sent, TokenDied, WantsForm, from_plain, plain, read
from bot.surfaces.slack.rich import block_of, escape, read_blocks
from bot.texts import Texts
from gateways.base import Outgoing, Part, PartKind
from gateways.markup import read_html, to_html
from gateways.message import Buy, Card, Link, Reply
from gateways.simulator.slack.blocks import check_blocks, check_view

T = Texts()


def section(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(runs)}


def text(words: str, **style: bool) -> dict[str, Any]:
    return {"type": "text", "text": words, **({"style": style} if style else {})}


@pytest.mark.parametrize(
    ("markup", "elements"),
    [
        ("plain", [section(text("plain"))]),
        ("<b>bo<i>th</i></b>", [section(text("bo", bold=True), text("th", bold=True, italic=True))]),
        ("a <u>b</u> <s>c</s>", [section(text("a "), text("b", underline=True), text(" "), text("c", strike=True))]),
        ("<code>a *b*</code>", [section(text("a *b*", code=True))]),
        ("<tg-spoiler>hidden</tg-spoiler>", [section(text("hidden"))]),
        ("1 &lt; 2 &amp; <b>*</b>", [section(text("1 < 2 & "), text("*", bold=True))]),
        (
            '<a href="https://acme.test/a?b=1">here</a>',
            [section({"type": "link", "url": "https://acme.test/a?b=1", "text": "here"})],
        ),
        ('<a href="tg://user?id=1">no link here</a>', [section(text("no link here"))]),
        (
            "before\n<blockquote>said <b>so</b></blockquote>\nafter",
            [
                section(text("before")),
                {"type": "rich_text_quote", "elements": [text("said "), text("so", bold=True)]},
                section(text("after")),
            ],
        ),
        (
            "<pre>a\n  b</pre>",
            [{"type": "rich_text_preformatted", "elements": [text("a\n  b")]}],
        ),
    ],
)
def test_our_markup_becomes_rich_text(markup: str, elements: list[dict[str, Any]]) -> None:
    block = block_of(read_html(markup))
    assert block == {"type": "rich_text", "elements": elements}
    check_blocks([block])


@pytest.mark.parametrize(
    ("elements", "markup"),
    [
        ([section(text("Hello", bold=True), text(" all"))], "<b>Hello</b> all"),
        ([section({"type": "link", "url": "https://acme.test"})], '<a href="https://acme.test">https://acme.test</a>'),
        ([section({"type": "emoji", "name": "thumbsup", "unicode": "1f44d-1f3fd"})], "👍🏽"),
        ([section({"type": "emoji", "name": "acme"})], ":acme:"),
        (
            [
                section(text("List:\n")),
                {"type": "rich_text_list", "style": "bullet", "elements": [section(text("a")), section(text("b"))]},
                {"type": "rich_text_list", "style": "ordered", "offset": 2, "elements": [section(text("c"))]},
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "indent": 1,
                    "elements": [section(text("d", italic=True))],
                },
            ],
            "List:\n• a\n• b\n3. c\n  ◦ <i>d</i>",
        ),
        (
            [section(text("x")), {"type": "rich_text_quote", "elements": [text("so")]}, section(text("y"))],
            "x\n<blockquote>so</blockquote>\ny",
        ),
        ([{"type": "rich_text_preformatted", "elements": [text("a < b")]}], "<pre>a &lt; b</pre>"),
        (
            [section({"type": "broadcast", "range": "here"}), section(text("{{ client.name }}"))],
            "@here\n{{ client.name }}",
        ),
        ([section(text("  padded  "))], "padded"),
        ([section()], ""),
    ],
)
def test_what_a_person_wrote_becomes_our_markup(elements: list[dict[str, Any]], markup: str) -> None:
    rich = read_blocks([{"type": "rich_text", "elements": elements}])
    assert rich is not None
    assert to_html(rich) == markup
    read_html(markup)


@given(st.text(alphabet="ab <>&*_~`\n/:|{}😀", max_size=200))
def test_any_text_is_shown_as_it_is(words: str) -> None:
    markup = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    posts = posts_of(Screen(markup or "x", rows=((Button("Go", "go"),),)), T)
    for post in posts:
        check_blocks(post.blocks)
        assert "<" not in post.text


def test_a_card_is_text_and_rows_of_buttons() -> None:
    rows = (
        (Button("Launch", "l:go:7:3", Style.PRIMARY), Button("Stop", "stop", Style.DANGER)),
        (Button("Page", url="https://acme.test"), Button("A" * 90, "h")),
    )
    [post] = posts_of(Screen("<b>Sure?</b> See /stats 7 or https://acme.test/stats, and/or /start.", rows=rows), T)
    check_blocks(post.blocks)
    assert post.text == "Sure? See /carillon stats 7 or https://acme.test/stats, and/or /carillon start."
    first, second = (block["elements"] for block in post.blocks[1:])
    assert [(one["value"], one["style"]) for one in first] == [("l:go:7:3", "primary"), ("stop", "danger")]
    assert second[0]["url"] == "https://acme.test"
    assert len(second[1]["text"]["text"]) == 75
    assert len({one["action_id"] for one in (*first, *second)}) == 4


def test_a_card_that_asks_has_a_window() -> None:
    [post] = posts_of(Screen("How shall it be called?", ask="The new name"), T)
    [button] = post.blocks[-1]["elements"]
    assert (button["action_id"], button["value"]) == ("write.1", "The new name")
    check_view(form("The new name", {"chat": "U1", "private": True, "asked": "c.name 7 3"}, T))


def test_more_rows_than_a_message_holds_go_on_in_the_next() -> None:
    rows = tuple((Button(str(number), f"t:{number}"),) for number in range(120))
    posts = posts_of(Screen("Many", rows=rows), T)
    assert [len(post.blocks) for post in posts] == [MAX_BLOCKS, MAX_BLOCKS, 21]


def test_a_preview_has_the_clients_words_and_buttons() -> None:
    buttons = ((Link("https://acme.test", "Open"), Buy("SKU", "Buy")), (Reply("More", "More"),))
    cards = (Card("First", "words", buttons=(Reply("A", "A"),)), Card("Second"))
    outgoing = Outgoing(
        "", Part(PartKind.CAROUSEL), read_html("<b>Sale</b> of {braces} & <!channel>".replace("& <", "&amp; &lt;")),
        buttons, ("c0.0", "c0.1", "c0.2", "c0.3"), "", cards=cards,
    )  # fmt: skip
    posts = preview_of(outgoing)
    for post in posts:
        check_blocks(post.blocks)
    assert posts[0].text == "Sale of {braces} &amp; &lt;!channel&gt;"
    pressed = [one.get("value") or one["url"] for post in posts for block in post.blocks for one in _elements(block)]
    assert pressed == ["https://acme.test", "c0.1", "c0.2", "c0.3"]
    assert [post.text for post in posts[1:]] == ["First\nwords", "Second"]


def _elements(block: dict[str, Any]) -> list[dict[str, Any]]:
    return block["elements"] if block["type"] == "actions" else []


def test_nobody_is_rung_by_a_clients_name() -> None:
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


# --- requests ---

COMMAND = {
    "command": "/carillon", "text": "Stats  week", "user_id": "U01OLHA", "channel_id": "C0OPS",
    "response_url": "https://hooks.slack.com/commands/1", "trigger_id": "11.22.aa", "team_id": "T0ACME",
}  # fmt: skip
ACTION = {
    "type": "block_actions",
    "user": {"id": "U01OLHA"},
    "trigger_id": "11.22",
    "container": {"type": "message", "message_ts": "1795245000.000200", "channel_id": "D0OLHA"},
    "actions": [{"type": "button", "action_id": "press.1", "value": "m:pause:7", "action_ts": "1795245010.1"}],
}
MESSAGE = {
    "type": "event_callback",
    "event_id": "Ev1",
    "authorizations": [{"user_id": "UBOT"}],
    "event": {
        "type": "message",
        "channel_type": "im",
        "channel": "D0OLHA",
        "user": "U01OLHA",
        "ts": "1795245000.000100",
        "text": "*Hello* <https://acme.test|sale> &amp; more",
    },
}


def with_event(**more: Any) -> dict[str, Any]:
    event = {**MESSAGE["event"], **more}  # type: ignore[dict-item]
    return {**MESSAGE, "event": event}


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (COMMAND, Command("stats", "week")),
        ({**COMMAND, "text": ""}, Command("start")),
        ({**COMMAND, "text": "  /new Spring sale "}, Command("new", "Spring sale")),
        ({**COMMAND, "text": "statz"}, Command("statz")),
        ({**COMMAND, "text": "рассылки"}, Sent("рассылки")),
        ({**COMMAND, "text": "how did <b> go?"}, Sent("how did &lt;b&gt; go?")),
        (ACTION, Press("m:pause:7", "D0OLHA:1795245000.000200")),
        ({**ACTION, "container": {**ACTION["container"], "is_ephemeral": True}}, Press("m:pause:7", "")),  # type: ignore[dict-item]
        (MESSAGE, Sent("*Hello* sale &amp; more")),
        (with_event(text=" /stats week"), Command("stats", "week")),
        (with_event(text="stop by our shop"), Sent("stop by our shop")),
        (with_event(type="app_mention", channel="C0OPS", text="<@UBOT> stats 7"), Command("stats", "7")),
        (with_event(type="app_mention", channel="C0OPS", text="<@UBOT>"), Command("start")),
        (with_event(type="app_mention", channel="C0OPS", text="<@UBOT> how was it?"), Sent("how was it?")),
        ({"type": "shortcut", "user": {"id": "U01OLHA"}, "trigger_id": "1.2"}, Command("start")),
    ],
)
def test_a_request_is_read(body: dict[str, Any], what: Command | Press | Sent) -> None:
    heard = read(body)
    assert isinstance(heard, Heard)
    assert (heard.account, heard.what) == ("U01OLHA", what)
    assert from_plain(plain(heard)) == heard


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "view_closed", "view": {"id": "V1"}},
        {"type": "block_suggestion"},
        {**ACTION, "actions": [{"action_id": "open.1", "type": "button", "url": "https://acme.test"}]},
        {**ACTION, "container": {"type": "view", "view_id": "V1"}},
        with_event(subtype="message_changed"),
        with_event(bot_id="B1"),
        with_event(channel="C0OPS"),
        {**MESSAGE, "event": "x"},
        {"type": "view_submission", "user": {"id": "U1"}, "view": {"callback_id": "write", "private_metadata": "{"}},
        {"type": "view_submission", "user": {"id": "U1"}, "view": {"callback_id": "other"}},
    ],
)
def test_what_is_nothing_to_us_is_nothing(body: dict[str, Any]) -> None:
    assert read(body) is None


def test_in_the_own_chat_a_person_is_the_chat_and_elsewhere_the_channel_is() -> None:
    own = read(ACTION)
    container = {"message_ts": "1.2", "channel_id": "C0OPS"}
    elsewhere = read({**ACTION, "container": container})
    assert isinstance(own, Heard)
    assert isinstance(elsewhere, Heard)
    assert (own.chat, own.private) == ("U01OLHA", True)
    assert (elsewhere.chat, elsewhere.private) == ("C0OPS", False)


def test_the_button_of_the_window_wants_it() -> None:
    wanted = read({**ACTION, "actions": [{"action_id": "write.4", "value": "The name"}]})
    assert wanted == WantsForm("U01OLHA", "U01OLHA", True, "11.22", "The name")


def test_a_window_that_was_sent_answers_what_it_was_opened_for() -> None:
    kept = '{"chat":"C0OPS","private":false,"asked":"c.name 7 3"}'
    value = {"rich_text_value": {"type": "rich_text", "elements": [section(text("Spring", bold=True))]}}
    view = {
        "id": "V1",
        "callback_id": "write",
        "private_metadata": kept,
        "state": {"values": {"words": {"words": value}}},
    }
    filled = read({"type": "view_submission", "user": {"id": "U01OLHA"}, "view": view})
    assert filled == FilledForm(Heard("U01OLHA", "C0OPS", False, "vV1", Sent("<b>Spring</b>")), "c.name 7 3")


def test_files_come_with_their_kind() -> None:
    files = [
        {"name": "a.png", "mimetype": "image/png", "size": 3, "url_private_download": "https://files.slack.com/a"},
        {"name": "b.mp4", "mimetype": "video/mp4", "url_private": "https://files.slack.com/b"},
        {"name": "c.html", "mimetype": "text/html", "url_private_download": "https://files.slack.com/c"},
        {"mode": "tombstone", "url_private": "https://files.slack.com/d"},
    ]
    heard = read(with_event(subtype="file_share", files=files, text="/new"))
    assert isinstance(heard, Heard)
    assert isinstance(heard.what, Sent)
    assert [file.kind for file in heard.what.files] == [PartKind.PICTURE, PartKind.VIDEO, PartKind.FILE, PartKind.FILE]
    assert [file.is_page for file in heard.what.files] == [False, False, True, False]
    assert heard.what.files[3].url == ""
    assert from_plain(plain(heard)) == heard


def test_a_forwarded_message_is_what_was_forwarded() -> None:
    inner = {"type": "rich_text", "elements": [section(text("/help", bold=True), text(" is near"))]}
    shared = {"is_share": True, "text": "/help is near", "message_blocks": [{"message": {"blocks": [inner]}}]}
    heard = read(with_event(text="", attachments=[shared]))
    assert isinstance(heard, Heard)
    assert heard.what == Sent("<b>/help</b> is near", forwarded=True)
    heard = read(with_event(text="Look at this", attachments=[shared]))
    assert isinstance(heard, Heard)
    assert heard.what == Sent("Look at this")


@pytest.mark.parametrize("kind", ["tokens_revoked", "app_uninstalled"])
def test_a_removed_app_is_heard_of(kind: str) -> None:
    assert read({"type": "event_callback", "event": {"type": kind}}) == TokenDied()


_NAMES = [
    *(
        "type",
        "event",
        "user",
        "id",
        "channel",
        "ts",
        "text",
        "blocks",
        "files",
        "container",
        "message_ts",
        "channel_id",
    ),
    *("actions", "action_id", "value", "view", "state", "values", "words", "private_metadata", "callback_id", "style"),
    *("elements", "url", "unicode", "indent", "offset", "message_ts"),
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=20,
)


@given(
    st.sampled_from(["block_actions", "view_submission", "shortcut", "message_action", "event_callback", 7]),
    st.dictionaries(st.sampled_from(["event", "user", "view", "actions", "container", "message", "trigger_id"]), _JSON),
)
@example("event_callback", {"event": {"type": []}})
@example(
    "message_action",
    {"callback_id": "carillon_mail", "user": {"id": "U1"}, "trigger_id": "1", "message": {"files": [{"mode": {}}]}},
)
def test_requests_of_any_shape_are_read(kind: object, rest: dict[str, Any]) -> None:
    read({"type": kind, **rest})
    read({"command": "/carillon", **rest})


@given(_JSON)
def test_blocks_of_any_shape_are_read(elements: Any) -> None:
    listed = {"type": "rich_text_list", "elements": elements}
    rich = read_blocks([{"type": "rich_text", "elements": [elements, listed]}])
    assert rich is not None
    read_html(to_html(rich))
