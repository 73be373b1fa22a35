"""What Stripe says, in our words: pure functions from objects of its API to outcomes, refunds and disputes.

The structs have only what is read here; whatever else Stripe sends is left out. Their names are Stripe's own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, get_args

import msgspec

from nicobar.core.disputes.dispute import DisputeFacts, DisputeStage, DisputeStatus
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
from nicobar.core.payments.three_ds import ThreeDs, ThreeDsStatus
from nicobar.core.refunds.refund import (
    NetworkReferenceType,
    RefundFailed,
    RefundOutcome,
    RefundPending,
    RefundSucceeded,
)
from nicobar.reference import failures
from nicobar.reference.stripe import from_stripe

ATTEMPT: Final = "attempt_id"
"""Key of the metadata of a PaymentIntent: the attempt that it was made for."""

PAYMENT: Final = "payment_id"
"""Key of the metadata of a PaymentIntent: the payment, for people who look at it in Stripe's dashboard."""

REFUND: Final = "refund_id"
"""Key of the metadata of a Refund: our refund."""

PAGE: Final = "page"
"""Key of the metadata of a PaymentIntent: the page of ours with Stripe's fields, where one has been promised."""

CLOSED: Final = "closed"
"""Key of the metadata of a PaymentIntent that only keeps the place of an order which must not arrive any more."""


class ThreeDSecure(msgspec.Struct, frozen=True):
    """How a cardholder was authenticated."""

    authentication_flow: str | None = None
    result: str | None = None
    version: str | None = None


class Card(msgspec.Struct, frozen=True):
    """A card as a charge shows it."""

    last4: str | None = None
    brand: str | None = None
    funding: str | None = None
    country: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    fingerprint: str | None = None
    three_d_secure: ThreeDSecure | None = None


class BankAccount(msgspec.Struct, frozen=True):
    """A bank account that is debited."""

    last4: str | None = None


class MethodDetails(msgspec.Struct, frozen=True):
    """`payment_method_details` of a charge."""

    card: Card | None = None
    sepa_debit: BankAccount | None = None
    us_bank_account: BankAccount | None = None
    bacs_debit: BankAccount | None = None
    au_becs_debit: BankAccount | None = None


class BillingDetails(msgspec.Struct, frozen=True):
    """Whom a payment method belongs to."""

    name: str | None = None


class Charge(msgspec.Struct, frozen=True):
    """One movement of money of a PaymentIntent."""

    id: str
    payment_method: str | None = None
    payment_method_details: MethodDetails | None = None
    billing_details: BillingDetails | None = None


class PaymentError(msgspec.Struct, frozen=True):
    """`last_payment_error` of a PaymentIntent, and the error of an answer."""

    code: str | None = None
    decline_code: str | None = None
    message: str | None = None


class PaymentIntent(msgspec.Struct, frozen=True):
    """One wish to be paid; it is made for one attempt of ours."""

    id: str
    status: str
    amount: int
    currency: str
    amount_received: int | None = None
    metadata: dict[str, str] = {}
    client_secret: str | None = None
    customer: str | None = None
    latest_charge: Charge | str | None = None
    last_payment_error: PaymentError | None = None
    next_action: dict[str, Any] | None = None


class StripeRefund(msgspec.Struct, frozen=True):
    """Money on its way back."""

    id: str
    amount: int
    currency: str
    payment_intent: str | None = None
    status: str | None = None
    metadata: dict[str, str] | None = None
    failure_reason: str | None = None
    destination_details: dict[str, Any] | None = None


class EvidenceDetails(msgspec.Struct, frozen=True):
    """Until when a seller may object to a dispute, and whether it did."""

    due_by: int | None = None
    past_due: bool = False
    submission_count: int = 0


class StripeDispute(msgspec.Struct, frozen=True):
    """A customer's objection to a charge, with its PaymentIntent in full."""

    id: str
    status: str
    amount: int
    currency: str
    created: int
    reason: str | None = None
    payment_intent: PaymentIntent | str | None = None
    evidence_details: EvidenceDetails = EvidenceDetails()


