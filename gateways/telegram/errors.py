"""Telegram's refusals and what each asks us to do.

Descriptions as tdlib/telegram-bot-api `Client.cpp` and tdlib/td write them (server 10.0, July 2026); a class prefix
such as "Bad Request: " stands before them, and the first letter after it is lower-cased. They are found by substring,
whatever their case and HTTP status, because servers that speak the same API phrase and number them differently.
"""

import logging
import math
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
    Rejected,
    Throttled,
    Unavailable,
)

log = logging.getLogger(__name__)

Make = Callable[[str, str], GatewayError]  # of words and code

DEFAULT_RETRY_AFTER_S = 1.0
MAX_RETRY_AFTER_S = 86_400.0  # thousands of seconds are real; more than a day is a garbled number
MAX_WORDS = 300  # characters kept of a description


class Migrated(Rejected):
    """The group became a supergroup; it goes on under `new_chat_id`."""

    def __init__(self, new_chat_id: int, words: str, *, code: str) -> None:
        super().__init__(words, code=code)
        self.new_chat_id = new_chat_id


class MediaRefused(MessageRejected):
    """Telegram does not take the file in the form in which it was given: by URL or by an id."""


class QueryTooOld(Rejected):
    """The press waited too long for its answer."""


class AlreadyGone(Rejected):
    """What was to be deleted stands there no more."""


class AlreadySo(Rejected):
    """What was to be changed reads so already."""


class Busy(Unavailable):
    """Somebody else reads this bot's updates."""


def _blocked(words: str, code: str) -> GatewayError:
    return AddressGone("blocked", words, code=code, status=AddressStatus.BLOCKED)


def _gone(reason: str, *, no_such_address: bool = False) -> Make:
    def make(words: str, code: str) -> GatewayError:
        return AddressGone(reason, words, code=code, no_such_address=no_such_address)

    return make


def _message(reason: str = "rejected") -> Make:
    return lambda words, code: MessageRejected(words, code=code, reason=reason)


def _client(reason: str = "rejected") -> Make:
    return lambda words, code: Rejected(words, code=code, reason=reason)


def _media(words: str, code: str) -> GatewayError:
    return MediaRefused(words, code=code, reason="media")


def _too_old(words: str, code: str) -> GatewayError:
    return QueryTooOld(words, code=code)


def _already_gone(words: str, code: str) -> GatewayError:
    return AlreadyGone(words, code=code, reason="message_gone")


def _already_so(words: str, code: str) -> GatewayError:
    return AlreadySo(words, code=code)


def _token(words: str, code: str) -> GatewayError:
    hint = "Telegram refuses the token: it was revoked or mistyped; take the present one from @BotFather"
    return ChannelBroken(f"{hint} ({words})", code=code)


def _path(words: str, code: str) -> GatewayError:
    hint = "the Bot API does not know this bot or method: look at the token and at api_base"
    return ChannelBroken(f"{hint} ({words})", code=code)


def _busy(words: str, code: str) -> GatewayError:
    return Busy(f"another program polls this bot or a webhook is set ({words})", code=code)


