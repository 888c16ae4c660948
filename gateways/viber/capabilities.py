"""What a Viber bot carries; the documents as read in November 2026. Their source is Viber/creators-hub docs/bots-api,
the same text as creators.viber.com/docs/bots-api, called `bots-api` below."""

from gateways.base import ButtonSet, Capabilities, CarouselLimits, Charges, Fact, PartKind, ReceiptState, TextUnit
from gateways.dialects import VIBER as MARKS
from gateways.dialects import render_marked
from gateways.looks import Keys, Look
from gateways.markup import RichText
from gateways.message import Buy, Link, Reply

MAX_BODY_BYTES = 30_000  # of a whole request: "30kb", whichever kilobyte that is; bots-api, Broadcast message
MAX_TEXT = 7000  # characters; bots-api, Text message
MAX_TEXT_BYTES = 26_000  # of the text alone: leaves room for a keyboard in the same request
MAX_VIDEO_BYTES = 26 * 1024 * 1024  # bots-api, Video message
MAX_SENDER_NAME = 28  # characters; bots-api, general send message parameters
MAX_ACTION_BODY = 100  # 250 on Android, 100 on iOS: Bogdaan/viber-bot-php Keyboard/Button; unverified today
MAX_FILE_NAME = 256  # characters with the extension; bots-api, File message
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".gif")  # of the URL's path; bots-api, Picture message; gif: a still one
VIDEO_ENDINGS = (".mp4",)  # MP4 and H264 only; bots-api, Video message
REFUSED_ENDINGS = (".exe", ".bat", ".apk", ".ipa", ".msi", ".ps1", ".vbs")  # bots-api, File message: forbidden formats
GRID_COLUMNS = 6  # of a keyboard and of a carousel's card; bots-api, Keyboards
GRID_ROWS = 7  # of a carousel's card; bots-api, Rich media


def measure(rich: RichText) -> int:
    """Characters with the marks; a text of many bytes counts for more, as the request has a limit of its own."""
    text = render_marked(rich, MARKS)
    return max(len(text), -(-len(text.encode("utf-8", "replace")) * MAX_TEXT // MAX_TEXT_BYTES))


VIBER = Capabilities(
    kind="viber",
    title="Viber",
    max_text=Fact(MAX_TEXT, "bots-api, Text message: max length 7,000 characters"),
    max_caption=Fact(512, "bots-api says 768; nyaruka/courier and two other gateways keep to 512, so do we"),
    captioned=frozenset({PartKind.PICTURE, PartKind.VIDEO}),
    text_unit=TextUnit.CHARACTERS,
    markup=frozenset({"b", "i", "s", "code", "pre", "a"}),
    media=frozenset(
        {PartKind.TEXT, PartKind.PICTURE, PartKind.FILE, PartKind.VIDEO, PartKind.LOCATION, PartKind.CAROUSEL}
    ),
    max_picture_bytes=Fact(1024 * 1024, "bots-api, Picture message: 1 MB on iOS, 3 MB on Android"),
    max_file_bytes=Fact(50 * 1024 * 1024, "bots-api, File message: 50 MB; a video 26 MB, which is seen to on sending"),
    album_sizes=range(0),
    album_takes_buttons=False,
    max_buttons_in_row=Fact(GRID_COLUMNS, "bots-api, Keyboards: a row has 6 columns"),
    max_label=Fact(250, "bots-api, Keyboards: Text, max 250 characters, more is cropped"),
    button_sets=(
        ButtonSet(
            frozenset({Link, Reply, Buy}),
            Fact(12, "developers.viber.com/docs/faq: 12 rows on an upright phone; each button may be a row"),
        ),
    ),
    carousel=CarouselLimits(
        cards=range(1, 7),  # bots-api, Rich media: up to 6 cards
        max_title=Fact(80, "ours: title and text share the 250 characters of one button"),
        max_text=Fact(150, "ours: title and text share the 250 characters of one button"),
        max_buttons=Fact(3, "ours: beside picture and text in the 7 rows of a card"),
    ),
    measure=measure,
    # bots-api, Send message, billing_status: what begins a conversation is charged, an answer within 24 h is not
    charges=Charges(message="viber.charged", session="viber.session_billable", session_s=86_400.0),
    address_pattern=r"[A-Za-z0-9+/=_-]{4,64}",  # base64; bots-api, subscribers
    start_link="&context={payload}",  # bots-api, deep links: viber://pa?chatURI=…&context=…
    receipts=frozenset({ReceiptState.DELIVERED, ReceiptState.READ, ReceiptState.FAILED}),
    batch=300,  # bots-api, Broadcast message: 300 receivers; the lane puts together what its pace carries in 0.25 s
    look=Look(
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
    also_called=("вайбер",),
)
