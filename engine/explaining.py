"""Why a client did or did not get a mailing: every rule that decides it, and everything that happened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.audience import read_audience
from engine.check import Checker
from engine.plan import channels_of, route_of
from engine.settings import ChannelSettings
from gateways.base import AddressStatus
from storage.audiences import NOT_IN_AUDIENCE
from storage.deliveries import DeliveryRow
from storage.filters import AudienceFilter
from storage.histories import Happened, LeftAndCame
from storage.opting import EVERYWHERE
from storage.records import ClientCard, Mailing, Routing, Status
from storage.store import Store


class RuleKind(StrEnum):
    CONDITION = "condition"  # details: the `term`, an AudienceFilter of its own
    OPT_OUT = "opt_out"  # scope, source, at; none where there is no opt-out
    CHANNEL = "channel"  # the `channels` that it may go by, on none of which the client is
    ADDRESS = "address"  # channel, status, at


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that decides, as it is now; `holds`: it lets the client have the mailing."""

    kind: RuleKind
    holds: bool
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """`word` says in short why it was (not) got; `delivery` is None for a client who was not planned."""

    mailing: Mailing
    card: ClientCard
    delivery: DeliveryRow | None
    word: str
    rules: Sequence[Rule] = ()
    happened: Sequence[Happened] = ()


async def explain(
    store: Store, checker: Checker, known: Mapping[str, ChannelSettings], mailing: Mailing, card: ClientCard
) -> Explanation:
    """`known` are our channels. Raises Invalid where the audience can't be read, such as by a segment that is gone."""
    channels = _channels(mailing, known, card)
    rules = [
        *await _conditions(store, checker, mailing, card),
        *_opt_outs(await store.histories.opt_outs(card.id), channels),
        *_addresses(card, channels),
    ]
    planned_for = await store.histories.has_delivery(mailing.step_id, card.id)
    if planned_for is None:
        return Explanation(mailing, card, None, await _why_not_planned(store, checker, mailing, card), rules)
    [delivery] = await store.deliveries.rows(mailing.step_id, client_id=planned_for, limit=1)
    happened = await store.histories.of_delivery(mailing.step_id, planned_for)
    return Explanation(mailing, card, delivery, delivery.reason or delivery.state.value, rules, happened)


async def _why_not_planned(store: Store, checker: Checker, mailing: Mailing, card: ClientCard) -> str:
    if mailing.status in (Status.DRAFT, Status.SCHEDULED):
        return "not_started"
    reason = await store.clients.why_left_out(card.id, checker.audience_of(mailing.draft))
    return reason or "came_later"


async def _conditions(store: Store, checker: Checker, mailing: Mailing, card: ClientCard) -> list[Rule]:
    whole = read_audience(mailing.draft.audience)
    terms = [AudienceFilter(where=(term,)) for term in whole.where]
    if whole.segment is not None:
        terms.insert(0, AudienceFilter(segment=whole.segment))
    rules = []
    for term in terms:
        reason = await store.clients.why_left_out(card.id, checker.audience_by(term))
        rules.append(Rule(RuleKind.CONDITION, reason != NOT_IN_AUDIENCE, {"term": term}))
    return rules


def _opt_outs(found: Sequence[LeftAndCame], channels: Sequence[str]) -> Iterator[Rule]:
    standing = [one for one in found if one.ended_at is None and one.scope in (EVERYWHERE, *channels)]
    for one in standing:
        yield Rule(RuleKind.OPT_OUT, False, {"scope": one.scope, "source": one.source, "at": one.at})
    if not standing:
        yield Rule(RuleKind.OPT_OUT, True)


def _addresses(card: ClientCard, channels: Sequence[str]) -> Iterator[Rule]:
    found = [one for one in card.addresses if one.channel in channels]
    if not found:
        yield Rule(RuleKind.CHANNEL, False, {"channels": channels})
    for one in found:
        details = {"channel": one.channel, "status": one.status.value, "at": one.status_at}
        yield Rule(RuleKind.ADDRESS, one.status is AddressStatus.ENABLED, details)


def _channels(mailing: Mailing, known: Mapping[str, ChannelSettings], card: ClientCard) -> Sequence[str]:
    """Those by which the mailing may go to this client."""
    if route_of(mailing.draft, known)[0] is Routing.MAIN:
        return [card.main_channel] if card.main_channel is not None and card.main_channel in known else []
    return channels_of(mailing.draft, known)
