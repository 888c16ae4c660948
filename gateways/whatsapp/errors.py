"""WhatsApp's refusals and what each asks us to do, whether they answer a send or come later as a failed status.

By code alone: its texts are localised and its HTTP statuses have changed. platforms/whatsapp.md section 7, after
developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes, September 2026.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from gateways.meta.graph import Problem, problem_of, without_envelope

log = logging.getLogger(__name__)

Make = Callable[[Problem], GatewayError | None]

PAIR_RATE = 131056
THROUGHPUT = 130429
MAINTENANCE_S = 60.0  # an upgrade of the throughput takes up to a minute; …/throughput


class MediaRefused(MessageRejected):
    """Meta could not use the uploaded file: its id expired, or its bytes are not what they are called."""


_PRIVATE = re.compile(r"\+?\d[\d \-()]{5,}\d|[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{8,}|wamid\.\S+")


def _words(problem: Problem) -> str:
    """Without what could be a client's: phones, user ids, message ids."""
    return _PRIVATE.sub("…", problem.details or problem.told or problem.words)


def _client(reason: str = "rejected") -> Make:
    return lambda problem: Rejected(_words(problem), code=problem.label, reason=reason)


def _gone(reason: str, status: AddressStatus) -> Make:
    return lambda problem: AddressGone(reason, _words(problem), code=problem.label, status=status)


def _message(reason: str = "rejected") -> Make:
    return lambda problem: MessageRejected(_words(problem), code=problem.label, reason=reason)


def _media(problem: Problem) -> GatewayError:
    return MediaRefused(_words(problem), code=problem.label, reason="media")


def _parameter(problem: Problem) -> GatewayError:
    # A wrong number looks the same as a wrong field, so it is told of this client; a file's id has a word of its own.
    if "media" in problem.details.lower() or "media" in problem.words.lower():
        return _media(problem)
    return Rejected(_words(problem), code=problem.label)


def _window(problem: Problem) -> GatewayError:
    return OutsideWindow(_words(problem), code=problem.label)


def _pair(problem: Problem) -> GatewayError:
    return Throttled(1.0, _words(problem), code=problem.label, only_this=True)


def _maintenance(problem: Problem) -> GatewayError:
    return Throttled(MAINTENANCE_S, _words(problem), code=problem.label)


def _throttled(_problem: Problem) -> None:
    return None


def _broken(hint: str) -> Make:
    return lambda problem: ChannelBroken(f"{hint} ({_words(problem)})", code=problem.label)


def _away(problem: Problem) -> GatewayError:
    return Unavailable(_words(problem), code=problem.label)


def _fault(problem: Problem) -> GatewayError:
    # Told as a refusal nothing went out; told by a server that failed, it may have: there is no key against a repeat.
    make = OutcomeUnknown if problem.status >= 500 else Unavailable
    return make(_words(problem), code=problem.label)


_token = _broken("Meta refuses the token: it expired, was revoked, or may not send for this number; make a new one")
_number = _broken("Meta finds no such number with this token: look at phone_number_id, token and api_base")
_policy = _broken("Meta restricts this account by its policies: see Account quality in WhatsApp Manager")
_spam = _broken("Meta restricts this number after blocks and reports of clients, or its messaging limit is used up")
_registration = _broken("the number is not registered with the Cloud API: see WhatsApp Manager")
_name = _broken("the number's display name is not approved yet: see WhatsApp Manager")
_payment = _broken("Meta takes no payment for this account: see Payment settings in WhatsApp Manager")

# Codes in the order of the table.
BY_CODE: Mapping[int, Make] = {
    0: _token,
    190: _token,
    3: _token,
    10: _token,
    131005: _token,
    368: _policy,
    131031: _policy,
    130497: _client("country"),
    4: _throttled,
    80007: _throttled,
    THROUGHPUT: _throttled,
    PAIR_RATE: _pair,
    131048: _spam,
    131064: _message("template_limit"),
    133016: _registration,
    1: _fault,
    2: _away,
    131000: _fault,
    131016: _away,
    133004: _away,
    135000: _fault,
    131057: _maintenance,
    131026: _gone("unreachable", AddressStatus.ENABLED),  # for this message; who it is of nobody says, so it stays
    130403: _gone("blocked", AddressStatus.BLOCKED),
    131047: _window,
    131049: _client("capped"),
    130472: _client("capped"),
    131050: _gone("unsubscribed", AddressStatus.UNSUBSCRIBED),
    131051: _message(),
    131021: _gone("own_number", AddressStatus.GONE),
    131030: _client("not_allowed"),
    131052: _media,
    131053: _media,
    131008: _message(),
    131009: _parameter,
    100: _parameter,
    33: _number,
    131037: _name,
    131045: _registration,
    133010: _registration,
    133006: _registration,
    131042: _payment,
    131062: _client("phone_needed"),
    131063: _message(),
    132000: _message("template"),
    132001: _message("template"),
    132005: _client("too_long"),
    132007: _client("template"),
    132012: _message("template"),
    132008: _message("template"),
    132018: _client("template"),
    132015: _message("template_paused"),
    132016: _message("template_paused"),
    132068: _message("template"),
    132069: _message("template"),
    133000: _registration,
    133005: _registration,
    133008: _registration,
    133009: _registration,
    133015: _registration,
    134011: _message(),
    134100: _message(),
    134101: _message(),
    134102: _message(),
    131055: _message(),
}


def error_of(problem: Problem) -> GatewayError | None:
    """What an answer that is no success means; None for a throttle of the whole number."""
    code = problem.code
    if code is None:
        return without_envelope(problem)
    if (code, problem.subcode) == (100, 33):
        return _number(problem)
    make = _token if 200 <= code <= 299 else BY_CODE.get(code)
    if make is not None:
        return make(problem)
    if problem.status in (401, 403):
        return _token(problem)
    log.warning("WhatsApp refused with a code that is not known", extra={"code": problem.label})
    if problem.is_transient:
        return _away(problem)
    return _fault(problem) if problem.status >= 500 else Rejected(_words(problem), code=problem.label)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed status means, in the words of a refused send. `breaks` is what stops the channel."""

    code: str
    words: str
    reason: str
    address_status: AddressStatus | None = None
    breaks: str = ""


def failure_of(errors: Any) -> Failure:
    """Read the `errors` of a failed status; total."""
    first = errors[0] if isinstance(errors, list) and errors else None
    problem = problem_of(400, {"error": first})
    if problem.code is None:
        return Failure("", "", "rejected")
    error = error_of(problem)
    words, label = error.words if error is not None else _words(problem), problem.label
    match error:
        case None | Throttled():
            return Failure(label, words, "throttled")
        case AddressGone(status=AddressStatus.ENABLED):
            return Failure(label, words, error.reason)
        case AddressGone():
            return Failure(label, words, error.reason, error.status)
        case OutsideWindow():
            return Failure(label, words, "outside_window")
        case Rejected():
            return Failure(label, words, error.reason)
        case ChannelBroken():
            return Failure(label, words, "channel", breaks=words)
        case _:
            return Failure(label, words, "unavailable")
