"""What the simulated Twilio posts of a client's message, and how patient it is with us."""

from collections.abc import Callable
from urllib.parse import parse_qs, urldefrag

from gateways.simulator.phones import ChatMessage, SimClient
from gateways.simulator.platform import SimAccount
from gateways.simulator.twilio.dialect import sid

_TYPES = {"picture": "image/jpeg", "video": "video/mp4", "audio": "audio/ogg"}


def inbound_form(
    account: SimAccount, client: SimClient, message: ChatMessage, root: str, *, on_whatsapp: bool
) -> dict[str, str]:
    """twilio.com/docs/messaging/guides/webhook-request; a service's number is in its details."""
    prefix = "whatsapp:" if on_whatsapp else ""
    of_service = account.key.startswith("MG")
    number = str(account.details.get("sender", "+447700900900")) if of_service else account.key
    written = f"+{client.id}" if client.id.isdecimal() else client.id
    name = sid("MM" if message.media else "SM")
    form = {
        "MessageSid": name,
        "SmsSid": name,
        "SmsMessageSid": name,
        "AccountSid": account.details["account_sid"],
        "From": f"{prefix}{written}",
        "To": f"{prefix}{number.removeprefix('whatsapp:')}",
        "Body": message.text.text,
        "NumMedia": str(len(message.media)),
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
    }
    if of_service:
        form["MessagingServiceSid"] = account.key
    if on_whatsapp:
        form |= {"ProfileName": client.name, "MessageType": message.media[0].kind if message.media else "text"}
        form |= {"WaId": client.id} if client.id.isdecimal() else {"ExternalUserId": f"whatsapp:{client.id}"}
    for place, media in enumerate(message.media):
        form[f"MediaUrl{place}"] = f"{root}/2010-04-01/Accounts/{form['AccountSid']}/Messages/{name}/Media/{sid('ME')}"
        form[f"MediaContentType{place}"] = _TYPES.get(media.kind, "application/pdf")
    return form


def patience_of(registered: str) -> tuple[str, int, Callable[[int, bytes], bool]]:
    """The URL that is called, how often again, and whether an answer ends it.

    By itself Twilio tries once more, and only where it got no connection; the fragment asks for more."""
    url, fragment = urldefrag(registered)
    wishes = {name: values[-1] for name, values in parse_qs(fragment).items()}
    again = set(wishes.get("rp", "ct").split(","))

    def ends(status: int, _: bytes) -> bool:
        # The hooks can't tell a connection that failed from one that brought no answer.
        kinds = {0: {"ct", "rt"}, 4: {"4xx"}, 5: {"5xx"}}.get(status // 100)
        return kinds is None or not again & {*kinds, "all"}

    return url, min(int(wishes.get("rc", "1")), 5), ends
