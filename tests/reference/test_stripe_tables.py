"""Stripe's way of counting and naming things."""

import re
from pathlib import Path

import pytest
import stripe as library

from nicobar.core.payments.methods import CARD_TYPES
from nicobar.reference import currencies, methods
from nicobar.reference.stripe import from_stripe, stripe_currencies, stripe_methods, to_stripe


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [
        (2400, "USD", 2400),
        (1, "EUR", 1),
        (500, "JPY", 500),
        (5120, "KWD", 5120),
        (5, "UGX", 500),
        (12345, "HUF", 12345),
        (12345, "TWD", 12345),
    ],
)
def test_amounts(minor: int, currency: str, amount: int) -> None:
    assert to_stripe(minor, currency) == amount
    assert from_stripe(amount, currency) == minor


@pytest.mark.parametrize(("minor", "currency"), [(5124, "KWD"), (1, "BHD"), (1005, "TND")])
def test_amounts_that_stripe_cannot_take(minor: int, currency: str) -> None:
    with pytest.raises(ValueError, match=f"Stripe does not take {currency} in an amount of {minor} minor units"):
        to_stripe(minor, currency)


def test_an_amount_of_stripe_that_is_no_whole_number_of_ours() -> None:
    with pytest.raises(ValueError, match="no whole number of minor units of UGX"):
        from_stripe(550, "UGX")


def test_every_chargeable_currency_comes_back_as_it_went() -> None:
    for code in currencies.chargeable():
        step = 10 if code in stripe_currencies() and stripe_currencies()[code].step == 10 else 1
        for minor in (step, 99 * step, 12_345_670):
            assert from_stripe(to_stripe(minor, code), code) == minor, code


def test_every_currency_of_the_table_is_one_of_ours_and_differs_from_the_rule() -> None:
    known = {currency.code for currency in currencies.ALL}
    for row in stripe_currencies().values():
        assert row.code in known
        assert (row.decimals, row.step) != (2, 1)


def test_methods_are_ours_and_known_to_the_library() -> None:
    source = (Path(library.__file__).parent / "params" / "_payment_intent_create_params.py").read_text()
    names = set(re.findall(r'"([a-z0-9_]+)"', source))
    ours = {method.type for method in methods.ALL}
    for row in stripe_methods().values():
        assert row.type in ours and row.stripe_type in names
    assert [type for type in sorted(CARD_TYPES) if stripe_methods()[type].stripe_type != "card"] == []


def test_what_is_in_service_and_not_run_by_stripe() -> None:
    """Wallets are shown next to the fields of a card; UPI by id is not among Stripe's methods."""
    assert {method.type for method in methods.offered()} - set(stripe_methods()) == {
        "apple_pay",
        "google_pay",
        "upi_collect",
    }
