"""Credit for a charge that was paid when the subscription had gone on without it, and its end when that is refunded."""

from datetime import datetime

from nicobar.core.subscriptions.subscription import Moved, Subscription, moved


def credit_late(subscription: Subscription, amount: int, at: datetime) -> Moved:
    """Give credit for a charge that was paid after all, when the subscription had gone on without it."""
    credit = subscription.credit + amount
    return moved(subscription, subscription.status, at, "subscription.updated", credit=credit)


def take_back_credit(subscription: Subscription, amount: int, at: datetime) -> Moved | None:
    """Take credit back that was given for a payment which is refunded, as far as it is still there.

    None when nothing is.
    """
    taken = min(amount, subscription.credit)
    if taken <= 0:
        return None
    return moved(subscription, subscription.status, at, "subscription.updated", credit=subscription.credit - taken)
