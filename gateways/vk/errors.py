"""VK's error codes and what each asks us to do.

A code means the same in its three places: `error.error_code` of a whole call, `execute_errors` of the calls inside one,
and `error.code` of one receiver of `peer_ids`. Codes and words as VKCOM/vk-api-schema `errors.json` (5.199) has them.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from gateways.base import (
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
)

log = logging.getLogger(__name__)

Make = Callable[[str, str], GatewayError]  # of words and code

TOO_MANY_S = 1.0  # after "Too many requests per second"
ONE_CLIENT_S = 60.0  # after flood control, for that client alone
METHOD_QUOTA_S = 900.0  # after "Rate limit reached", doubled each time it comes again
LONGEST_QUOTA_S = 4 * 3600.0
MAX_WORDS = 300  # characters kept of a description

TOO_MANY = 6
METHOD_QUOTA = 29
NOT_COMPILED = 12
SERVERS_FULL = 2000


class MediaRefused(MessageRejected):
    """VK does not take a file, or what we call it by: once more from the beginning may help."""


def _gone(reason: str, status: AddressStatus, *, no_such_address: bool = False) -> Make:
    def make(words: str, code: str) -> GatewayError:
        return AddressGone(reason, words, code=code, status=status, no_such_address=no_such_address)

    return make


def _message(reason: str = "rejected") -> Make:
    return lambda words, code: MessageRejected(words, code=code, reason=reason)


def _client(reason: str = "rejected") -> Make:
    return lambda words, code: Rejected(words, code=code, reason=reason)


def _media(words: str, code: str) -> GatewayError:
    return MediaRefused(words, code=code, reason="media")


def _window(words: str, code: str) -> GatewayError:
    return OutsideWindow(words, code=code)


def _open(words: str, code: str) -> GatewayError:
    return OutcomeUnknown(words, code=code)


def _away(words: str, code: str) -> GatewayError:
    return Unavailable(words, code=code)


def _broken(hint: str) -> Make:
    return lambda words, code: ChannelBroken(f"{hint} ({words})", code=code)


def _throttled(retry_after_s: float, *, only_this: bool = False) -> Make:
    return lambda words, code: Throttled(retry_after_s, words, code=code, only_this=only_this)


_UNSUBSCRIBED = _gone("unsubscribed", AddressStatus.UNSUBSCRIBED)
_BLOCKED = _gone("blocked", AddressStatus.BLOCKED)
_DEACTIVATED = _gone("deactivated", AddressStatus.GONE)
_NOT_FOUND = _gone("not_found", AddressStatus.GONE, no_such_address=True)
_CHAT_LOST = _gone("kicked", AddressStatus.GONE)
_OUR_BUG = _broken("VK does not know what we ask: look at api_base, and tell whoever maintains Carillon")
_KEY = _broken("VK refuses the key: it was revoked, mistyped or bound to another address; make a new one in the "
               "community's settings, Working with API")  # fmt: skip
_PERSON = _broken("VK wants a person: open the community in a browser, do what VK asks there, then resume")

# platforms/vk.md section 6
BY_CODE: Mapping[int, Make] = {
    901: _UNSUBSCRIBED,
    900: _BLOCKED,
    902: _BLOCKED,
    # Twenty in a row stop the lane: then it is the key that may nothing, and not the client who forbids.
    7: _gone("blocked", AddressStatus.BLOCKED, no_such_address=True),
    18: _DEACTIVATED,
    37: _DEACTIVATED,
    30: _BLOCKED,
    **dict.fromkeys((936, 104, 113), _NOT_FOUND),
    **dict.fromkeys((1021, 932, 983, 985, 962), _BLOCKED),
    **dict.fromkeys((950, 943, 944, 987, 988, 939), _window),
    **dict.fromkeys((917, 922, 925, 927, 945, 946, 1012, 1017, 993), _CHAT_LOST),
    984: _broken("VK restricts the community for spam: ask VK's support before anything more is sent"),
    911: _message(),
    912: _broken("the community's bot capabilities are off: switch them on in its settings, Messages, Bot settings"),
    **dict.fromkeys((914, 910, 913, 940, 921), _message("too_long")),
    **dict.fromkeys((114, 118, 121, 122, 129, 105, 22), _media),
    100: _message(),
    TOO_MANY: _throttled(TOO_MANY_S),
    9: _throttled(ONE_CLIENT_S, only_this=True),
    METHOD_QUOTA: _throttled(METHOD_QUOTA_S),
    **dict.fromkeys((1, 10, 13, 36, 995), _open),
    43: _away,
    NOT_COMPILED: _away,  # a script of ours that VK could not read: nothing in it ran
    5: _KEY,
    **dict.fromkeys((27, 28), _broken("VK does not let this key do that: it must be a community's key with the right "
                                      "to messages, photos, documents and management")),
    # Equal for three clients in a row, they interrupt the mailing: then the key lacks a right.
    **dict.fromkeys((15, 203), _message("no_rights")),
    **dict.fromkeys((2, 3, 8, 23, 34, 35), _OUR_BUG),
    **dict.fromkeys((14, 17, 24, 25, 3300), _PERSON),
    42: _broken("VK does not take calls from this server's address: allow it in the community's settings"),
    **dict.fromkeys((909, 924), _client("too_old")),
    **dict.fromkeys((920, 949), _client("not_editable")),
}  # fmt: skip

# A receiver's error may come as words alone.
_BY_WORDS: Mapping[str, int] = {
    "without permission": 901,
    "blacklist": 900,
    "black list": 900,
    "privacy settings": 902,
    "deleted or banned": 18,
    "too long": 914,
    "too many requests": TOO_MANY,
    "flood control": 9,
}
_NAMES_PEER = re.compile(r"\b(?:peer_ids?|user_ids?|peer|user_id is)\b", re.IGNORECASE)
_NAMES_FILE = re.compile(r"attachment|\b(?:photo|server|hash|file|photos_list)\b", re.IGNORECASE)
_EMPTY = re.compile(r"message is empty|empty (?:message|text)", re.IGNORECASE)


def error_of(code: Any, words: Any, hidden: tuple[str, ...] = ()) -> GatewayError:
    """What one of VK's errors means. `hidden` are the key and the addresses, which no words may show."""
    number = _number(code)
    said = _clean(words if isinstance(words, str) else "", hidden) or f"error {number}"
    if number == 100:
        return _bad_parameter(said)
    make = BY_CODE.get(number)
    if make is None:
        log.warning("VK refused with a code that is not known", extra={"code": number})
        make = _client()
    return make(said, str(number))


