"""By which channel a client would be reached, or why by none: told from the card alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, false, func, literal, null, or_, select

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
    codes = _Codes(fields, usable)
    if routing is Routing.MAIN:
        return _main(codes)
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
    """A letter for each channel: its place in one text of all of them, so that hundreds are told in one look."""

    def __init__(self, fields: Fields, channels: Sequence[str]) -> None:
        self._is_sqlite = fields.is_sqlite
        self._names = f"|{'|'.join(channels)}|"
        self.ways: Mapping[str, Way] = {
            **{self.of(name): (name, None) for name in channels},
            **{code: (None, reason) for reason, code in _CODES.items()},
        }

    def of(self, channel: str) -> str:
        return chr(_CODES_OF_CHANNELS + self._names.index(f"|{channel}|") + 1)

    def place_of_main(self) -> ColumnElement[int]:
        """Where the main channel stands among the channels; 0 where it does not, NULL where there is none."""
        look = func.instr if self._is_sqlite else func.strpos
        return look(literal(self._names, Text), literal("|") + clients.c.main_channel + "|")

    def of_main(self) -> ColumnElement[str]:
        letter = func.char if self._is_sqlite else func.chr
        return letter(self.place_of_main() + _CODES_OF_CHANNELS)


def _main(codes: _Codes) -> Route:
    status, place = clients.c.main_status, codes.place_of_main()
    is_enabled = status == AddressStatus.ENABLED.value
    usable = and_(is_enabled, place > 0)
    lost = case(
        (clients.c.main_channel.is_(None), literal(NO_ADDRESS)),
        (place == 0, literal(NO_CHANNEL)),
        (status == "none", literal(NO_ADDRESS)),
        else_=status,
    )
    lost_codes = case(
        (clients.c.main_channel.is_(None), literal(_CODES[NO_ADDRESS])),
        (place == 0, literal(_CODES[NO_CHANNEL])),
        *((status == one.value, literal(_CODES[one.value])) for one in _LOST),
        else_=literal(_CODES[NO_ADDRESS]),
    )
    return Route(
        channel=case((usable, clients.c.main_channel)),
        address_id=case((usable, clients.c.main_address_id)),
        left_out=case((usable, null()), else_=lost),
        # Most are enabled: they are told by one look at the channel, whose letter for “nowhere” is read as a reason.
        code=case((is_enabled, codes.of_main()), else_=lost_codes),
        ways={chr(_CODES_OF_CHANNELS): (None, NO_CHANNEL), **codes.ways},
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
        on_main, status = codes.place_of_main() > 0, clients.c.main_status
        usable = and_(on_main, status == AddressStatus.ENABLED.value)
        arms.append(_Arm(usable, clients.c.main_channel, null(), codes.of_main()))
        arms += [_left_out(and_(on_main, status == one.value), one.value) for one in _LOST]
        arms.append(_left_out(on_main, NO_ADDRESS))
    for name in listed:
        enabled = fields.reaches(name, AddressStatus.ENABLED)
        arms.append(_Arm(enabled, literal(name, Text), null(), literal(codes.of(name), Text)))
        if routing is Routing.CASCADE:  # an opt-out on the way ends a cascade, blocked or gone does not
            out = AddressStatus.UNSUBSCRIBED
            arms.append(_left_out(fields.reaches(name, out), out.value))
    for status_lost in _LOST:
        reached = or_(false(), *(fields.reaches(name, status_lost) for name in listed))
        arms.append(_left_out(reached, status_lost.value))
    return arms


def _left_out(when: ColumnElement[bool], reason: str) -> _Arm:
    return _Arm(when, null(), literal(reason, Text), literal(_CODES[reason], Text))


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
