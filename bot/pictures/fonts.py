"""Letters for pictures: DejaVu, which matplotlib brings, so that a picture is the same on every machine.

DejaVu has no coloured emoji. Those that it knows are drawn as it has them, some by a letter that looks alike, a flag as
the two letters of its country, and all others as one small face."""

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

_UNASSIGNED = "\uffff"  # drawn as any letter that a font lacks
_EMOJI_BASE = "[\u2600-\u27bf\u2b00-\u2bff\u231a-\u23ff\U0001f000-\U0001faff]"
_MODIFIERS = "[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
EMOJI = re.compile(f"{_FLAG}|[0-9#*]\ufe0f\u20e3|{_EMOJI_BASE}{_MODIFIERS}(?:\u200d[^\\s]{_MODIFIERS})*")
_UNSEEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe0e\ufe0f\ufeff]"
)
_FIRST_LETTER = 0x1F1E6  # of a flag
_ALIKE = {"✅": "✔", "⭐": "★", "🌟": "★", "✨": "✦", "❌": "✘", "📞": "☎", "📧": "✉", "💌": "✉", "🛑": "⛔", "➕": "✚"}
_ALIKE |= {"💙": "❤", "💚": "❤", "💛": "❤", "🧡": "❤", "💜": "❤", "🖤": "❤", "🤍": "❤", "🎵": "♫", "⏰": "⌚"}


@lru_cache(maxsize=64)
def font(size: int, *, bold: bool = False, italic: bool = False, mono: bool = False) -> ImageFont.FreeTypeFont:
    slant = "Oblique" if italic else ""
    style = f"-{'Bold' if bold else ''}{slant}" if bold or italic else ""
    name = f"DejaVuSans{'Mono' if mono else ''}{style}.ttf"
    # Not by raqm, which is not everywhere and lays letters out otherwise.
    return ImageFont.truetype(_folder() / name, size, layout_engine=ImageFont.Layout.BASIC)


def seen(text: str) -> str:
    """The text without what has no shape of its own."""
    return _UNSEEN.sub("", text.replace("\t", "    "))


@lru_cache(maxsize=4096)
def has_shape(letter: str) -> bool:
    """Whether the font knows the letter."""
    return _shape(letter) != _shape(_UNASSIGNED)


def drawn_as(emoji: str) -> str:
    """What stands for an emoji: a letter that the font has, two letters for a flag, or "" for a face."""
    if ord(emoji[0]) in range(_FIRST_LETTER, _FIRST_LETTER + 26):
        return "".join(chr(ord("A") + ord(letter) - _FIRST_LETTER) for letter in emoji[:2])
    if emoji[0] in "0123456789#*":
        return emoji[0]
    letter = _ALIKE.get(emoji[0], emoji[0])
    return letter if has_shape(letter) else ""


def _shape(letter: str) -> bytes:
    return bytes(font(24).getmask(letter))


@lru_cache(maxsize=1)
def _folder() -> Path:
    """Found without importing matplotlib, which takes long."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise RuntimeError("matplotlib is not installed, and its letters are needed")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
