"""A screen in Slack's words: posts that fit, buttons, the window for long input. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.dialogs.routes import COMMANDS
from bot.screens import Button, Screen, Style
from bot.surfaces.slack.rich import block_of, escape
from bot.surfaces.splitting import split
from bot.texts import Texts
from gateways.base import Outgoing
from gateways.markup import RichText, read_html
from gateways.message import Link

Json = dict[str, Any]

COMMAND = "/carillon"
# docs.slack.dev/reference/block-kit, November 2026
MAX_TEXT = 3000  # characters of one post: a section holds as many, and chat.update takes 4,000 of `text`
MAX_BLOCKS = 50  # of one message
_MAX_IN_ROW = 25
_MAX_LABEL = 75
_MAX_URL = 3000
_MAX_TITLE = 24  # of a window, and of its buttons
_MAX_INPUT_LABEL = 2000

PRESS, OPEN, WRITE = "press", "open", "write"  # what the action_id of a button begins with
FORM = "write"  # callback_id of the window
WORDS = "words"  # block_id and action_id of its input
_STYLES = {Style.PRIMARY: "primary", Style.DANGER: "danger"}
_OUR_COMMAND = re.compile(rf"(?<![^\s(“>])/({'|'.join(sorted(COMMANDS, key=len, reverse=True))})(?![\w/])")


@dataclass(frozen=True, slots=True)
class Post:
    """One message: `text` is what notifications and screen readers have of it."""

    text: str
    blocks: tuple[Json, ...]


def posts_of(screen: Screen, t: Texts) -> list[Post]:
    """The card in messages that Slack takes, the buttons under the last.

    Slack keeps / for commands of its own, so /stats 7 is shown as what works: /carillon stats 7."""
    rich = read_html(_OUR_COMMAND.sub(rf"{COMMAND} \1", screen.text))
    rows = [*rows_of(screen.rows), *([_write_row(screen.ask, t)] if screen.ask and not screen.wants_file else [])]
    pieces = split(rich, MAX_TEXT)
    posts = [Post(_fallback(piece), (block_of(piece),)) for piece in pieces[:-1]]
    last = ([block_of(pieces[-1])] if pieces[-1].text.strip() else []) + rows
    for at in range(0, len(last), MAX_BLOCKS):
        fallback = _fallback(pieces[-1]) if at == 0 else ""
        posts.append(Post(fallback or "…", tuple(last[at : at + MAX_BLOCKS])))
    return [_numbered(post) for post in posts]


def preview_of(outgoing: Outgoing) -> list[Post]:
    """The words and the buttons of a client's message; its files go by upload. A press of its buttons comes back as
    any other: the conversation knows them."""
    rich = outgoing.text
    part = outgoing.part
    if part.latitude or part.longitude:
        where = f"📍 {part.latitude}, {part.longitude}"
        rich = RichText(f"{rich.text}\n{where}".strip(), rich.spans)
    data = iter(outgoing.button_data)
    rows = [_actions([_client_button(one, next(data, "")) for one in row]) for row in outgoing.buttons]
    posts = []
    if rich.text.strip() or rows:
        pieces = split(rich, MAX_TEXT)
        blocks = [block_of(piece) for piece in pieces if piece.text.strip()]
        posts += [Post(_fallback(rich)[:MAX_TEXT] or "…", tuple([*blocks, *rows][:MAX_BLOCKS]))]
    for card in outgoing.cards:
        words = RichText("\n".join(words for words in (card.title, card.text) if words))
        row = [_client_button(one, next(data, "")) for one in card.buttons]
        blocks = [block_of(words)] if words else []
        posts.append(Post(_fallback(words) or "…", (*blocks, *([_actions(row)] if row else []))))
    return [_numbered(post) for post in posts if post.blocks]


def rows_of(rows: Sequence[Sequence[Button]]) -> list[Json]:
    """A block for each row of buttons, more for one that is too long."""
    return [
        _actions([_button(one) for one in row[at : at + _MAX_IN_ROW]])
        for row in rows
        for at in range(0, len(row), _MAX_IN_ROW)
    ]


def form(label: str, kept: Json, t: Texts) -> Json:
    """A window for words that are longer than a line; `kept` comes back with them."""
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": json.dumps(kept, separators=(",", ":")),
        "title": _plain(t.plain("Your words"), _MAX_TITLE),
        "submit": _plain(t.plain("Send"), _MAX_TITLE),
        "close": _plain(t.plain("Cancel"), _MAX_TITLE),
        "blocks": [
            {
                "type": "input",
                "block_id": WORDS,
                "label": _plain(label, _MAX_INPUT_LABEL),
                "element": {"type": "rich_text_input", "action_id": WORDS, "focus_on_load": True},
            }
        ],
    }


def _write_row(ask: str, t: Texts) -> Json:
    label = t.plain("✍ Write it in a window")
    return _actions([{"type": "button", "action_id": WRITE, "text": _plain(label, _MAX_LABEL), "value": ask[:2000]}])


def _button(one: Button) -> Json:
    made: Json = {"type": "button", "text": _plain(one.label, _MAX_LABEL)}
    if one.url:
        return {**made, "action_id": OPEN, "url": one.url[:_MAX_URL]}
    style = {"style": _STYLES[one.style]} if one.style in _STYLES else {}
    return {**made, "action_id": PRESS, "value": one.token, **style}


def _client_button(one: Any, data: str) -> Json:
    made: Json = {"type": "button", "text": _plain(one.label, _MAX_LABEL)}
    if isinstance(one, Link):
        return {**made, "action_id": OPEN, "url": one.link[:_MAX_URL]}
    return {**made, "action_id": PRESS, "value": data}


def _actions(elements: list[Json]) -> Json:
    return {"type": "actions", "elements": elements}


def _numbered(post: Post) -> Post:
    """An action_id may stand once in a message."""
    blocks = []
    number = 0
    for block in post.blocks:
        if block["type"] == "actions":
            elements = []
            for element in block["elements"]:
                number += 1
                elements.append({**element, "action_id": f"{element['action_id']}.{number}"})
            block = {**block, "elements": elements}
        blocks.append(block)
    return Post(post.text, tuple(blocks))


def _fallback(rich: RichText) -> str:
    return escape(rich.text)[:MAX_TEXT]


def _plain(words: str, most: int) -> Json:
    return {"type": "plain_text", "text": words if len(words) <= most else words[: most - 1] + "…"}
