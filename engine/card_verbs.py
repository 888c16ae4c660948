"""What a person does with one client's card: opting out and in, the main channel, merging, forgetting, why."""

from collections.abc import Sequence

from engine.access import require
from engine.errors import Invalid, NotFound, _
from engine.explaining import Explanation, explain
from engine.launching import Launching
from storage.opting import Revoked
from storage.records import Actor, ClientCard

MAX_REASON = 300  # characters


class CardVerbs(Launching):
    """A part of `engine.operations.Operations`. Every method may raise Invalid and its kinds."""

    async def opt_out(self, client_id: int, scope: str, by: Actor) -> None:
        """No mailing reaches the client on that channel, or with "all" on any, from this moment on."""
        require(by, "clients")
        self._hold_back(await self.store.clients.opt_out(client_id, scope, by, self._clock.now()))

    async def opt_in(self, client_id: int, scope: str, reason: str, by: Actor) -> Sequence[str]:
        """Let mailings come again; the reason is kept beside who said so. Returns the channels they come by."""
        require(by, "opt_in")
        reason = " ".join(reason.split())
        if not reason or len(reason) > MAX_REASON:
            raise Invalid(
                _("Type in a sentence how the client asked for it, {most} signs at most: it is kept."), most=MAX_REASON
            )
        return await self.store.clients.opt_in(client_id, scope, reason, by, self._clock.now())

    async def set_main_channel(self, client_id: int, channel: str, by: Actor) -> None:
        require(by, "clients")
        await self.store.clients.set_main_channel(client_id, channel, by, self._clock.now())

    async def merge_clients(self, from_id: int, into_id: int, by: Actor) -> None:
        """Make two cards one, for good; an opt-out of either holds for both."""
        require(by, "clients")
        self._hold_back(await self.store.clients.merge(from_id, into_id, by, self._clock.now()))

    async def erase_client(self, client_id: int, by: Actor) -> None:
        """Forget the client, for good."""
        require(by, "erase")
        self._hold_back(await self.store.clients.erase(client_id, by, self._clock.now()))

    async def why(self, mailing_id: int, client: str) -> Explanation:
        """Why the client whom an id, a phone or an address names did or did not get the mailing."""
        mailing = await self.get(mailing_id)
        card = await self.store.clients.find_by_any(client)
        if card is None:
            raise NotFound(_("There is no client “{client}”."), client=client)
        return await self.explain(mailing.id, card)

    async def explain(self, mailing_id: int, card: ClientCard) -> Explanation:
        """The same of a card that is at hand."""
        mailing = await self.get(mailing_id)
        return await explain(self.store, self.checker, self.settings.channels, mailing, card)

    def _hold_back(self, revoked: Sequence[Revoked]) -> None:
        """What a lane of this process holds ready for these addresses is looked at again before it goes."""
        if self._engine is not None:
            for one in revoked:
                self._engine.revoke(one.channel, one.address_id)