def outcome_of(intent: PaymentIntent) -> Outcome:
    """Return what a PaymentIntent says about its attempt. Raises ValueError for a status that is never asked for.

    A decline ends the attempt, although Stripe would let the customer try again with the same PaymentIntent: one
    attempt is one try, so that each try is counted, recorded and told. Whoever calls this cancels what has ended.
    """
    charge = intent.latest_charge if isinstance(intent.latest_charge, Charge) else None
    match intent.status:
        case "succeeded":
            return Succeeded(intent.id, _three_ds(charge), _kept(intent, charge), _card_details(charge))
        case "processing":
            return Pending(intent.id, _debit(charge))
        case "requires_payment_method" | "canceled" if intent.last_payment_error is not None:
            return declined(intent.last_payment_error, intent.id, _three_ds(charge))
        case "canceled":
            return Abandoned(intent.id)
        case "requires_action" if (voucher := _voucher(intent.next_action or {})) is not None:
            return Pending(intent.id, voucher)
        case "requires_payment_method" | "requires_confirmation" | "requires_action":
            return NeedsAction(intent.id, _where(intent))
        case _:
            raise ValueError(f"{intent.id} has the status {intent.status[:40]}")


def declined(error: PaymentError, reference: str | None = None, three_ds: ThreeDs | None = None) -> Declined:
    """Return the decline for an error of Stripe, by its table; a code that is not in it gets the neutral one."""
    code = error.decline_code or error.code or ""
    found = failures.for_stripe_decline(code)
    if found is not None:
        message = found.error_message
    else:
        found = failures.get("GENERIC_DECLINE")
        message = f"{found.error_message} Stripe's own code is {code[:60] or 'missing'}."
    if three_ds is None and found.code in ("AUTHENTICATION_FAILURE", "AUTHENTICATION_TIMEOUT"):
        three_ds = ThreeDs(status="failed")
    return Declined(found.code, message, reference, three_ds)


def refund_of(refund: StripeRefund) -> RefundOutcome:
    """Return what a Refund says. Raises ValueError for an unknown status."""
    match refund.status:
        case "succeeded":
            return RefundSucceeded(refund.id, *_network_reference(refund.destination_details or {}))
        case "pending" | "requires_action":
            return RefundPending(refund.id)
        case "failed" | "canceled":
            why = refund.failure_reason or refund.status
            return RefundFailed(f"Stripe says: {why.replace('_', ' ')}", refund.id)
        case _:
            raise ValueError(f"{refund.id} has the status {(refund.status or 'none')[:40]}")


_DISPUTES: Final[Mapping[str, tuple[DisputeStage, DisputeStatus]]] = {
    "warning_needs_response": ("pre_dispute", "dispute_opened"),
    "warning_under_review": ("pre_dispute", "dispute_challenged"),
    "warning_closed": ("pre_dispute", "dispute_cancelled"),
    "needs_response": ("dispute", "dispute_opened"),
    "under_review": ("dispute", "dispute_challenged"),
    "won": ("dispute", "dispute_won"),
    "lost": ("dispute", "dispute_lost"),
    "prevented": ("pre_dispute", "dispute_accepted"),
    "appeal_needs_response": ("pre_arbitration", "dispute_opened"),
    "appeal_under_review": ("pre_arbitration", "dispute_challenged"),
}
"""Stripe's status to stage and status. `prevented` is a dispute that the seller's own rules have refunded at once."""


def dispute_of(dispute: StripeDispute) -> DisputeFacts | None:
    """Return how a dispute stands; None when it is not about an attempt of ours. Raises ValueError for a new status."""
    intent = dispute.payment_intent
    attempt_id = intent.metadata.get(ATTEMPT) if isinstance(intent, PaymentIntent) else None
    if attempt_id is None:
        return None
    if dispute.status not in _DISPUTES:
        raise ValueError(f"{dispute.id} has the status {dispute.status[:40]}")
    stage, status = _DISPUTES[dispute.status]
    currency = dispute.currency.upper()
    return DisputeFacts(
        reference=dispute.id,
        attempt_id=attempt_id,
        amount=from_stripe(dispute.amount, currency),
        currency=currency,
        stage=stage,
        status=_given_up(dispute.evidence_details) if status == "dispute_lost" else status,
        reason=dispute.reason,
        opened_at=datetime.fromtimestamp(dispute.created, UTC),
    )


