"""Whose data a request works on, and what its API key allows."""

import hashlib
from datetime import datetime
from typing import Final, Literal, get_args

import msgspec

Mode = Literal["test", "live"]
"""Test money or real money. The mode is a property of the API key; nothing crosses it."""

Scope = Literal["payments", "refunds", "customers", "catalog", "webhooks"]
"""What a key may write: `catalog` is what is sold, and discount codes; `payments` is all that charges."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

KEY_RANDOM_LENGTH: Final = 32
"""Characters of an API key after its prefix; 62^32 possibilities."""


class Tenant(msgspec.Struct, frozen=True):
    """One business in one mode: the first two columns of every key in the database."""

    business_id: str
    mode: Mode


class ApiKey(msgspec.Struct, frozen=True):
    """What is stored of an API key: everything but the key."""

    key_id: str
    tenant: Tenant
    hint: str
    """The last four characters, to tell keys apart in a list."""
    read_only: bool
    scopes: frozenset[Scope] | None = None
    """What a key that is not read-only may write; None for everything, also what later versions add."""
    expires_at: datetime | None = None
    """The moment from which on it is worthless; None for never."""

    def may_write(self, scope: Scope) -> bool:
        """Return whether the key allows operations of this class that change something."""
        return not self.read_only and (self.scopes is None or scope in self.scopes)

    def has_expired(self, moment: datetime) -> bool:
        """Return whether the key has expired."""
        return self.expires_at is not None and moment >= self.expires_at


def key_text(mode: Mode, random_part: str) -> str:
    """Return the key as its owner sees it: `nicobar_test_...`, so that a secret scanner and a person recognise it."""
    return f"nicobar_{mode}_{random_part}"


def secret_hash(secret: str) -> bytes:
    """Return the 32 bytes of SHA-256 that are stored in place of a key or client secret."""
    return hashlib.sha256(secret.encode()).digest()
