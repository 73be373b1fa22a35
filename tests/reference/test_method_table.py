"""Payment methods: eligibility facts and published test inputs against the contract's pages."""

import pytest

from nicobar.reference import countries, currencies, failures, methods

OFFERED = (
    "ach afterpay_clearpay amazon_pay apple_pay bancontact_card billie blik cashapp credit crypto_currency debit eps "
    "google_pay ideal kakao_pay klarna multibanco naver_pay payco pix revolut_pay satispay sepa upi_collect we_chat_pay"
)
RECURRING = "apple_pay credit debit google_pay kakao_pay naver_pay satispay upi_collect"


def test_25_methods_are_offered() -> None:
    assert sorted(method.type for method in methods.offered()) == OFFERED.split()
    assert len(OFFERED.split()) == 25


def test_only_offered_methods_are_recurring() -> None:
    assert sorted(method.type for method in methods.ALL if method.recurring) == RECURRING.split()


def test_every_country_and_currency_of_a_method_exists() -> None:
    places = {country.alpha2 for country in countries.ALL}
    monies = {currency.code for currency in currencies.ALL}
    for method in methods.ALL:
        assert (method.countries or set()) <= places, method.type
        assert method.excluded_countries <= places, method.type
        assert (method.currencies or set()) <= monies, method.type
        assert method.countries != frozenset(), method.type
        assert method.currencies != frozenset(), method.type
        if method.currency_countries:
            assert set(method.currency_countries) == set(method.currencies or ()), method.type
            assert set().union(*method.currency_countries.values()) == set(method.countries or ()), method.type


def test_an_offered_method_is_usable_in_an_accepted_country_and_a_chargeable_currency() -> None:
    for method in methods.offered():
        assert any(
            method.accepts(country.alpha2, code) for country in countries.accepted() for code in currencies.chargeable()
        ), method.type


@pytest.mark.parametrize(
    ("method", "country", "currency", "answer"),
    [
        ("credit", "IN", "INR", True),
        ("apple_pay", "IN", "INR", False),
        ("apple_pay", "DE", "EUR", True),
        ("ach", "US", "USD", True),
        ("ach", "US", "EUR", False),
        ("ach", "CA", "USD", False),
        ("klarna", "US", "USD", True),
        ("klarna", "DE", "USD", False),
        ("klarna", "DE", "EUR", True),
        ("klarna", "DE", "GBP", True),
        ("klarna", "SE", "SEK", True),
        ("klarna", "NO", "SEK", False),
        ("afterpay_clearpay", "GB", "GBP", True),
        ("afterpay_clearpay", "GB", "USD", False),
        ("sepa", "DE", "EUR", True),
        ("sepa", "PL", "EUR", False),
        ("upi_collect", "IN", "INR", True),
        ("upi_collect", "IN", "USD", False),
        ("crypto_currency", "IN", "USD", False),
        ("revolut_pay", "US", "GBP", True),
    ],
)
def test_accepts(method: str, country: str, currency: str, answer: bool) -> None:
    assert methods.get(method).accepts(country, currency) is answer


@pytest.mark.parametrize(
    ("method", "minimum"),
    [
        ("klarna", (5001, "USD")),
        ("afterpay_clearpay", (5001, "USD")),
        ("amazon_pay", (50, "USD")),
        ("kakao_pay", (100, "USD")),
        ("blik", (200, "PLN")),
        ("upi_collect", (100, "INR")),
        ("billie", (50, "GBP")),
        ("credit", (None, None)),
        ("bizum", (None, None)),
    ],
)
def test_minimums(method: str, minimum: tuple[int | None, str | None]) -> None:
    found = methods.get(method)
    assert (found.minimum_minor, found.minimum_currency) == minimum


def test_a_minimum_always_names_its_currency() -> None:
    for method in methods.ALL:
        assert (method.minimum_minor is None) == (method.minimum_currency is None), method.type
        if method.minimum_currency is not None and method.minimum_minor is not None:
            assert currencies.get(method.minimum_currency).chargeable
            assert method.minimum_minor > 0


def test_asynchronous_methods_among_the_offered() -> None:
    waiting = {method.type: method.confirmation for method in methods.offered() if method.asynchronous}
    assert waiting == {
        "ach": "about 4 business days",
        "multibanco": "24 to 72 hours",
        "sepa": "about 6 business days",
        "upi_collect": "1 to 2 minutes",
    }


def test_partial_refunds() -> None:
    offered_without = {method.type for method in methods.offered() if not method.partial_refund}
    assert offered_without == {"crypto_currency", "multibanco"}
    for method in methods.ALL:
        assert method.refundable or not method.partial_refund, method.type
        assert not (method.family == "voucher" and method.partial_refund), method.type


def test_published_inputs_name_known_methods_and_failures() -> None:
    keys = [(known.type, known.value) for known in methods.published_inputs()]
    assert len(set(keys)) == len(keys) == 19
    for known in methods.published_inputs():
        assert methods.get(known.type).offered
        assert (known.error_code is not None) == (known.outcome == "decline"), known.value
        if known.error_code is not None:
            failures.get(known.error_code)


@pytest.mark.parametrize(
    ("method", "value", "outcome", "error_code", "delay"),
    [
        ("upi_collect", "success@upi", "succeed", None, 60),
        ("upi_collect", " Failure@UPI ", "decline", "PAYMENT_METHOD_PROVIDER_DECLINED", 60),
        ("ach", "110000000/000123456789", "succeed", None, 0),
        ("ach", "110000000/000222222227", "decline", "INSUFFICIENT_FUNDS", 0),
        ("ach", "110000000/000111111113", "decline", "INVALID_ACCOUNT", 0),
        ("ach", "110000000/000111111116", "decline", "INVALID_ACCOUNT", 0),
        ("ach", "110000000/000333333335", "decline", "TRANSACTION_NOT_ALLOWED", 0),
        ("ach", "110000000/000444444440", "decline", "INVALID_REQUEST", 0),
        ("ach", "110000000/000555555559", "succeed_then_dispute", None, 0),
        ("ach", "110000000/000000000009", "processing_forever", None, 0),
        ("klarna", "customer@email.us", "succeed", None, 0),
        ("klarna", "customer+denied@email.us", "decline", "PAYMENT_METHOD_PROVIDER_DECLINED", 0),
        ("afterpay_clearpay", "close", "unpaid", None, 0),
        ("pix", "1234567890", "succeed", None, 0),
        ("sepa", "DE89 3704 0044 0532 0130 00", "succeed", None, 0),
    ],
)
def test_published_input(method: str, value: str, outcome: str, error_code: str | None, delay: int) -> None:
    known = methods.published_input(method, value)
    assert known is not None
    assert (known.outcome, known.error_code, known.delay_seconds) == (outcome, error_code, delay)


def test_an_unpublished_input_is_not_found() -> None:
    assert methods.published_input("upi_collect", "someone@upi") is None
    assert methods.published_input("ach", "success@upi") is None


def test_unknown_type_raises_key_error() -> None:
    with pytest.raises(KeyError):
        methods.get("wechat_pay")
