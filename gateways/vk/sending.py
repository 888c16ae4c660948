"""Sends messages to clients of one community: several in one call, each with its own outcome."""

import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from gateways.base import (
    Accepted,
    AddressGone,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    Rejected,
    Throttled,
)
from gateways.vk.api import VkApi
from gateways.vk.capabilities import VK
from gateways.vk.errors import LONGEST_QUOTA_S, METHOD_QUOTA, NOT_COMPILED, MediaRefused, is_refusal, receiver_error
from gateways.vk.media import Media
from gateways.vk.render import Call, Values, calls_of, script, send_values

log = logging.getLogger(__name__)

Outcome = Accepted | GatewayError

_ADDRESS = re.compile(VK.address_pattern)
_OWN_REFERENCE = re.compile(r"[^.]+\.[^.]+\.[^.]+")  # delivery.attempt.position


class Sender:
    """`salt` keeps two Carillons on one community from dropping each other's messages."""

    def __init__(
        self,
        api: VkApi,
        media: Media,
        *,
        channel: str,
        salt: str,
        intent: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._media = media
        self._channel = channel
        self._salt = salt
        self._intent = intent
        self._monotonic = monotonic
        self._quota_s = 0.0  # the last pause that "Rate limit reached" cost, and until when it lasts
        self._quota_until = 0.0

    def goes_along(self, out: Outgoing) -> bool:
        """Whether this message can share a call: it needs no upload, and can't spoil the others' call."""
        return bool(_ADDRESS.fullmatch(out.address)) and self._media.known_now(out) is not None

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """One outcome for each; raises nothing but CancelledError."""
        outcomes: list[Outcome | None] = [None] * len(parts)
        if len(parts) > 1:
            try:
                await self._send_together(parts, outcomes)
            except Exception as error:  # noqa: BLE001  # a fault of ours must not end the lane
                outcomes = [outcome or self._fault(error) for outcome in outcomes]
        ended = [
            outcome if outcome is not None else await self._send_alone(out)
            for out, outcome in zip(parts, outcomes, strict=True)
        ]
        return self._with_quota([_of_this_client(outcome, out) for out, outcome in zip(parts, ended, strict=True)])

    # --- one by one

    async def _send_alone(self, out: Outgoing) -> Outcome:
        try:
            return await self._send_one(out)
        except GatewayError as error:
            return error
        except Exception as error:  # noqa: BLE001  # the same
            return self._fault(error)

    async def _send_one(self, out: Outgoing) -> Outcome:
        if not _ADDRESS.fullmatch(out.address):
            return AddressGone("not_found", "this is no VK id", no_such_address=True)
        outcome = await self._bring(out)
        if isinstance(outcome, MediaRefused) and await self._media.forget(out):
            return await self._bring(out)
        return outcome

    async def _bring(self, out: Outgoing) -> Outcome:
        values = self._values(out, await self._media.attachments(out))
        call = Call(values, (out.address,), (0,))
        try:
            answer = await self._api.send(call.parameters, call.addresses)
        except MediaRefused as error:
            return error
        return self._read(answer, call)[0]

    # --- together

    async def _send_together(self, parts: Sequence[Outgoing], outcomes: list[Outcome | None]) -> None:
        """Fill in what became of those that could share a call. None is left to a message that has to go by itself:
        it needs an upload, or VK refused a whole call for something in it."""
        messages: list[tuple[int, str, Values]] = []
        for place, out in enumerate(parts):
            media = self._media.known_now(out) if _ADDRESS.fullmatch(out.address) else None
            if media is None:
                continue
            try:
                messages.append((place, out.address, self._values(out, media)))
            except GatewayError as error:
                outcomes[place] = error
        calls = calls_of(messages)
        for start in range(0, len(calls), VK.batch):
            some = calls[start : start + VK.batch]
            for call, answer in zip(some, await self._answers(some), strict=True):
                for place, outcome in zip(call.places, self._outcomes(answer, call), strict=True):
                    outcomes[place] = outcome

    async def _answers(self, calls: Sequence[Call]) -> Sequence[Any]:
        """VK's answer to each call, its error, or None where it is to be asked of each message again."""
        addresses = tuple(address for call in calls for address in call.addresses)
        try:
            if len(calls) == 1:
                return [await self._api.send(calls[0].parameters, addresses)]
            return await self._api.execute(
                script("messages.send", [call.parameters for call in calls]), len(calls), addresses
            )
        except GatewayError as error:
            # Nothing of it was sent, and one message's fault must not be another's.
            refused = is_refusal(error) or error.code == str(NOT_COMPILED)
            return [None if refused and len(addresses) > 1 else error] * len(calls)

    def _outcomes(self, answer: Any, call: Call) -> Sequence[Outcome | None]:
        if answer is None:
            return [None] * len(call.places)
        if isinstance(answer, GatewayError):
            again = isinstance(answer, MediaRefused) or (is_refusal(answer) and len(call.places) > 1)
            return [None if again else answer] * len(call.places)
        return self._read(answer, call)

    def _read(self, answer: Any, call: Call) -> Sequence[Outcome]:
        """What messages.send answers for each receiver; their order is not promised."""
        if isinstance(answer, int) and not isinstance(answer, bool) and len(call.addresses) == 1:
            return [_accepted(answer)]
        items = answer if isinstance(answer, list) else []
        by_peer = {str(item.get("peer_id")): item for item in items if isinstance(item, Mapping)}
        return [self._receiver(by_peer.get(address), call.addresses) for address in call.addresses]

    def _receiver(self, item: Mapping[str, Any] | None, addresses: Sequence[str]) -> Outcome:
        if item is None:
            return OutcomeUnknown("VK's answer does not name this receiver")
        if item.get("error"):
            return receiver_error(item["error"], self._api.hides(addresses))
        return _accepted(item.get("message_id"))

    # --- what goes along

    def _values(self, out: Outgoing, media: Mapping[str, str]) -> Values:
        return send_values(out, media, self.random_id(out), self._intent)

    def random_id(self, out: Outgoing) -> int:
        """The same for every try of a part, and never 0: VK drops a second one in the same dialog within an hour.

        Where the mailing names the part for all clients, one for all: VK compares within a dialog only."""
        name = out.shared_reference or out.reference
        if not out.shared_reference and not _OWN_REFERENCE.fullmatch(name):
            return secrets.randbelow(0x7FFFFFFF) + 1  # an answer or a test: two of them are two
        digest = sha256(f"{self._salt}:{name}".encode()).digest()
        return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF or 1

    def _with_quota(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """A method's quota that stays used up is asked for less and less often."""
        if not any(isinstance(outcome, Throttled) and outcome.code == str(METHOD_QUOTA) for outcome in outcomes):
            if any(isinstance(outcome, Accepted) for outcome in outcomes):
                self._quota_s = 0.0
            return outcomes
        return [
            Throttled(self._quota_pause_s(outcome), outcome.words, code=outcome.code)
            if isinstance(outcome, Throttled) and outcome.code == str(METHOD_QUOTA)
            else outcome
            for outcome in outcomes
        ]

    def _quota_pause_s(self, error: Throttled) -> float:
        now = self._monotonic()
        if now >= self._quota_until:  # what was in flight belongs to the same pause
            self._quota_s = min(self._quota_s * 2 or error.retry_after_s, LONGEST_QUOTA_S)
            self._quota_until = now + self._quota_s
            log.error("VK's quota of a method is used up", extra={"channel": self._channel, "pause_s": self._quota_s})
        return self._quota_until - now

    def _fault(self, error: Exception) -> GatewayError:
        log.error("a fault while sending", extra={"channel": self._channel, "fault": _place_of(error)})
        return OutcomeUnknown(f"a fault of Carillon: {type(error).__name__}")


def _accepted(message_id: Any) -> Accepted:
    """A message without an id was sent all the same, or had been: it only can't be found again."""
    known = isinstance(message_id, int) and not isinstance(message_id, bool) and message_id > 0
    return Accepted(str(message_id) if known else "")


def _of_this_client(outcome: Outcome, out: Outgoing) -> Outcome:
    """A text that became empty or too long by a client's own values says nothing about the message."""
    personal = "{{" in out.part.text or "{%" in out.part.text
    if isinstance(outcome, MessageRejected) and outcome.reason in ("empty", "too_long") and personal:
        return Rejected(outcome.words, code=outcome.code, reason=outcome.reason)
    return outcome


def _place_of(error: BaseException) -> str:
    """Where it happened, without its words, which could hold an address or a text."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f"{at.tb_frame.f_code.co_name}:{at.tb_lineno}" if at is not None else "?"
    return f"{type(error).__name__} in {where}"
