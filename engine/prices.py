"""Prices as people write them on a button: "19.90 EUR", "1 990,50 UAH", "EUR 5"."""

import re
from decimal import Decimal

from storage.money import DIGITS

_PRICE = re.compile(
    r"(?:(?P<before>[A-Za-z]{3})\s*)?(?P<amount>[0-9](?:[0-9.,'’\u00a0\u202f ]*[0-9])?)\s*(?P<after>[A-Za-z]{3})?"
)


def read_price(text: str | None) -> tuple[Decimal, str] | None:
    """The amount and the currency, in capitals; None where the text does not say both."""
    found = _PRICE.fullmatch((text or "").strip())
    if found is None or (found["before"] is None) == (found["after"] is None):
        return None
    whole, point, cents = _split(re.sub(r"['’\s]", "", found["amount"]))
    if len(whole) > DIGITS:
        return None
    return Decimal(f"{whole}{point}{cents}"), (found["before"] or found["after"]).upper()


def _split(amount: str) -> tuple[str, str, str]:
    """Digits before the point, the point, digits after: the last sign is the point unless it parts thousands, which no
    amount that begins with a nought has."""
    below_one, usual = r"(0)[.,]([0-9]+)", r"([0-9.,]*?)(?:[.,]([0-9]{1,2}|[0-9]{4}))?"
    found = re.fullmatch(below_one, amount) or re.fullmatch(usual, amount)
    if found is None or found[2] is None:
        return re.sub("[.,]", "", amount), "", ""
    return re.sub("[.,]", "", found[1]), ".", found[2]
