"""Templates that people write here: kept while they are written, handed to the platform once, followed until it has
said its word."""

import asyncio
from dataclasses import replace
from typing import Final

from engine.access import require
from engine.errors import Invalid, Refused, Stale, _
from engine.launching import Launching
from gateways.base import GatewayError, NewTemplate, OutcomeUnknown, Submitted
from gateways.new_templates import problems_of
from storage.records import Actor
from storage.written import WrittenState, WrittenTemplate

SUBMIT_S: Final = 90.0  # a person waits for it, and a picture may go along


class TemplateWriting(Launching):
    """A part of `engine.operations.Operations`. Every method may raise Invalid and its kinds."""

    async def new_template(self, channel: str, new: NewTemplate, by: Actor) -> WrittenTemplate:
        """Keep a draft; it may still lack anything."""
        require(by, "compose")
        if not self.checker.channel(channel).able.submits_templates:
            raise Refused(_("Templates of {channel} can't be written here."), channel=channel)
        return await self.store.written.create(channel, new, by, self._clock.now())

    async def change_template(self, written: WrittenTemplate, new: NewTemplate, by: Actor) -> WrittenTemplate:
        """Keep a draft with this content. Raises Stale where somebody changed or submitted it meanwhile."""
        require(by, "compose")
        changed = replace(written, new=new, written_by=by, changed_at=self._clock.now())
        return await self.store.written.change(changed)

    async def delete_template(self, template_id: int, by: Actor) -> None:
        """A draft, for good."""
        require(by, "compose")
        await self.store.written.delete(template_id)

    async def template_problems(self, written: WrittenTemplate) -> list[Invalid]:
        """Why it can't be submitted: empty where it can."""
        new = written.new
        found = [Invalid(words, **values) for words, values in problems_of(new)]
        listed = await self.store.templates.of_channel(written.channel)
        if any((one.name, one.language) == (new.name, new.language) for one in listed):
            words = _("There is a template “{name}” in “{language}” already: take another name.")
            found.append(Refused(words, name=new.name, language=new.language))
        return found

    async def submit_template(self, template_id: int, by: Actor, *, revision: int) -> WrittenTemplate:
        """Hand a draft to the platform, once however often it is asked for; returns it as it is then.

        What the platform refuses stays a draft. Where no answer comes it is looked for in the platform's list."""
        require(by, "compose")
        written = await self.store.written.get(template_id)
        if written.revision != revision:
            raise Stale(_("That card was old: the template has changed since. Here it is as it is now."))
        if problems := await self.template_problems(written):
            raise problems[0]
        handed = replace(written, state=WrittenState.SENDING, written_by=by, changed_at=self._clock.now(), reason="")
        subject = f"{written.new.name} ({written.new.language})"
        audited = self._audited(by, "submit_template", subject=written.channel, details={"template": subject})
        return await self._hand_over(await self.store.written.begin(handed, audited))

    async def _hand_over(self, written: WrittenTemplate) -> WrittenTemplate:
        channel = written.channel
        try:
            async with asyncio.timeout(SUBMIT_S):
                taken = await self._taken(channel, written.new)
        except (OutcomeUnknown, TimeoutError):
            words = _("{channel} has not answered. I look whether it has the template, and tell you.")
            raise Invalid(words, channel=channel) from None
        except GatewayError as error:
            words = error.words or error.code
            await self.store.written.settle(replace(written, state=WrittenState.DRAFT, reason=words))
            raise Invalid(_("{channel} did not take the template: {why}"), channel=channel, why=words) from error
        status, category = taken.status, taken.category or written.new.category
        submitted = replace(written, state=WrittenState.SUBMITTED, status=status, category=category)
        return await self.store.written.settle(submitted)

    async def _taken(self, channel: str, new: NewTemplate) -> Submitted:
        if self._submit is None:
            raise GatewayError("nothing here can reach the messenger")
        return await self._submit(channel, new)
