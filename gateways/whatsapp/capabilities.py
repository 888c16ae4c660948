"""What the WhatsApp Business Cloud API carries; Graph API v26.0, read November 2026."""

from gateways.base import ButtonSet, Capabilities, Charges, Fact, PartKind, ReceiptState, TextUnit
from gateways.dialects import WHATSAPP as MARKS
from gateways.dialects import marked_measure
from gateways.looks import WHATSAPP_LOOK
from gateways.message import Buy, Link, Reply

_DOCS = "developers.facebook.com/documentation/business-messaging/whatsapp"
_INTERACTIVE = f"{_DOCS}/messages/interactive-reply-buttons-messages"
_LISTS = f"{_DOCS}/messages/interactive-list-messages"
_CTA = f"{_DOCS}/messages/interactive-cta-url-messages"
_MEDIA = f"{_DOCS}/business-phone-numbers/media"

MAX_REPLIES = 3  # reply buttons; more stand in a list
MAX_ROWS = 10  # of a list, all sections together
PHONE = r"[0-9]{5,15}"  # E.164 without the plus
USER_ID = r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}"  # …/business-scoped-user-ids, August 2026

WHATSAPP = Capabilities(
    kind="whatsapp",
    title="WhatsApp",
    max_text=Fact(4096, f"{_DOCS}/messages/text-messages: body, maximum 4096 characters"),
    max_caption=Fact(1024, f"{_DOCS}/messages/image-messages: caption, maximum 1024 characters"),
    text_unit=TextUnit.UTF16,  # UTF-16 units or code points: not documented, so the one that counts more
    markup=frozenset({"b", "i", "s", "code", "pre", "a"}),
    media=frozenset(
        {PartKind.TEXT, PartKind.PICTURE, PartKind.FILE, PartKind.VIDEO, PartKind.LOCATION, PartKind.TEMPLATE}
    ),
    max_picture_bytes=Fact(5 * 1024 * 1024, f"{_MEDIA}: images 5 MB"),
    max_file_bytes=Fact(100 * 1024 * 1024, f"{_MEDIA}: documents 100 MB"),
    album_sizes=range(0),
    album_takes_buttons=False,
    max_buttons_in_row=Fact(1, f"{_INTERACTIVE}: buttons stand under each other"),
    max_label=Fact(20, f"{_INTERACTIVE}: title 20 characters; {_CTA}: display_text 20"),
    button_sets=(
        ButtonSet(frozenset({Reply, Buy}), Fact(MAX_ROWS, f"{_INTERACTIVE}: 3 buttons; {_LISTS}: 10 rows in all")),
        ButtonSet(frozenset({Link}), Fact(1, f"{_CTA}: one URL button")),
    ),
    buttoned=frozenset({PartKind.TEXT, PartKind.PICTURE, PartKind.VIDEO, PartKind.FILE}),  # _INTERACTIVE: headers
    max_buttons_with_media=Fact(MAX_REPLIES, f"{_LISTS}: a list has a text for a header, no media"),
    max_text_with_buttons=Fact(1024, f"{_INTERACTIVE}: body, 1024 characters; so does Meta's OpenAPI v23.0 of lists"),
    measure=marked_measure(MARKS, TextUnit.UTF16),
    address_pattern=f"{PHONE}|{USER_ID}",
    address_by_phone=True,
    receipts=frozenset(ReceiptState),
    max_rate=25.0,  # …/throughput: 80 messages/s per number, sent and received together
    carries_reference=True,  # biz_opaque_callback_data; …/webhooks/reference/messages/status, 14 September 2026
    own_fields=frozenset({"template", "link_preview", "list_button"}),
    window_s=86_400.0 - 300.0,  # …/messages/send-messages#customer-service-windows: 24 h; less what a call takes
    takes_templates=True,
    submits_templates="WhatsApp Manager",
    # developers.facebook.com …/whatsapp/pricing: a delivered template by its category; others where they are billed
    charges=Charges(template="whatsapp.{category}", session="whatsapp.service"),
    look=WHATSAPP_LOOK,
)

MAX_ID = 200  # characters of a row's id (of a reply button's 256); the pages above
MAX_LIST_BUTTON = 20
MAX_VIDEO_BYTES = 16 * 1024 * 1024  # _MEDIA
MEDIA_DAYS = 29  # ids live 30 days; _MEDIA
MAX_REFERENCE = 512  # biz_opaque_callback_data
MAX_HOOK_URL = 200  # …/webhooks/override
NEUTRAL_TEXT = "⬇️"  # a message with buttons needs words
TIERS = {  # clients that may be opened by templates in any 24 h; …/messaging-limits, October 2025
    "TIER_50": 50,
    "TIER_250": 250,
    "TIER_1K": 1_000,
    "TIER_2K": 2_000,
    "TIER_10K": 10_000,
    "TIER_100K": 100_000,
}
