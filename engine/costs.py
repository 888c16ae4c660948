"""What a mailing would cost by the prices of the configuration, and how much of it would fail, as of the last ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.fits import Fit
from engine.reckoning import Load
from engine.settings import Price
from engine.statistics import Sums
from gateways.base import Charges, PartKind, Template
from gateways.message import Message
from gateways.templates import find_template

HISTORY = timedelta(days=90)
FEW = 50  # messages of a channel, below which their failures say nothing of the next ones


@dataclass(frozen=True, slots=True)
class Cost:
    """So many things that a channel is charged for under a name of `[prices]`; `price` is None where that has none, and
    `name` is "" where the category of the template is not known."""

    channel: str
    name: str
    count: int
    price: Price | None

    @property
    def amount(self) -> Decimal | None:
        return None if self.price is None else self.price[0] * self.count


def costs_of(
    loads: Sequence[Load],
    fits: Mapping[str, Fit],
    inside: Mapping[str, int],
    categories: Mapping[str, str],
    prices: Mapping[str, Price],
) -> tuple[Cost, ...]:
    """Empty where the configuration names no prices. `inside` are clients who wrote a short while ago, `categories`
    those of the templates, both by channel."""
    costs = []
    for load in loads if prices else ():
        charges, fitted = fits[load.channel].able.charges, fits[load.channel].fitted
        if charges is None or fitted is None:
            continue
        template = charges.template.format(category=categories[load.channel]) if load.channel in categories else ""
        is_template = all(part.kind is PartKind.TEMPLATE for part in fitted.parts)
        charged: dict[str, int] = {}
        for name, count in _charged(load, charges, inside.get(load.channel, 0), template, is_template=is_template):
            charged[name] = charged.get(name, 0) + count
        costs += [
            Cost(load.channel, name, count, prices.get(name))
            for name, count in charged.items()
            if count and (name in prices or name != charges.session)
        ]
    return tuple(costs)


def _charged(
    load: Load, charges: Charges, inside: int, template: str, *, is_template: bool
) -> Iterator[tuple[str, int]]:
    outside = load.planned - inside
    if charges.template:
        yield (template, inside) if is_template else (charges.session, inside * load.messages)
        yield (template, outside if load.by_template else 0)
    elif charges.session:
        yield charges.session, inside * load.messages
        yield charges.message, outside * load.messages
    else:
        yield charges.message, load.units


def in_all(costs: Sequence[Cost]) -> dict[str, Decimal]:
    """What it comes to, by currency; what has no price is left out."""
    sums: dict[str, Decimal] = {}
    for cost in costs:
        if cost.price is not None and cost.amount is not None:
            sums[cost.price[1]] = sums.get(cost.price[1], Decimal(0)) + cost.amount
    return dict(sorted(sums.items()))


def category_of(templates: Sequence[Template], message: Message, kind: str) -> str | None:
    """Of the template that goes out on a kind of messenger; None where there is none, or we don't know it."""
    field: Any = message.only.get(kind, {}).get("template")
    found = find_template(list(templates), field) if field is not None else None
    return found.category if found is not None else None


@dataclass(frozen=True, slots=True)
class Expected:
    """How many of a channel's messages are likely to fail: `share` of the `of` that it sent lately did. `share` is None
    where it sent too few to tell."""

    channel: str
    planned: int
    share: float | None
    of: int

    @property
    def failures(self) -> int:
        return round(self.planned * (self.share or 0.0))


def expected_of(planned: Mapping[str, int], sums: Sums) -> tuple[Expected, ...]:
    """By channel, from what the mailings of HISTORY came to."""
    told = []
    for channel, count in sorted(planned.items()):
        failed = sums.get((channel, "failed"), 0)
        ended = failed + sums.get((channel, "sent"), 0)
        told.append(Expected(channel, count, failed / ended if ended >= FEW else None, ended))
    return tuple(told)
