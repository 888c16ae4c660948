"""Prices on Buy buttons, as people write them."""

from decimal import Decimal

import pytest

from engine.prices import read_price


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("19.90 EUR", "19.90", "EUR"),
        ("19.9 EUR", "19.9", "EUR"),
        ("EUR 5", "5", "EUR"),
        (" 5usd ", "5", "USD"),
        ("1 990,50 UAH", "1990.50", "UAH"),
        ("1\u00a0990\u202f000 UAH", "1990000", "UAH"),
        ("1.990,50 EUR", "1990.50", "EUR"),
        ("1,990.50 USD", "1990.50", "USD"),
        ("1,990 USD", "1990", "USD"),
        ("1'000 CHF", "1000", "CHF"),
        ("0.1234 EUR", "0.1234", "EUR"),
        ("0.012 EUR", "0.012", "EUR"),
        ("0,045 USD", "0.045", "USD"),
    ],
)
def test_a_price_is_an_amount_and_a_currency(text: str, amount: str, currency: str) -> None:
    assert read_price(text) == (Decimal(amount), currency)


@pytest.mark.parametrize(
    "text", [None, "", "5", "EUR", "free", "5 EU", "5 EURO", "EUR 5 USD", "-5 EUR", "999999999999999 EUR"]
)
def test_what_is_no_price_is_none(text: str | None) -> None:
    assert read_price(text) is None
