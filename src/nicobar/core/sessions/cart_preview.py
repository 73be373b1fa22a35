"""What a cart would cost: today, and at each renewal of what is subscribed to."""

from collections.abc import Sequence
from typing import NamedTuple

from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.quote import Quote
from nicobar.core.subscriptions.renewal import Renewal
from nicobar.core.subscriptions.subscription import Subscription


class CartPreview(NamedTuple):
    """The order that a session would make of a cart. Nothing of it is stored, and nothing has an id."""

    payment: Payment
    """What is due today; its billing country is the one that it was priced for."""
    quote: Quote
    """The amounts of the payment."""
    lines: Sequence[int]
    """For each item of the cart, its line in the payment; a subscription's add-ons follow it."""
    subscriptions: Sequence[Subscription]
    """What the payment would start, in the order of the cart."""
    renewals: Sequence[Renewal]
    """For each of them, what comes next."""
    tax_id_error: str | None
    """Why the cart was priced without the tax id of the request."""
