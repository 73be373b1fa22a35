"""Test cards and card networks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from nicobar.reference import cards, countries, failures

BAD_CHECK_DIGIT = "4242424242424241"

CONTRACT = [
    ("4242 4242 4242 4242", "visa", "succeed", None),
    ("5555 5555 5555 4444", "mastercard", "succeed", None),
    ("4576 2389 1277 1450", "visa", "succeed", None),
    ("5409 1626 6938 1034", "mastercard", "succeed", None),
    ("4000 0000 0000 0002", "visa", "decline", "GENERIC_DECLINE"),
    ("4000 0000 0000 9995", "visa", "decline", "INSUFFICIENT_FUNDS"),
    ("4706 1312 1121 2123", "visa", "decline", "GENERIC_DECLINE"),
    ("5105 1051 0510 5100", "mastercard", "decline", "GENERIC_DECLINE"),
    ("4000 0000 0000 0341", "visa", "succeed_renewals_fail", "GENERIC_DECLINE"),
    ("6074 8259 7208 3818", "rupay", "succeed", None),
    ("4000 0000 0000 0127", "visa", "decline", "INCORRECT_CVC"),
    ("4000 0025 0000 3155", "visa", "challenge", "AUTHENTICATION_FAILURE"),
    ("4000 0027 6000 3184", "visa", "challenge", "AUTHENTICATION_FAILURE"),
    ("4000 0000 0000 0069", "visa", "decline", "EXPIRED_CARD"),
    ("4000 0000 0000 0119", "visa", "decline", "PROCESSING_ERROR"),
    ("4000 0000 0000 9987", "visa", "decline", "LOST_CARD"),
    ("4000 0000 0000 9979", "visa", "decline", "STOLEN_CARD"),
    ("4000 0000 0000 0259", "visa", "succeed_then_dispute", None),
]
"""Contract: test mode, section 2."""


@pytest.mark.parametrize(("number", "brand", "outcome", "error_code"), CONTRACT)
def test_cards_of_the_contract(number: str, brand: str, outcome: str, error_code: str | None) -> None:
    card = cards.by_number(number)
    assert card is not None
    assert (card.brand, card.outcome, card.error_code) == (brand, outcome, error_code)
    assert card.source != "stripe"


def test_indian_cards_of_the_contract() -> None:
    indian = ["4576238912771450", "5409162669381034", "4706131211212123", "5105105105105100", "6074825972083818"]
    found = [cards.by_number(number) for number in indian]
    assert [card.country for card in found if card is not None] == ["IN"] * 5


def test_numbers_are_unique_digits_and_pass_the_luhn_check_except_the_marked_one() -> None:
    numbers = [card.number for card in cards.ALL]
    assert len(set(numbers)) == len(numbers) == 127
    for card in cards.ALL:
        assert card.number.isdecimal(), card.number
        assert card.passes_luhn == cards.luhn_valid(card.number), card.number
    assert [card.number for card in cards.ALL if not card.passes_luhn] == [BAD_CHECK_DIGIT]


def test_card_facts_agree_with_network_country_and_failure_tables() -> None:
    for card in cards.ALL:
        network = cards.network_of(card.number)
        assert network is not None, card.number
        assert network.name == card.brand, card.number
        assert len(card.number) in network.lengths, card.number
        assert card.cvc_length in network.cvc_lengths, card.number
        countries.get(card.country)
        if card.error_code is not None:
            failures.get(card.error_code)


def test_error_code_and_three_ds_follow_the_outcome() -> None:
    for card in cards.ALL:
        needs_code = card.outcome in ("decline", "challenge", "challenge_then_decline", "succeed_renewals_fail")
        assert (card.error_code is not None) == needs_code, card.number
        assert (card.three_ds == "challenge") == card.outcome.startswith("challenge"), card.number


def test_security_codes_have_three_digits_except_on_american_express() -> None:
    assert {card.brand for card in cards.ALL if card.cvc_length == 4} == {"amex"}
    assert {card.cvc_length for card in cards.ALL} == {3, 4}


def test_by_number_ignores_grouping_and_finds_nothing_else() -> None:
    assert cards.by_number("4242-4242-4242-4242") is cards.by_number("4242424242424242")
    assert cards.by_number("4111111111111111") is None
    assert cards.by_number("424242424242424") is None
    assert cards.by_number("") is None


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("378282246310005", "amex"),
        ("3056930009020004", "diners"),
        ("36227206271667", "diners"),
        ("6074825972083818", "rupay"),
        ("3566002020360505", "jcb"),
        ("2223003122003222", "mastercard"),
        ("2720990000000007", "mastercard"),
        ("4242", "visa"),
        ("6200000000000005", "unionpay"),
        ("6011111111111117", "discover"),
        ("6759649826438453", "maestro"),
        ("5018", "maestro"),
    ],
)
def test_network_by_prefix(number: str, name: str) -> None:
    network = cards.network_of(number)
    assert network is not None
    assert network.name == name


def test_network_of_unknown_prefix_is_none() -> None:
    assert cards.network_of("9") is None
    assert cards.network_of("2721000000000000") is None
    assert cards.network_of("") is None
    assert [network.name for network in cards.networks()] == [
        "amex", "diners", "rupay", "jcb", "mastercard", "visa", "unionpay", "discover", "maestro",
    ]  # fmt: skip


@given(st.text(alphabet="0123456789", min_size=1, max_size=20))
def test_luhn_agrees_with_the_library(number: str) -> None:
    assert cards.luhn_valid(number) is luhn.is_valid(number)


@pytest.mark.parametrize("text", ["", "abc", "4242x", "٤٢", "²"])
def test_luhn_refuses_what_is_not_a_number(text: str) -> None:
    assert cards.luhn_valid(text) is False
