"""Messenger's refusals and what each asks us to do.

By subcode first, then by code; by the text, which Meta localises, only where there is nothing else. After
platforms/facebook.md section 7: developers.facebook.com/docs/messenger-platform/error-codes of 25 June 2026, and bodies
that public adapters quote.
"""

import logging
from collections.abc import Callable, Mapping

from gateways.base import (
    AddressGone,
    AddressStatus,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    Rejected,
    Unavailable,
)
from gateways.meta.graph import Problem, without_envelope

log = logging.getLogger(__name__)

PROMPT_S = 5.0  # a fault that took longer to be told may have come after the message went out

Make = Callable[[Problem], GatewayError]


class MediaRefused(MessageRejected):
    """Meta does not take the file in the form in which it was given: by URL or by an attachment id."""


class NoSuchObject(ChannelBroken):
    """Something that the call names is not there or not ours: the Page, or what only this message names."""


def _unavailable(problem: Problem) -> GatewayError:
    # Meta does not say whether the client blocked the Page or is gone; until a word from the client nothing arrives.
    return AddressGone("blocked", problem.words, code=problem.label, status=AddressStatus.BLOCKED)


def _unsubscribed(problem: Problem) -> GatewayError:
    return AddressGone("unsubscribed", problem.words, code=problem.label, status=AddressStatus.UNSUBSCRIBED)


def _not_found(problem: Problem) -> GatewayError:
    return AddressGone("not_found", problem.words, code=problem.label, no_such_address=True)


def _window(problem: Problem) -> GatewayError:
    return OutsideWindow(problem.words, code=problem.label)


def _client(reason: str = "rejected") -> Make:
    return lambda problem: Rejected(problem.words, code=problem.label, reason=reason)


def _message(problem: Problem) -> GatewayError:
    return MessageRejected(problem.words, code=problem.label)


def _media(problem: Problem) -> GatewayError:
    return MediaRefused(problem.words, code=problem.label, reason="media")


def _broken(hint: str) -> Make:
    return lambda problem: ChannelBroken(f"{hint} ({problem.words})", code=problem.label)


def _temporary(problem: Problem) -> GatewayError:
    if problem.elapsed_s > PROMPT_S:
        return OutcomeUnknown(problem.words, code=problem.label)
    return Unavailable(problem.words, code=problem.label)


def _unknown(problem: Problem) -> GatewayError:
    return OutcomeUnknown(problem.words, code=problem.label)


_permission = _broken("Meta does not let this app write for the Page: look at its permissions and at App Review")
_token = _broken("Meta refuses the Page token: it expired or was revoked; make a new one")
_policy = _broken("Meta restricts this Page by its policies: see the Page's Support Inbox")
_NO_PAGE = "Meta finds no such Page with this token: look at page_id, token and api_base"
_page = _broken(_NO_PAGE)


def _no_object(problem: Problem) -> GatewayError:
    return NoSuchObject(f"{_NO_PAGE} ({problem.words})", code=problem.label)


# Subcodes of seven digits mean the same whatever code they come with; …/error-codes says 10 and 200 of the same things.
BY_SUBCODE: Mapping[int, Make] = {
    1357046: _unknown,  # "invalid JSON reply", although messages went out
    1545041: _unavailable,
    1893015: _unsubscribed,
    1893016: _client("capped"),
    1893063: _policy,
    2018001: _not_found,
    2018008: _media,
    2018028: _broken("Meta lets this app write to its testers only: publish it and pass App Review"),
    2018047: _media,
    2018065: _window,
    2018074: _media,
    2018108: _unavailable,
    2018109: _media,
    2018278: _window,
    2018294: _media,
    2018300: _client("other_app"),  # another app holds the conversation
    2018321: _client("other_app"),
    2018338: _client("capped"),  # abuse warning about one person
    2018354: _client("capped"),  # a delay for one person
    2534022: _window,
}
_NO_OBJECT = (100, 33)
# The one refusal that has no subcode of its own at times. In another language it is taken for the message's fault.
_NO_MATCHING_USER = "no matching user"

THROTTLES = frozenset({4, 17, 32, 341, 613, 80001, 80006})

BY_CODE: Mapping[int, Make] = {
    1: _temporary,
    2: _temporary,
    3: _permission,
    10: _permission,
    100: _message,
    102: _token,
    190: _token,
    368: _policy,
    551: _unavailable,
    2022: _policy,
    2500: _page,
    9000001: _client("deleted"),
}


def error_of(problem: Problem) -> GatewayError | None:
    """What an answer that is no success means; None for a throttle of the whole Page."""
    code, subcode = problem.code, problem.subcode
    if code is None:
        return without_envelope(problem)
    make = BY_SUBCODE.get(subcode or 0)
    if make is None and code in THROTTLES:
        return None
    if make is None and (code, subcode) == _NO_OBJECT:
        make = _no_object
    elif make is None and code == 100 and not subcode and _NO_MATCHING_USER in problem.words.lower():
        make = _not_found
    elif make is None:
        make = _permission if 200 <= code <= 299 else BY_CODE.get(code)
    if make is not None:
        return make(problem)
    if problem.is_transient:
        return _temporary(problem)
    log.warning("Messenger refused with a code that is not known", extra={"code": problem.label})
    return _client()(problem)
