"""How each messenger looks: colours and shapes by which a person knows it, light. Ours, not the apps' own."""

from dataclasses import dataclass
from enum import StrEnum


class Keys(StrEnum):
    """Where a messenger shows buttons."""

    UNDER = "under"  # as wide as the bubble, on the paper below it
    PANEL = "panel"  # a keyboard over the whole width
    INSIDE = "inside"  # rows of the bubble itself, divided by lines; many of them in a list
    STACK = "stack"  # rows of a card under the words; many of them as chips
    PLAIN = "plain"  # boxes


@dataclass(frozen=True, slots=True)
class Look:
    """Colours are #rrggbb; `radius` is a bubble's, in px. `beak`: the bubble has a point at its upper corner."""

    paper: str
    head: str
    head_ink: str
    bubble: str
    accent: str  # links, icons
    key: str
    key_ink: str
    keys: Keys
    ink: str = "#17191c"
    quiet: str = "#7d8790"
    radius: int = 30
    corner: int = 8  # of the bubble's own corner, from where it comes
    beak: bool = False
    face: bool = False  # the sender's picture stands beside the bubble
    text_first: bool = False  # the words stand above pictures
    bare_media: bool = False  # pictures have no bubble around them
    links_in_words: bool = False  # a link hides behind its words; else its address follows them


LOOKS = {
    "telegram": Look(
        paper="#d3e2d5",
        head="#ffffff",
        head_ink="#17191c",
        bubble="#ffffff",
        accent="#2a82cb",
        key="#7a9c86",
        key_ink="#ffffff",
        keys=Keys.UNDER,
        links_in_words=True,
    ),
    "viber": Look(
        paper="#ffffff",
        head="#6a55e8",
        head_ink="#ffffff",
        bubble="#f0eefb",
        accent="#6a55e8",
        key="#ffffff",
        key_ink="#2c2740",
        keys=Keys.PANEL,
        radius=26,
        corner=26,
        face=True,
    ),
    "facebook": Look(
        paper="#ffffff",
        head="#ffffff",
        head_ink="#0a0a0a",
        bubble="#f0f0f2",
        accent="#0a7cff",
        key="#ffffff",
        key_ink="#0a7cff",
        keys=Keys.STACK,
        radius=36,
        corner=10,
        face=True,
        bare_media=True,
    ),
    "vk": Look(
        paper="#ffffff",
        head="#f5f7fa",
        head_ink="#17191c",
        bubble="#e9edf2",
        accent="#2688eb",
        key="#dde5ee",
        key_ink="#2a5885",
        keys=Keys.UNDER,
        radius=32,
        corner=10,
        face=True,
        text_first=True,
        links_in_words=True,
    ),
    "whatsapp": Look(
        paper="#efe7de",
        head="#0b8a6c",
        head_ink="#ffffff",
        bubble="#ffffff",
        accent="#0b8a6c",
        key="#ffffff",
        key_ink="#0b8a6c",
        keys=Keys.INSIDE,
        radius=16,
        corner=0,
        beak=True,
    ),
    "sms": Look(
        paper="#ffffff",
        head="#f7f7f8",
        head_ink="#17191c",
        bubble="#e9e9eb",
        accent="#0a66d6",
        key="#e9e9eb",
        key_ink="#17191c",
        keys=Keys.PLAIN,
        radius=34,
        corner=12,
    ),
}
PLAIN = Look(
    paper="#f6f5f2",
    head="#4a4f57",
    head_ink="#ffffff",
    bubble="#ffffff",
    accent="#2a6fb0",
    key="#e7e6e1",
    key_ink="#2b2f36",
    keys=Keys.PLAIN,
    radius=10,
    corner=10,
    links_in_words=True,
)


def look_of(kind: str) -> Look:
    """That of a kind of messenger; of one without, a plain one."""
    return LOOKS.get(kind, PLAIN)
