"""The wire types of customers (contract, "Customers"), the checks of their fields, and how a customer is rendered."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import email_validator
import phonenumbers
from msgspec import UNSET, UnsetType

from nicobar.core.customers.customer import Customer
from nicobar.core.problems import Problem
from nicobar.wire.codes import LocaleCode
from nicobar.wire.common import Email, Metadata, PageQuery, Phone, RequestBody, ResponseBody, Text250, blank_to_none

# Nothing is looked up, and people test with `.test`, `.local` and their like: only the form of an address counts.
# Emptying this list is the way that the package itself documents.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_NATIONAL_PHONE: Final = re.compile(r"[0-9(][0-9 ().\-/#x]*", re.ASCII)
"""A number without country code, as a checkout form may send it."""

_MINIMUM_PHONE_DIGITS: Final = 3

_REMEMBERED: Final = 4096
"""Results of checks kept in memory: the same customers come back, and a check costs about 20 µs."""


class CustomerCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /customers."""

    email: Email
    name: Text250
    phone_number: Phone | None = None
    metadata: Metadata | None = None
    preferred_locale: LocaleCode | None = None


class CustomerUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /customers/{customer_id}: what is left out stays.

    Null clears `phone_number`, `metadata` and `preferred_locale`; `email` and `name` cannot be empty, so null keeps
    them. `metadata` is replaced as a whole.
    """

    email: Email | UnsetType | None = UNSET
    name: Text250 | UnsetType | None = UNSET
    phone_number: Phone | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    preferred_locale: LocaleCode | UnsetType | None = UNSET


class CustomerListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /customers; dates are inclusive."""

    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None
    email: str | None = None
    """The whole address, in any case. A blank one matches nobody: clients take the first hit for the person."""
    name: Text250 | None = None
    """A part of the name, in any case."""


class CustomerRead(ResponseBody, frozen=True, kw_only=True):
    """A customer. The two blocklist keys are always null: this server keeps no blocklist."""

    business_id: str
    customer_id: str
    email: str
    name: str
    created_at: datetime
    phone_number: str | None
    metadata: dict[str, Any]
    preferred_locale: str | None
    blocked_at: datetime | None
    blocklist_entry_id: str | None


def render_customer(customer: Customer) -> CustomerRead:
    """Render one customer."""
    return CustomerRead(
        business_id=customer.business_id,
        customer_id=customer.customer_id,
        email=customer.email,
        name=customer.name,
        created_at=customer.created_at,
        phone_number=customer.phone_number,
        metadata=customer.metadata,
        preferred_locale=customer.preferred_locale,
        blocked_at=None,
        blocklist_entry_id=None,
    )


def checked_email(email: str, path: str = "email") -> str:
    """Return the address as it was written, trimmed. Raises Problem INVALID_REQUEST_BODY when it is none."""
    trimmed = email.strip()
    fault = _email_fault(trimmed)
    if fault is not None:
        raise Problem("INVALID_REQUEST_BODY", path=path, detail=fault)
    return trimmed


def checked_phone(phone: str | None, path: str = "phone_number") -> str | None:
    """Return the number as it was written, trimmed; None for null and for blanks.

    With a leading `+` it must be possible in its country's numbering plan (right country code and length; the plans
    change too often to ask whether it is in use). Without one it is a national number, whose country nobody told us:
    at least three digits with the usual separators. Raises Problem INVALID_REQUEST_BODY otherwise.
    """
    trimmed = blank_to_none(phone)
    if trimmed is None:
        return None
    fault = _phone_fault(trimmed)
    if fault is not None:
        raise Problem("INVALID_REQUEST_BODY", path=path, detail=fault)
    return trimmed


@lru_cache(maxsize=_REMEMBERED)
def _email_fault(email: str) -> str | None:
    try:
        found = email_validator.validate_email(email, check_deliverability=False, globally_deliverable=False)
    except email_validator.EmailNotValidError as error:
        return str(error)
    if found.ascii_domain is None or "." not in found.ascii_domain:
        return "The part after the @-sign is not a full domain name."
    return None


@lru_cache(maxsize=_REMEMBERED)
def _phone_fault(phone: str) -> str | None:
    if not phone.startswith("+"):
        digits = sum(character.isdigit() for character in phone)
        if _NATIONAL_PHONE.fullmatch(phone) is None or digits < _MINIMUM_PHONE_DIGITS:
            return "It is not a phone number; write it like +14155552671."
        return None
    try:
        possible = phonenumbers.is_possible_number(phonenumbers.parse(phone, None))
    except phonenumbers.NumberParseException:
        possible = False
    return None if possible else "It is not a possible phone number of any country; write it like +14155552671."
