"""Add-ons: what is bought with a subscription's product and charged with it every cycle."""

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType


class Addon(msgspec.Struct, frozen=True, kw_only=True):
    """An add-on. It has no cycle of its own: products name the add-ons that can be bought with them."""

    business_id: str
    addon_id: str
    name: str
    description: str | None
    price: int
    """Of one unit for one cycle of the plan, before tax, in minor units of `currency`."""
    currency: str
    tax_category: str
    image_id: str | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class NewAddon(msgspec.Struct, frozen=True, kw_only=True):
    """An add-on to create. A blank description counts as none."""

    name: str
    price: int
    currency: str
    tax_category: str
    description: str | None = None


class AddonChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change about an add-on; everything that is left out stays as it is."""

    name: str | UnsetType = UNSET
    price: int | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    tax_category: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    image_id: str | UnsetType | None = UNSET


class RequestedAddon(msgspec.Struct, frozen=True):
    """An add-on that a request asks for."""

    addon_id: str
    quantity: int
