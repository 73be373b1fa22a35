"""Change a customer."""

import msgspec
from msgspec import UNSET

from nicobar.core.audit.entry import changed_fields
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer import Customer, CustomerChange, email_key
from nicobar.core.fields import checked_metadata, given
from nicobar.core.problems import Problem
from nicobar.core.typed_text import tidy
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.reference.contacts import checked_email, checked_phone
from nicobar.storage.customers import customers
from nicobar.storage.customers.additional_customers import appoint_first, hold_next
from nicobar.storage.database import UniqueViolation


async def update_customer(runtime: Runtime, tenant: Tenant, customer_id: str, change: CustomerChange) -> Customer:
    """Store the change and return the whole customer; a blank name, which is none, leaves the name as it is.

    Raises Problem NOT_FOUND, INVALID_REQUEST_BODY for a malformed value, MAXIMUM_KEYS_REACHED, and UNSUPPORTED_ACTION
    when the e-mail address belongs to another customer; nothing is changed then.
    """
    try:
        async with runtime.database.transaction() as tx:
            stored = await customers.lock_customer(tx, tenant, customer_id)
            if stored is None:
                raise Problem("NOT_FOUND", what="Customer")
            changed = _changed(stored, change)
            if changed == stored:
                return stored
            changed = msgspec.structs.replace(changed, updated_at=runtime.now(tenant))
            leaves = email_key(stored.email) != email_key(changed.email)
            successor = await hold_next(tx, tenant, customer_id) if leaves else None
            await customers.update_customer(tx, tenant, changed)
            if successor is not None:
                await appoint_first(tx, tenant, successor)
            fields = changed_fields(stored, changed)
            await write_audit_entry(runtime, tx, tenant, "customer.update", [customer_id], fields)
            return changed
    except UniqueViolation as violation:
        if violation.constraint != "customers_email":
            raise
        raise Problem(
            "UNSUPPORTED_ACTION", path="email", detail="Another customer has this e-mail address."
        ) from violation


def _changed(stored: Customer, change: CustomerChange) -> Customer:
    name = "" if change.name is UNSET else tidy(change.name)
    return msgspec.structs.replace(
        stored,
        email=stored.email if change.email is UNSET else checked_email(change.email),
        name=name or stored.name,
        phone_number=checked_phone(given(change.phone_number, stored.phone_number)),
        metadata=checked_metadata(given(change.metadata, stored.metadata)),
        preferred_locale=given(change.preferred_locale, stored.preferred_locale),
    )
