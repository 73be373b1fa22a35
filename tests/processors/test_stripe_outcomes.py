"""What Stripe says, in our words: objects in the shapes of its API, written by hand, for all that localstripe lacks."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from nicobar.core.disputes.dispute import DisputeFacts
from nicobar.core.payments.payment import (
    Abandoned,
    CardDetails,
    Declined,
    KeptCard,
    NeedsAction,
    Outcome,
    Pending,
    PendingDetails,
    Succeeded,
)
from nicobar.core.payments.three_ds import ThreeDs
from nicobar.core.refunds.refund import RefundFailed, RefundOutcome, RefundPending, RefundSucceeded
from nicobar.processors.stripe.stripe_outcomes import (
    PaymentError,
    PaymentIntent,
    StripeDispute,
    StripeRefund,
    declined,
    dispute_of,
    outcome_of,
    refund_of,
)
from nicobar.reference import failures

PAGE = "https://pay.example.com/AbCdEfGh/stripe"

CARD = {
    "brand": "mastercard",
    "checks": {"address_line1_check": None, "cvc_check": "pass"},
    "country": "IE",
    "exp_month": 4,
    "exp_year": 2031,
    "fingerprint": "Xt5EWLLDS7FJjR1c",
    "funding": "debit",
    "last4": "4444",
    "network": "mastercard",
    "three_d_secure": {"authentication_flow": "challenge", "result": "authenticated", "version": "2.2.0"},
    "wallet": None,
}


def intent(status: str, **changes: Any) -> PaymentIntent:
    """Return a PaymentIntent as Stripe's API sends it, with much that is not read here."""
    body = {
        "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        "object": "payment_intent",
        "amount": 2400,
        "amount_received": 0,
        "automatic_payment_methods": None,
        "capture_method": "automatic_async",
        "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
        "currency": "usd",
        "customer": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {"attempt_id": "att_1", "page": PAGE},
        "next_action": None,
        "payment_method_types": ["card"],
        "status": status,
    }
    return msgspec.convert(body | changes, PaymentIntent)


def charge(card: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    details = {"type": "card", "card": CARD | (card or {})}
    body = {
        "id": "ch_3MmlLrLkdIwHu7ix0snN0B15",
        "object": "charge",
        "billing_details": {"address": {"country": "IE"}, "email": None, "name": "Ada Lovelace", "phone": None},
        "payment_method": "pm_1MmlLrLkdIwHu7ixIJwEWSNR",
        "payment_method_details": details,
        "status": "succeeded",
    }
    return body | changes


def action(type: str, details: dict[str, Any]) -> dict[str, Any]:
    return {"type": type, type: details}


REFERENCE = "pi_3MtwBwLkdIwHu7ix28a3tqPa"
DETAILS = CardDetails(
    last_four="4444",
    network="mastercard",
    funding="debit",
    issuing_country="IE",
    holder_name="Ada Lovelace",
    exp_month="04",
    exp_year="2031",
)
ERROR = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "No."}
FUNDS = Declined("INSUFFICIENT_FUNDS", failures.get("INSUFFICIENT_FUNDS").error_message, REFERENCE)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            intent("succeeded", latest_charge=charge()),
            Succeeded(REFERENCE, ThreeDs("challenge", "authenticated", "2.2.0"), card=DETAILS),
        ),
        (
            intent("succeeded", latest_charge=charge({"three_d_secure": None}), customer="cus_1"),
            Succeeded(REFERENCE, kept=KeptCard("cus_1/pm_1MmlLrLkdIwHu7ixIJwEWSNR", "Xt5EWLLDS7FJjR1c"), card=DETAILS),
        ),
        (
            intent(
                "succeeded", latest_charge=charge(payment_method_details={"type": "ideal", "ideal": {"bank": "ing"}})
            ),
            Succeeded(REFERENCE),
        ),
        (
            intent("succeeded", latest_charge=charge({"three_d_secure": {"result": "data_share_only"}})),
            Succeeded(REFERENCE, ThreeDs(), card=DETAILS),
        ),
        (intent("processing"), Pending(REFERENCE)),
        (
            intent(
                "processing",
                latest_charge=charge(payment_method_details={"type": "sepa_debit", "sepa_debit": {"last4": "3000"}}),
            ),
            Pending(REFERENCE, PendingDetails(account="3000")),
        ),
        (intent("requires_payment_method"), NeedsAction(REFERENCE, PAGE)),
        (intent("requires_confirmation"), NeedsAction(REFERENCE, PAGE)),
        (
            intent("requires_action", next_action=action("use_stripe_sdk", {"type": "three_d_secure_redirect"})),
            NeedsAction(REFERENCE, PAGE),
        ),
        (
            intent(
                "requires_action",
                metadata={"attempt_id": "att_1"},
                next_action=action(
                    "redirect_to_url", {"url": "https://hooks.stripe.com/redirect/x", "return_url": "r"}
                ),
            ),
            NeedsAction(REFERENCE, "https://hooks.stripe.com/redirect/x"),
        ),
        (
            intent(
                "requires_action",
                next_action=action(
                    "multibanco_display_details",
                    {
                        "entity": "12345",
                        "reference": "999999999",
                        "expires_at": 1_800_000_000,
                        "hosted_voucher_url": "https://payments.stripe.com/multibanco/voucher/x",
                    },
                ),
            ),
            Pending(
                REFERENCE,
                PendingDetails(
                    entity="12345",
                    code="999999999",
                    pay_by=datetime(2027, 1, 15, 8, tzinfo=UTC),
                    url="https://payments.stripe.com/multibanco/voucher/x",
                ),
            ),
        ),
        (
            intent(
                "requires_action",
                next_action=action("verify_with_microdeposits", {"hosted_verification_url": "https://v.example"}),
            ),
            Pending(REFERENCE, PendingDetails(url="https://v.example")),
        ),
        (intent("requires_payment_method", last_payment_error=ERROR), FUNDS),
        (intent("canceled", last_payment_error=ERROR, cancellation_reason="automatic"), FUNDS),
        (intent("canceled", cancellation_reason="abandoned"), Abandoned(REFERENCE)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Outcome) else value.status,
)
def test_payment_intents(found: PaymentIntent, expected: Outcome) -> None:
    assert outcome_of(found) == expected


