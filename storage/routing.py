"""By which channel a client would be reached, or why by none: told from the card alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, false, literal, null, or_, select, true

from gateways.base import AddressStatus
from storage.fields import Fields
from storage.records import Routing
from storage.schema import addresses, clients

NO_ADDRESS = "no_address"
NO_CHANNEL = "no_channel"  # the main channel stands in no configuration any more

_LOST = (AddressStatus.UNSUBSCRIBED, AddressStatus.BLOCKED, AddressStatus.GONE)
_CODES: Mapping[str, str] = {NO_ADDRESS: "a", NO_CHANNEL: "c", **{status.value: status.value[0] for status in _LOST}}
_CODES_OF_CHANNELS = 256  # and up: beyond the letters of the reasons

Way = tuple[str | None, str | None]  # channel, or the reason for being left out


@dataclass(frozen=True, slots=True)
class Route:
    """Expressions over `schema.clients`. `left_out` is the reason why a client can't be planned, NULL where it can;
    `channel` and `address_id` are where it would be sent, NULL where it can't.

    `code` tells channel or reason in one letter, for counting; `ways` reads it."""

    channel: ColumnElement[str | None]
    address_id: ColumnElement[int | None]
    left_out: ColumnElement[str | None]
    code: ColumnElement[str]
    ways: Mapping[str, Way]


def route(fields: Fields, routing: Routing, channels: Sequence[str], known_channels: Sequence[str]) -> Route:
    """The way of `routing` through `channels` (those of the mailing; for main all that are known)."""
    usable = known_channels if routing is Routing.MAIN else [name for name in channels if name in known_channels]
    codes = _Codes(usable)
    if routing is Routing.MAIN:
        return _main(codes, usable)
    arms = _arms(fields, codes, routing, usable)
    channel = case(*((arm.when, arm.channel) for arm in arms), else_=null())
    return Route(
        channel=channel,
        address_id=_address_on(channel),
        left_out=case(*((arm.when, arm.left_out) for arm in arms), else_=literal(NO_ADDRESS)),
        code=case(*((arm.when, arm.code) for arm in arms), else_=literal(_CODES[NO_ADDRESS])),
        ways=codes.ways,
    )


class _Codes:
    """A letter for each channel and each reason. They are told by comparing: in SQLite a comparison costs a tenth of
    joining two texts."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._of = {name: chr(_CODES_OF_CHANNELS + number) for number, name in enumerate(channels)}
        self.ways: Mapping[str, Way] = {
            **{code: (name, None) for name, code in self._of.items()},
            **{code: (None, reason) for reason, code in _CODES.items()},
        }

    def of(self, channel: str) -> ColumnElement[str]:
        return literal(self._of[channel], Text)

    def of_main(self, otherwise: ColumnElement[str]) -> ColumnElement[str]:
        """The letter of the main channel, where it is one of these."""
        if not self._of:
            return otherwise
        return case({name: self.of(name) for name in self._of}, value=clients.c.main_channel, else_=otherwise)


def _code(reason: str) -> ColumnElement[str]:
    return literal(_CODES[reason], Text)


def _lost_codes() -> ColumnElement[str]:
    """The letter of the main channel's status, where it is not enabled."""
    return case({one.value: _code(one.value) for one in _LOST}, value=clients.c.main_status, else_=_code(NO_ADDRESS))


def _main(codes: _Codes, channels: Sequence[str]) -> Route:
    status, is_known = clients.c.main_status, clients.c.main_channel.in_(channels)
    is_enabled = status == AddressStatus.ENABLED.value
    usable = and_(is_enabled, is_known)
    lost = (
        (clients.c.main_channel.is_(None), literal(NO_ADDRESS)),
        (~is_known, literal(NO_CHANNEL)),
        (status == "none", literal(NO_ADDRESS)),
    )
    return Route(
        channel=case((usable, clients.c.main_channel)),
        address_id=case((usable, clients.c.main_address_id)),
        left_out=case((usable, null()), *lost, else_=status),
        code=case(
            (is_enabled, codes.of_main(_code(NO_CHANNEL))),
            (clients.c.main_channel.is_(None), _code(NO_ADDRESS)),
            (~is_known, _code(NO_CHANNEL)),
            else_=_lost_codes(),
        ),
        ways=codes.ways,
    )


@dataclass(frozen=True, slots=True)
class _Arm:
    """Where it holds, the client is sent by this channel, or left out for this reason."""

    when: ColumnElement[bool]
    channel: ColumnElement[Any]
    left_out: ColumnElement[Any]
    code: ColumnElement[Any]


def _arms(fields: Fields, codes: _Codes, routing: Routing, listed: Sequence[str]) -> list[_Arm]:
    """The first listed channel that can be used; the first arm that holds decides."""
    arms: list[_Arm] = []
    if routing is Routing.CHOSEN:
        on_main, status = clients.c.main_channel.in_(listed), clients.c.main_status
        usable = and_(status == AddressStatus.ENABLED.value, on_main)
        told = case((status == "none", literal(NO_ADDRESS)), else_=status)
        arms.append(_Arm(usable, clients.c.main_channel, null(), codes.of_main(_code(NO_ADDRESS))))
        arms.append(_Arm(on_main, null(), told, _lost_codes()))
    for name in listed:
        arms.append(_Arm(fields.reaches(name, AddressStatus.ENABLED), literal(name, Text), null(), codes.of(name)))
        if routing is Routing.CASCADE:  # an opt-out on the way ends a cascade, blocked or gone does not
            out = AddressStatus.UNSUBSCRIBED
            arms.append(_left_out(fields.reaches(name, out), out.value))
    arms.append(_left_out(and_(true(), *(~fields.is_on(name) for name in listed)), NO_ADDRESS))
    for lost in _LOST:
        reached = or_(false(), *(fields.reaches(name, lost) for name in listed))
        arms.append(_left_out(reached, lost.value))
    return arms


def _left_out(when: ColumnElement[bool], reason: str) -> _Arm:
    return _Arm(when, null(), literal(reason, Text), _code(reason))


def _address_on(channel: ColumnElement[str | None]) -> ColumnElement[int | None]:
    return (
        select(addresses.c.id)
        .where(
            addresses.c.client_id == clients.c.id,
            addresses.c.channel == channel,
            addresses.c.status == AddressStatus.ENABLED.value,
        )
        .order_by(addresses.c.id)
        .limit(1)
        .correlate(clients)
        .scalar_subquery()
    )
