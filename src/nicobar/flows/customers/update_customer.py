"""Change a customer."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer import Customer
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers import customers
from nicobar.storage.database import UniqueViolation
from nicobar.wire.common import blank_to_none, checked_metadata, given
from nicobar.wire.customers.customers import CustomerUpdate, checked_email, checked_phone


async def update_customer(runtime: Runtime, tenant: Tenant, customer_id: str, body: CustomerUpdate) -> Customer:
    """Store what the request gives and return the whole customer.

    Raises Problem NOT_FOUND, INVALID_REQUEST_BODY for a malformed value, MAXIMUM_KEYS_REACHED, and UNSUPPORTED_ACTION
    when the e-mail address belongs to another customer; nothing is changed then.
    """
    try:
        async with runtime.database.transaction() as tx:
            stored = await customers.lock_customer(tx, tenant, customer_id)
            if stored is None:
                raise Problem("NOT_FOUND", what="Customer")
            changed = _changed(stored, body)
            if changed == stored:
                return stored
            changed = msgspec.structs.replace(changed, updated_at=runtime.clock.now())
            await customers.update_customer(tx, tenant, changed)
            return changed
    except UniqueViolation as violation:
        if violation.constraint != "customers_email":
            raise
        raise Problem(
            "UNSUPPORTED_ACTION", path="email", detail="Another customer has this e-mail address."
        ) from violation


def _changed(stored: Customer, body: CustomerUpdate) -> Customer:
    email = given(body.email, None)
    name = given(body.name, None)
    if name is not None and not name.strip():
        raise Problem("INVALID_REQUEST_BODY", path="name", detail="It is blank.")
    return msgspec.structs.replace(
        stored,
        email=stored.email if email is None else checked_email(email),
        name=blank_to_none(name) or stored.name,
        phone_number=checked_phone(given(body.phone_number, stored.phone_number)),
        metadata=checked_metadata(given(body.metadata, stored.metadata)),
        preferred_locale=given(body.preferred_locale, stored.preferred_locale),
    )
