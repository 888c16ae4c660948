"""Tests to oneself: the real message to an account that is no client's, ahead of all bulk."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from engine.access import require
from engine.errors import Invalid, Refused, _
from engine.launching import Launching
from engine.preview import Preview
from gateways.base import AddressGone, GatewayError, Outgoing, OutsideWindow
from gateways.message import content_hash
from storage.records import Actor, Mailing

TEST_S: Final = 30.0  # a person waits for it; a channel that is slowed down or out of reach may need longer


class Trials(Launching):
    """A part of `engine.operations.Operations`."""

    async def send_tests(self, mailing_id: int, addresses: Mapping[str, str], by: Actor) -> dict[str, Invalid | None]:
        """Send the message to one address on each of these channels, all at once, with the same client's values. Says
        by channel why it did not go out, None where it did. Raises Invalid and its kinds for what concerns all."""
        require(by, "test")
        if self._engine is None:
            raise Refused(_("A test needs the engine, and it does not run in this process."))
        for channel in addresses:
            self.checker.channel(channel)
        mailing = await self.get(mailing_id)
        looks = await self.checker.previews(mailing.draft, channels=tuple(addresses))
        async with asyncio.TaskGroup() as tasks:
            made = {
                look.channel: tasks.create_task(
                    self._try_out(mailing, look.preview, addresses[look.channel], by), name=f"test on {look.channel}"
                )
                for look in looks
                if look.preview is not None
            }
        sent = {channel: task.result() for channel, task in made.items()}
        return {look.channel: look.problem or sent.get(look.channel) for look in looks}

    async def _try_out(self, mailing: Mailing, preview: Preview, address: str, by: Actor) -> Invalid | None:
        channel = preview.channel
        try:
            async with asyncio.timeout(TEST_S):
                await self._send_open_or_closed(preview, address)
        except AddressGone as error:
            words = _(
                "{channel} can't write to that account: open the channel there, press Start, test again ({words})."
            )
            return Invalid(words, channel=channel, words=error.words or error.code)
        except GatewayError as error:
            words = _("{channel} did not take the test: {words}")
            return Invalid(words, channel=channel, words=error.words or error.code)
        except TimeoutError:
            words = _(
                "{channel} has not taken the test within {seconds} s: it may still come, look before you try again."
            )
            return Invalid(words, channel=channel, seconds=round(TEST_S))
        details = {"hash": content_hash(mailing.draft.message)}  # any change of the message voids the test
        await self.store.mailings.note(self._audited(by, "test", mailing.id, subject=channel, details=details))
        return None

    async def _send_open_or_closed(self, preview: Preview, address: str) -> None:
        """What goes while the account's window is open; where it is closed, what goes then. Raises GatewayError."""
        try:
            await self._send_now(preview.channel, preview.outgoing, address)
        except OutsideWindow:
            if not preview.outside:
                raise
            await self._send_now(preview.channel, preview.outside, address)

    async def _send_now(self, channel: str, parts: Sequence[Outgoing], address: str) -> None:
        assert self._engine is not None  # noqa: S101  # asked before; for the type checker
        for outgoing in parts:
            await self._engine.send_now(channel, replace(outgoing, address=address, reference=""))
