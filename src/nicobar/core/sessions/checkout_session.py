"""A checkout session: what a merchant asks to be sold, and how far it has come.

A session has no stored state: it follows from its payment and its deadline (`state_of`), so the two cannot disagree.

| State | It is entered | It is left |
| --- | --- | --- |
| `open` | when the session is made | by a payment, or at the deadline |
| `in_payment` | when its payment is made, from what the buyer told | by success, or at the deadline |
| `consumed` | when the payment has succeeded | never |
| `expired` | at the deadline, unless money is under way | only by money that a processor took after all |
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.catalog.addon import RequestedAddon
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import PaymentStatus
from nicobar.core.payments.payment_request import RequestedCustomer
from nicobar.core.pricing.cart import RequestedItem
from nicobar.core.sessions.theme import Theme, ThemeConfig
from nicobar.core.subscriptions.subscription_request import OnDemand

SessionState = Literal["open", "in_payment", "consumed", "expired"]

FieldType = Literal["text", "number", "email", "url", "date", "dropdown", "boolean"]

LIFETIME: Final = timedelta(hours=24)
"""How long a session can be paid."""

CONFIRMED_LIFETIME: Final = timedelta(minutes=15)
"""How long one can be paid whose payment is made with it."""

KEPT_UNPAID: Final = timedelta(days=30)
"""How long a session that never came to a payment can be read after its deadline."""


class CustomField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question of the merchant's to the buyer."""

    key: str
    label: str
    field_type: FieldType
    required: bool = False
    placeholder: str | None = None
    options: Sequence[str] = ()
    """What a dropdown offers."""


class Customization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the page looks and speaks."""

    theme: Theme | None = None
    theme_config: ThemeConfig | None = None
    force_language: str | None = None
    show_order_details: bool = True
    show_on_demand_tag: bool = True


class FeatureFlags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the page asks for and lets its buyer change. None: what the session has cannot be changed."""

    allow_currency_selection: bool = True
    allow_customer_editing_business_name: bool = False
    allow_customer_editing_city: bool | None = None
    allow_customer_editing_country: bool | None = None
    allow_customer_editing_email: bool | None = None
    allow_customer_editing_name: bool | None = None
    allow_customer_editing_state: bool | None = None
    allow_customer_editing_street: bool | None = None
    allow_customer_editing_tax_id: bool | None = None
    allow_customer_editing_zipcode: bool | None = None
    allow_discount_code: bool = True
    allow_editing_addons: bool = False
    allow_phone_number_collection: bool = True
    allow_tax_id: bool = True
    always_create_new_customer: bool = False
    redirect_immediately: bool = False
    require_cardholder_name: bool = False
    require_phone_number: bool = False
    require_tax_id: bool = False
    single_page: bool = False


class SessionItem(RequestedItem, frozen=True, omit_defaults=True):
    """One line of the cart; a subscription's may have add-ons."""

    addons: Sequence[RequestedAddon] = ()


class SubscriptionTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is special about the subscriptions of a session; the one-time lines do not care."""

    trial_period_days: int | None = None
    """None means the product's."""
    on_demand: OnDemand | None = None


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a merchant asks for. A blank text counts as none."""

    items: Sequence[SessionItem]
    subscription: SubscriptionTerms = SubscriptionTerms()
    customer: RequestedCustomer | None = None
    """None: the page asks."""
    billing: Address | None = None
    """None: the page asks."""
    tax_id: str | None = None
    customer_business_name: str | None = None
    billing_currency: str | None = None
    fees_inclusive: bool | None = None
    allowed_payment_method_types: Sequence[str] | None = None
    show_saved_payment_methods: bool = False
    payment_method_id: str | None = None
    confirm: bool = False
    """Whether the payment is made with the session, so that nothing is left to ask."""
    minimal_address: bool | None = None
    """None: for a single page."""
    discount_code: str | None = None
    discount_codes: Sequence[str] | None = None
    return_url: str | None = None
    cancel_url: str | None = None
    custom_fields: Sequence[CustomField] = ()
    customization: Customization = Customization()
    flags: FeatureFlags = FeatureFlags()
    force_3ds: bool | None = None
    metadata: dict[str, Any] = {}

    @property
    def is_minimal(self) -> bool:
        """Whether the page asks for no more of an address than decides the tax."""
        return self.flags.single_page if self.minimal_address is None else self.minimal_address


class CheckoutSession(msgspec.Struct, frozen=True, kw_only=True):
    """A stored session."""

    business_id: str
    mode: Mode
    session_id: str
    request: SessionRequest
    payment_id: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def tenant(self) -> Tenant:
        """Whose session it is."""
        return Tenant(self.business_id, self.mode)


class SessionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a session has come: what the API and the command line tell."""

    session_id: str
    created_at: datetime
    expires_at: datetime
    customer_id: str | None
    """The payment's customer, or else whom the session names by an id; None before somebody is known."""
    customer_email: str | None
    """The payment's customer, or else whom the session names."""
    customer_name: str | None
    payment_id: str | None
    payment_status: PaymentStatus | None


def state_of(payment_status: PaymentStatus | None, expires_at: datetime, now: datetime) -> SessionState:
    """Return the state of a session with a payment in this status, or with none."""
    match payment_status:
        case "succeeded":
            return "consumed"
        case "processing" | "requires_customer_action":
            return "in_payment"
        case "cancelled":
            return "expired"
    if now >= expires_at:
        return "expired"
    return "open" if payment_status is None else "in_payment"