@pytest.mark.parametrize("status", ["requires_capture", "on_hold"])
def test_a_status_that_is_never_asked_for_is_no_answer(status: str) -> None:
    with pytest.raises(ValueError, match=status):
        outcome_of(intent(status))


def test_a_customer_who_is_sent_nowhere_is_no_answer() -> None:
    with pytest.raises(ValueError, match="does not say where"):
        outcome_of(intent("requires_action", metadata={}, next_action=action("use_stripe_sdk", {})))


@pytest.mark.parametrize("mapping", failures.decline_mappings(), ids=lambda mapping: mapping.stripe_decline_code)
def test_every_decline_of_the_table(mapping: failures.DeclineMapping) -> None:
    for error in (
        PaymentError("card_declined", mapping.stripe_decline_code),
        PaymentError(mapping.stripe_decline_code),
    ):
        found = declined(error, "pi_1")
        assert (found.error_code, found.reference) == (mapping.error_code, "pi_1")
        assert found.error_message == failures.get(mapping.error_code).error_message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PaymentError("card_declined", "brand_new_reason"), "brand_new_reason"),
        (PaymentError("brand_new_code"), "brand_new_code"),
        (PaymentError(), "missing"),
    ],
)
def test_a_decline_that_is_in_no_table_gets_the_neutral_code_and_says_stripes(error: PaymentError, code: str) -> None:
    found = declined(error)
    assert found.error_code == "GENERIC_DECLINE"
    assert found.error_message.endswith(f"Stripe's own code is {code}.")


