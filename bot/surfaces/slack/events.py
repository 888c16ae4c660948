"""What a person did on Slack, read from a request's body as bolt decodes it. Pure.

A request is a slash command (a form), an interaction (`type` block_actions, view_submission, shortcut,
message_action …) or an event (`type` event_callback); docs.slack.dev/interactivity, November 2026."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.dialogs.routes import COMMANDS
from bot.screens import Command, Press
from bot.surfaces.slack.cards import FORM, PRESS, WORDS, WRITE
from bot.surfaces.slack.rich import read_blocks
from gateways.base import PartKind
from gateways.markup import RichText, to_html

Json = Mapping[str, Any]

TOKEN_DIED = frozenset({"tokens_revoked", "app_uninstalled"})  # events; the second always comes after the first
MAKE_MAILING = "carillon_mail"  # callback_id of the shortcut on a message; any other shortcut opens the menu

_COMMAND = re.compile(r"/?(?P<name>[A-Za-z0-9_]{1,32})(?:\s+(?P<args>.*))?", re.DOTALL)
_LINK = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/tiff"})
_KEEPS_NO_FILE = frozenset({"tombstone", "hidden_by_limit", "external"})


@dataclass(frozen=True, slots=True)
class FileToFetch:
    """A file that Slack keeps for us until it is fetched; without `url` it can't be."""

    kind: PartKind
    url: str
    name: str
    size_bytes: int | None = None
    is_page: bool = False  # HTML


@dataclass(frozen=True, slots=True)
class Sent:
    """Words as they came, in our HTML subset; the files are not yet fetched."""

    text: str = ""
    files: tuple[FileToFetch, ...] = ()
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that a person did and the conversation answers. In the bot's own chat with a person, `chat` is the
    person's id: Slack opens that chat by it. `where` is the id of the place where it was done, "" where that has none;
    `response_url` writes there, for that person alone."""

    account: str
    chat: str
    private: bool
    key: str
    what: Command | Press | Sent
    where: str = ""
    response_url: str = ""


@dataclass(frozen=True, slots=True)
class WantsForm:
    """The button that opens a window was pressed: within 3 s, `trigger_id` opens one. `label` is what it asks for."""

    account: str
    chat: str
    private: bool
    trigger_id: str
    label: str


@dataclass(frozen=True, slots=True)
class FilledForm:
    """The window was sent; `asked` is what it answers, as it was when the window opened."""

    heard: Heard
    asked: str


@dataclass(frozen=True, slots=True)
class TokenDied:
    """Somebody removed the app or took its token away."""


Read = Heard | WantsForm | FilledForm | TokenDied


def read(body: Json) -> Read | None:
    """None for whatever we do not use. Raises nothing, whatever the body is."""
    if _string(body, "command"):
        return _slash_command(body)
    match body.get("type"):
        case "block_actions":
            return _action(body)
        case "view_submission":
            return _submission(body)
        case "shortcut" | "message_action":
            return _shortcut(body)
        case "event_callback":
            return _event(body)
        case _:
            return None


def _slash_command(body: Json) -> Heard | None:
    """From wherever it was given, the conversation goes on in the chat with the bot."""
    account, key = _string(body, "user_id"), _string(body, "trigger_id")
    if not account or not key:
        return None
    words = _asked_for(_string(body, "text").strip())
    where, response_url = _string(body, "channel_id"), _string(body, "response_url")
    return Heard(account, account, True, f"c{key}", words, where, response_url)


def _asked_for(words: str) -> Command | Sent:
    """A command, or words as a person would say them: /carillon how did yesterday's go?"""
    found = _command_in(words)
    if found and (found.name in COMMANDS or not found.args):
        return found
    return Sent(to_html(RichText(words))) if words else Command("start")


def _command_in(words: str) -> Command | None:
    found = _COMMAND.fullmatch(words)
    return Command(found["name"].lower(), (found["args"] or "").strip()) if found else None


def _action(body: Json) -> Heard | WantsForm | None:
    account = _string(_table(body, "user"), "id")
    action = next(iter(_tables(body, "actions")), {})
    container = _table(body, "container")
    place = _string(container, "channel_id") or _string(_table(body, "channel"), "id")
    if not account or not place:
        return None  # in a window, where we have no buttons
    chat, private = _chat(place, account)
    kind = _string(action, "action_id").partition(".")[0]
    value = _string(action, "value")
    if kind == WRITE:
        return WantsForm(account, chat, private, _string(body, "trigger_id"), value)
    if kind != PRESS or not value:
        return None  # a link, which Slack tells of as well
    stamp = _string(container, "message_ts")
    is_lasting = bool(stamp) and container.get("is_ephemeral") is not True
    key = f"a{place}.{stamp}.{_string(action, 'action_ts')}.{account}"
    press = Press(value, message_id(place, stamp) if is_lasting else "")
    return Heard(account, chat, private, key, press, place, _string(body, "response_url"))


def _submission(body: Json) -> FilledForm | None:
    account = _string(_table(body, "user"), "id")
    view = _table(body, "view")
    if not account or view.get("callback_id") != FORM:
        return None
    try:
        kept = json.loads(_string(view, "private_metadata"))
        chat, private, asked = str(kept["chat"]), bool(kept["private"]), str(kept["asked"])
    except (ValueError, TypeError, LookupError):
        return None
    given = _table(_table(_table(_table(view, "state"), "values"), WORDS), WORDS)
    rich = read_blocks([given["rich_text_value"]]) if "rich_text_value" in given else None
    text = to_html(rich or RichText(_string(given, "value").strip()))
    return FilledForm(Heard(account, chat, private, f"v{_string(view, 'id')}", Sent(text)), asked)


