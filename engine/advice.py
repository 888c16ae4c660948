"""What a careful colleague would say before a launch; none of it forbids one."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.clock import Clock
from engine.errors import Invalid, Refused, _
from engine.fits import Fit
from engine.personalise import fixed_links
from engine.settings import EngineSettings
from gateways.base import Template
from gateways.message import Location, Message, sources_of
from gateways.templates import find_template
from storage.audiences import Audience
from storage.filters import AnyOf, MailingOutcome, MailingResult
from storage.records import Mailing
from storage.store import Store

MOST = 0.5  # of the audience
_SAME = 5  # mailings with the same text that are asked for: each is a join over the audience
_RECENT = 300  # mailings whose texts are looked at
_LINKS = 20  # of a message that are tried
_LOOK_S = 3.0  # for all of them: a card does not wait longer
_REMEMBER_S = 300.0
_REMEMBERED = 500

_SAME_TEXT = _("{share} % of these clients had the same text within the last {days} days, from “{name}” (#{id}).")
_BROKEN_LINK = _("The link {url} does not work: {why}")
_LARGE = _("The picture {url} has {size} MB; {title} takes {limit} MB.")
_NO_WAY_OUT = _("The message does not say how to unsubscribe: a line such as “Write STOP to leave” would.")
_WAY_OUT = re.compile(r"\bstop\b|\bстоп\b|unsubscri|opt[- ]?out|отпис|відпис|\bbaja\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at an address found: why it can't be opened ("" where it can), and how large it is, if it said so."""

    problem: str = ""
    size_bytes: int | None = None


LookAt = Callable[[str], Awaitable[Looked]]


class Adviser:
    def __init__(self, store: Store, settings: EngineSettings, clock: Clock, look_at: LookAt | None) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._look_at = look_at
        self._looked: OrderedDict[str, tuple[float, Looked]] = OrderedDict()

    async def advise(
        self, mailing: Mailing, audience: Audience, planned: int, fits: Mapping[str, Fit]
    ) -> tuple[Invalid, ...]:
        """May raise Invalid, as every count of an audience may."""
        return (
            *await self._same_text(mailing, audience, planned),
            *await self._addresses(mailing.draft.message, fits),
            *await self._way_out(mailing.draft.message, fits),
        )

    # --- the same text again ---

    async def _same_text(self, mailing: Mailing, audience: Audience, planned: int) -> Sequence[Invalid]:
        days, text = self._settings.same_text_days, _text_of(mailing.draft.message)
        if not days or not text or not planned:
            return ()
        now = self._clock.now()
        recent = await self._store.periods.mailings(now - timedelta(days=days), _soon(now), limit=_RECENT)
        same = [one for one in recent if one.id != mailing.id and _text_of(one.draft.message) == text][:_SAME]
        if not same:
            return ()
        had = AnyOf(tuple(MailingOutcome(one.id, MailingResult.SENT) for one in same))
        where = (*audience.filter.where, had)
        count = await self._store.clients.count(
            replace(audience, filter=replace(audience.filter, where=where), windows={})
        )
        share = count.planned / planned
        if share <= MOST:
            return ()
        named = {"name": same[0].draft.name, "id": same[0].id}
        return (Refused(_SAME_TEXT, share=min(round(share * 100), 100), days=days, **named),)

    # --- links and pictures ---

    async def _addresses(self, message: Message, fits: Mapping[str, Fit]) -> Sequence[Invalid]:
        if self._look_at is None:
            return ()
        fitted = [fit.fitted for fit in fits.values() if fit.fitted is not None]
        links = dict.fromkeys(url for one in fitted for _place, url in fixed_links(one.every_part))
        pictures = dict.fromkeys(source for source in sources_of(message) if source.startswith(("http://", "https://")))
        urls = list(links | pictures)[:_LINKS]
        looked = dict(zip(urls, await asyncio.gather(*map(self._remembered, urls)), strict=True))
        told: list[Invalid] = [
            Refused(_BROKEN_LINK, url=url, why=found.problem) for url, found in looked.items() if found.problem
        ]
        ables = {fit.able.kind: fit.able for fit in fits.values()}
        for url in pictures:
            size = looked[url].size_bytes if url in looked else None
            told += [
                Refused(_LARGE, url=url, size=_megabytes(size), title=able.title, limit=_megabytes(limit))
                for able in ables.values()
                if size is not None and size > (limit := able.max_picture_bytes.value)
            ]
        return told

    async def _remembered(self, url: str) -> Looked:
        at, known = self._looked.get(url, (0.0, None))
        now = self._clock.monotonic()
        if known is not None and now - at < _REMEMBER_S:
            return known
        found = await self._try(url)
        self._looked[url] = now, found
        while len(self._looked) > _REMEMBERED:
            self._looked.popitem(last=False)
        return found

    async def _try(self, url: str) -> Looked:
        if self._look_at is None:
            return Looked()
        try:
            async with asyncio.timeout(_LOOK_S):
                return await self._look_at(url)
        except TimeoutError:
            return Looked(_("it does not answer"))

    # --- a way out ---

    async def _way_out(self, message: Message, fits: Mapping[str, Fit]) -> Sequence[Invalid]:
        for channel, fit in fits.items():
            if fit.fitted is None:
                continue
            templates = await self._store.templates.of_channel(channel) if fit.able.takes_templates else []
            if not _WAY_OUT.search(f"{_words_of(message, fit.able.kind)} {_template_words(message, fit, templates)}"):
                return (Refused(_NO_WAY_OUT),)
        return ()


def _text_of(message: Message) -> str:
    """What is said, without its looks: two messages that differ in tags, spaces and buttons say the same."""
    texts = [element.text for element in message.elements if not isinstance(element, Location)]
    return " ".join(re.sub(r"<[^>]*>", " ", " ".join(texts)).casefold().split())


def _words_of(message: Message, kind: str) -> str:
    elements = message.for_kind(kind)
    texts = [element.text for element in elements if not isinstance(element, Location)]
    labels = [button.label for element in elements for row in element.buttons for button in row]
    links = [str(getattr(button, "link", "")) for element in elements for row in element.buttons for button in row]
    return " ".join((*texts, *labels, *links))


def _template_words(message: Message, fit: Fit, templates: Sequence[Template]) -> str:
    field = message.only.get(fit.able.kind, {}).get("template")
    found = find_template(list(templates), field) if field is not None else None
    return f"{found.body if found is not None else ''} {field or ''}"


def _soon(now: datetime) -> datetime:
    return now + timedelta(seconds=1)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.3g}"
