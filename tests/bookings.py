"""Payments, refunds and disputes as the books see them, for tests of the entries; the numbers are the contract's."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.ledger.ledger import LedgerEntry, payment_entry
from nicobar.core.money.fx import DODO_FEES, FeeTiers, Rates, charge_terms, usd_rate
from nicobar.core.payments.payment import Payment, PaymentOptions
from nicobar.core.pricing.pricing import CartLine, Quote, quote, with_fee

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = date(2026, 10, 30)
EXPONENTS = {"USD": 2, "EUR": 2, "GBP": 2, "CAD": 2, "JPY": 0, "KWD": 3}
UNITS = {"EUR": "0.92", "GBP": "0.79", "CAD": "1.37", "JPY": "149.37", "KWD": "0.3071"}
RATES = Rates({code: usd_rate(text, DAY, "example") for code, text in UNITS.items()})


@dataclass(frozen=True)
class Back:
    """A refund as the books see it."""

    amount: int
    settlement_amount: int
    settlement_tax: int = 0
    refund_id: str = "ref_1"
    payment_id: str = "pay_1"


@dataclass(frozen=True)
class Contested:
    """A dispute as the books see it."""

    amount: int
    currency: str
    dispute_id: str = "dp_1"


def line(unit_price: int, quantity: int = 1, currency: str = "USD", product: str = "A", **more: Any) -> CartLine:
    return CartLine(product, currency, unit_price, quantity, **more)


def priced(
    *lines: CartLine,
    charge: str = "USD",
    settled: str = "USD",
    tiers: FeeTiers = DODO_FEES,
    inclusive: bool = False,
    codes: tuple[DiscountTerms, ...] = (),
    **terms: Any,
) -> Quote:
    own = charge_terms(charge, settled, [item.currency for item in lines], RATES, EXPONENTS, fees_inclusive=inclusive)
    own = msgspec.structs.replace(own, **terms)
    return quote(lines, with_fee(lines, own, codes, tiers, RATES, EXPONENTS), codes)


def paid(priced_as: Quote) -> Payment:
    return Payment(
        business_id="bus_1",
        mode="test",
        payment_id="pay_1",
        brand_id="bus_1",
        customer=Buyer("cus_1", "ana@example.com", "Ana", None, {}),
        status="succeeded",
        currency=priced_as.currency,
        subtotal=priced_as.subtotal,
        discount=priced_as.discount,
        tax=priced_as.tax,
        total_amount=priced_as.total,
        settlement_currency=priced_as.settlement_currency,
        settlement_amount=priced_as.settlement_amount,
        settlement_tax=priced_as.settlement_tax,
        billing=Address("DE"),
        metadata={},
        options=PaymentOptions(),
        link_id=None,
        expires_on=AT,
        payment_method="card",
        payment_method_type="credit",
        card=None,
        error_code=None,
        error_message=None,
        created_at=AT,
        updated_at=AT,
        lines=[],
    )


def booked(priced_as: Quote) -> tuple[Payment, LedgerEntry]:
    payment = paid(priced_as)
    return payment, payment_entry("led_1", payment, priced_as.inputs, AT)


def told(entry: LedgerEntry) -> list[tuple[str, str, int]]:
    return [(posting.account, posting.currency, posting.amount) for posting in entry.postings]


def balances(entries: list[LedgerEntry]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for entry in entries:
        for posting in entry.postings:
            key = posting.account, posting.currency
            found[key] = found.get(key, 0) + posting.amount
    return {key: amount for key, amount in found.items() if amount}


EVERYTHING = (
    line(4900, 2, discount_bps=1000, tax_rate_ppm=190_000),
    line(1500, product="B", tax_rate_ppm=190_000),
)
CODES = (
    DiscountTerms("dsc", "CODE", "percentage", 2000, None, frozenset({"A"})),
    DiscountTerms("dsc", "FLAT", "flat", 500),
)


CARTS = [
    priced(line(1999, 3, tax_rate_ppm=190_000)),
    priced(*EVERYTHING, charge="EUR", codes=CODES),
    priced(*EVERYTHING, charge="EUR", codes=CODES, inclusive=True),
    priced(line(999, tax_rate_ppm=77_000), charge="JPY"),
    priced(line(4000), charge="GBP", charm="nearest"),
    priced(line(10_000), line(9200, currency="EUR", product="B"), inclusive=True),
]
