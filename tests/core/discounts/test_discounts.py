"""Who may use a code, what it is worth, and how it lowers the lines."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from nicobar.core.discounts.discounts import (
    CodeHistory,
    CurrencyOption,
    DiscountCode,
    DiscountTerms,
    apply_code,
    check_code,
    normalise_code,
    resolve_terms,
)
from nicobar.core.money.fx import Rates, usd_rate
from nicobar.core.pricing.pricing import CartLine
from nicobar.core.problems import Problem

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "GBP": 2}
RATES = Rates(
    {
        "EUR": usd_rate("0.92", date(2026, 10, 30), "central bank"),
        "JPY": usd_rate("149.37", date(2026, 10, 30), "central bank"),
    }
)
CART = [CartLine("A", "USD", 3000, 2, discount_bps=5000), CartLine("B", "USD", 500, 1)]
PLAIN = DiscountCode("dsc_1", "SAVE10", "percentage", 1000)


def check(code: DiscountCode, history: CodeHistory | None = None, currency: str = "USD", **changes: Any) -> None:
    check_code(
        msgspec.structs.replace(code, **changes),
        history or CodeHistory(),
        CART,
        currency,
        RATES,
        EXPONENTS,
        NOW,
        path="discount_codes[0]",
    )


def refusal(code: DiscountCode, history: CodeHistory | None = None, currency: str = "USD", **changes: Any) -> str:
    with pytest.raises(Problem) as caught:
        check(code, history, currency, **changes)
    assert caught.value.status == 422
    assert caught.value.path in ("discount_codes[0]", None)
    return caught.value.code


def test_normalise() -> None:
    assert normalise_code("  save10\n") == "SAVE10"


def test_period_is_half_open() -> None:
    tick = timedelta(microseconds=1)
    check(PLAIN, starts_at=NOW, expires_at=NOW + tick)
    assert refusal(PLAIN, starts_at=NOW + tick) == "DISCOUNT_NOT_YET_ACTIVE"
    assert refusal(PLAIN, expires_at=NOW) == "DISCOUNT_CODE_EXPIRED"


def test_limits_count_earlier_uses() -> None:
    check(PLAIN, CodeHistory(times_used=4, customer_uses=1), usage_limit=5, per_customer_usage_limit=2)
    assert refusal(PLAIN, CodeHistory(times_used=5), usage_limit=5) == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"
    history = CodeHistory(times_used=2, customer_uses=2)
    assert refusal(PLAIN, history, per_customer_usage_limit=2) == "DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("eligibility", "purchased", "listed", "allowed"),
    [
        ("any", False, False, True),
        ("first_time", False, False, True),
        ("first_time", True, True, False),
        ("existing", True, False, True),
        ("existing", False, True, False),
        ("specific", False, True, True),
        ("specific", True, False, False),
    ],
)
def test_customer_eligibility(eligibility: str, purchased: bool, listed: bool, allowed: bool) -> None:
    history = CodeHistory(customer_has_purchased=purchased, customer_listed=listed)
    if allowed:
        check(PLAIN, history, customer_eligibility=eligibility)
    else:
        assert refusal(PLAIN, history, customer_eligibility=eligibility) == "DISCOUNT_CUSTOMER_NOT_ELIGIBLE"


def test_restriction_to_products() -> None:
    check(PLAIN, restricted_to=frozenset({"B", "Z"}))
    assert refusal(PLAIN, restricted_to=frozenset({"Z"})) == "DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT"


def test_minimum_subtotal_counts_list_prices_of_covered_lines() -> None:
    """The product discount of 50 % on line A does not count, and neither does a line that the code does not cover."""
    check(PLAIN, currency_options=(CurrencyOption("USD", minimum_subtotal=6500),))
    too_much = (CurrencyOption("USD", minimum_subtotal=6501),)
    assert refusal(PLAIN, currency_options=too_much) == "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET"
    check(PLAIN, currency_options=(CurrencyOption("USD", minimum_subtotal=6000),), restricted_to=frozenset({"A"}))
    only_a = (CurrencyOption("USD", minimum_subtotal=6001),)
    code = refusal(PLAIN, currency_options=only_a, restricted_to=frozenset({"A"}))
    assert code == "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET"


def test_minimum_subtotal_is_compared_exactly_in_the_currency_of_its_row() -> None:
    """65 dollars are exactly 59.80 euros and 9709.05 yen."""
    check(PLAIN, currency_options=(CurrencyOption("EUR", minimum_subtotal=5980),))
    check(PLAIN, currency_options=(CurrencyOption("JPY", minimum_subtotal=9709),))
    above = (CurrencyOption("JPY", minimum_subtotal=9710),)
    assert refusal(PLAIN, currency_options=above) == "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET"
    unknown = (CurrencyOption("GBP", minimum_subtotal=1),)
    assert refusal(PLAIN, currency_options=unknown) == "EXCHANGE_RATE_NOT_FOUND"


def test_the_row_of_the_charge_currency_goes_before_the_default() -> None:
    rows = (
        CurrencyOption("USD", 1000, minimum_subtotal=99_999, is_default=True),
        CurrencyOption("EUR", 700, minimum_subtotal=100),
    )
    check(PLAIN, currency="EUR", currency_options=rows)
    assert refusal(PLAIN, currency="JPY", currency_options=rows) == "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET"


def test_checks_come_in_the_documented_order() -> None:
    """Everything is wrong with this code; repairing the first fault shows the next one."""
    code = msgspec.structs.replace(
        PLAIN,
        type="flat",
        starts_at=NOW + timedelta(days=1),
        expires_at=NOW,
        usage_limit=1,
        customer_eligibility="existing",
        per_customer_usage_limit=1,
        restricted_to=frozenset({"Z"}),
        currency_options=(CurrencyOption("USD", None, minimum_subtotal=10**6),),
    )
    history = CodeHistory(times_used=1, customer_uses=1)
    repairs: list[tuple[str, dict[str, Any]]] = [
        ("DISCOUNT_NOT_YET_ACTIVE", {"starts_at": None}),
        ("DISCOUNT_CODE_EXPIRED", {"expires_at": None}),
        ("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED", {"usage_limit": None}),
        ("DISCOUNT_CUSTOMER_NOT_ELIGIBLE", {"customer_eligibility": "any"}),
        ("DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED", {"per_customer_usage_limit": None}),
        ("DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT", {"restricted_to": frozenset()}),
        ("DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET", {"currency_options": (CurrencyOption("USD"),)}),
        ("DISCOUNT_CURRENCY_OPTION_INVALID", {"currency_options": (CurrencyOption("USD", 100),)}),
    ]
    for expected, repair in repairs:
        assert refusal(code, history) == expected
        code = msgspec.structs.replace(code, **repair)
    check(code, history)


def test_terms_of_a_percentage() -> None:
    assert resolve_terms(PLAIN, "EUR", RATES, EXPONENTS) == DiscountTerms("dsc_1", "SAVE10", "percentage", 1000)
    capped = msgspec.structs.replace(PLAIN, currency_options=(CurrencyOption("USD", 999),))
    terms = resolve_terms(capped, "EUR", RATES, EXPONENTS)
    assert (terms.amount, terms.cap) == (1000, 919)  # 999 x 0.92 = 919.08
    assert terms.source == "currency row USD at 0.92 (central bank)"
    assert resolve_terms(capped, "USD", RATES, EXPONENTS).cap == 999


def test_terms_of_a_flat_code() -> None:
    flat = DiscountCode(
        "dsc_2",
        "FLAT",
        "flat",
        1,
        (CurrencyOption("USD", 1050, is_default=True), CurrencyOption("EUR", 800)),
        frozenset({"A"}),
    )
    euro = resolve_terms(flat, "EUR", RATES, EXPONENTS)
    assert (euro.type, euro.amount, euro.cap, euro.restricted_to) == ("flat", 800, None, frozenset({"A"}))
    assert resolve_terms(flat, "JPY", RATES, EXPONENTS).amount == 1568  # 10.50 x 149.37 = 1568.385
    without_default = msgspec.structs.replace(
        flat, currency_options=(CurrencyOption("USD", 1050), CurrencyOption("EUR", 800))
    )
    with pytest.raises(Problem) as caught:
        resolve_terms(without_default, "JPY", RATES, EXPONENTS)
    assert caught.value.code == "DISCOUNT_CURRENCY_OPTION_INVALID"
    with pytest.raises(Problem) as caught:
        resolve_terms(flat, "GBP", RATES, EXPONENTS)
    assert caught.value.code == "EXCHANGE_RATE_NOT_FOUND"


def test_terms_say_what_they_take_off() -> None:
    assert DiscountTerms("d", "SAVE", "percentage", 1250).describe(2, "EUR") == "code SAVE 12.5 %"
    assert DiscountTerms("d", "CAP", "percentage", 5000, 100).describe(2, "EUR") == "code CAP 50 % up to €1.00"
    assert DiscountTerms("d", "FLAT", "flat", 50).describe(0, "JPY") == "code FLAT ¥50"


def test_percentage_stays_exact_and_leaves_other_lines_alone() -> None:
    amounts, denominator = apply_code(DiscountTerms("d", "X", "percentage", 3333), [1], [300, 300], 1)
    assert denominator == 10_000
    assert amounts == [3_000_000, 300 * 6667]


def test_cap_is_shared_only_when_it_is_exceeded() -> None:
    at_cap = DiscountTerms("d", "X", "percentage", 5000, 5000)
    assert apply_code(at_cap, [0, 1], [7000, 3000], 1) == ([7000, 3000], 2)
    below = DiscountTerms("d", "X", "percentage", 5000, 4999)
    assert apply_code(below, [0, 1], [7000, 3000], 1) == ([7000 - 3499, 3000 - 1500], 1)


def test_flat_pool_never_goes_below_zero() -> None:
    flat = DiscountTerms("d", "X", "flat", 1500)
    assert apply_code(flat, [0, 1], [900, 0], 1) == ([0, 0], 1)
    assert apply_code(flat, [0], [900, 70], 1) == ([0, 70], 1)
    assert apply_code(flat, [], [900, 70], 1) == ([900, 70], 1)
    # Lines of 0.6 and 99 units: the largest remainder hands the whole missing unit to the line worth 0.6.
    assert apply_code(DiscountTerms("d", "X", "flat", 99), [0, 1], [6, 990], 10) == ([0, 10], 10)
