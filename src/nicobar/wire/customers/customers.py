"""The wire types of customers (contract, "Customers"), and how a customer is read and rendered."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from nicobar.core.customers.customer import Customer, CustomerChange, NewCustomer
from nicobar.wire.codes import LocaleCode
from nicobar.wire.common import Email, Metadata, PageQuery, Phone, RequestBody, ResponseBody, Text250


class CustomerCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /customers."""

    email: Email
    name: Text250
    """A blank one is a name that nobody knows yet."""
    phone_number: Phone | None = None
    metadata: Metadata | None = None
    preferred_locale: LocaleCode | None = None


class CustomerUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /customers/{customer_id}: what is left out stays.

    Null clears `phone_number`, `metadata` and `preferred_locale`; `email` and `name` stay with null, and `name` with a
    blank one, too. `metadata` is replaced as a whole.
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


def read_customer(body: CustomerCreate) -> NewCustomer:
    """Return the customer that a request describes."""
    return NewCustomer(body.email, body.name, body.phone_number, body.metadata or {}, body.preferred_locale)


def read_customer_change(body: CustomerUpdate) -> CustomerChange:
    """Return the change that a request asks for."""
    return CustomerChange(
        email=UNSET if body.email is None else body.email,
        name=UNSET if body.name is None else body.name,
        phone_number=body.phone_number,
        metadata={} if body.metadata is None else body.metadata,
        preferred_locale=body.preferred_locale,
    )


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
