"""What a filter is built for: the audience of a draft, a segment, or only somebody's question. All are told and changed
by the same cards."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.dialogs import compose
from bot.dialogs.talk import Reads, Talk, lines
from bot.texts import Html, _
from engine.audience import describe, read_audience
from engine.errors import Invalid, NotFound, Stale
from storage.clients import AudienceCount
from storage.records import Mailing
from storage.segments import Segment

DRAFT, SEGMENT, ASIDE = "a", "g", "q"  # with which the names of a target's buttons begin


@dataclass(frozen=True, slots=True)
class Target:
    """A filter with where it belongs. `revision` is another after every change."""

    letter: str
    id: int
    revision: int
    name: str
    audience: Mapping[str, Any]
    mailing: Mailing | None = None
    segment: Segment | None = None

    @property
    def here(self) -> tuple[int, int]:
        """What a token of its cards carries last."""
        return self.id, self.revision

    @property
    def draft_id(self) -> int | None:
        """The draft that stays saved when somebody leaves."""
        return self.id if self.mailing is not None else None

    def button(self, name: str) -> str:
        """The name of a button's route."""
        return f"{self.letter}:{name}"

    def asks(self, name: str) -> str:
        """The name of a question."""
        return f"{self.letter}.{name}"


def of_draft(mailing: Mailing) -> Target:
    draft = mailing.draft
    return Target(DRAFT, mailing.id, mailing.revision, draft.name, draft.audience, mailing=mailing)


def of_segment(segment: Segment) -> Target:
    revision = _revision([segment.name, segment.audience])
    return Target(SEGMENT, segment.id, revision, segment.name, segment.audience, segment=segment)


def of_talk(talk: Talk) -> Target:
    """The filter that the person asks by, which belongs to nothing else."""
    audience = dict(talk.state.get("aside") or {})
    return Target(ASIDE, 0, _revision(audience), talk.t.plain("Clients by a filter"), audience)


def _revision(data: object) -> int:
    written = json.dumps(data, sort_keys=True)
    return int.from_bytes(hashlib.blake2b(written.encode(), digest_size=3).digest(), "big")


async def target_at(talk: Talk, letter: str, target_id: str, revision: str) -> Target:
    """Raises Stale where it was changed since the card was made, NotFound and Refused where it is no more."""
    if letter == DRAFT:
        return of_draft(await compose.draft_at(talk, target_id, revision))
    target = of_talk(talk) if letter == ASIDE else of_segment(await find_segment(talk, target_id))
    if target.revision != int(revision):
        raise Stale(_("That card was old: “{name}” has changed since. Here it is as it is now."), name=target.name)
    return target


async def find_segment(talk: Talk, segment_id: str) -> Segment:
    """Raises NotFound."""
    found = await talk.store.segments.find(int(segment_id))
    if found is None:
        raise NotFound(_("That segment was deleted; /segments lists those that there are."))
    return found


async def changed(talk: Talk, target: Target, audience: Mapping[str, Any]) -> Target:
    """The target with this audience, as it is in storage then. Raises Invalid for one that can't be."""
    read = read_audience(audience)
    if target.mailing is not None:
        return of_draft(await compose.change(talk, target.mailing, audience=dict(audience)))
    await talk.operations.checker.count_audience(audience)  # what can't be counted is not saved
    if target.segment is None:
        talk.state["aside"] = dict(audience)
        return of_talk(talk)
    await talk.store.segments.save(target.name, read, talk.clock.now())
    return of_segment(await talk.store.segments.get(target.name))


async def count_of(talk: Talk, target: Target) -> AudienceCount:
    """Raises Invalid for a filter that can't be counted."""
    checker = talk.operations.checker
    if target.mailing is None:
        return await checker.count_audience(target.audience)
    return await talk.store.clients.count(checker.audience_of(target.mailing.draft))


async def said_count(talk: Talk, target: Target) -> str:
    """How many there are now; why they can't be counted, where they can't."""
    try:
        return counted(talk, await count_of(talk, target))
    except Invalid as error:
        return talk.t("⚠ {why}", why=talk.t.error(error))


def said_audience(talk: Reads, audience: Mapping[str, Any]) -> Html:
    words = describe(read_audience(audience), talk.t.plain)
    return talk.t("{audience}", audience=words[:1].upper() + words[1:])


def counted(talk: Talk, count: AudienceCount) -> str:
    """How many get it, by which channel, and who is left out and why."""
    t = talk.t
    by_channel = [
        t("{channel} {count}", channel=channel, count=t.number(amount))
        for channel, amount in sorted(count.by_channel.items())
    ]
    left = sum(count.left_out.values())
    return lines(
        t.plural("Now about <b>{count} client</b>.", "Now about <b>{count} clients</b>.", count.planned),
        t("By channel: {channels}", channels=t.listed(list(by_channel))) if by_channel else None,
        t("Left out {count}: {reasons}", count=t.number(left), reasons=t.reasons(count.left_out)) if left else None,
    )
