"""What somebody asks for who starts a subscription: the API, and later sessions."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from nicobar.core.catalog.addon import RequestedAddon
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.payment_request import PaymentRequest
from nicobar.core.pricing.cart import RequestedItem
from nicobar.core.subscriptions.subscription import Subscription


class OnDemand(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that is charged when its merchant asks for it."""

    mandate_only: bool
    """Whether the first payment takes no money."""
    product_price: int | None = None
    """The first charge; None for the product's price."""
    product_currency: str | None = None
    product_description: str | None = None
    fees_inclusive: bool | None = None


class SubscriptionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription to start."""

    payment: PaymentRequest
    """Everything about its first payment but the cart."""
    product_id: str
    quantity: int
    addons: Sequence[RequestedAddon] = ()
    one_time_items: Sequence[RequestedItem] = ()
    """What is sold once, with the first payment."""
    trial_period_days: int | None = None
    """None means the product's."""
    on_demand: OnDemand | None = None


class CreatedSubscription(NamedTuple):
    """A subscription that was just created."""

    subscription: Subscription
    payment: Payment
    client_secret: str
    """Shown once; only its hash is stored."""
    discount_ids: Sequence[str]
    one_time_items: Sequence[RequestedItem]

    def __repr__(self) -> str:
        """Name the subscription, and not the secret."""
        return f"CreatedSubscription({self.subscription.subscription_id})"
