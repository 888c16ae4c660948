"""What Messenger carries to a Page's clients; Graph API v26.0, read November 2026."""

from gateways.base import ButtonSet, Capabilities, CarouselLimits, Fact, PartKind, ReceiptState, TextUnit
from gateways.dialects import plain_measure
from gateways.looks import Keys, Look
from gateways.message import Buy, Link, Reply

_DOCS = "developers.facebook.com/docs/messenger-platform"
_BUTTONS = f"{_DOCS}/reference/templates/button, 22 April 2026"
_GENERIC = f"{_DOCS}/reference/templates/generic, 22 April 2026"
_QUICK = f"{_DOCS}/reference/buttons/quick-replies"

FACEBOOK = Capabilities(
    kind="facebook",
    title="Facebook Messenger",
    max_text=Fact(2000, f"{_DOCS}/reference/send-api: text, UTF-8, 2000 character limit"),
    max_caption=Fact(0, f"{_DOCS}/reference/send-api: a message holds text or attachments, never both"),
    text_unit=TextUnit.CHARACTERS,
    markup=frozenset(),  # docs.csml.dev studio/channels/messenger: phones show marks as they are written
    media=frozenset({PartKind.TEXT, PartKind.PICTURE, PartKind.FILE, PartKind.VIDEO, PartKind.CAROUSEL}),
    max_picture_bytes=Fact(8 * 1024 * 1024, f"{_DOCS}/send-messages/saving-assets, 22 April 2026: images by URL 8 MB"),
    max_file_bytes=Fact(25 * 1024 * 1024, f"{_DOCS}/send-messages/saving-assets, 22 April 2026: attachments 25 MB"),
    album_sizes=range(0),
    album_takes_buttons=False,
    max_buttons_in_row=Fact(1, f"{_BUTTONS}: its buttons stand under each other"),
    max_label=Fact(20, f"{_BUTTONS}: button titles, and those of quick replies, 20 characters"),
    button_sets=(
        ButtonSet(frozenset({Link, Reply, Buy}), Fact(3, f"{_BUTTONS}: 1-3 buttons")),
        ButtonSet(frozenset({Reply, Buy}), Fact(13, f"{_QUICK}: up to 13 quick replies")),
    ),
    max_text_with_buttons=Fact(640, f"{_BUTTONS}: text, UTF-8, 640 character limit"),
    # Quick replies may stand under a file, but links, which go with the media template, may not: …/templates/media.
    buttoned=frozenset({PartKind.TEXT, PartKind.PICTURE, PartKind.VIDEO, PartKind.TEMPLATE}),
    carousel=CarouselLimits(
        cards=range(1, 11),  # the same page: a maximum of 10 elements
        max_title=Fact(80, f"{_GENERIC}: title 80 characters"),
        max_text=Fact(80, f"{_GENERIC}: subtitle 80 characters"),
        max_buttons=Fact(3, f"{_GENERIC}: 3 buttons an element"),
    ),
    measure=plain_measure(TextUnit.CHARACTERS),
    address_pattern=r"[0-9]{1,32}",  # a page-scoped id: decimal, no length is promised
    start_link="?ref={payload}",  # developers.facebook.com/docs/messenger-platform/discovery/m-me-links
    max_start_payload=250,  # the same page allows 2,083; as many letters as a card's source needs
    receipts=frozenset({ReceiptState.SENT, ReceiptState.DELIVERED, ReceiptState.READ}),
    max_rate=25.0,  # …/overview/rate-limiting, 23 March 2026: 300 calls/s for text, far above
    carries_reference=True,  # `metadata` comes back in the echo; …/webhook-events/message-echoes, 18 March 2026
    own_fields=frozenset({"silent"}),
    window_s=86_400.0
    - 300.0,  # …/policy, 28 September 2026: 24 h after the client's last action; less what a call takes
    takes_templates=True,  # …/send-messages/utility-messages, 13 March 2026
    look=Look(
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
    also_called=("psid", "messenger"),
)

MAX_TEMPLATE_BUTTONS = 3
MAX_QUICK_REPLIES = 13
VIDEO_CALLS_PER_S = 8.0  # 10/s for audio and video; …/overview/rate-limiting, 23 March 2026; less a margin
ATTACHMENT_DAYS = 80  # ids live 90; …/send-messages/saving-assets, 22 April 2026
