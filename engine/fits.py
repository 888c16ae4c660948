"""A draft's message, made to fit the channels that it goes through, and tried with what is known of clients."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.errors import Invalid, NotFound, _
from engine.fit import Fitted, Loss, fit
from engine.media import Media
from engine.personalise import Personaliser
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Capabilities
from gateways.message import Message
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Fit:
    """How one channel would carry a message; `problem` says why it can't, and `fitted` is None then."""

    able: Capabilities
    fitted: Fitted | None
    problem: Invalid | None = None

    @property
    def losses(self) -> tuple[Loss, ...]:
        return self.fitted.losses if self.fitted is not None else ()


class Fits:
    def __init__(self, store: Store, settings: EngineSettings) -> None:
        self._store = store
        self._settings = settings

    async def of(self, message: Message, channels: Collection[str]) -> dict[str, Fit]:
        """By channel; those of no configuration are left out."""
        known_fields = await self._store.clients.known_fields()
        made: dict[int, Fit] = {}  # channels of one kind share their capabilities
        fits: dict[str, Fit] = {}
        for channel in channels:
            if channel in self._settings.channels:
                able = self._settings.channels[channel].able
                if id(able) not in made:
                    made[id(able)] = self._try(message, able, known_fields)
                fits[channel] = made[id(able)]
        return fits

    def _try(self, message: Message, able: Capabilities, known_fields: Collection[str]) -> Fit:
        try:
            fitted = self.fit(message, able)
            Personaliser(fitted.parts, able, known_fields)
            Personaliser(fitted.outside, able, known_fields)
        except Invalid as error:
            return Fit(able, None, error)
        return Fit(able, fitted)

    def fit(self, message: Message, able: Capabilities) -> Fitted:
        """Raises Invalid."""
        sizes = Media(self._settings.data_dir).sizes(message)
        return fit(message, able, sizes, link_length=self._settings.link_length)


def losses_by_kind(fits: Mapping[str, Fit]) -> dict[str, tuple[Loss, ...]]:
    """What each kind of messenger changes or drops, by its name; kinds that can't carry the message are left out."""
    told: dict[str, list[Loss]] = {}
    for each in fits.values():
        if each.fitted is not None:
            known = told.setdefault(each.able.kind, [])
            known += [loss for loss in each.losses if loss not in known]
    return {kind: tuple(losses) for kind, losses in sorted(told.items())}


def channel_of(settings: EngineSettings, channel: str) -> ChannelSettings:
    """Raises NotFound with those that there are."""
    found = settings.channels.get(channel)
    if found is None:
        known = ", ".join(settings.channels) or "none"
        raise NotFound(_("There is no channel “{channel}”; there is {known}."), channel=channel, known=known)
    return found
