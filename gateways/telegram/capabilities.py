"""What Telegram's Bot API carries; Bot API 10.3 of 24 August 2026."""

from gateways.base import ButtonSet, Capabilities, Fact, PartKind, TextUnit
from gateways.looks import Keys, Look
from gateways.markup import TAGS
from gateways.message import Buy, Link, Reply

TELEGRAM = Capabilities(
    kind="telegram",
    title="Telegram",
    max_text=Fact(4096, "core.telegram.org/bots/api#sendmessage: 1-4096 characters after entities parsing"),
    max_caption=Fact(1024, "core.telegram.org/bots/api#sendphoto: 0-1024 characters after entities parsing"),
    text_unit=TextUnit.CHARACTERS,  # code points: tdlib/td MessageEntity.cpp; only entity offsets are UTF-16
    markup=TAGS,
    media=frozenset(PartKind) - {PartKind.CAROUSEL, PartKind.TEMPLATE},
    max_picture_bytes=Fact(10 * 1024 * 1024, "core.telegram.org/bots/api#sending-files: 10 MB max size for photos"),
    max_file_bytes=Fact(50 * 1024 * 1024, "core.telegram.org/bots/api#sending-files: 50 MB for other files"),
    album_sizes=range(2, 11),  # core.telegram.org/bots/api#sendmediagroup: must include 2-10 items
    album_takes_buttons=False,  # the same: sendMediaGroup has no reply_markup
    max_buttons_in_row=Fact(8, "not documented; tginfo/Telegram-Limits and python-telegram-bot 22.8 constants.py"),
    max_label=Fact(256, "core.telegram.org/bots/api#inlinekeyboardbutton names no limit: ours, so that it can be read"),
    button_sets=(
        ButtonSet(
            frozenset({Link, Reply, Buy}),
            Fact(100, "not documented; tginfo/Telegram-Limits and python-telegram-bot 22.8 constants.py"),
        ),
    ),
    receipts=frozenset(),
    why_no_receipts="Telegram tells bots neither delivery nor reading.",
    address_pattern=r"-?[0-9]{1,19}",  # core.telegram.org/bots/api#chat: at most 52 significant bits
    start_link="?start={payload}",  # core.telegram.org/bots/features#deep-linking: up to 64 of A-Z, a-z, 0-9, _ and -
    takes_back_for_s=Fact(48 * 3600, "core.telegram.org/bots/api#deletemessage: sent less than 48 hours ago"),
    corrects_for_s=Fact(
        365 * 86_400, "core.telegram.org/bots/api#editmessagetext names no limit for a bot's own messages: ours"
    ),
    max_rate=25.0,  # core.telegram.org/bots/faq: about 30 messages/s in bulk, less a margin
    look=Look(
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
    also_called=("tg", "телеграм"),
)

# What a message may say for Telegram alone, in `only.telegram`, beside other elements.
EXTRA_FIELDS = ("link_preview", "silent", "protect")

MAX_ENTITIES = 100  # core.telegram.org/bots/api#sendmessage: the rest are ignored
MAX_CALLBACK_BYTES = 64  # of UTF-8; core.telegram.org/bots/api#inlinekeyboardbutton
MAX_NOTE = 200  # characters; core.telegram.org/bots/api#answercallbackquery
PICTURE_EXTENSIONS = ("jpg", "jpeg", "png", "gif", "tif", "bmp")  # tdlib/td: photo has unsupported extension
