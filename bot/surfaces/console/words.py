"""The page's own words; the bot's come with its cards."""

from typing import Final

from bot.texts import Texts, _

WORDS: Final = {
    "chat": _("Chat with the bot"),
    "chat_tab": _("Chat"),
    "phones": _("Clients’ phones"),
    "phones_tab": _("Phones"),
    "phones_about": _("Simulated: nothing leaves this machine. Press their buttons, answer, say STOP, block the bot."),
    "write": _("Write a message"),
    "write_here": _("Write to the bot, or press a button"),
    "send": _("Send"),
    "attach": _("Attach pictures or a file"),
    "remove_file": _("Remove {name}"),
    "uploading": _("{name} is being uploaded"),
    "formatting": _("Formatting"),
    "bold": _("Bold"),
    "italic": _("Italic"),
    "underline": _("Underlined"),
    "strike": _("Struck through"),
    "code": _("Code"),
    "link": _("Link"),
    "link_address": _("Address of the link"),
    "link_set": _("Set link"),
    "link_remove": _("No link"),
    "commands": _("Commands"),
    "typing": _("The bot is at work"),
    "preview": _("As a client sees it"),
    "statistics": _("Statistics"),
    "now_live": _("Show the live card"),
    "newest": _("Newest messages"),
    "me": _("You"),
    "be": _("Be somebody else of the demo’s people"),
    "bot": _("The bot"),
    "connected": _("Connected"),
    "connecting": _("Connecting again"),
    "over": _("This page is closed: open it with a new link, which Carillon prints when it starts."),
    "reload": _("Open again"),
    "too_long": _("That is too long to send at once: {most} characters are the most."),
    "file_too_large": _("{name} is too large: {most} MB are the most."),
    "not_taken": _("That could not be read; nothing was done."),
    "picture": _("Picture"),
    "video": _("Video"),
    "file": _("File"),
    "location": _("Location {latitude}, {longitude}"),
    "progress": _("Progress"),
    "opens_link": _("opens a link"),
    "say_here": _("Answer as {name}"),
    "stop": _("Say STOP"),
    "block": _("Block"),
    "unblock": _("Unblock"),
    "is_blocked": _("{name} has blocked the bot"),
    "nothing_yet": _("Nothing has arrived yet"),
    "edited": _("edited"),
    "sent": _("Sent"),
    "delivered": _("Delivered"),
    "read": _("Read"),
    "cards": _("Cards"),
    "choose": _("Choose"),
    "upload_broken": _("{name} could not be uploaded: the connection broke. Try again."),
    "role_owner": _("owner"),
    "role_operator": _("operator"),
    "role_approver": _("approver"),
    "role_manager": _("manager"),
}

NEEDS_LINK: Final = _("This page opens with the link that Carillon printed when it started.")
NEEDS_LINK_MORE: Final = _(
    "Each link is for one person and opens once. If yours was used already, open the page where you used it, or start"
    " Carillon again for a new one."
)

INVITED: Final = _("{name}, you are invited to {house}")
INVITED_MORE: Final = _("You come in as {role}. The link works once: from then on this browser knows you.")
COME_IN: Final = _("Come in")


def page_words(t: Texts) -> dict[str, str]:
    """Every word of the page in one language; {names} in them are filled by the page."""
    return {name: t.plain(words) for name, words in WORDS.items()}
