"""A subscription, its states, and what may follow what (contract, "States")."""

from datetime import datetime
from typing import Any, Final, Literal, TypeGuard, get_args

import msgspec

from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.payments.payment import ChargeType, CustomFieldResponse
from nicobar.core.subscriptions.calendar import ServicePeriod
from nicobar.core.subscriptions.plan import Plan, RunningCode
from nicobar.core.subscriptions.proration import CreditUse, Proration

SubscriptionStatus = Literal["pending", "active", "past_due", "on_hold", "paused", "cancelled", "failed", "expired"]

TRANSITIONS: Final[dict[SubscriptionStatus, frozenset[SubscriptionStatus]]] = {
    "pending": frozenset({"active", "failed"}),
    "active": frozenset({"past_due", "on_hold", "paused", "cancelled", "expired"}),
    "past_due": frozenset({"active", "on_hold", "cancelled"}),
    "on_hold": frozenset({"active", "cancelled"}),
    "paused": frozenset({"active", "cancelled"}),
    "cancelled": frozenset(),
    "failed": frozenset(),
    "expired": frozenset(),
}
"""From each status, the statuses that may follow; without those of metered use, which this server does not have."""

FINAL: Final[frozenset[SubscriptionStatus]] = frozenset(
    status for status, followers in TRANSITIONS.items() if not followers
)
"""Statuses that nothing leaves."""

UNPAID: Final[frozenset[SubscriptionStatus]] = frozenset({"past_due", "on_hold"})
"""Statuses in which something is owed."""

SubscriptionEventType = Literal[
    "subscription.active",
    "subscription.renewed",
    "subscription.on_hold",
    "subscription.past_due",
    "subscription.paused",
    "subscription.unpaused",
    "subscription.cancelled",
    "subscription.failed",
    "subscription.expired",
    "subscription.plan_changed",
    "subscription.updated",
    "subscription.update_payment_method",
]
"""The events about subscriptions."""


def is_about_subscription(type: str) -> TypeGuard[SubscriptionEventType]:
    """Return whether an event of this type is about a subscription."""
    return type in get_args(SubscriptionEventType)


OnFailure = Literal["prevent_change", "apply_change"]
"""What becomes of a plan change whose charge fails."""

Feedback = Literal[
    "too_expensive",
    "missing_features",
    "switched_service",
    "unused",
    "customer_service",
    "low_quality",
    "too_complex",
    "other",
]


class CancelledBy(msgspec.Struct, frozen=True):
    """Who cancelled a subscription, or scheduled it."""

    actor_type: Literal["customer", "merchant_user", "api_key", "dodo_team"]
    email: str | None = None
    name: str | None = None


class PlanChange(msgspec.Struct, frozen=True, kw_only=True):
    """A plan change that is decided and not applied yet."""

    change_id: str
    plan: Plan
    codes: tuple[RunningCode, ...]
    """The codes from the change on."""
    recurring_pre_tax_amount: int
    """What one cycle of the new plan costs, as it was computed at the decision."""
    tax_inclusive: bool
    on_failure: OnFailure
    metadata: dict[str, Any]
    """Of the payment."""
    created_at: datetime
    proration: Proration | None = None
    """What it costs; None for a scheduled one, which costs a whole period when it is applied: at the billing date."""


class OpenCharge(msgspec.Struct, frozen=True, kw_only=True):
    """A charge whose outcome is not known yet. A subscription has at most one."""

    payment_id: str
    charge_type: ChargeType
    period: ServicePeriod | None
    """What it pays for; None for a charge on demand."""
    number: int
    """The number of the due date at which the period begins."""
    price: int
    """What it is for, after codes and before credit: what the period costs, or the change of it."""
    credit_use: CreditUse
    retry_attempt: int = 0
    is_manual: bool = False
    payment_method_id: str | None = None
    """The saved method that is charged; it becomes the subscription's when it pays."""
    replaces_method: bool = False
    change: PlanChange | None = None
    factor: str = "1"
    """The share of a whole period that it pays for."""
    link_until: datetime | None = None
    """When the link ends through which it is paid; None for a charge of a saved method."""
    credit_otherwise: int = 0
    """By how much more the credit is when it is counted as the prices of the change are: with tax, or before it."""
    carried_otherwise: int = 0
    """The same of what is carried on."""

    def with_method(self, payment_method_id: str) -> "OpenCharge":
        """Return the charge as it was paid by this saved method."""
        return msgspec.structs.replace(self, payment_method_id=payment_method_id)


