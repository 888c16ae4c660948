"""Block Kit as Slack checks it, with its limits; docs.slack.dev/reference/block-kit, November 2026."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

MAX_IN_MESSAGE, MAX_IN_VIEW = 50, 100
MAX_VIEW_BYTES = 250_000
_MAX_ID = 255
_MAX_SECTION = 3000
_INPUTS = frozenset({"plain_text_input", "rich_text_input", "static_select", "datetimepicker", "checkboxes"})
_RICH = {
    "rich_text_section": frozenset({"text", "link", "emoji", "user", "channel", "broadcast", "date", "color"}),
    "rich_text_quote": frozenset({"text", "link", "emoji", "user", "channel"}),
    "rich_text_preformatted": frozenset({"text", "link"}),
}


class Invalid(Exception):
    """`code` is Slack's error; the words are for the developer, with the place."""

    def __init__(self, code: str, words: str = "") -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def read_list(value: object) -> list[Json] | None:
    """`blocks` as JSON or as a string of it; None where there are none. Raises Invalid."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Invalid("invalid_blocks_format") from None
    if not isinstance(value, list) or not all(isinstance(block, dict) for block in value):
        raise Invalid("invalid_blocks_format")
    return value


def check_blocks(blocks: Iterable[Json], most: int = MAX_IN_MESSAGE, shared: Iterable[str] = ()) -> None:
    """`shared` are the files that everybody can see who sees the blocks. Raises Invalid."""
    blocks = list(blocks)
    if len(blocks) > most:
        raise _bad(f"no more than {most} items allowed", "/blocks")
    ids = [block["block_id"] for block in blocks if block.get("block_id")]
    if len(ids) != len(set(ids)):
        raise _bad("`block_id` already exists", "/blocks")
    actions: list[str] = []
    for number, block in enumerate(blocks):
        where = f"/blocks/{number}"
        _text(block.get("block_id", ""), _MAX_ID, f"{where}/block_id", least=0)
        _check_block(block, where, set(shared))
        actions += [one["action_id"] for one in elements_of(block) if one.get("action_id")]
    if len(actions) != len(set(actions)):
        raise _bad("`action_id` already exists", "/blocks")


def elements_of(block: Json) -> list[Json]:
    """What can be pressed or filled in."""
    found = [*block.get("elements", ())] if block.get("type") in ("actions", "context") else []
    return found + [block[name] for name in ("accessory", "element") if isinstance(block.get(name), dict)]


def check_view(view: object) -> Json:
    """A modal or a Home tab. Raises Invalid."""
    if isinstance(view, str):
        try:
            view = json.loads(view)
        except ValueError:
            raise Invalid("invalid_arguments") from None
    if not isinstance(view, dict) or view.get("type") not in ("modal", "home"):
        raise Invalid("invalid_arguments", "unsupported type [json-pointer:/view/type]")
    if len(json.dumps(view, ensure_ascii=False).encode()) > MAX_VIEW_BYTES:
        raise Invalid("view_too_large")
    try:
        _check_parts(view)
    except Invalid as error:
        raise Invalid("invalid_arguments", error.words) from error
    return view


def _check_parts(view: Json) -> None:
    blocks = read_list(view.get("blocks")) or []
    if view["type"] == "modal":
        _plain(view.get("title"), 24, "/view/title")
        for name in ("submit", "close"):
            if name in view:
                _plain(view[name], 24, f"/view/{name}")
        if any(block.get("type") == "input" for block in blocks) and "submit" not in view:
            raise _bad("missing submit", "/view")
    _text(view.get("private_metadata", ""), 3000, "/view/private_metadata", least=0)
    _text(view.get("callback_id", ""), _MAX_ID, "/view/callback_id", least=0)
    check_blocks(blocks, MAX_IN_VIEW)


def _check_block(block: Json, where: str, shared: set[str]) -> None:
    match block.get("type"):
        case "rich_text":
            _rich(block, where)
        case "section":
            if not block.get("text") and not block.get("fields"):
                raise _bad("missing required field: text", where)
            if block.get("text"):
                _text_object(block["text"], _MAX_SECTION, f"{where}/text")
            for field in block.get("fields", ()):
                _text_object(field, 2000, f"{where}/fields")
            _length(block.get("fields", ()), 10, f"{where}/fields")
        case "actions":
            if not block.get("elements"):
                raise _bad("must provide elements", where)
            _length(block["elements"], 25, f"{where}/elements")
        case "header":
            _plain(block.get("text"), 150, f"{where}/text")
        case "context":
            _length(block.get("elements", ()), 10, f"{where}/elements")
            return
        case "image":
            _image(block, where, shared)
        case "input":
            _plain(block.get("label"), 2000, f"{where}/label")
            if not isinstance(block.get("element"), dict) or block["element"].get("type") not in _INPUTS:
                raise _bad("unsupported element", f"{where}/element")
        case "markdown":
            _text(block.get("text"), 12_000, f"{where}/text")
        case "divider":
            pass
        case kind:
            raise _bad(f"unsupported type: {kind}", where)
    for number, element in enumerate(elements_of(block)):
        _element(element, f"{where}/elements/{number}")


def _element(element: Json, where: str) -> None:
    _text(element.get("action_id", ""), _MAX_ID, f"{where}/action_id", least=0)
    if element.get("type") == "button":
        _plain(element.get("text"), 75, f"{where}/text")
        _text(element.get("value", ""), 2000, f"{where}/value", least=0)
        _text(element.get("url", ""), 3000, f"{where}/url", least=0)
        if element.get("style") not in (None, "primary", "danger"):
            raise _bad("must be one of primary, danger", f"{where}/style")
        if element.get("url") and not _is_address(element["url"]):
            raise _bad("invalid url", f"{where}/url")
        if confirm := element.get("confirm"):
            _plain(confirm.get("title"), 100, f"{where}/confirm/title")
            _text_object(confirm.get("text"), 300, f"{where}/confirm/text")
    elif element.get("type") not in _INPUTS:
        raise _bad(f"unsupported element: {element.get('type')}", where)
    elif element.get("type") == "plain_text_input" and int(element.get("max_length", 1)) > 3000:
        raise _bad("must be less than 3001", f"{where}/max_length")


def _rich(block: Json, where: str) -> None:
    if not isinstance(block.get("elements"), list):
        raise _bad("missing required field: elements", where)
    for number, element in enumerate(block["elements"]):
        place = f"{where}/elements/{number}"
        if element.get("type") == "rich_text_list":
            for item in element.get("elements", ()):
                _runs(item, "rich_text_section", place)
        elif element.get("type") in _RICH:
            _runs(element, element["type"], place)
        else:
            raise _bad(f"unsupported type: {element.get('type')}", place)


def _runs(element: Json, kind: str, where: str) -> None:
    for run in element.get("elements", ()):
        if run.get("type") not in _RICH[kind]:
            raise _bad(f"unsupported type: {run.get('type')}", where)
        if run["type"] == "text":
            _text(run.get("text"), 40_000, f"{where}/text")
        if run["type"] == "link" and not _is_address(run.get("url")):
            raise _bad("invalid url", f"{where}/url")
        if kind == "rich_text_preformatted" and "style" in run:
            raise _bad("no style allowed", f"{where}/style")


def _image(block: Json, where: str, shared: set[str]) -> None:
    _text(block.get("alt_text"), 2000, f"{where}/alt_text")
    file = block.get("slack_file")
    if isinstance(file, Mapping):
        if file.get("id") not in shared:
            raise _bad("invalid slack file", f"{where}/slack_file")
    elif not _is_address(block.get("image_url")):
        raise _bad("missing required field: image_url", where)


def _text_object(value: object, most: int, where: str) -> None:
    if not isinstance(value, Mapping) or value.get("type") not in ("mrkdwn", "plain_text"):
        raise _bad("missing text object", where)
    _text(value.get("text"), most, where)


def _plain(value: object, most: int, where: str) -> None:
    if not isinstance(value, Mapping) or value.get("type") != "plain_text":
        raise _bad("must be a plain_text object", where)
    _text(value.get("text"), most, where)


def _text(value: object, most: int, where: str, least: int = 1) -> None:
    if not isinstance(value, str):
        raise _bad("must be a string", where)
    if len(value) < least:
        raise _bad(f"must be more than {least - 1} characters", where)
    if len(value) > most:
        raise _bad(f"must be less than {most + 1} characters", where)


def _length(values: Iterable[object], most: int, where: str) -> None:
    if len(list(values)) > most:
        raise _bad(f"no more than {most} items allowed", where)


def _is_address(value: object) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in ("http", "https", "mailto") and bool(parts.netloc or parts.path)


def _bad(words: str, where: str) -> Invalid:
    return Invalid("invalid_blocks", f"{words} [json-pointer:{where}]")