def _given_up(evidence: EvidenceDetails) -> DisputeStatus:
    """Tell apart how a dispute was lost: after an answer, by letting the time pass, or by accepting it before."""
    if evidence.submission_count > 0 or evidence.due_by is None:
        return "dispute_lost"
    return "dispute_expired" if evidence.past_due else "dispute_accepted"


def _where(intent: PaymentIntent) -> str:
    """Return where the customer goes on: our page with Stripe's fields, else the page that Stripe names."""
    if page := intent.metadata.get(PAGE):
        return page
    url = ((intent.next_action or {}).get("redirect_to_url") or {}).get("url")
    if not isinstance(url, str):
        raise ValueError(f"{intent.id} waits for the customer and does not say where")
    return url


def _three_ds(charge: Charge | None) -> ThreeDs | None:
    card = None if charge is None or charge.payment_method_details is None else charge.payment_method_details.card
    found = None if card is None else card.three_d_secure
    if found is None:
        return None
    flow = found.authentication_flow
    return ThreeDs(
        "challenge" if flow == "challenge" else "frictionless" if flow == "frictionless" else None,
        next((status for status in get_args(ThreeDsStatus) if status == found.result), None),
        found.version,
    )


def _card_details(charge: Charge | None) -> CardDetails | None:
    """Return what may be kept of the card that paid; None when another method did."""
    card = None if charge is None or charge.payment_method_details is None else charge.payment_method_details.card
    if charge is None or card is None or card.last4 is None or card.exp_month is None or card.exp_year is None:
        return None
    return CardDetails(
        last_four=card.last4,
        network=card.brand or "unknown",
        funding="debit" if card.funding == "debit" else "prepaid" if card.funding == "prepaid" else "credit",
        issuing_country=card.country,
        holder_name=None if charge.billing_details is None else charge.billing_details.name,
        exp_month=f"{card.exp_month:02}",
        exp_year=f"{card.exp_year:04}",
    )


def _kept(intent: PaymentIntent, charge: Charge | None) -> KeptCard | None:
    """Return how the card is charged again: it belongs to a customer at Stripe, which is made only to keep a card."""
    card = None if charge is None or charge.payment_method_details is None else charge.payment_method_details.card
    if charge is None or card is None or None in (intent.customer, charge.payment_method, card.fingerprint):
        return None
    return KeptCard(f"{intent.customer}/{charge.payment_method}", str(card.fingerprint))


def _debit(charge: Charge | None) -> PendingDetails | None:
    details = None if charge is None else charge.payment_method_details
    if details is None:
        return None
    accounts = (details.sepa_debit, details.us_bank_account, details.bacs_debit, details.au_becs_debit)
    last4 = next((account.last4 for account in accounts if account is not None and account.last4), None)
    return None if last4 is None else PendingDetails(account=last4)


def _voucher(action: Mapping[str, Any]) -> PendingDetails | None:
    """Return what the customer pays by at a bank or a shop, in days rather than minutes; None for other actions."""
    kind = action.get("type")
    if kind == "verify_with_microdeposits":
        return PendingDetails(url=(action.get(kind) or {}).get("hosted_verification_url"))
    if kind not in ("multibanco_display_details", "boleto_display_details", "oxxo_display_details"):
        return None
    details = action.get(kind) or {}
    expires = details.get("expires_at") or details.get("expires_after")
    return PendingDetails(
        entity=details.get("entity"),
        code=details.get("reference") or details.get("number"),
        pay_by=datetime.fromtimestamp(expires, UTC) if isinstance(expires, int) else None,
        url=details.get("hosted_voucher_url"),
    )


def _network_reference(destination: Mapping[str, Any]) -> tuple[str | None, NetworkReferenceType | None]:
    """Return the number by which the customer's bank finds a refund, and what kind of number it is."""
    details = destination.get(str(destination.get("type"))) or {}
    reference = details.get("reference")
    if not isinstance(reference, str) or not reference:
        return None, None
    kinds: tuple[NetworkReferenceType, ...] = get_args(NetworkReferenceType)
    return reference, next((kind for kind in kinds if kind == details.get("reference_type")), "other")
