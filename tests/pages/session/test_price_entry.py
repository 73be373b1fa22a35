"""Prices as people type them."""

import pytest

from nicobar.pages.session.price_entry import price_text, read_price


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("7", "USD", 700),
        ("7.5", "USD", 750),
        ("7,50", "EUR", 750),
        (" 1 234,5 ", "EUR", 123_450),
        ("1'234.50", "CHF", 123_450),
        ("1,234.50", "USD", 123_450),
        ("1.234,50", "EUR", 123_450),
        ("1,234,567", "USD", 123_456_700),
        ("\u0661\u0662", "USD", 1200),
        ("0", "USD", 0),
        ("1500", "JPY", 1500),
        ("1,234,567", "JPY", 1_234_567),
        ("1.500", "KWD", 1500),
        ("1.5", "KWD", 1500),
    ],
)
def test_what_is_a_price(text: str, currency: str, minor: int) -> None:
    assert read_price(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("", "USD"),
        ("ten", "USD"),
        ("-5", "USD"),
        ("1,000", "USD"),
        ("7.505", "USD"),
        ("1.000", "EUR"),
        ("1.5", "JPY"),
        ("1,500", "JPY"),
        ("1.2345", "KWD"),
        ("1,23,456.7", "USD"),
        ("1.", "USD"),
        (".5", "USD"),
        ("1e3", "USD"),
        ("9" * 25, "USD"),
    ],
)
def test_what_is_none_or_could_be_two(text: str, currency: str) -> None:
    assert read_price(text, currency) is None


def test_what_stands_in_the_field() -> None:
    assert [price_text(5, "USD"), price_text(1500, "USD"), price_text(1500, "JPY"), price_text(1, "KWD")] == [
        "0.05",
        "15.00",
        "1500",
        "0.001",
    ]
