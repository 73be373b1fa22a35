"""Which methods an order is offered: the contract's table of defaults, each rule by itself, and their order."""

from typing import Any

import pytest

from nicobar.core.money.fx import Rates, usd_rate
from nicobar.core.payments.methods import CARD_TYPES, Decision, MethodContext, decide, eligible
from nicobar.core.problems import Problem
from nicobar.reference import currencies, methods
from nicobar.reference.rate_seed import seed

RATES = Rates(seed().rates)
RUNNABLE = frozenset(method.type for method in methods.offered())


def context(country: str = "US", currency: str = "USD", total: int = 2400, **changes: Any) -> MethodContext:
    values: dict[str, Any] = {
        "country": country,
        "currency": currency,
        "total": total,
        "for_business": False,
        "runnable": RUNNABLE,
        "disabled": frozenset(),
        "allowed": None,
        "smallest_charge": currencies.get(currency).minimum_minor,
        "rates": RATES,
        "exponents": currencies.exponents(),
    }
    return MethodContext(**(values | changes))


def offered(order: MethodContext) -> set[str]:
    return {decision.type for decision in eligible(methods.ALL, order) if decision.offered}


CARDS_AND_WALLETS = "credit debit apple_pay google_pay"


@pytest.mark.parametrize(
    ("country", "currency", "total", "more"),
    [
        ("US", "USD", 5000, "amazon_pay cashapp ach crypto_currency we_chat_pay"),
        ("US", "USD", 5001, "amazon_pay cashapp ach crypto_currency we_chat_pay klarna afterpay_clearpay"),
        ("GB", "GBP", 2000, "revolut_pay"),
        ("GB", "GBP", 9000, "revolut_pay klarna afterpay_clearpay"),
        ("DE", "EUR", 2000, "sepa satispay"),
        ("DE", "EUR", 9000, "sepa satispay klarna"),
        ("NL", "EUR", 2000, "sepa satispay ideal"),
        ("BE", "EUR", 2000, "sepa satispay bancontact_card"),
        ("AT", "EUR", 9000, "sepa satispay eps klarna"),
        ("PT", "EUR", 9000, "sepa satispay multibanco klarna"),
        ("PL", "PLN", 2000, "blik"),
        ("PL", "PLN", 90_000, "blik klarna"),
        ("BR", "BRL", 2000, "pix"),
        ("KR", "KRW", 20_000, "payco naver_pay kakao_pay"),
        ("CN", "CNY", 2000, "we_chat_pay"),
        ("JP", "JPY", 20_000, ""),
        ("CA", "CAD", 20_000, ""),
    ],
)
def test_the_table_of_defaults(country: str, currency: str, total: int, more: str) -> None:
    assert offered(context(country, currency, total)) == set(f"{CARDS_AND_WALLETS} {more}".split())


def test_india_pays_by_card_and_upi_only() -> None:
    assert offered(context("IN", "INR", 50_000)) == {"credit", "debit", "upi_collect"}
    assert offered(context("IN", "USD", 50_000)) == {"credit", "debit", "we_chat_pay"}


def test_every_type_is_decided_in_the_order_of_the_contract() -> None:
    decisions = eligible(methods.ALL, context())
    assert [decision.type for decision in decisions] == [method.type for method in methods.ALL]
    assert len(decisions) == 105


