"""Customers of a business."""

from datetime import datetime
from typing import Any
from unicodedata import normalize

import msgspec


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A person or firm that buys; one e-mail address (compared in lower case) is one customer of a business."""

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


def email_key(email: str) -> str:
    """Return the form in which addresses are compared: trimmed, in lower case.

    Local parts are case-sensitive in theory (RFC 5321), nowhere in practice.
    """
    return normalize("NFC", email.strip().lower())
