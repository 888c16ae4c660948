"""Money is counted and kept in ten-thousandths, whole numbers that every database adds exactly."""

from decimal import Decimal

DIGITS = 14  # before the point, at most: what a column of 64 bits holds
PLACES = 4  # after it


def in_ten_thousandths(amount: Decimal) -> int:
    return int((amount * 10_000).to_integral_value())


def from_ten_thousandths(amount: int) -> Decimal:
    """With two digits after the point, and more only where they say something."""
    exact = Decimal(amount) / 10_000
    return exact.quantize(Decimal("0.01")) if amount % 100 == 0 else exact
