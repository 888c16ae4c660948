"""The first half of the operators' guide: from the first /start to the launch."""

from bot.screens import Attachment, Said
from engine.media import Media
from gateways.base import PartKind
from tests.house.guide_shop import Shop, Task

HELLO = "Hello, {{ client.first_name | default('friend') }}! Our ferns are 20 % off until Sunday. Write STOP to leave."


async def first_steps(shop: Shop) -> None:
    ostap = shop.chat("Ostap")
    await ostap.say("/people")
    await ostap.press("Invite somebody")
    await ostap.say("Nina")
    await ostap.press("Operator")
    code = ostap.card().text.partition("start=")[2].split()[0]
    nina = shop.chat("Nina", "7001")
    await nina.say(f"/start {code}")
    await nina.say("/help")


async def write_a_message(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/new Fern sale")
    picture = Attachment(PartKind.PICTURE, shop.picture())
    await olha.hand(f"(a picture) {HELLO}", Said(text=HELLO, attachments=(picture,)))
    await olha.press("Add buttons")
    await olha.say("See them - https://acme.example/ferns | Tell me more - Tell me more")
    await olha.press("◀ Back")
    await olha.press("Preview")
    olha.keep_looks(telegram="Telegram", viber="Viber", whatsapp="WhatsApp", sms="SMS")


async def piece_by_piece(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/pieces 1")
    await olha.press("+ Text")
    await olha.say("We are open from 9 to 18.")
    await olha.press("2. Text")
    await olha.press("▲ Earlier")
    await olha.press("✕ Remove")


async def fields(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/new Birthday", quiet=True)
    await olha.say("Dear {{ client.first_name }}, a fern waits for you in {{ client.city }}.")
    await olha.press("No first name: “friend”")
    await olha.press("Piece by piece")
    await olha.press("1. Text")
    await olha.press("Insert a field")


async def save_it(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/preview 1", quiet=True)
    await olha.press("Save it")
    await olha.press("“Fern sale”")
    await olha.say("/saved")
    await olha.press("Fern sale")


async def messengers(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/preview 1", quiet=True)
    await olha.press("Messengers")
    await olha.press("✎ Another for SMS")
    await olha.press("1. ")
    await olha.press("Change the text")
    await olha.say("Ferns 20 % off until Sunday. STOP to leave.")
    await olha.press("◀ Back")


async def template(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/preview 1", quiet=True)
    await olha.press("Template")
    await olha.press("spring_sale")
    await olha.press("first name")
    await olha.say("friend")
    await olha.say("20 %")


async def audience(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/audience 1")
    await olha.press("By tag")
    await olha.press("garden")
    await olha.press("Done")
    await olha.press("By condition")
    await olha.say("city")
    await olha.press("Lviv")
    await olha.press("Done")
    await olha.press("Who they are")


async def segment(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/audience 1", quiet=True)
    await olha.press("Save as a segment")
    await olha.say("Garden friends")
    await olha.say("/segments")


async def from_a_file(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/audience 2", quiet=True)
    await olha.press("From a file")
    kept = Media(shop.settings.data_dir).keep(
        b"phone,first_name\n0501000005,Chloe\n0501000015,Ann\n0679990000,Zoe\n", "list.csv"
    )
    await olha.hand("(a file: guests.csv)", Said(attachments=(Attachment(PartKind.FILE, kept, "guests.csv"),)))
    await olha.press("Use these")


async def check(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/accounts")
    await olha.say("viber-shop 380671112233")
    await shop.meanwhile(olha.say("/test 1"))
    await olha.say("/check 1")


TASKS = (
    Task(
        "First steps",
        "An owner lets people in: `/people`, then **Invite somebody**. The link works once, for a week, and gives "
        "the role that was chosen; what a role may do stands on the card. Who has come in sees what there is with "
        "`/help`, and the menu with `/start`.",
        first_steps,
    ),
    Task(
        "Write a message",
        "`/new` begins a mailing; or simply send or forward to the bot what clients shall get, with its picture "
        "and its formatting. You see at once how one real client gets it. **Add buttons** takes links, answers "
        "and things to buy; **Preview** (`/preview`) draws the message for every messenger you have. A draft is "
        "always saved, and you go on with it wherever you like.",
        write_a_message,
        {
            "telegram": "The message on Telegram",
            "viber": "The message on Viber",
            "whatsapp": "The message on WhatsApp",
            "sms": "The message as an SMS",
        },
    ),
    Task(
        "Build it piece by piece",
        "A message may have several pieces: texts, pictures and albums, files, videos, a location. **Piece by "
        "piece** (`/pieces`) adds, moves, changes and removes them by buttons. Sending the whole message anew "
        "with **Change message** comes to the same.",
        piece_by_piece,
    ),
    Task(
        "Greet everybody by name",
        "`{{ client.first_name }}` in the text becomes each client's own name. Where some have none, the card "
        "says how many and offers a word to stand there instead. **Insert a field** shows every field there is, "
        "with an example.",
        fields,
    ),
    Task(
        "Keep a message for later",
        "**Save it** keeps a message under a name, for all messengers or for one. `/saved` has them all: use one "
        "in a new mailing, change, rename, copy or delete it. A mailing that was made of it does not change with "
        "it.",
        save_it,
    ),
    Task(
        "Other words on one messenger",
        "What a messenger can't show is told beforehand. **Messengers** gives one of them a version of its own, "
        "such as a shorter SMS, or sends the mailing on one messenger only; an SMS tells how many segments it "
        "takes while you write.",
        messengers,
    ),
    Task(
        "A template for WhatsApp",
        "WhatsApp and Facebook take free messages only for a day after a client has written. After that they "
        "take a template which they have approved. **Template** picks one, asks for what stands in its gaps, and "
        "shows the result. `/templates` writes a new one and says what became of it.",
        template,
    ),
    Task(
        "Choose who gets it",
        "**Next: audience** (`/audience`) picks clients by tags, fields and what they did with earlier mailings; "
        "without a condition everybody gets it. Press, or type it: `city is Kyiv`. The card counts at once, also "
        "by channel, and **Who they are** lists them. Who has opted out or can't be reached is left out by "
        "itself.",
        audience,
    ),
    Task(
        "Keep an audience",
        "**Save as a segment** gives the conditions a name, so that any mailing can go to it. A segment is "
        "counted anew when a mailing starts, so newcomers are in it. `/segments` lists, changes and deletes them.",
        segment,
    ),
    Task(
        "An audience from a file",
        "Send a CSV or an Excel file with phones, e-mails, your own ids or addresses: its clients become the "
        "audience. The columns are found by themselves, and nothing changes before you have seen what was found. "
        "Rows of people whom you don't know yet are imported only if you press so.",
        from_a_file,
    ),
    Task(
        "Check, price and a test to yourself",
        "`/test` sends the real message to your own accounts, on every channel at once; `/accounts` says which "
        "those are. `/check` tells before the launch who gets it where, what it costs, how long it takes, and "
        "what could go wrong. 💡 is advice, ⚠ costs some clients the message, ⛔ has to be mended first.",
        check,
    ),
)
