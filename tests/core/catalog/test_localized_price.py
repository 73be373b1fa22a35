"""Which localized price a line gets, and in which currency a cart with localized prices is charged."""

from datetime import UTC, datetime

import pytest

from nicobar.core.catalog.localized_price import LocalizedPrice, PricingMode, agreed_currency, candidate, choose

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


def price(
    currency: str, country: str | None = None, amount: int = 999, archived_at: datetime | None = None
) -> LocalizedPrice:
    mode: PricingMode = "by_currency" if country is None else "by_country"
    return LocalizedPrice(
        localized_price_id=f"lcp_{country or currency}",
        product_id="pdt_1",
        pricing_mode=mode,
        currency=currency,
        amount=amount,
        country_code=country,
        created_at=MOMENT,
        updated_at=MOMENT,
        archived_at=archived_at,
    )


INDIA, GERMANY, INDIA_IN_DOLLARS = price("INR", "IN"), price("EUR", "DE"), price("USD", "IN")
EUROS, POUNDS = price("EUR"), price("GBP")


def test_by_country_looks_at_the_billing_country() -> None:
    assert choose([GERMANY, INDIA], "by_country", "IN", "INR") is INDIA
    assert choose([GERMANY, INDIA], "by_country", "FR", "EUR") is None


def test_by_currency_looks_at_the_charge_currency() -> None:
    assert choose([POUNDS, EUROS], "by_currency", "IN", "EUR") is EUROS
    assert choose([POUNDS, EUROS], "by_currency", "DE", "USD") is None


def test_a_price_by_country_is_never_converted() -> None:
    assert choose([INDIA_IN_DOLLARS], "by_country", "IN", "USD") is INDIA_IN_DOLLARS
    assert choose([INDIA_IN_DOLLARS], "by_country", "IN", "INR") is None
    assert candidate([INDIA_IN_DOLLARS], "by_country", "IN", "INR") is INDIA_IN_DOLLARS
    assert candidate([INDIA_IN_DOLLARS], "by_country", "IN", None) is INDIA_IN_DOLLARS


def test_a_buyer_without_a_known_currency_has_no_price_by_currency() -> None:
    assert candidate([EUROS], "by_currency", "DE", None) is None


@pytest.mark.parametrize("mode", [None, "by_currency"])
def test_another_mode_of_the_product_hides_the_price(mode: str | None) -> None:
    assert choose([INDIA], mode, "IN", "INR") is None


def test_archived_prices_do_not_apply() -> None:
    assert choose([price("INR", "IN", archived_at=MOMENT)], "by_country", "IN", "INR") is None
    assert choose([price("INR", "IN", archived_at=MOMENT), INDIA], "by_country", "IN", "INR") is INDIA


@pytest.mark.parametrize(
    ("candidates", "bases", "adaptive", "expected"),
    [
        ([INDIA], ["USD"], False, "INR"),
        ([INDIA, INDIA], ["USD", "EUR"], False, "INR"),
        ([INDIA, None], ["USD", "USD"], False, None),  # the second line could not be converted
        ([INDIA, None], ["USD", "INR"], False, "INR"),
        ([INDIA, None], ["USD", "USD"], True, "INR"),
        ([INDIA, INDIA_IN_DOLLARS], ["USD", "USD"], False, None),
        ([INDIA, INDIA_IN_DOLLARS], ["USD", "USD"], True, None),
        ([None, None], ["USD", "USD"], True, None),
        ([None], ["USD"], False, None),
        ([], [], True, None),
    ],
)
def test_the_prices_settle_the_currency_when_they_agree(
    candidates: list[LocalizedPrice | None], bases: list[str], adaptive: bool, expected: str | None
) -> None:
    assert agreed_currency(candidates, bases, adaptive=adaptive) == expected
