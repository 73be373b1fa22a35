"""The wire types of add-ons (contract, "Add-ons")."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from msgspec import UNSET, UnsetType

from nicobar.core.catalog.addon import Addon, AddonChange, NewAddon
from nicobar.wire.codes import CurrencyCode, TaxCategory
from nicobar.wire.common import Amount, ObjectId, PageQuery, RequestBody, ResponseBody, Text100, Text1000
from nicobar.wire.misnamed import names


class AddonCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /addons."""

    name: Text100
    price: Amount
    """Of one unit for one cycle of the plan that it is bought with."""
    currency: CurrencyCode
    tax_category: TaxCategory
    description: Text1000 | None = None


class AddonUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /addons/{id}: what is left out stays; null clears `description` and `image_id`."""

    instead: ClassVar[Mapping[str, str]] = names("amount price unit_price unit_amount", "Send price.")
    name: Text100 | None = None
    price: Amount | None = None
    currency: CurrencyCode | None = None
    tax_category: TaxCategory | None = None
    description: Text1000 | UnsetType | None = UNSET
    image_id: ObjectId | UnsetType | None = UNSET


class AddonQuery(RequestBody, frozen=True, kw_only=True):
    """The query of GET /addons/{id}."""

    locale: str | None = None


class AddonListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /addons."""

    archived: bool | None = None
    """True lists only archived add-ons, otherwise only the others."""
    locale: str | None = None


class AddonRead(ResponseBody, frozen=True, kw_only=True):
    """An add-on."""

    id: str
    business_id: str
    name: str
    price: int
    currency: str
    tax_category: str
    created_at: datetime
    updated_at: datetime
    description: str | None
    image: str | None


def read_addon(body: AddonCreate) -> NewAddon:
    """Return the add-on that a request describes."""
    return NewAddon(
        name=body.name,
        price=body.price,
        currency=body.currency,
        tax_category=body.tax_category,
        description=body.description,
    )


def read_addon_change(body: AddonUpdate) -> AddonChange:
    """Return the change that a request asks for."""
    return AddonChange(
        name=UNSET if body.name is None else body.name,
        price=UNSET if body.price is None else body.price,
        currency=UNSET if body.currency is None else body.currency,
        tax_category=UNSET if body.tax_category is None else body.tax_category,
        description=body.description,
        image_id=body.image_id,
    )


def render_addon(addon: Addon, image: str | None) -> AddonRead:
    """Render one add-on; `image` is the address of its picture."""
    return AddonRead(
        id=addon.addon_id,
        business_id=addon.business_id,
        name=addon.name,
        price=addon.price,
        currency=addon.currency,
        tax_category=addon.tax_category,
        created_at=addon.created_at,
        updated_at=addon.updated_at,
        description=addon.description,
        image=image,
    )
