"""Erase a person, and keep what the books need."""

from typing import Final, NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.erasure import ERASED_NAME, erased_email, without_person
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.additional_customers import appoint_first, hold_next, others_of_address
from nicobar.storage.customers.customers import lock_customer
from nicobar.storage.customers.erasure import (
    erase_person,
    events_about,
    lock_payments_of,
    open_business_with,
    open_subscription_of,
    replace_payloads,
)

NAMED: Final = 100
"""How many other customers of the address are named at most."""


class Erased(NamedTuple):
    """What came of an erasure."""

    payments: int
    """How many payments the customer had."""
    others: list[str]
    """The ids of the other customers of the same e-mail address, who stay: at most `NAMED`, the first one first."""


async def erase_customer(runtime: Runtime, tenant: Tenant, customer_id: str) -> Erased:
    """Take a person's data out of the customer, all payments, refunds and events.

    Names, e-mail and postal addresses, phone numbers, names of cardholders, saved methods, metadata, reasons and return
    addresses are lost. Amounts, moments, ids, what was bought, the country, the state and the tax id stay. Other
    customers of the same e-mail address stay as they are, and whoever buys with it later is one of them, or new where
    there is none. Raises Problem NOT_FOUND, and UNSUPPORTED_ACTION while a payment can still be paid or is in doubt, or
    has an open refund or dispute, and while a subscription has not ended; nothing is changed then.
    """
    email, moment = erased_email(customer_id), runtime.now(tenant)
    async with runtime.database.transaction() as tx:
        payment_ids = await lock_payments_of(tx, tenant, customer_id)
        if await lock_customer(tx, tenant, customer_id) is None:
            raise Problem("NOT_FOUND", what="Customer")
        successor = await hold_next(tx, tenant, customer_id)
        if (open_id := await open_business_with(tx, tenant, customer_id, moment)) is not None:
            detail = f"The payment {open_id} can still be paid or is in doubt, or has an open refund or dispute."
            raise Problem("UNSUPPORTED_ACTION", detail=detail)
        if (open_id := await open_subscription_of(tx, tenant, customer_id)) is not None:
            detail = f"The subscription {open_id} has not ended: cancel it first."
            raise Problem("UNSUPPORTED_ACTION", detail=detail)
        others = await others_of_address(tx, tenant, customer_id, NAMED)
        await erase_person(tx, tenant, customer_id, payment_ids, email=email, name=ERASED_NAME, moment=moment)
        if successor is not None:
            await appoint_first(tx, tenant, successor)
        bodies = await events_about(tx, tenant, payment_ids)
        clean = {event_id: without_person(body, email, ERASED_NAME) for event_id, body in bodies.items()}
        await replace_payloads(tx, tenant, clean)
        fields = ["email", "name", "phone_number", "metadata", "billing", "card_holder_name", "saved_methods"]
        await write_audit_entry(runtime, tx, tenant, "customer.erase", [customer_id], fields)
    return Erased(len(payment_ids), others)