class Arrears(msgspec.Struct, frozen=True, kw_only=True):
    """What is owed after a charge failed, and what is done about it."""

    charge_type: ChargeType
    payment_id: str | None
    """The payment that failed last; None where nothing could be charged."""
    period: ServicePeriod
    number: int
    created_at: datetime
    """When the first charge was made: the invoice."""
    tries: int = 0
    """Charges after the first one."""
    automatic_tries: int = 0
    manual_sends: int = 0
    next_retry_at: datetime | None = None
    """When it is tried again by itself; None for never."""
    price: int | None = None
    """What is owed of a plan change, before tax; None for a whole period of the plan."""
    factor: str = "1"
    cancels: bool = False
    """Whether the subscription is cancelled at the end of its grace period, by the setting of its beginning."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription. Amounts are minor units of `currency`."""

    business_id: str
    mode: Mode
    subscription_id: str
    brand_id: str
    customer: Buyer
    status: SubscriptionStatus
    created_at: datetime
    updated_at: datetime
    plan: Plan
    currency: str
    """Of all charges; fixed by the first payment."""
    recurring_pre_tax_amount: int
    """One cycle after the product's own discount, before codes."""
    tax_inclusive: bool
    """Whether that amount contains the tax."""
    market: str
    """ISO 3166-1 code of the country whose prices hold: that of the first payment."""
    purchasing_power_percent: int
    fees_inclusive: bool | None
    billing: Address
    tax_id: str | None
    customer_business_name: str | None
    metadata: dict[str, Any]
    custom_field_responses: list[CustomFieldResponse] | None = None
    first_payment_id: str
    pending_until: datetime
    """When a subscription that was not confirmed is given up."""
    previous_billing_date: datetime
    next_billing_date: datetime
    anchor: datetime
    number: int
    """The next billing date is this many cycles after the anchor."""
    period_price: int = 0
    """What the current period cost, after codes and before credit."""
    paused_seconds: int = 0
    """By how much pauses have moved the end of the current period."""
    expires_at: datetime | None = None
    trial_period_days: int = 0
    trial_amount: int | None = None
    in_trial: bool = False
    """Whether the current period is the trial."""
    on_demand: bool = False
    payment_method_id: str | None = None
    payment_method_required: bool = True
    cancel_at_next_billing_date: bool = False
    cancelled_at: datetime | None = None
    cancelled_by: CancelledBy | None = None
    cancellation_feedback: Feedback | None = None
    cancellation_comment: str | None = None
    paused_at: datetime | None = None
    past_due_ends_at: datetime | None = None
    codes: tuple[RunningCode, ...] = ()
    credit: int = 0
    """What plan changes gave back, charges raised to the minimum took beyond the price, and late payments brought.

    A sum before tax; with the tax where the price contains it."""
    carried: int = 0
    """What earlier cycles cost that were too small to be charged: a sum like the credit. A later cycle is charged with
    it, and when none follows, nobody is."""
    scheduled_change: PlanChange | None = None
    open_charge: OpenCharge | None = None
    arrears: Arrears | None = None

    @property
    def tenant(self) -> Tenant:
        """Whose subscription it is."""
        return Tenant(self.business_id, self.mode)

    @property
    def period(self) -> ServicePeriod:
        """The current paid period."""
        return ServicePeriod(self.previous_billing_date, self.next_billing_date)

    @property
    def has_payment_method(self) -> bool:
        """Whether there is something to charge, or will be once it is confirmed."""
        return self.payment_method_id is not None or (self.status == "pending" and self.payment_method_required)


class Moved(msgspec.Struct, frozen=True):
    """A subscription after something happened, and what merchants are told of it, in this order."""

    subscription: Subscription
    events: tuple[SubscriptionEventType, ...] = ()


def moved(
    subscription: Subscription, status: SubscriptionStatus, at: datetime, *events: SubscriptionEventType, **fields: Any
) -> Moved:
    """Return the subscription in another status, or in the same one with other fields.

    Raises ValueError for a move that is not in the table: a bug of ours.
    """
    if status != subscription.status and status not in TRANSITIONS[subscription.status]:
        raise ValueError(f"{subscription.subscription_id} cannot move from {subscription.status} to {status}")
    return Moved(msgspec.structs.replace(subscription, status=status, updated_at=at, **fields), events)
