"""Give a merchant a proof that the person in front of it is this customer, for a payment link to show saved cards."""

from datetime import datetime
from typing import NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer_proof import KEY_BYTES, LIFETIME, sign_proof
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.customers import get_customer
from nicobar.storage.payments.saved_methods import make_proof_key, proof_key


class Proof(NamedTuple):
    """A proof and its end."""

    proof: str
    """It goes into the query of a payment link: `?proof=...`."""
    expires_on: datetime


async def prove_customer(runtime: Runtime, tenant: Tenant, customer_id: str) -> Proof:
    """Sign a proof that is valid for `LIFETIME`. The first one of a tenant makes the key that signs them all.

    Raises Problem NOT_FOUND for an unknown customer.
    """
    async with runtime.database.snapshot() as read:
        customer = await get_customer(read, tenant, customer_id)
        key = await proof_key(read, tenant)
    if customer is None:
        raise Problem("NOT_FOUND", what="Customer")
    now = runtime.real_now()
    if key is None:
        async with runtime.database.statement() as tx:
            key = await make_proof_key(tx, tenant, runtime.clock.random_bytes(KEY_BYTES), now)
    expires_on = (now + LIFETIME).replace(microsecond=0)
    return Proof(sign_proof(key, "link", tenant, customer.customer_id, expires_on), expires_on)
