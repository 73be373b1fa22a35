"""Create a customer, or return the one who has the e-mail address already."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer import Customer, NewCustomer, email_key
from nicobar.core.fields import checked_metadata
from nicobar.core.typed_text import tidy
from nicobar.flows.runtime import Runtime
from nicobar.reference.contacts import checked_email, checked_phone
from nicobar.storage.customers.customers import find_by_email, insert_or_find_customer


async def create_customer(runtime: Runtime, tenant: Tenant, new: NewCustomer) -> Customer:
    """Store a new customer and return it; an existing one with this e-mail address is returned unchanged.

    A blank name is one that nobody knows yet: who signs up with an address alone is sent with one by the adapters.
    Raises Problem INVALID_REQUEST_BODY for a malformed address or phone number, and MAXIMUM_KEYS_REACHED.
    """
    email = checked_email(new.email)
    name = tidy(new.name)
    phone_number = checked_phone(new.phone_number)
    metadata = checked_metadata(new.metadata)
    moment = runtime.now(tenant)
    customer = Customer(
        business_id=tenant.business_id,
        customer_id=runtime.new_id("cus", moment),
        email=email,
        name=name,
        phone_number=phone_number,
        metadata=metadata,
        preferred_locale=new.preferred_locale,
        created_at=moment,
        updated_at=moment,
    )
    # Asking first spares the existing customer a dead row version; the insert decides when two ask at once.
    async with runtime.database.read() as read:
        existing = await find_by_email(read, tenant, email_key(email))
    if existing is not None:
        return existing
    async with runtime.database.statement() as tx:
        return await insert_or_find_customer(tx, tenant, customer)