def receiver_error(error: Any, hidden: tuple[str, ...] = ()) -> GatewayError:
    """What VK says of one receiver: {"code", "description"}, or the words alone."""
    if isinstance(error, Mapping):
        code = error.get("code", error.get("error_code"))
        return error_of(code, error.get("description", error.get("error_msg")), hidden)
    words = str(error)
    known = next((code for part, code in _BY_WORDS.items() if part in words.lower()), 0)
    return error_of(known, words, hidden)


def error_of_call(answer: Any, hidden: tuple[str, ...] = ()) -> GatewayError:
    """What a whole call's `error` means; an answer that VK did not write leaves it open what was done."""
    error = answer.get("error") if isinstance(answer, Mapping) else None
    if not isinstance(error, Mapping) or "error_code" not in error:
        return OutcomeUnknown("an answer that is not VK's")
    # `request_params` echoes what was sent: it stays unread.
    return error_of(error.get("error_code"), error.get("error_msg"), hidden)


def is_refusal(error: GatewayError) -> bool:
    """Whether VK surely did nothing of it, for something in what was asked."""
    return isinstance(error, Rejected | AddressGone | OutsideWindow)


def _bad_parameter(words: str) -> GatewayError:
    if _NAMES_PEER.search(words):
        return _NOT_FOUND(words, "100")
    if _EMPTY.search(words):
        return MessageRejected(words, code="100", reason="empty")
    if _NAMES_FILE.search(words):
        return MediaRefused(words, code="100", reason="media")
    return MessageRejected(words, code="100")


def _number(code: Any) -> int:
    try:
        return 0 if isinstance(code, bool) else int(code)
    except (TypeError, ValueError, OverflowError):
        return 0


def _clean(words: str, hidden: tuple[str, ...]) -> str:
    for secret in hidden:
        words = words.replace(secret, "…")
    # Three clients' errors are compared by their words, so what is a client's own goes.
    return re.sub(r"\d{5,}", "…", words)[:MAX_WORDS]
