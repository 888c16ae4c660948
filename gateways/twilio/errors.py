"""Twilio's codes and what each asks us to do, whether it comes as the answer to a send or later as `ErrorCode`.

twilio.com/docs/api/errors and nyaruka/courier `handlers/twiml/errors.json`, read November 2026. Twilio warns that the
code of one cause may change: an unknown one fails this message to this client and keeps the address.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateways.base import (
    AccountBroken,
    AddressGone,
    AddressStatus,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    Rejected,
    Throttled,
    Unavailable,
    _,
)

DEFAULT_RETRY_AFTER_S = 1.0  # twilio.com/docs/api/errors/20429: back off; the lane grows the pause by itself
MAX_RETRY_AFTER_S = 86_400.0
MAX_WORDS = 300  # characters kept of a message

Make = Callable[[str, str], GatewayError]  # of words and code


class Hold(Throttled):
    """The sender has used up what it may send for minutes or hours."""


def _gone(reason: str, status: AddressStatus = AddressStatus.GONE) -> Make:
    return lambda words, code: AddressGone(reason, words, code=code, status=status)


def _client(reason: str = "rejected") -> Make:
    return lambda words, code: Rejected(words, code=code, reason=reason)


def _message(reason: str = "rejected") -> Make:
    return lambda words, code: MessageRejected(words, code=code, reason=reason)


def _broken(words: str, code: str) -> GatewayError:
    return ChannelBroken(words, code=code)


def _hold(retry_after_s: float) -> Make:
    return lambda words, code: Hold(retry_after_s, words, code=code)


def _slower(words: str, code: str) -> GatewayError:
    return Throttled(DEFAULT_RETRY_AFTER_S, words, code=code)


def _later(words: str, code: str) -> GatewayError:
    return Unavailable(words, code=code)


def _open(words: str, code: str) -> GatewayError:
    return OutcomeUnknown(words, code=code)


def _window(words: str, code: str) -> GatewayError:
    return OutsideWindow(words, code=code)


MINUTES_S = 120.0
HOURS_S = 3600.0

BY_CODE: Mapping[int, tuple[Make, str]] = {
    # The account and the sender
    20003: (_broken, _("Twilio refuses account_sid and auth_token, or they may not do this")),
    20404: (_broken, _("Twilio knows no such account; look at account_sid and api_base")),
    20005: (_broken, _("the Twilio account is not active")),
    21606: (_broken, _("the sender is not a number of this account that can send this")),
    21212: (_broken, _("the sender is no number that Twilio knows")),
    21705: (_broken, _("the messaging service is not valid")),
    21703: (_broken, _("the messaging service has no sender")),
    30002: (_broken, _("the Twilio account is suspended")),
    30018: (_broken, _("the sender's name is not registered in that country")),
    30024: (_broken, _("the sender's number is not provisioned")),
    30032: (_broken, _("the toll-free number is not verified")),
    30034: (_broken, _("the number is not registered for 10DLC")),
    63001: (_broken, _("WhatsApp refuses the account's credentials")),
    63002: (_broken, _("WhatsApp does not know the sender")),
    63007: (_broken, _("there is no such WhatsApp sender in this account")),
    63008: (_broken, _("the WhatsApp sender is set up wrongly")),
    63020: (_broken, _("Meta has a problem with the business account")),
    63026: (_broken, _("Meta holds the sender's messages for spam")),
    63051: (_broken, _("Meta has locked or restricted the sender")),
    # Pace and quotas
    20429: (_slower, "too many requests at once"),
    21611: (_hold(MINUTES_S), "the sender's queue is full"),
    30001: (_hold(MINUTES_S), "the sender's queue is full"),
    30023: (_hold(HOURS_S), "the day's limit of the 10DLC brand is used up"),
    30027: (_hold(HOURS_S), "T-Mobile's day limit is used up"),
    63017: (_hold(MINUTES_S), "WhatsApp's rate limit is reached"),
    63018: (_hold(HOURS_S), "the sender's rate or its 24-hour tier is used up"),
    63038: (_hold(HOURS_S), "the account's day limit is used up"),
    30017: (_slower, "the carrier's network is congested"),
    30022: (_slower, "the 10DLC rate limit is reached"),
    # Twilio's and carriers' trouble
    20500: (_open, "Twilio has an internal fault"),
    30410: (_open, "the provider did not answer in time"),
    63009: (_later, "WhatsApp has an internal fault"),
    63010: (_later, "Twilio has an internal fault"),
    63012: (_later, "WhatsApp has an internal fault"),
    # The address
    21211: (_gone("not_found"), "the number is not valid"),
    21604: (_gone("not_found"), "there is no number"),
    21614: (_gone("not_found"), "the number is not a mobile one"),
    30005: (_gone("not_found"), "the number is unknown or no longer in use"),
    30006: (_gone("not_found"), "the number is a landline or its carrier can't be reached"),
    63003: (_gone("not_found"), "there is no such address on WhatsApp"),
    63024: (_gone("not_found"), "the number has no WhatsApp"),
    21610: (_gone("unsubscribed", AddressStatus.UNSUBSCRIBED), "the client has sent STOP"),
    30004: (_gone("blocked", AddressStatus.BLOCKED), "the client or the carrier blocks the messages"),
    63014: (_gone("blocked", AddressStatus.BLOCKED), "the client has blocked the sender"),
    63033: (_gone("blocked", AddressStatus.BLOCKED), "the client has blocked the sender or taken consent back"),
    # This message to this client
    21408: (_client("region"), "messages to that country are switched off in Twilio's Console"),
    21608: (_client("not_verified"), "a trial account sends only to numbers verified in Twilio's Console"),
    63015: (_client("not_verified"), "the client has not joined the WhatsApp sandbox"),
    21612: (_client("unreachable"), "this sender can't reach that number"),
    30003: (_client("unreachable"), "the handset is switched off or out of reach"),
    30008: (_client("unreachable"), "the carrier does not say why"),
    30007: (_client("spam"), "the carrier filtered the message as spam"),
    30036: (_client("expired"), "the message waited in Twilio's queue for longer than validity_s"),
    63013: (_client("spam"), "WhatsApp's policy forbids the message"),
    63016: (_window, "the client's last message is more than 24 hours old"),
    63032: (_client("capped"), "WhatsApp sends this client no such message now"),
    63049: (_client("capped"), "Meta sends this client no more marketing now"),
    # The message
    21602: (_message("empty"), "the message is empty"),
    21609: (_message(), "Twilio can't report to our webhook; look at public_url"),
    21617: (_message("too_long"), "the text is longer than 1600 characters"),
    21619: (_message("empty"), "the message is empty"),
    21620: (_message("media"), "Twilio can't use the address of a file"),
    21623: (_message("media"), "the message has too many files"),
    21654: (_message("template"), "there is no such Content template"),
    21655: (_message("template"), "there is no such Content template"),
    21656: (_message("template"), "Twilio can't read the template's values"),
    21658: (_message("too_long"), "a value is longer than 1600 characters"),
    63005: (_message(), "WhatsApp does not accept the content"),
    63019: (_message("media"), "WhatsApp could not fetch the file"),
    63021: (_message(), "WhatsApp does not accept the content"),
    63027: (_message("template"), "the template does not exist in that language"),
    63028: (_message("template"), "the template takes another number of values"),
    63030: (_message(), "WhatsApp does not know a parameter"),
    63034: (_message("media"), "the file is too big"),
    63040: (_message("template"), "Meta has rejected the template"),
    63041: (_message("template"), "Meta has paused the template"),
    63042: (_message("template"), "Meta has disabled the template"),
}


class Failure(NamedTuple):
    """What a failed receipt says; `stops` where the account may not go on as it is."""

    reason: str
    words: str
    address_status: AddressStatus | None = None
    stops: AccountBroken | None = None


def error_of(status: int, answer: Any, headers: Mapping[str, str]) -> GatewayError:
    """What an answer that is no success means; `answer` is its JSON, or None where it is none."""
    code = _whole(answer.get("code")) if isinstance(answer, Mapping) else None
    if code is None:
        return _without_code(status, headers)
    words = _clean(str(answer.get("message") or answer.get("detail") or "")) or f"error {code}"
    if status == 429:
        return Throttled(_retry_after_s(headers), words, code=str(code))
    if status >= 500:
        return OutcomeUnknown(words, code=str(code))
    make, known = BY_CODE.get(code) or (BY_CODE[20003] if status == 401 else (_client(), ""))
    return make(f"{known} ({words})" if make is _broken else words, str(code))


def failure_of(code: str) -> Failure:
    """What an `ErrorCode` means that comes with `failed` or `undelivered`: the message is lost by then, so what asks
    for a pause pauses the channel for those that follow."""
    make, words = BY_CODE.get(_whole(code) or 0, (_client(), ""))
    words = words or (f"error {code}" if code else "Twilio does not say why")
    match make(words, code):
        case AddressGone(reason=reason, status=status):
            return Failure(reason, words, status)
        case Rejected(reason=reason):
            return Failure(reason, words)
        case OutsideWindow():
            return Failure("outside_window", words)
        case ChannelBroken():
            return Failure("rejected", words, stops=AccountBroken(words, code))
        case Hold():
            return Failure("limit", words, stops=AccountBroken(f"{words}; resume when it is free again", code))
    return Failure("unavailable", words)


def _without_code(status: int, headers: Mapping[str, str]) -> GatewayError:
    """An answer that Twilio did not write: a proxy's page, a cut body, another program behind api_base.

    Only a request that was refused as such surely did nothing; a success or a fault of a server may have sent."""
    words, code = f"HTTP {status} without Twilio's own words", str(status)
    if status == 429:
        return Throttled(_retry_after_s(headers), words, code=code)
    if status in (401, 403):
        return _broken(f"{BY_CODE[20003][1]} ({words})", code)
    if status == 404:
        return _broken(f"{BY_CODE[20404][1]} ({words})", code)
    return Unavailable(words, code=code) if 300 <= status < 500 else OutcomeUnknown(words, code=code)


def _retry_after_s(headers: Mapping[str, str]) -> float:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return DEFAULT_RETRY_AFTER_S
    return min(seconds, MAX_RETRY_AFTER_S) if math.isfinite(seconds) and seconds > 0 else DEFAULT_RETRY_AFTER_S


def _whole(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _clean(words: str) -> str:
    """Without what names a client: numbers, ids of people, addresses of files."""
    return re.sub(r"\+?\d{6,}|\b[A-Z]{2}\.\w+|\S*://\S*", "…", words)[:MAX_WORDS]