def test_a_failed_authentication_is_told() -> None:
    assert declined(PaymentError("payment_intent_authentication_failure")).three_ds == ThreeDs(status="failed")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "succeeded"}, RefundSucceeded("re_1")),
        (
            {
                "status": "succeeded",
                "destination_details": {
                    "type": "card",
                    "card": {
                        "reference": "74123450000000000000001",
                        "reference_status": "available",
                        "reference_type": "acquirer_reference_number",
                        "type": "refund",
                    },
                },
            },
            RefundSucceeded("re_1", "74123450000000000000001", "acquirer_reference_number"),
        ),
        (
            {
                "status": "succeeded",
                "destination_details": {"type": "blik", "blik": {"reference": "B1", "reference_type": "new_kind"}},
            },
            RefundSucceeded("re_1", "B1", "other"),
        ),
        (
            {
                "status": "succeeded",
                "destination_details": {"type": "card", "card": {"reference": None, "reference_status": "pending"}},
            },
            RefundSucceeded("re_1"),
        ),
        ({"status": "pending"}, RefundPending("re_1")),
        ({"status": "requires_action"}, RefundPending("re_1")),
        (
            {"status": "failed", "failure_reason": "expired_or_canceled_card"},
            RefundFailed("Stripe says: expired or canceled card", "re_1"),
        ),
        ({"status": "canceled"}, RefundFailed("Stripe says: canceled", "re_1")),
    ],
)
def test_refunds(body: dict[str, Any], expected: RefundOutcome) -> None:
    assert (
        refund_of(
            msgspec.convert({"id": "re_1", "object": "refund", "amount": 900, "currency": "eur"} | body, StripeRefund)
        )
        == expected
    )


def test_an_unknown_refund_status_is_no_answer() -> None:
    with pytest.raises(ValueError, match="none"):
        refund_of(StripeRefund("re_1", 900, "eur"))


def dispute(status: str, **changes: Any) -> StripeDispute:
    body = {
        "id": "du_1MtJUT2eZvKYlo2CNaw2HvEv",
        "object": "dispute",
        "amount": 1000,
        "balance_transactions": [],
        "charge": "ch_1AZtxr2eZvKYlo2CJDX8whov",
        "created": 1_680_651_737,
        "currency": "jpy",
        "evidence_details": {"due_by": 1_682_294_399, "has_evidence": False, "past_due": False, "submission_count": 1},
        "payment_intent": msgspec.to_builtins(intent("succeeded")),
        "reason": "fraudulent",
        "status": status,
    }
    return msgspec.convert(body | changes, StripeDispute)


def test_the_facts_of_a_dispute() -> None:
    assert dispute_of(dispute("needs_response")) == DisputeFacts(
        reference="du_1MtJUT2eZvKYlo2CNaw2HvEv",
        attempt_id="att_1",
        amount=1000,
        currency="JPY",
        stage="dispute",
        status="dispute_opened",
        reason="fraudulent",
        opened_at=datetime(2023, 4, 4, 23, 42, 17, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("status", "stage", "expected"),
    [
        ("warning_needs_response", "pre_dispute", "dispute_opened"),
        ("warning_under_review", "pre_dispute", "dispute_challenged"),
        ("warning_closed", "pre_dispute", "dispute_cancelled"),
        ("needs_response", "dispute", "dispute_opened"),
        ("under_review", "dispute", "dispute_challenged"),
        ("won", "dispute", "dispute_won"),
        ("lost", "dispute", "dispute_lost"),
        ("prevented", "pre_dispute", "dispute_accepted"),
        ("appeal_needs_response", "pre_arbitration", "dispute_opened"),
        ("appeal_under_review", "pre_arbitration", "dispute_challenged"),
    ],
)
def test_stage_and_status_of_a_dispute(status: str, stage: str, expected: str) -> None:
    facts = dispute_of(dispute(status))
    assert facts is not None and (facts.stage, facts.status) == (stage, expected)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({"due_by": 1, "past_due": True, "submission_count": 0}, "dispute_expired"),
        ({"due_by": 1, "past_due": False, "submission_count": 0}, "dispute_accepted"),
        ({"due_by": 1, "past_due": True, "submission_count": 1}, "dispute_lost"),
        ({"due_by": None, "past_due": False, "submission_count": 0}, "dispute_lost"),
    ],
)
def test_how_a_dispute_was_lost(evidence: dict[str, Any], expected: str) -> None:
    facts = dispute_of(dispute("lost", evidence_details=evidence))
    assert facts is not None and facts.status == expected


def test_disputes_that_are_not_about_us() -> None:
    assert dispute_of(dispute("won", payment_intent=None)) is None
    assert dispute_of(dispute("won", payment_intent="pi_1")) is None
    assert dispute_of(dispute("won", payment_intent=msgspec.to_builtins(intent("succeeded", metadata={})))) is None
    with pytest.raises(ValueError, match="brand_new"):
        dispute_of(dispute("brand_new"))
