"""What a business decides about subscriptions; the defaults are the contract's."""

from typing import Literal

import msgspec


class SubscriptionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings about subscriptions. A change does not touch what is running, such as a grace period."""

    multiple_subscriptions: bool = True
    """Whether a customer may have several live subscriptions."""
    grace_period_days: int = 0
    """Days for which a subscription stays usable after a failed renewal; 0 puts it on hold at once."""
    grace_period_end: Literal["on_hold", "cancel"] = "on_hold"
    """What becomes of a subscription whose grace period ends unpaid."""
    renewal_retry_days: int = 0
    """Days after the invoice within which a renewal that failed softly is tried again; 0 switches that off."""
    plan_change_failure: Literal["apply_change", "prevent_change"] = "apply_change"
    """What becomes of a plan change whose charge fails, where the request leaves it open."""
