"""What Twilio's Programmable Messaging carries to WhatsApp and as SMS; read November 2026."""

from gateways.base import Capabilities, Charges, Fact, PartKind, ReceiptState, TextUnit
from gateways.dialects import WHATSAPP as WHATSAPP_MARKS
from gateways.dialects import marked_measure, plain_measure, plain_text
from gateways.looks import WHATSAPP_LOOK, Keys, Look
from gateways.twilio.segments import count, counted

_BODY = Fact(1600, "twilio.com/docs/api/errors/21617: a body is up to 1600 characters; counted as UTF-16 to be safe")
_NO_BUTTONS = Fact(0, "twilio.com/docs/content: buttons exist in Content templates only")
_NO_MEDIA = Fact(0, "this kind carries text only")

SMS_ADDRESS = r"[0-9]{5,15}"  # E.164 without the plus
WHATSAPP_ADDRESS = rf"{SMS_ADDRESS}|[A-Z]{{2}}\.(?:ENT\.)?[A-Za-z0-9]{{1,128}}"  # or the id of one who shows no phone

WHATSAPP = Capabilities(
    kind="whatsapp",
    title="WhatsApp",
    max_text=_BODY,
    max_caption=Fact(1024, "developers.facebook.com/docs/whatsapp/cloud-api/reference/messages: caption"),
    text_unit=TextUnit.UTF16,
    markup=frozenset({*WHATSAPP_MARKS.marks, "a"}),
    media=frozenset(
        {PartKind.TEXT, PartKind.PICTURE, PartKind.VIDEO, PartKind.FILE, PartKind.LOCATION, PartKind.TEMPLATE}
    ),
    max_picture_bytes=Fact(5 * 1024 * 1024, "twilio.com/docs/whatsapp/guidance-whatsapp-media-messages: images 5 MB"),
    max_file_bytes=Fact(16 * 1024 * 1024, "twilio.com/docs/whatsapp/guidance-whatsapp-media-messages: 16 MB"),
    album_sizes=range(0),  # support.twilio.com 360017961894: one attachment a message, others are ignored
    album_takes_buttons=False,
    max_buttons_in_row=_NO_BUTTONS,
    max_label=_NO_BUTTONS,
    button_sets=(),
    measure=marked_measure(WHATSAPP_MARKS, TextUnit.UTF16),
    address_pattern=WHATSAPP_ADDRESS,
    address_by_phone=True,
    receipts=frozenset(ReceiptState),
    max_rate=25.0,  # twilio.com/docs/whatsapp/best-practices-and-faqs: 80/s, less what answers and others need
    carries_reference=True,  # in the query of the StatusCallback
    own_fields=frozenset({"template"}),
    window_s=86_400.0 - 300.0,  # twilio.com/docs/whatsapp/key-concepts: 24 hours; less what a call takes
    takes_templates=True,
    submits_templates="Twilio's Console",
    charges=Charges(template="whatsapp.{category}", session="whatsapp.service"),  # what Meta bills, passed on
    look=WHATSAPP_LOOK,
)

SMS = Capabilities(
    kind="sms",
    title="SMS",
    max_text=_BODY,
    max_caption=_NO_MEDIA,
    text_unit=TextUnit.UTF16,
    markup=frozenset({"a"}),
    media=frozenset({PartKind.TEXT}),
    max_picture_bytes=_NO_MEDIA,
    max_file_bytes=_NO_MEDIA,
    album_sizes=range(0),
    album_takes_buttons=False,
    max_buttons_in_row=_NO_BUTTONS,
    max_label=_NO_BUTTONS,
    button_sets=(),
    measure=plain_measure(TextUnit.UTF16),
    units=lambda rich: count(plain_text(rich)).segments,
    unit="segment",
    charges=Charges(message="sms.segment"),
    counted=lambda rich: counted(plain_text(rich)),
    address_pattern=SMS_ADDRESS,
    address_by_phone=True,
    receipts=frozenset({ReceiptState.SENT, ReceiptState.DELIVERED, ReceiptState.FAILED}),
    max_rate=25.0,  # segments/second; a short code takes more, with allow_faster
    carries_reference=True,
    look=Look(
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
)

WHY_UNHEARD = "Twilio reports to a webhook, and without public_url it can't reach us."
