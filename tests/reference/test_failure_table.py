"""Failure codes, their sentences, and the mapping from Stripe's decline codes."""

import pytest

from nicobar.reference import failures

SOFT_BUYER = (
    "AUTHENTICATION_FAILURE AUTHENTICATION_REQUIRED AUTHENTICATION_TIMEOUT CARD_NOT_ACTIVATED CARD_VELOCITY_EXCEEDED "
    "CUSTOMER_CANCELLED INCORRECT_CVC INCORRECT_NUMBER INSUFFICIENT_FUNDS INVALID_AMOUNT INVALID_CARD_NUMBER "
    "INVALID_CARD_OWNER INVALID_CVC INVALID_EXPIRY_YEAR INVALID_PIN INVALID_REQUEST INVALID_UPI_ID LIMIT_EXCEEDED "
    "LIVE_MODE_TEST_CARD MANDATE_INVALID MANDATE_REQUIRED REENTER_TRANSACTION"
)
SOFT = (
    "GENERIC_DECLINE NETWORK_ERROR NETWORK_TIMEOUT ORDER_CREATION_FAILED PROCESSING_ERROR TRY_AGAIN_LATER UNKNOWN_ERROR"
)
HARD_BUYER = (
    "EXPIRED_CARD FRAUDULENT INVALID_ACCOUNT LOST_CARD PAYMENT_METHOD_PROVIDER_DECLINED PAYMENT_METHOD_UNSUPPORTED "
    "PICKUP_CARD REVOCATION_OF_AUTHORIZATION STOLEN_CARD TRANSACTION_NOT_ALLOWED TRANSACTION_NOT_APPROVED"
)
HARD = "CARD_DECLINED DO_NOT_HONOR MANDATE_REQUIRED_SYSTEM PROVIDER_UNSUPPORTED"
HIDDEN = ["FRAUDULENT", "LOST_CARD", "PICKUP_CARD", "STOLEN_CARD"]


def test_44_codes_with_the_contracts_flags() -> None:
    groups = [(SOFT_BUYER, "soft", True), (SOFT, "soft", False), (HARD_BUYER, "hard", True), (HARD, "hard", False)]
    expected = {code: (kind, buyer) for names, kind, buyer in groups for code in names.split()}
    assert len(expected) == 44
    assert {failure.code: (failure.decline_type, failure.user_error) for failure in failures.ALL} == expected
    assert len(failures.ALL) == 44


def test_every_code_has_its_sentences() -> None:
    for failure in failures.ALL:
        for text in (failure.headline, failure.advice, failure.customer_message):
            assert text[0].isupper(), failure.code
            assert text.endswith("."), failure.code
            assert text == " ".join(text.split()), failure.code
        assert failure.error_message == f"{failure.headline} {failure.advice}"
    assert len({failure.headline for failure in failures.ALL}) == 44


def test_buyers_never_learn_the_four_hidden_reasons() -> None:
    assert [failure.code for failure in failures.ALL if failure.hide_from_customer] == HIDDEN
    neutral = failures.get("GENERIC_DECLINE").customer_message
    assert neutral == "The payment was declined. Please use another payment method."
    same = [failure.code for failure in failures.ALL if failure.customer_message == neutral]
    assert same == ["FRAUDULENT", "GENERIC_DECLINE", "LOST_CARD", "PICKUP_CARD", "STOLEN_CARD"]


def test_every_mapped_decline_is_a_failure_code_and_maps_once() -> None:
    mapped = [mapping.stripe_decline_code for mapping in failures.decline_mappings()]
    assert len(set(mapped)) == len(mapped) == 73
    known = {failure.code for failure in failures.ALL}
    assert {mapping.error_code for mapping in failures.decline_mappings()} <= known


@pytest.mark.parametrize(
    ("decline", "code"),
    [
        ("insufficient_funds", "INSUFFICIENT_FUNDS"),
        ("expired_card", "EXPIRED_CARD"),
        ("incorrect_cvc", "INCORRECT_CVC"),
        ("incorrect_number", "INCORRECT_NUMBER"),
        ("lost_card", "LOST_CARD"),
        ("stolen_card", "STOLEN_CARD"),
        ("pickup_card", "PICKUP_CARD"),
        ("fraudulent", "FRAUDULENT"),
        ("do_not_honor", "DO_NOT_HONOR"),
        ("generic_decline", "GENERIC_DECLINE"),
        ("processing_error", "PROCESSING_ERROR"),
        ("try_again_later", "TRY_AGAIN_LATER"),
        ("transaction_not_allowed", "TRANSACTION_NOT_ALLOWED"),
        ("invalid_account", "INVALID_ACCOUNT"),
        ("card_velocity_exceeded", "CARD_VELOCITY_EXCEEDED"),
        ("live_mode_test_card", "LIVE_MODE_TEST_CARD"),
        ("authentication_required", "AUTHENTICATION_REQUIRED"),
        ("invalid_pin", "INVALID_PIN"),
        ("reenter_transaction", "REENTER_TRANSACTION"),
        ("revocation_of_authorization", "REVOCATION_OF_AUTHORIZATION"),
    ],
)
def test_mapping_of_the_contract(decline: str, code: str) -> None:
    assert failures.for_stripe_decline(decline) is failures.get(code)


def test_unknown_codes() -> None:
    assert failures.for_stripe_decline("some_new_reason") is None
    with pytest.raises(KeyError):
        failures.get("insufficient_funds")
