"""When a payment can be paid, and which form may still pay it."""

from datetime import datetime

from nicobar.core.payments.payment import PAYABLE, Payment


def is_payable(payment: Payment, now: datetime) -> bool:
    """Return whether a customer may start an attempt now."""
    return payment.status in PAYABLE and now < payment.expires_on


def revision(payment: Payment) -> datetime:
    """Return the moment of the payment's last change: a form made for it can be used once, before the next change."""
    return payment.updated_at or payment.created_at