# The first row whose words stand in the description decides. platforms/telegram.md section 6.
BY_WORDS: tuple[tuple[str, Make], ...] = (
    # The address (Client.cpp `fail_query_with_error`, check_chat_access; td ContactsManager, DialogManager)
    ("blocked by the user", _blocked),
    ("user_is_blocked", _blocked),
    ("user is deactivated", _gone("deactivated")),
    ("input_user_deactivated", _gone("deactivated")),
    ("initiate conversation", _gone("never_subscribed")),
    ("can't send messages to bots", _gone("is_bot")),
    ("can't send messages to the bot", _gone("is_bot")),
    ("user_is_bot", _gone("is_bot")),
    ("bot was kicked", _gone("kicked")),
    ("bot is not a member", _gone("kicked")),
    ("group chat was deleted", _gone("kicked")),
    ("chat not found", _gone("not_found", no_such_address=True)),
    ("user not found", _gone("not_found", no_such_address=True)),
    ("peer_id_invalid", _gone("not_found", no_such_address=True)),
    ("have no rights to send", _client("no_rights")),
    ("not enough rights", _client("no_rights")),
    ("chat_write_forbidden", _client("no_rights")),
    # The message (td MessageContent, MessageEntity, ReplyMarkup); before files, because a button names a wrong URL too
    ("message text is empty", _message("empty")),
    ("text must be non-empty", _message("empty")),
    ("message is too long", _message("too_long")),
    ("text is too long", _message("too_long")),
    ("caption is too long", _message("too_long")),
    ("can't parse", _message()),
    ("button_", _message()),  # BUTTON_DATA_INVALID, BUTTON_URL_INVALID, BUTTON_TYPE_INVALID
    ("keyboard button", _message()),
    ("reply markup is too long", _message()),
    ("reply_markup_too_long", _message()),
    ("entity_", _message()),  # ENTITY_BOUNDS_INVALID and the like
    ("entity beginning at", _message()),
    ("file is too big", _message("too_big")),
    ("entity too large", _message("too_big")),
    # A file in the form in which it was given (td FileManager, WebPagesManager; Client.cpp get_input_file)
    ("wrong http url", _media),
    ("http url specified", _media),
    ("failed to get http url content", _media),
    ("wrong type of the web page content", _media),
    ("wrong file identifier", _media),
    ("wrong remote file identifier", _media),
    ("wrong file_id", _media),
    ("invalid file id", _media),
    ("file_reference_", _media),
    ("file_id_invalid", _media),
    ("can't use file of type", _media),
    ("type of file mismatch", _media),
    ("unsupported extension", _media),
    ("unsupported file extension", _media),
    ("webpage_curl_failed", _media),
    ("webpage_media_empty", _media),
    ("media_empty", _media),
    ("photo_invalid_dimensions", _media),
    ("photo_save_file_invalid", _media),
    ("photo_ext_invalid", _media),
    ("image_process_failed", _media),
    ("file must be non-empty", _media),
    ("is too big for a photo", _media),
    # Calls that are no sends
    ("message to delete not found", _already_gone),
    ("message can't be deleted", _client("too_old")),
    ("message_delete_forbidden", _client("too_old")),
    ("message to edit not found", _client("message_gone")),
    ("message_id_invalid", _client("message_gone")),
    ("message can't be edited", _client("not_editable")),
    ("message is not modified", _already_so),
    ("message_not_modified", _already_so),
    ("query is too old", _too_old),
    ("query id is invalid", _too_old),
    ("query_id_invalid", _too_old),
    ("terminated by other getupdates", _busy),
    ("while webhook is active", _busy),
)

# Where no words decide: what the class of the refusal says by itself.
BY_STATUS: Mapping[int, Make] = {
    400: _client(),
    401: _token,
    403: _client("forbidden"),
    404: _path,
    409: _busy,
    413: _message("too_big"),
}


def error_of(status: int, answer: Any, headers: Mapping[str, str], hidden: tuple[str, ...] = ()) -> GatewayError:
    """What an answer that is no success means; `answer` is its JSON, or None where it is none.

    `hidden` are the token and the address, which no words may show."""
    if not isinstance(answer, Mapping) or answer.get("ok") or not ("ok" in answer or "error_code" in answer):
        return _without_envelope(status, headers)
    code = _whole(answer.get("error_code")) or status
    description = str(answer.get("description") or "")
    words = _clean(description, hidden) or f"HTTP {code}"
    parameters = answer.get("parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    if code == 429 or "too many requests" in description.lower():
        return Throttled(_retry_after_s(parameters, headers, description), words, code=str(code))
    if code >= 500:
        return OutcomeUnknown(words, code=str(code))
    new_chat_id = _whole(parameters.get("migrate_to_chat_id"))
    if new_chat_id is not None:
        return Migrated(new_chat_id, words, code=str(code))
    lowered = description.lower()
    for known, make in BY_WORDS:
        if known in lowered:
            return make(words, str(code))
    if code not in (401, 404, 409, 413):
        log.warning("Telegram refused in words that are not known", extra={"code": code, "said": _bare(words)})
    return BY_STATUS.get(code, _client())(words, str(code))


def _without_envelope(status: int, headers: Mapping[str, str]) -> GatewayError:
    """An answer that the Bot API did not write: a proxy's page, a cut body, another program behind api_base.

    Only a request that was refused as such surely did nothing; a success or a fault of a server may have sent."""
    words = f"HTTP {status} without an answer of the Bot API"
    code = str(status)
    if status == 429:
        return Throttled(_retry_after_s({}, headers, ""), words, code=code)
    if status in (401, 404, 413):
        return BY_STATUS[status](words, code)
    if 300 <= status < 500:
        return Unavailable(words, code=code)
    return OutcomeUnknown(words, code=code)


def _retry_after_s(parameters: Mapping[str, Any], headers: Mapping[str, str], description: str) -> float:
    said = re.search(r"retry after (\d+)", description, re.IGNORECASE)
    candidates: tuple[Any, ...] = (parameters.get("retry_after"), headers.get("retry-after"), said and said[1])
    for value in candidates:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(seconds) and seconds > 0:
            return min(seconds, MAX_RETRY_AFTER_S)
    return DEFAULT_RETRY_AFTER_S


def _whole(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _clean(description: str, hidden: tuple[str, ...]) -> str:
    for secret in hidden:
        description = description.replace(secret, "…")
    return description[:MAX_WORDS]


def _bare(words: str) -> str:
    """The words without what could be a client's: quotations, addresses, numbers."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\S*://\S*|@\w+|\d{4,}", "…", words)
