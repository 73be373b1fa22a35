"""The buyer of a payment: who it is, and where the bill goes."""

from typing import Any

import msgspec


class Address(msgspec.Struct, frozen=True):
    """A billing address; all but the country may be unknown."""

    country: str
    """ISO 3166-1 alpha-2."""
    city: str | None = None
    state: str | None = None
    street: str | None = None
    zipcode: str | None = None


class Buyer(msgspec.Struct, frozen=True):
    """The customer as a payment shows it."""

    customer_id: str
    email: str
    name: str
    phone_number: str | None
    metadata: dict[str, Any]
