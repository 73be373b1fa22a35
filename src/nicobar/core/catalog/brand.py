"""Brands: the names under which a business sells. The primary brand has the id of the business itself."""

import re
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from nicobar.core.fields import blank_to_none
from nicobar.core.problems import Problem

DESCRIPTOR_LENGTH: Final = 22
"""Characters that card networks carry on a statement."""

_FORBIDDEN_ON_STATEMENTS: Final = re.compile(r"[^A-Za-z0-9 .,&/+-]+", re.ASCII)

_NAMELESS_DESCRIPTOR: Final = "ONLINE STORE"


class Brand(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which a business sells, with what buyers see of it."""

    business_id: str
    brand_id: str
    name: str | None
    description: str | None
    statement_descriptor: str
    """What a card statement shows: at most 22 characters."""
    support_email: str | None
    url: str | None
    image_id: str | None
    """Its picture."""
    enabled: bool
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None

    @property
    def is_primary(self) -> bool:
        """Return whether this is the brand that came with the business: it can be neither changed nor archived."""
        return self.brand_id == self.business_id


class NewBrand(msgspec.Struct, frozen=True):
    """A brand to create. A blank text counts as none."""

    name: str | None = None
    description: str | None = None
    statement_descriptor: str | None = None
    """None: one is made of the name."""
    support_email: str | None = None
    url: str | None = None


class BrandChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change about a brand; everything that is left out stays as it is, and None or a blank text clears."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    statement_descriptor: str | UnsetType = UNSET
    """Cannot be cleared: a blank one keeps what is there."""
    support_email: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET
    image_id: str | UnsetType | None = UNSET


class ArchivedBrand(msgspec.Struct, frozen=True, kw_only=True):
    """What the archiving of a brand did."""

    brand_id: str
    archived_at: datetime
    products_moved: int
    subscriptions_moved: int
    moved_to_brand_id: str | None
    """The brand that took over the products and subscriptions, if one was named."""


def check_usable(brand: Brand | None, path: str) -> None:
    """Refuse a brand that no product may be put under; `path` names the field that chose it.

    Raises Problem NOT_FOUND when there is none, and BRAND_NOT_ENABLED when it is disabled or archived.
    """
    if brand is None:
        raise Problem("NOT_FOUND", what="Brand", path=path)
    if not brand.enabled or brand.archived_at is not None:
        raise Problem("BRAND_NOT_ENABLED", path=path)


def is_descriptor(text: str) -> bool:
    """Return whether a card statement can show `text`: a letter in it, 22 characters, no special signs."""
    return (
        0 < len(text) <= DESCRIPTOR_LENGTH
        and _FORBIDDEN_ON_STATEMENTS.search(text) is None
        and any(character.isalpha() for character in text)
    )


def descriptor_from(name: str | None) -> str:
    """Return the statement text of a brand that chose none: what a statement can show of its name."""
    shown = " ".join(_FORBIDDEN_ON_STATEMENTS.sub(" ", name or "").split())[:DESCRIPTOR_LENGTH].strip()
    return shown if is_descriptor(shown) else _NAMELESS_DESCRIPTOR


def checked_descriptor(text: str | None) -> str | None:
    """Return the statement text, trimmed; None for null and blanks. Raises Problem INVALID_REQUEST_BODY."""
    trimmed = blank_to_none(text)
    if trimmed is not None and not is_descriptor(trimmed):
        raise Problem(
            "INVALID_REQUEST_BODY",
            path="statement_descriptor",
            detail=f"Card statements show at most {DESCRIPTOR_LENGTH} characters: Latin letters (at least one), "
            "digits, blanks and . , & / + -",
        )
    return trimmed
