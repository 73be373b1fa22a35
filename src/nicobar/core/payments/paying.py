"""When a payment can be paid, and which form may still pay it."""

from datetime import datetime

from nicobar.core.payments.payment import PAYABLE, Payment


def is_payable(payment: Payment, now: datetime) -> bool:
    """Return whether a customer may start an attempt now."""
    return payment.status in PAYABLE and now < payment.expires_on


def revision(payment: Payment) -> datetime:
    """Return the moment of the payment's last change: a form made for it can be used once, before the next change."""
    return payment.updated_at or payment.created_at


def moves_alone(payment: Payment) -> bool:
    """Return whether paying moves nothing but the payment itself, which nobody has tried to pay before.

    It uses no codes, belongs to no subscription, keeps no card and has no attempt, and so no refund and no dispute.
    """
    options = payment.options
    return (
        payment.status == "requires_payment_method"
        and payment.payment_method is None  # every attempt leaves one
        and not payment.is_free
        and not options.keeps_method
        and not options.discount_codes
        and not options.starts
        and not options.charges_subscription
    )
