"""What a business decides about its sales, separately for test and live mode."""

from typing import Literal

import msgspec


class BusinessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one business in one mode. The defaults are what a new business has."""

    blocked_countries: frozenset[str] = frozenset()
    """ISO 3166-1 codes that are refused as billing country."""
    adaptive_pricing: Literal["off", "on"] = "off"
    """Whether customers pay in the currency of their country."""
    link_ttl_minutes: int = 1440
    """Minutes until a payment link stops working."""
    default_currency: str = "USD"
    """The settlement currency of a cart whose products have several."""


DEFAULTS = BusinessSettings()
