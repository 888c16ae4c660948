"""Our message as the fields of Messages.json. Pure."""

from collections.abc import Callable

from gateways.base import MessageRejected, Outgoing, PartKind
from gateways.dialects import WHATSAPP, plain_text, render_marked

Values = list[tuple[str, str]]

PREFIX = "whatsapp:"
_AUDIO = (".aac", ".amr", ".mp3", ".m4a", ".ogg", ".opus")


def external_address(address: str, *, on_whatsapp: bool) -> str:
    """Our address as Twilio writes it: a phone with its plus, the id of a person without a visible phone as it is."""
    phone = address.removeprefix("+")
    written = f"+{phone}" if phone.isdecimal() else address
    return PREFIX + written if on_whatsapp else written


def text_of(out: Outgoing, *, on_whatsapp: bool) -> str:
    return render_marked(out.text, WHATSAPP) if on_whatsapp else plain_text(out.text)


def content_values(out: Outgoing, text: str, address_of: Callable[[str], str]) -> Values:
    """What a part other than a template says; `address_of` makes a source the URL from which Twilio fetches it."""
    match out.part.kind:
        case PartKind.TEXT:
            return [("Body", text)]
        case PartKind.LOCATION:
            # Without any Body Twilio refuses it (21602).
            place = f"geo:{out.part.latitude:.6f},{out.part.longitude:.6f}"
            return [("Body", text or "📍"), ("PersistentAction", place)]
        case PartKind.PICTURE | PartKind.VIDEO | PartKind.FILE if out.part.media:
            url = address_of(out.part.media[0])
            if text and url.partition("?")[0].lower().endswith(_AUDIO):
                raise MessageRejected("WhatsApp shows no text under a sound; make the text an element of its own")
            return [*([("Body", text)] if text else []), ("MediaUrl", url)]
    raise MessageRejected(f"Twilio carries no part of the kind “{out.part.kind}”")
