"""Customers of a business."""

from datetime import datetime
from typing import Any
from unicodedata import normalize

import msgspec
from msgspec import UNSET, UnsetType

from nicobar.core.web_address import domain_in_unicode


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A person or firm that buys.

    Whoever buys with a known e-mail address (compared in lower case) is its customer, unless a session asks for a new
    one. Of an address's customers one is the first, with whom all others are matched.
    """

    business_id: str
    customer_id: str
    email: str
    """As the customer or the merchant wrote it."""
    name: str
    """Empty when nobody told it yet."""
    phone_number: str | None
    metadata: dict[str, Any]
    preferred_locale: str | None
    """A code of GET /locales; None means English."""
    created_at: datetime
    updated_at: datetime


class NewCustomer(msgspec.Struct, frozen=True):
    """A customer to create."""

    email: str
    name: str
    phone_number: str | None = None
    metadata: dict[str, Any] = {}
    preferred_locale: str | None = None


class CustomerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change about a customer; everything that is left out stays as it is."""

    email: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    phone_number: str | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    """Replaces all pairs."""
    preferred_locale: str | UnsetType | None = UNSET


class CustomerUpsert(msgspec.Struct, frozen=True):
    """A customer that is made, or completed by name and phone number, together with a payment."""

    customer_id: str
    """Its id if it is made."""
    email: str
    email_key: str
    name: str
    phone_number: str | None
    always_new: bool = False
    """Whether it is made in any case: an additional customer where the address has one already."""


def email_key(email: str) -> str:
    """Return the form in which addresses are compared: trimmed, in lower case, the domain as people read it.

    Local parts are case-sensitive in theory (RFC 5321), nowhere in practice. `bücher.example` and its other spelling
    `xn--bcher-kva.example` are one domain. An address that is not one is compared as it is.
    """
    local, at, domain = normalize("NFC", email.strip().lower()).rpartition("@")
    return f"{local}{at}{domain_in_unicode(domain)}"
