"""Which keyboards Telegram takes, and which words it refuses the others with."""

from typing import Any

from gateways.simulator.telegram.answers import Json, bad
from gateways.simulator.telegram.links import BadLink, check_link

MAX_CALLBACK_BYTES = 64  # UTF-8; core.telegram.org/bots/api#inlinekeyboardbutton
MAX_PER_ROW = 8  # undocumented, two community sources; platforms/telegram.md section 3
MAX_INLINE = 100
MAX_REPLY_PER_ROW = 12
MAX_REPLY = 300
MAX_COPY_TEXT = 256  # characters
_STYLES = frozenset({"danger", "success", "primary"})
_ACTIONS = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "copy_text",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "callback_game",
    "pay",
    "disabled",
)


def checked_markup(markup: Any, *, inline_only: bool = False) -> Json | None:
    """The markup as it will stand on the message; None for none. Raises Refusal."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" in markup:
        rows = _rows(markup["inline_keyboard"], "inline keyboard", MAX_PER_ROW, MAX_INLINE)
        checked = [[_inline_button(button) for button in row] for row in rows]
        checked = [row for row in checked if row]
        return {"inline_keyboard": checked} if checked else None
    if inline_only:
        raise bad("inline keyboard expected")
    if "keyboard" in markup:
        rows = _rows(markup["keyboard"], "keyboard", MAX_REPLY_PER_ROW, MAX_REPLY)
        return {**markup, "keyboard": [[_reply_button(button) for button in row] for row in rows]}
    if markup.get("remove_keyboard") is True or markup.get("force_reply") is True:
        return markup
    if not markup:
        return None
    raise bad("can't parse reply markup: unknown markup")


def _rows(rows: Any, name: str, per_row: int, in_all: int) -> list[list[Any]]:
    if not isinstance(rows, list):
        raise bad(f'field "{name.replace(" ", "_")}" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        raise bad(f'field "{name.replace(" ", "_")}" must be an Array of Arrays')
    if any(len(row) > per_row for row in rows) or sum(map(len, rows)) > in_all:
        raise bad("reply markup is too long")
    return rows


def _inline_button(button: Any) -> Json:
    if not isinstance(button, dict):
        raise bad("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    text = button.get("text")
    if not isinstance(text, str) or not text.strip():
        raise bad("can't parse inline keyboard button: Can't find field \"text\"")
    actions = [name for name in _ACTIONS if name in button]
    if not actions:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad(f"can't parse inline keyboard button: only one of {' and '.join(actions)} can be used")
    checked = {"text": text, actions[0]: _action(actions[0], button[actions[0]])}
    if button.get("style") is not None:
        if button["style"] not in _STYLES:
            raise bad("can't parse inline keyboard button: invalid button style specified")
        checked["style"] = button["style"]
    return checked


def _action(name: str, value: Any) -> Any:
    match name:
        case "callback_data":
            if not isinstance(value, str) or not 1 <= len(value.encode("utf-8", "replace")) <= MAX_CALLBACK_BYTES:
                raise bad("BUTTON_DATA_INVALID")
        case "url":
            return _button_link(str(value), "URL")
        case "web_app":
            link = _button_link(str(value.get("url", "") if isinstance(value, dict) else value), "Web App URL")
            if not link.startswith("https://"):
                raise bad(f"inline keyboard button Web App URL '{link}' is invalid: Only HTTPS links are allowed")
            return {"url": link}
        case "copy_text":
            text = value.get("text") if isinstance(value, dict) else None
            if not isinstance(text, str) or not 1 <= len(text) <= MAX_COPY_TEXT:
                raise bad("BUTTON_COPY_TEXT_INVALID")
    return value


def _button_link(link: str, kind: str) -> str:
    try:
        return check_link(link)
    except BadLink as error:
        raise bad(f"inline keyboard button {kind} '{link}' is invalid: {error}") from error


def _reply_button(button: Any) -> Json:
    if isinstance(button, str):
        return {"text": button}
    if not isinstance(button, dict) or not isinstance(button.get("text"), str) or not button["text"]:
        raise bad("can't parse keyboard button: Can't find field \"text\"")
    return button
