"""What send_message and broadcast_message take: checked as Viber checks it, and made into what the client sees.

bots-api (Viber/creators-hub docs/bots-api), Send message, Keyboards, Rich media; words of refusals after
webitel/chat_manager bot/viber/sender.go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from gateways.markup import RichText
from gateways.simulator.phones import ChatButton, ChatCard, ChatMedia
from gateways.simulator.viber.marks import read_marks, without_html

Json = dict[str, Any]
Rows = tuple[tuple[ChatButton, ...], ...]

MAX_BODY_BYTES = 30 * 1024
MAX_RECEIVERS = 300
BAD_DATA, MISSING_DATA = 3, 4
_ACTIONS = {"reply": "reply", "open-url": "link", "location-picker": "reply", "share-phone": "reply", "none": "none"}


class Refused(Exception):
    """`status` and words of the answer."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class Shown:
    """What a message shows, before it is anybody's; `version` is the least that an app must know."""

    text: RichText = field(default_factory=RichText)
    media: tuple[ChatMedia, ...] = ()
    rows: Rows = ()
    cards: tuple[ChatCard, ...] = ()
    version: int = 1


def shown_of(values: Json) -> Shown:
    """A message as the client sees it. Raises Refused."""
    sender = _needed(values, "sender", dict)
    if not 1 <= len(_needed(sender, "name", str)) <= 28:
        raise Refused(BAD_DATA, "sender name length must be between 1 and 28")
    if len(values.get("tracking_data") or "") > 4000:
        raise Refused(BAD_DATA, "tracking_data is too long")
    version = values.get("min_api_version", 1)
    if not isinstance(version, int):
        raise Refused(BAD_DATA, "min_api_version is not valid")
    rows = _rows_of(values["keyboard"], "keyboard") if "keyboard" in values else ()
    kind = values.get("type")
    if kind is None and rows:
        return Shown(rows=rows, version=version)
    build = _KINDS.get(kind) if isinstance(kind, str) else None
    if build is None:
        raise Refused(MISSING_DATA if kind is None else BAD_DATA, "missing_data: type" if kind is None else "bad type")
    text, media, cards = build(values)
    return Shown(text, media, rows, cards, version)


_Built = tuple[RichText, tuple[ChatMedia, ...], tuple[ChatCard, ...]]


def _text(values: Json) -> _Built:
    text = _needed(values, "text", str)
    if not 1 <= len(text) <= 7000:
        raise Refused(BAD_DATA, "text length must be between 1 and 7000")
    return read_marks(text), (), ()


def _picture(values: Json) -> _Built:
    text = _needed(values, "text", str)
    url = _url(values, ".jpg", ".jpeg", ".png", ".gif")
    return _caption(text), (ChatMedia("picture", url),), ()


def _video(values: Json) -> _Built:
    if not 0 < _needed(values, "size", int) <= 26 * 1024 * 1024:
        raise Refused(BAD_DATA, "size is not valid")
    return _caption(values.get("text") or ""), (ChatMedia("video", _url(values, ".mp4")),), ()


def _file(values: Json) -> _Built:
    name = _needed(values, "file_name", str)
    if not 0 < _needed(values, "size", int) <= 50 * 1024 * 1024 or not 1 <= len(name) <= 256:
        raise Refused(BAD_DATA, "size or file_name is not valid")
    if name.lower().endswith((".exe", ".bat", ".apk", ".ipa", ".msi", ".ps1", ".vbs")):
        raise Refused(BAD_DATA, "forbidden file extension")
    return RichText(), (ChatMedia("file", _url(values), name),), ()


def _location(values: Json) -> _Built:
    place = _needed(values, "location", dict)
    latitude, longitude = (_needed(place, name, (int, float)) for name in ("lat", "lon"))
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Refused(BAD_DATA, "location is not valid")
    return RichText(), (ChatMedia("location", name=f"{latitude},{longitude}"),), ()


def _rich_media(values: Json) -> _Built:
    board = _needed(values, "rich_media", dict)
    most = board.get("ButtonsGroupRows", 7)
    if board.get("Type") != "rich_media" or not isinstance(most, int) or not 1 <= most <= 7:
        raise Refused(BAD_DATA, "rich_media is not valid")
    cards = _cut(_buttons_in(board, "rich_media"), most)
    if len(cards) > 6:
        raise Refused(BAD_DATA, "rich_media is not valid: more than 6 cards")
    return RichText(), (), tuple(_card(each) for each in cards)


