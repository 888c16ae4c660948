"""Prints the README's table of messengers from what the gateways say of themselves: python -m tests.house.channels"""

from gateways import registry
from gateways.base import Capabilities, PartKind, ReceiptState
from gateways.message import Buy, Link, Reply

HEADER = ("messenger", "text", "media", "buttons", "window", "receipts", "if the machine dies in mid-sending")
PROVIDERS = {"meta": "Meta", "twilio": "Twilio"}
_MEDIA = (PartKind.PICTURE, PartKind.ALBUM, PartKind.FILE, PartKind.VIDEO, PartKind.LOCATION, PartKind.CAROUSEL)
_WORDS = {Link: "link", Reply: "reply", Buy: "buy"}


def table() -> str:
    """Markdown, a line for each messenger and provider; the log is no messenger."""
    kinds = [(kind, by or None) for kind, models in registry.MODELS.items() if kind != "log" for by in models]
    rows = [_row(registry.config_model(kind, by).able, by) for kind, by in kinds]
    return "".join(f"| {' | '.join(row)} |\n" for row in (HEADER, ["---"] * len(HEADER), *rows))


def _row(able: Capabilities, provider: str | None) -> list[str]:
    by = f" by {PROVIDERS[provider]}" if provider else ""
    return [
        able.title + by,
        _text(able),
        _media(able),
        _buttons(able),
        _window(able),
        _receipts(able),
        _after_crash(able),
    ]


def _text(able: Capabilities) -> str:
    caption = able.max_caption.value
    below = f" ({caption:,} under a picture)" if 0 < caption < able.max_text.value else ""
    return f"{able.max_text.value:,}{below}"


def _media(able: Capabilities) -> str:
    return ", ".join(kind.value for kind in _MEDIA if kind in able.media and _has_albums(able, kind)) or "none"


def _has_albums(able: Capabilities, kind: PartKind) -> bool:
    return kind is not PartKind.ALBUM or bool(able.album_sizes)


def _buttons(able: Capabilities) -> str:
    sets = [f"{each.most.value} {_kinds(each.kinds)}" for each in able.button_sets]
    return " or ".join(sets) or ("in templates" if able.takes_templates else "none")


def _kinds(kinds: frozenset[type]) -> str:
    words = [word for kind, word in _WORDS.items() if kind in kinds]
    return "of any kind" if len(words) == len(_WORDS) else "/".join(words)


def _window(able: Capabilities) -> str:
    if able.window_s is None:
        return "none"
    return f"{able.window_s / 3600:.0f} h, then templates"


def _receipts(able: Capabilities) -> str:
    told = [state for state in (ReceiptState.DELIVERED, ReceiptState.READ) if state in able.receipts]
    return ", ".join(told) or "none"


def _after_crash(able: Capabilities) -> str:
    if able.repeats_safely_for_s:
        minutes = able.repeats_safely_for_s / 60
        return f"sent again; {able.title} drops what it has already (for {minutes:.0f} min): nothing `unknown`"
    if able.carries_reference:
        return "settled by its own report; without one `unknown`"
    return "the few on the wire are `unknown`"


if __name__ == "__main__":
    print(table(), end="")