def _shortcut(body: Json) -> Heard | None:
    account = _string(_table(body, "user"), "id")
    key = _string(body, "trigger_id") or _string(body, "action_ts")
    if not account or not key:
        return None
    what: Command | Sent = Command("start")
    if body.get("type") == "message_action" and body.get("callback_id") == MAKE_MAILING:
        message = _table(body, "message")
        what = Sent(_text_of(message, ""), _files(message), forwarded=True)
    return Heard(account, account, True, f"s{key}", what)


def _event(body: Json) -> Heard | TokenDied | None:
    event = _table(body, "event")
    kind = _string(event, "type")
    if kind in TOKEN_DIED:
        return TokenDied()
    if kind not in ("message", "app_mention") or event.get("subtype") not in (None, "file_share"):
        return None  # edits, deletions, who joined …
    account, place, stamp = _string(event, "user"), _string(event, "channel"), _string(event, "ts")
    if not account or not place or not stamp or event.get("bot_id"):
        return None
    us = _string(next(iter(_tables(body, "authorizations")), {}), "user_id")
    chat, private = _chat(place, account)
    if kind == "message" and not private:
        return None  # people talk to each other
    sent = _shared(event) or Sent(_text_of(event, us), _files(event))
    words = _plain_text(event, us)
    # A mention is meant for us wherever it stands, as every word in our own chat is.
    what = _addressed(words) if kind == "app_mention" and not sent.files else _slashed(words)
    return Heard(account, chat, True, f"m{place}.{stamp}", sent if what is None or sent.files else what, place)


def _slashed(words: str) -> Command | None:
    """Slack keeps a leading / for itself, but not behind a blank."""
    return _command_in(words) if words.startswith("/") else None


def _addressed(words: str) -> Command | None:
    """Who names us in a channel means us: a command needs no sign."""
    found = _command_in(words) or (Command("start") if not words else None)
    return found if found and (words.startswith("/") or found.name in COMMANDS) else None


def message_id(channel: str, stamp: str) -> str:
    """A message's name: Slack needs both to edit it."""
    return f"{channel}:{stamp}"


def _chat(place: str, account: str) -> tuple[str, bool]:
    """D… is the bot's own chat with the person: it hears of no other."""
    return (account, True) if place.startswith("D") else (place, False)


# --- words and files ---


def _shared(message: Json) -> Sent | None:
    """Somebody else's message that was forwarded without words of one's own; None for any other message."""
    found = next((one for one in _tables(message, "attachments") if one.get("is_share") is True), None)
    if found is None or _plain_text(message, ""):
        return None
    blocks = [_table(one, "message").get("blocks") for one in _tables(found, "message_blocks")]
    rich = next(filter(None, map(read_blocks, blocks)), None)
    text = to_html(rich) if rich is not None else to_html(RichText(_plain_text(found, "")))
    return Sent(text, _files(found) or _files(message), forwarded=True)


def _text_of(message: Json, us: str) -> str:
    rich = _without_us(read_blocks(message.get("blocks")), us)
    return to_html(rich) if rich is not None else to_html(RichText(_plain_text(message, us)))


def _plain_text(message: Json, us: str) -> str:
    """What was typed, without formatting."""
    rich = _without_us(read_blocks(message.get("blocks")), us)
    if rich is not None:
        return rich.text
    words = _string(message, "text").removeprefix(f"<@{us}>") if us else _string(message, "text")
    words = _LINK.sub(lambda found: found[2] or found[1], words)
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _without_us(rich: RichText | None, us: str) -> RichText | None:
    """The text without our own name in front of it."""
    if rich is None or not us or not rich.text.startswith(f"@{us}"):
        return rich
    rest = rich.text[len(us) + 1 :].lstrip()
    cut = len(rich.text) - len(rest)
    moved = (
        type(span)(span.tag, max(span.start - cut, 0), span.end - cut, span.url)
        for span in rich.spans
        if span.end > cut
    )
    return RichText(rest, tuple(moved))


def _files(message: Json) -> tuple[FileToFetch, ...]:
    return tuple(_file(one) for one in _tables(message, "files"))


def _file(one: Json) -> FileToFetch:
    content_type = _string(one, "mimetype")
    kind = PartKind.FILE
    if content_type in _PICTURES:
        kind = PartKind.PICTURE
    elif content_type.startswith("video/"):
        kind = PartKind.VIDEO
    size = one.get("size")
    url = _string(one, "url_private_download") or _string(one, "url_private")
    return FileToFetch(
        kind,
        "" if _string(one, "mode") in _KEEPS_NO_FILE else url,
        _string(one, "name") or "file",
        size if isinstance(size, int) else None,
        content_type == "text/html",
    )


# --- kept while it is answered ---


def plain(heard: Heard) -> dict[str, Any]:
    """As plain data, which `from_plain` reads back."""
    return {**asdict(heard), "kind": type(heard.what).__name__}


def from_plain(data: Json) -> Heard:
    rest = {name: value for name, value in data.items() if name not in ("kind", "what")}
    what: Command | Press | Sent
    match data["kind"]:
        case "Command":
            what = Command(**data["what"])
        case "Press":
            what = Press(**data["what"])
        case _:
            files = tuple(FileToFetch(**{**one, "kind": PartKind(one["kind"])}) for one in data["what"]["files"])
            what = Sent(**{**data["what"], "files": files})
    return Heard(**rest, what=what)


def _string(values: Json, name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _table(values: Json, name: str) -> Json:
    value = values.get(name)
    return value if isinstance(value, Mapping) else {}


def _tables(values: Json, name: str) -> Sequence[Json]:
    found = values.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
