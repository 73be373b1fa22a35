"""The entries of payments, refunds and disputes, to the unit; the numbers are those of the contract's examples."""

import msgspec
import pytest

from booking import AT, CODES, EVERYTHING, booked, line, paid, priced, told
from nicobar.core.ledger.ledger import (
    ACCOUNTS,
    LedgerAccount,
    Posting,
    payment_entry,
)
from nicobar.core.money.fx import NO_FEE


def test_a_plain_payment() -> None:
    _, entry = booked(priced(line(2000, 2)))
    assert told(entry) == [("processor_receivable", "USD", 4000), ("merchant_payable", "USD", -4000)]
    assert (entry.kind, entry.reference, entry.turn, entry.created_at) == ("payment", "pay_1", 0, AT)


def test_06_tax_on_top_is_owed_to_the_authorities() -> None:
    _, entry = booked(priced(line(5000, currency="EUR", tax_rate_ppm=190_000), charge="EUR", settled="EUR"))
    assert told(entry) == [
        ("processor_receivable", "EUR", 5950),
        ("merchant_payable", "EUR", -5000),
        ("tax_payable", "EUR", -950),
    ]


def test_07_tax_within_the_price_is_owed_to_the_authorities() -> None:
    cart = line(2400, currency="GBP", tax_rate_ppm=200_000, tax_inclusive=True)
    _, entry = booked(priced(cart, charge="GBP", settled="GBP"))
    assert told(entry) == [
        ("processor_receivable", "GBP", 2400),
        ("merchant_payable", "GBP", -2000),
        ("tax_payable", "GBP", -400),
    ]


@pytest.mark.parametrize(
    ("price", "charge", "inclusive", "total", "gross", "seller"),
    [
        (10_000, "CAD", False, 14_248, 10_400, 10_000),
        (10_000, "CAD", True, 13_700, 10_000, 9600),
        (50_000, "EUR", False, 47_380, 51_500, 50_000),
        (200_000, "EUR", False, 187_680, 204_000, 200_000),
        (999, "JPY", False, 1552, 1039, 999),  # 1552 yen are 10.3903 dollars
    ],
)
def test_15_and_16_a_conversion_is_bridged_and_its_fee_is_income(
    price: int, charge: str, inclusive: bool, total: int, gross: int, seller: int
) -> None:
    _, entry = booked(priced(line(price), charge=charge, inclusive=inclusive))
    assert told(entry) == [
        ("processor_receivable", charge, total),
        ("conversion_clearing", charge, -total),
        ("conversion_clearing", "USD", gross),
        ("merchant_payable", "USD", -seller),
        ("fee_income", "USD", seller - gross),
    ]


def test_16_without_a_fee_there_is_no_income() -> None:
    _, entry = booked(priced(line(999), charge="KWD", tiers=NO_FEE))
    assert told(entry) == [
        ("processor_receivable", "KWD", 3068),
        ("conversion_clearing", "KWD", -3068),
        ("conversion_clearing", "USD", 999),
        ("merchant_payable", "USD", -999),
    ]


def test_17_charm_pricing() -> None:
    _, entry = booked(priced(line(4000), charge="GBP", charm="nearest"))
    assert told(entry) == [
        ("processor_receivable", "GBP", 2999),
        ("conversion_clearing", "GBP", -2999),
        ("conversion_clearing", "USD", 3796),
        ("merchant_payable", "USD", -3644),
        ("fee_income", "USD", -152),
    ]


def test_18_everything() -> None:
    _, exclusive = booked(priced(*EVERYTHING, charge="EUR", codes=CODES))
    assert told(exclusive) == [
        ("processor_receivable", "EUR", 9146),
        ("conversion_clearing", "EUR", -9146),
        ("conversion_clearing", "USD", 9941),  # 91.46 euros are 99.4130 dollars
        ("merchant_payable", "USD", -8033),
        ("tax_payable", "USD", -1526),
        ("fee_income", "USD", -382),
    ]
    _, inclusive = booked(priced(*EVERYTHING, charge="EUR", codes=CODES, inclusive=True))
    assert told(inclusive) == [
        ("processor_receivable", "EUR", 8772),
        ("conversion_clearing", "EUR", -8772),
        ("conversion_clearing", "USD", 9535),
        ("merchant_payable", "USD", -7632),
        ("tax_payable", "USD", -1522),
        ("fee_income", "USD", -381),
    ]


def test_a_mixed_cart_can_bear_a_fee_without_another_currency() -> None:
    cart = line(10_000), line(9200, currency="EUR", product="B")
    _, entry = booked(priced(*cart, inclusive=True))
    assert told(entry) == [
        ("processor_receivable", "USD", 20_000),
        ("merchant_payable", "USD", -19_600),
        ("fee_income", "USD", -400),
    ]


def test_a_converted_payment_needs_its_rate() -> None:
    payment = paid(priced(line(10_000), charge="CAD"))
    with pytest.raises(ValueError, match="pay_1 was converted, and its rate is not known"):
        payment_entry("led_1", payment, None, AT)


@pytest.mark.parametrize(
    "postings",
    [
        (),
        (Posting("processor_receivable", "USD", 100),),
        (Posting("processor_receivable", "USD", 100), Posting("merchant_payable", "USD", -99)),
        (Posting("processor_receivable", "USD", 100), Posting("merchant_payable", "EUR", -100)),
        (Posting("processor_receivable", "USD", 0), Posting("merchant_payable", "USD", 0)),
    ],
)
def test_an_entry_that_does_not_balance_cannot_be_made(postings: tuple[Posting, ...]) -> None:
    _, entry = booked(priced(line(2000)))
    with pytest.raises(ValueError, match="the entry about pay_1 does not balance"):
        msgspec.structs.replace(entry, postings=postings)


def test_the_accounts_are_those_that_entries_use() -> None:
    _, entry = booked(priced(*EVERYTHING, charge="EUR", codes=CODES))
    used: set[LedgerAccount] = {posting.account for posting in entry.postings}
    assert used == set(ACCOUNTS)
    for posting in entry.postings:
        if ACCOUNTS[posting.account] != "either":
            assert (posting.amount > 0) == (ACCOUNTS[posting.account] == "debit")
