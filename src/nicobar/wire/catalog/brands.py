"""The wire types of brands (contract, "Brands"), and how a brand is read and rendered."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from nicobar.core.catalog.brand import ArchivedBrand, Brand, BrandChange, NewBrand
from nicobar.wire.common import Email, ObjectId, RequestBody, ResponseBody, Text100, Text250, Text1000, Url


class BrandCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /brands; a brand without `statement_descriptor` gets one made of its name."""

    name: Text100 | None = None
    description: Text1000 | None = None
    statement_descriptor: Text250 | None = None
    support_email: Email | None = None
    url: Url | None = None


class BrandUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /brands/{id}: what is left out stays.

    Null clears a field, except `statement_descriptor`, which cannot be empty: null keeps it.
    """

    name: Text100 | UnsetType | None = UNSET
    description: Text1000 | UnsetType | None = UNSET
    statement_descriptor: Text250 | UnsetType | None = UNSET
    support_email: Email | UnsetType | None = UNSET
    url: Url | UnsetType | None = UNSET
    image_id: ObjectId | UnsetType | None = UNSET
    """The id of an uploaded picture; null takes the picture away."""


class BrandArchive(RequestBody, frozen=True, kw_only=True):
    """The body of POST /brands/{id}/archive."""

    move_products_to: ObjectId | None = None
    """The brand that takes over the products; needed when there are any."""


class BrandListQuery(Struct, frozen=True, kw_only=True):
    """The query of GET /brands."""

    include_archived: bool | None = None


class BrandRead(ResponseBody, frozen=True, kw_only=True):
    """A brand. This server has nobody who verifies brands, so each one is verified from the start."""

    brand_id: str
    business_id: str
    enabled: bool
    statement_descriptor: str
    verification_enabled: bool
    verification_status: Literal["Success", "Fail", "Review", "Hold"]
    archived_at: datetime | None
    description: str | None
    image: str | None
    name: str | None
    reason_for_hold: str | None
    support_email: str | None
    url: str | None


class BrandList(ResponseBody, frozen=True, kw_only=True):
    """All brands of a business, unpaged."""

    items: list[BrandRead]


class BrandArchived(ResponseBody, frozen=True, kw_only=True):
    """What the archiving of a brand moved. This server has no collections to move."""

    brand_id: str
    archived_at: datetime
    collections_moved: int
    products_moved: int
    subscriptions_moved: int
    moved_to_brand_id: str | None


def read_brand(body: BrandCreate) -> NewBrand:
    """Return the brand that a request describes."""
    return NewBrand(body.name, body.description, body.statement_descriptor, body.support_email, body.url)


def read_brand_change(body: BrandUpdate) -> BrandChange:
    """Return the change that a request asks for."""
    return BrandChange(
        name=body.name,
        description=body.description,
        statement_descriptor=UNSET if body.statement_descriptor is None else body.statement_descriptor,
        support_email=body.support_email,
        url=body.url,
        image_id=body.image_id,
    )


def render_brand(brand: Brand, image: str | None) -> BrandRead:
    """Render one brand; `image` is the address of its picture."""
    return BrandRead(
        brand_id=brand.brand_id,
        business_id=brand.business_id,
        enabled=brand.enabled,
        statement_descriptor=brand.statement_descriptor,
        verification_enabled=False,
        verification_status="Success",
        archived_at=brand.archived_at,
        description=brand.description,
        image=image,
        name=brand.name,
        reason_for_hold=None,
        support_email=brand.support_email,
        url=brand.url,
    )


def render_archived_brand(archived: ArchivedBrand) -> BrandArchived:
    """Render what the archiving of a brand moved."""
    return BrandArchived(
        brand_id=archived.brand_id,
        archived_at=archived.archived_at,
        collections_moved=0,
        products_moved=archived.products_moved,
        subscriptions_moved=archived.subscriptions_moved,
        moved_to_brand_id=archived.moved_to_brand_id,
    )
