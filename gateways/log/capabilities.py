"""What the test provider carries: everything, within limits that are ours."""

from gateways.base import ButtonSet, Capabilities, CarouselLimits, Fact, PartKind, TextUnit
from gateways.markup import TAGS
from gateways.message import Buy, Link, Reply

_OURS = "ours: a file holds anything"
_MOST = 100

LOG = Capabilities(
    kind="log",
    title="Log",
    max_text=Fact(1_000_000, _OURS),
    max_caption=Fact(1_000_000, _OURS),
    text_unit=TextUnit.CHARACTERS,
    markup=TAGS,
    media=frozenset(PartKind),
    max_picture_bytes=Fact(1024**3, _OURS),
    max_file_bytes=Fact(1024**3, _OURS),
    album_sizes=range(2, _MOST + 1),
    album_takes_buttons=True,
    max_buttons_in_row=Fact(_MOST, _OURS),
    max_label=Fact(1000, _OURS),
    button_sets=(ButtonSet(frozenset({Link, Reply, Buy}), Fact(_MOST, _OURS)),),
    carousel=CarouselLimits(
        range(1, _MOST + 1), max_title=Fact(1000, _OURS), max_text=Fact(10_000, _OURS), max_buttons=Fact(_MOST, _OURS)
    ),
    receipts=frozenset(),
    why_no_receipts="Nothing is sent, so nobody reports anything.",
    own_fields=frozenset({"template"}),
    max_rate=25.0,
)
