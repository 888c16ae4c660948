"""How a messenger looks in our pictures of it: colours and shapes by which it is known, light. Ours, not the apps'."""

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

# Two providers bring the same messenger.
WHATSAPP_LOOK = Look(
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
)
