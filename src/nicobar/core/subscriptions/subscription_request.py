"""What somebody asks for who starts subscriptions: the API, and checkout sessions."""

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


class RequestedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A product to subscribe to, with its add-ons."""

    product_id: str
    quantity: int
    addons: Sequence[RequestedAddon] = ()
    where: str = ""
    """What precedes its fields in the JSON path of a refusal."""


class SubscriptionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Subscriptions to start with one payment."""

    payment: PaymentRequest
    """Everything about their first payment but the cart."""
    plans: Sequence[RequestedPlan]
    """One or several."""
    one_time_items: Sequence[RequestedItem] = ()
    """What is sold once, with the first payment."""
    trial_period_days: int | None = None
    """None means the product's."""
    on_demand: OnDemand | None = None

    @property
    def in_session(self) -> bool:
        """Whether a checkout session asks, whose cart has all lines in one list, and not POST /subscriptions."""
        return self.payment.checkout_session_id is not None


class CreatedSubscription(NamedTuple):
    """Subscriptions that were just created."""

    subscriptions: Sequence[Subscription]
    payment: Payment
    client_secret: str
    """Shown once; only its hash is stored."""
    discount_ids: Sequence[str]
    one_time_items: Sequence[RequestedItem]

    @property
    def subscription(self) -> Subscription:
        """The only one, or the first."""
        return self.subscriptions[0]

    def __repr__(self) -> str:
        """Name the subscription, and not the secret."""
        return f"CreatedSubscription({self.subscription.subscription_id})"
