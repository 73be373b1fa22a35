"""What somebody asks for who changes a plan, a payment method, or charges on demand."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from nicobar.core.catalog.addon import RequestedAddon
from nicobar.core.subscriptions.plan_change import EffectiveAt
from nicobar.core.subscriptions.proration import ProrationMode
from nicobar.core.subscriptions.subscription import OnFailure


class PlanChangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Another product, quantity or set of add-ons."""

    product_id: str
    quantity: int
    mode: ProrationMode
    addons: Sequence[RequestedAddon] = ()
    """The whole new set: none removes all."""
    discount_codes: Sequence[str] | UnsetType = UNSET
    """The codes from now on; left out, those stay that say so."""
    effective_at: EffectiveAt = "immediately"
    on_failure: OnFailure | None = None
    """None means as the business decided."""
    metadata: dict[str, Any] | None = None
    """Of the payment; None means the subscription's."""
    fees_inclusive: bool | None = None
    replaces_scheduled: bool = False
    collect_via_link: bool = False


class DemandedCharge(msgspec.Struct, frozen=True, kw_only=True):
    """A charge of an on-demand subscription."""

    price: int
    currency: str | None = None
    """None means that of the product."""
    description: str | None = None
    fees_inclusive: bool | None = None
    metadata: dict[str, Any] | None = None
    """None means the subscription's."""


class MethodUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Another method for a subscription: a saved one, or one that its customer types on the hosted page."""

    payment_method_id: str | None = None
    return_url: str | None = None
    allowed_types: Sequence[str] | None = None
