"""Viber's statuses and what each asks us to do; bots-api, Error codes, read in November 2026.

Viber answers HTTP 200 and says in `status` what became of the call, so the HTTP status counts only where there is no
such answer. Some statuses ask for more than an error and are seen to in `gateways.viber.gateway`: those have names."""

from collections.abc import Callable, Mapping

from gateways.base import (
    AddressGone,
    AddressStatus,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)

Make = Callable[[str, str], GatewayError]  # of words and code

OK = 0
WEBHOOK_NOT_SET = 10
TOO_MANY_REQUESTS = 12
APP_TOO_OLD = 13
NO_BROADCAST = frozenset({19, 20})
OF_ONE_RECEIVER = frozenset({5, 6, 11, 13, 21})  # said of a whole broadcast, they do not say of whom
MAX_WORDS = 300  # characters kept of a status_message


def _broken(hint: str) -> Make:
    return lambda words, code: ChannelBroken(f"{hint} ({words})", code=code)


def _message(reason: str = "rejected") -> Make:
    return lambda words, code: MessageRejected(words, code=code, reason=reason)


def _client(reason: str) -> Make:
    return lambda words, code: Rejected(words, code=code, reason=reason)


def _gone(reason: str, status: AddressStatus = AddressStatus.GONE, *, no_such_address: bool = False) -> Make:
    return lambda words, code: AddressGone(reason, words, code=code, status=status, no_such_address=no_such_address)


def _unavailable(words: str, code: str) -> GatewayError:
    return Unavailable(words, code=code)


BY_STATUS: Mapping[int, Make] = {
    1: _unavailable,  # invalidUrl: our webhook did not answer 200; set_webhook only
    2: _broken("Viber refuses the token: it was replaced or mistyped; take the present one from partners.viber.com"),
    3: _message(),  # badData
    4: _message(),  # missingData
    5: _gone("not_found", no_such_address=True),  # receiverNotRegistered
    # receiverNotSubscribed: never was, opted out or blocked us, which Viber does not tell apart. The client's next
    # message subscribes again, as it ends a block.
    6: _gone("blocked", AddressStatus.BLOCKED),
    7: _broken("Viber blocked the bot"),
    8: _broken("the token belongs to no bot"),
    9: _broken("Viber suspended the bot"),
    WEBHOOK_NOT_SET: _broken("the bot has no webhook, and without one Viber takes no message: set app.public_url"),
    11: _gone("old_app"),  # receiverNoSuitableDevice: too old for bots
    APP_TOO_OLD: _client("old_app"),  # apiVersionNotSupported
    14: _message(),  # incompatibleWithVersion: our features need a higher min_api_version
    15: _broken("the bot is not authorised"),
    16: _message(),  # inchatReplyMessageNotAllowed
    17: _message(),  # publicAccountIsNotInline
    18: _message(),  # noPublicChat
    21: _client("not_allowed_in_country"),  # the content is not allowed in the client's country
    22: _message(),  # payments
    23: _broken("the bot's free messages of this month (UTC) are used up"),
    24: _broken("the bot has no balance left"),
}


def error_of(status: int, words: str) -> GatewayError:
    """What a status other than 0 means; any that is not known is a general error, and the message was not taken."""
    return BY_STATUS.get(status, _unavailable)(words or f"status {status}", str(status))


def error_without_status(http_status: int) -> GatewayError:
    """An answer that Viber did not write: a proxy's page, a cut body, another program behind api_base.

    Only a request that was refused as such surely did nothing; a success or a fault of a server may have sent."""
    words, code = f"HTTP {http_status} without a status of Viber", f"http {http_status}"
    if http_status == 413:
        return MessageRejected(words, code=code, reason="too_long")
    if 300 <= http_status < 500:
        return Unavailable(words, code=code)
    return OutcomeUnknown(words, code=code)