def _sticker(values: Json) -> _Built:
    return RichText(), (ChatMedia("sticker", name=str(_needed(values, "sticker_id", int))),), ()


def _link(values: Json) -> _Built:
    url = _url(values)
    if len(url) > 2000:
        raise Refused(BAD_DATA, "media is too long")
    return RichText(url), (), ()


def _contact(values: Json) -> _Built:
    contact = _needed(values, "contact", dict)
    return RichText(), (ChatMedia("contact", name=_needed(contact, "name", str)),), ()


_KINDS: Mapping[str, Callable[[Json], _Built]] = {
    "text": _text,
    "picture": _picture,
    "video": _video,
    "file": _file,
    "location": _location,
    "rich_media": _rich_media,
    "sticker": _sticker,
    "url": _link,
    "contact": _contact,
}


def _needed(values: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    if name not in values:
        raise Refused(MISSING_DATA, f"missing_data: {name}")
    value = values[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refused(BAD_DATA, f"bad_data: {name}")
    return value


def _caption(text: str) -> RichText:
    if len(text) > 768:
        raise Refused(BAD_DATA, "text length must be between 0 and 768")
    return read_marks(text)


def _url(values: Json, *endings: str) -> str:
    url: str = _needed(values, "media", str)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Refused(BAD_DATA, "media is not a valid URL")
    if endings and not parts.path.lower().endswith(endings):
        raise Refused(BAD_DATA, "media has an unsupported extension")
    return url


# --- keyboards and carousels


def _buttons_in(board: Any, name: str) -> list[Json]:
    if not isinstance(board, dict) or "Type" not in board:
        words = '[object has missing required properties (["Type"])]'
        raise Refused(BAD_DATA, f"{name} is not valid. {words}")
    buttons = board.get("Buttons")
    if not isinstance(buttons, list) or not buttons:
        raise Refused(BAD_DATA, f"{name} is not valid. [array is too short: must have at least 1 elements]")
    for button in buttons:
        acts = isinstance(button, dict) and button.get("ActionType", "reply") in _ACTIONS and button.get("ActionBody")
        if not acts:
            raise Refused(BAD_DATA, f"{name} is not valid. [a button has no ActionBody or an unknown ActionType]")
        if not 1 <= button.get("Columns", 6) <= 6 or not 1 <= button.get("Rows", 1) <= (2 if name == "keyboard" else 7):
            raise Refused(BAD_DATA, f"{name} is not valid. [Columns or Rows is out of range]")
        if button.get("ActionType", "reply") == "reply" and len(button["ActionBody"]) > 250:
            raise Refused(BAD_DATA, f"{name} is not valid. [ActionBody is too long]")
    return buttons


def _rows_of(board: Any, name: str) -> Rows:
    """Buttons stand beside each other until six columns are full."""
    if isinstance(board, dict) and board.get("Type", "keyboard") != "keyboard":
        raise Refused(BAD_DATA, "keyboard is not valid. [Type must be keyboard]")
    rows: list[list[ChatButton]] = [[]]
    columns = 0
    for button in _buttons_in(board, name):
        if columns + button.get("Columns", 6) > 6:
            rows.append([])
            columns = 0
        rows[-1].append(_shown_button(button))
        columns += button.get("Columns", 6)
    return tuple(tuple(row) for row in rows)


def _shown_button(button: Json) -> ChatButton:
    """`action` says also whether a press is printed in the chat: "reply", "link", and "loud reply" …"""
    action = _ACTIONS[button.get("ActionType", "reply")]
    label = without_html(button.get("Text", ""))[:250]
    return ChatButton(label, action if button.get("Silent") else f"loud {action}", button["ActionBody"])


def _cut(buttons: list[Json], most: int) -> list[list[Json]]:
    """Cards are cut from the flat list whenever so many rows are full; six columns make a row."""
    cards: list[list[Json]] = [[]]
    filled = 0.0
    for button in buttons:
        if filled >= most:
            cards.append([])
            filled = 0.0
        cards[-1].append(button)
        filled += button.get("Rows", 1) * button.get("Columns", 6) / 6
    return cards


def _card(buttons: list[Json]) -> ChatCard:
    picture = next((button["Image"] for button in buttons if button.get("Image")), "")
    words = [button["Text"] for button in buttons if button.get("ActionType") == "none" and button.get("Text")]
    title, _, text = without_html(words[0] if words else "").partition("\n")
    pressed = tuple(_shown_button(button) for button in buttons if button.get("ActionType", "reply") != "none")
    return ChatCard(title, text, picture, pressed)
