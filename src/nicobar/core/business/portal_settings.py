"""What a business lets its customers do in the portal by themselves. It can do all of it itself whatever these say."""

from typing import Literal

from nicobar.core.business.subscription_settings import SubscriptionSettings


class PortalSettings(SubscriptionSettings, frozen=True, kw_only=True):
    """The settings about the customer portal; the defaults are the contract's ("Customer portal actions")."""

    portal_cancellation: Literal["off", "period_end", "any"] = "any"
    """Whether customers cancel their subscriptions: not, at the end of the paid period only, or also at once."""
    portal_pause: bool = False
    """Whether customers pause their subscriptions, and resume what is paused."""
    portal_payment_method: bool = True
    """Whether customers change what a subscription is charged to, and pay with it what they owe."""
    portal_card_removal: bool = True
    """Whether customers remove saved cards that no subscription is charged to."""
    portal_details: bool = True
    """Whether customers change their name and their phone number."""
    portal_return_url: str = ""
    """Where the portal leads back to, unless its session says so; empty means nowhere."""
