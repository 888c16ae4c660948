"""What stands in dialogs already: deleted for its reader, or changed where it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateways.base import Correction, GatewayError, OutcomeUnknown, Rejected, SentPart, Unavailable
from gateways.vk.api import VkApi
from gateways.vk.errors import NOT_COMPILED, is_refusal, receiver_error
from gateways.vk.media import Media
from gateways.vk.render import Values, edit_values, script

Outcomes = list[GatewayError | None]


class Changes:
    def __init__(self, api: VkApi, media: Media) -> None:
        self._api = api
        self._media = media

    # --- deleting

    async def take_back(self, parts: Sequence[SentPart]) -> Outcomes:
        """One call for all of them; where VK refuses it as a whole, each is asked for by itself."""
        known = [part for part in parts if part.external_id.isdecimal()]
        told = await self._delete(known) if known else {}
        return [told.get(part.external_id, _without_number()) for part in parts]

    async def _delete(self, parts: Sequence[SentPart]) -> Mapping[str, GatewayError | None]:
        addresses = [part.address for part in parts]
        values = {"message_ids": ",".join(part.external_id for part in parts), "delete_for_all": 1}
        try:
            answer = await self._api.ask("messages.delete", values, addresses)
        except GatewayError as error:
            if not is_refusal(error) or len(parts) == 1:
                return dict.fromkeys((part.external_id for part in parts), error)
            one_by_one = [await self._delete([part]) for part in parts]
            return {name: outcome for told in one_by_one for name, outcome in told.items()}
        items = answer if isinstance(answer, list) else []
        # One that is not named, or is named without an error, is there no more: VK deleted it now or had before.
        errors = {str(item.get("message_id")): item.get("error") for item in items if isinstance(item, Mapping)}
        return {part.external_id: self._error(errors.get(part.external_id), addresses) for part in parts}

    def _error(self, error: Any, addresses: Sequence[str]) -> GatewayError | None:
        return receiver_error(error, self._api.hides(addresses)) if error else None

    # --- changing

    async def correct(self, corrections: Sequence[Correction]) -> Outcomes:
        outcomes: list[GatewayError | None] = [None] * len(corrections)
        edits: list[tuple[int, Values]] = []
        for place, correction in enumerate(corrections):
            try:
                edits.append((place, await self._values(correction)))
            except GatewayError as error:
                outcomes[place] = error
        if edits:
            addresses = [correction.sent.address for correction in corrections]
            answers = await self._answers([values for _, values in edits], addresses)
            for (place, _), answer in zip(edits, answers, strict=True):
                outcomes[place] = _outcome(answer)
        return outcomes

    async def _values(self, correction: Correction) -> Values:
        """Raises GatewayError. What is attached goes along again: an edit replaces everything."""
        if not correction.sent.external_id.isdecimal():
            raise _without_number()
        out = correction.outgoing
        return edit_values(out, await self._media.attachments(out), correction.sent.external_id)

    async def _answers(self, edits: Sequence[Values], addresses: Sequence[str]) -> Sequence[Any]:
        if len(edits) == 1:
            try:
                return [await self._api.ask("messages.edit", edits[0], addresses)]
            except GatewayError as error:
                return [error]
        try:
            return await self._api.execute(script("messages.edit", edits), len(edits), addresses)
        except GatewayError as error:
            if is_refusal(error) or error.code == str(NOT_COMPILED):  # one message's fault must not be another's
                return [(await self._answers([edit], addresses))[0] for edit in edits]
            return [error] * len(edits)


def _outcome(answer: Any) -> GatewayError | None:
    if isinstance(answer, OutcomeUnknown):  # asked again, it reads so once more
        return Unavailable(answer.words, code=answer.code)
    return answer if isinstance(answer, GatewayError) else None


def _without_number() -> Rejected:
    return Rejected("VK did not tell the message's number", reason="no_number")
