"""How many segments an SMS takes, which is what carriers price and pace. Pure.

3GPP TS 23.038 section 6.2.1 (the default alphabet and its extension table) and TS 23.040 section 9.2.3.24: a part of a
joined message loses 7 septets, or 3 UTF-16 units, to its header; a character is never cut in two.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gateways.base import Counted

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # an escape and a septet each
_LENGTHS = {"GSM-7": (160, 153), "UCS-2": (70, 67)}  # alone, and as a part of a joined message

_ODD_SHOWN = 5

Encoding = Literal["GSM-7", "UCS-2"]


@dataclass(frozen=True, slots=True)
class Segments:
    """`characters` are what the limits count: septets of GSM-7, UTF-16 units of UCS-2."""

    encoding: Encoding
    characters: int
    segments: int


def count(text: str) -> Segments:
    """One character outside of GSM-7 makes the whole text UCS-2. An empty text is one segment."""
    encoding: Encoding
    if all(letter in _BASIC or letter in _EXTENDED for letter in text):
        encoding, sizes = "GSM-7", [2 if letter in _EXTENDED else 1 for letter in text]
    else:
        encoding, sizes = "UCS-2", [2 if letter > "\uffff" else 1 for letter in text]
    alone, joined = _LENGTHS[encoding]
    characters = sum(sizes)
    return Segments(encoding, characters, 1 if characters <= alone else _parts(sizes, joined))


def counted(text: str) -> Counted:
    """The same for who writes it, with the first letters that GSM-7 lacks."""
    found = count(text)
    alone, joined = _LENGTHS[found.encoding]
    most = alone if found.segments == 1 else joined * found.segments
    odd = "".join(dict.fromkeys(letter for letter in text if letter not in _BASIC and letter not in _EXTENDED))
    return Counted(found.encoding, found.characters, found.segments, most - found.characters, odd[:_ODD_SHOWN])


def _parts(sizes: Iterable[int], length: int) -> int:
    parts, used = 1, 0
    for size in sizes:
        if used + size > length:
            parts, used = parts + 1, 0
        used += size
    return parts