@pytest.mark.parametrize(
    ("method", "order", "rule", "minimum"),
    [
        ("credit", context(), "offered", 50),
        ("affirm", context(), "not_in_service", None),
        ("paypal", context("DE", "EUR"), "not_in_service", None),
        ("przelewy24", context("PL", "PLN"), "not_in_service", None),
        ("ach", context(runnable=CARD_TYPES), "processor", None),
        ("ach", context(disabled={"ach"}), "disabled", None),
        ("ach", context(allowed={"credit"}), "allow_list", None),
        ("ach", context(allowed=[]), "allow_list", None),
        ("ach", context(allowed={"ach"}), "offered", 50),
        ("ach", context(total=0), "zero_total", None),
        ("credit", context(total=0), "offered", 50),
        ("billie", context("GB", "GBP"), "business_only", None),
        ("billie", context("GB", "GBP", for_business=True), "offered", 50),
        ("ideal", context("DE", "EUR"), "country", None),
        ("apple_pay", context("IN", "INR"), "country", None),
        ("ideal", context("NL", "USD"), "currency", None),
        ("klarna", context("DE", "USD", 9000), "currency", None),
        ("klarna", context("NO", "SEK", 90_000), "currency", None),
        ("klarna", context("US", "USD", 5000), "minimum", 5001),
        ("klarna", context("US", "USD", 5001), "offered", 5001),
        ("blik", context("PL", "PLN", 199), "minimum", 200),
        ("upi_collect", context("IN", "INR", 499), "minimum", 500),
        ("upi_collect", context("IN", "INR", 500), "offered", 500),
    ],
)
def test_each_rule(method: str, order: MethodContext, rule: str, minimum: int | None) -> None:
    assert decide(methods.get(method), order) == Decision(method, rule, minimum)  # type: ignore[arg-type]


def test_the_first_rule_decides() -> None:
    """Everything speaks against a type; taking the reasons away one by one names the next."""
    order: dict[str, Any] = {
        "runnable": CARD_TYPES,
        "disabled": {"billie"},
        "allowed": {"credit"},
        "currency": "EUR",
        "total": 0,
    }
    found = []
    steps: list[dict[str, Any]] = [{}, {"runnable": RUNNABLE}, {"disabled": set()}, {"allowed": None}, {"total": 1}]
    for mended in steps:
        order |= mended
        found.append(decide(methods.get("billie"), context(**order)).rule)
    order |= {"for_business": True}
    found.append(decide(methods.get("billie"), context(**order)).rule)
    order |= {"currency": "GBP"}
    found.append(decide(methods.get("billie"), context(**order)).rule)
    order |= {"total": 50}
    found.append(decide(methods.get("billie"), context(**order)).rule)
    assert found == [
        "processor",
        "disabled",
        "allow_list",
        "zero_total",
        "business_only",
        "currency",
        "minimum",
        "offered",
    ]


@pytest.mark.parametrize(
    ("rate", "exponent", "smallest"),
    [
        ("0.8", 2, 4001),  # 40.008 pounds: a total of 40.00 is too little, 40.01 is enough
        ("1", 2, 5001),
        ("2", 2, 10_002),
    ],
)
def test_a_minimum_in_dollars_is_converted_at_mid_rate(rate: str, exponent: int, smallest: int) -> None:
    assert currencies.exponent("GBP") == exponent
    day = next(iter(seed().rates.values())).as_of
    rates = Rates({"GBP": usd_rate(rate, day, "a test")})
    for total, rule in ((smallest - 1, "minimum"), (smallest, "offered")):
        found = decide(methods.get("klarna"), context("GB", "GBP", total, rates=rates))
        assert (found.rule, found.minimum) == (rule, smallest)


def test_a_minimum_in_dollars_reaches_a_currency_without_decimals() -> None:
    day = next(iter(seed().rates.values())).as_of
    rates = Rates({"KRW": usd_rate("1380.5", day, "a test")})
    assert decide(methods.get("kakao_pay"), context("KR", "KRW", 1380, rates=rates)).rule == "minimum"
    assert decide(methods.get("kakao_pay"), context("KR", "KRW", 1381, rates=rates)) == Decision(
        "kakao_pay", "offered", 1381
    )


def test_a_minimum_that_cannot_be_converted_is_no_silent_yes() -> None:
    with pytest.raises(Problem) as refused:
        decide(methods.get("klarna"), context("GB", "GBP", 9000, rates=Rates({})))
    assert refused.value.code == "EXCHANGE_RATE_NOT_FOUND"
