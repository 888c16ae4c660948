"""What VK's community messages carry; VK API 5.199, read in autumn 2026."""

from gateways.base import ButtonSet, Capabilities, CarouselLimits, Fact, PartKind, ReceiptState, TextUnit
from gateways.looks import Keys, Look
from gateways.message import Buy, Link, Reply
from gateways.vk.dialect import measured

_KEYBOARD = "dev.vk.com/en/api/bots/development/keyboard"
_CAROUSEL = "vk.com/dev/bot_docs_templates, 5.1 Carousels"

VK = Capabilities(
    kind="vk",
    title="VK",
    max_text=Fact(4096, "dev.vk.com names 9000, libraries split at 4096 and VK answers 914 above its real ceiling"),
    max_caption=Fact(4096, "a message's text and its attachments travel together: the same field"),
    text_unit=TextUnit.CHARACTERS,
    measure=measured,
    markup=frozenset({"b", "i", "u", "a"}),  # types of format_data; dev.vk.com/en/reference/objects/message
    media=frozenset(PartKind) - {PartKind.TEMPLATE},
    max_picture_bytes=Fact(50 * 1024 * 1024, "dev.vk.com/en/api/upload: a photo is 50 MB at most"),
    max_file_bytes=Fact(200 * 1024 * 1024, "dev.vk.com/en/api/upload/document-in-profile: 200 MB at most"),
    album_sizes=range(2, 11),  # attachments of one message: 10; dev.vk.com/ru/method/messages.send
    album_takes_buttons=True,
    max_buttons_in_row=Fact(5, f"{_KEYBOARD}: inline, 5 in a row"),
    max_label=Fact(40, f"{_KEYBOARD}: a label is 40 characters at most"),
    button_sets=(ButtonSet(frozenset({Link, Reply, Buy}), Fact(10, f"{_KEYBOARD}: inline, 10 buttons at most")),),
    carousel=CarouselLimits(
        cards=range(1, 11),  # the same page: 10 elements at most
        max_title=Fact(80, f"{_CAROUSEL}: title, maximum 80 characters"),
        max_text=Fact(80, f"{_CAROUSEL}: subtitle, maximum 80 characters"),
        max_buttons=Fact(3, f"{_CAROUSEL}: up to 3 buttons"),
        alike=True,  # the same page: the first card's structure is that of all
    ),
    address_pattern=r"[1-9][0-9]{0,18}",  # a user's id, or 2000000000 + a chat's
    start_link="?ref={payload}",  # vk.me/NAME?ref=…: comes with the first message that the client then writes
    receipts=frozenset({ReceiptState.READ}),
    why_no_receipts="VK tells nobody whether a message was delivered.",
    max_rate=25.0,
    batch=25,  # calls in one execute, dev.vk.com/ru/method/execute
    repeats_safely_for_s=3300.0,  # random_id: the last hour, dev.vk.com/ru/method/messages.send; less a margin
    takes_back_for_s=Fact(24 * 3600, "dev.vk.com/ru/method/messages.delete: delete_for_all within 24 hours"),
    corrects_for_s=Fact(
        24 * 3600,
        "dev.vk.com/ru/method/messages.edit: 909 for older ones, without a number; taken as for deleting",
    ),
    own_fields=frozenset({"link_preview"}),
    look=Look(
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
)

MAX_ROWS = 6  # of an inline keyboard; dev.vk.com/en/api/bots/development/keyboard
MAX_NOTE = 90  # characters of a snackbar; not documented
PICTURE_EXTENSIONS = ("jpg", "png", "gif")  # dev.vk.com/en/api/upload
