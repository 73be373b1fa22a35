"""Give a merchant a proof that the person in front of it is this customer, for a payment link to show saved cards."""

from datetime import datetime
from typing import NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer_proof import KEY_BYTES, LIFETIME, place_of_key, sign_proof
from nicobar.core.problems import Problem
from nicobar.flows.customers.load_proof_key import load_proof_key
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.customers import get_customer
from nicobar.storage.customers.proof_keys import make_proof_key
from nicobar.vault import NONCE_BYTES


class Proof(NamedTuple):
    """A proof and its end."""

    proof: str
    """It goes into the query of a payment link: `?proof=...`."""
    expires_on: datetime


async def prove_customer(runtime: Runtime, tenant: Tenant, customer_id: str) -> Proof:
    """Sign a proof that is valid for `LIFETIME`. The first one of a tenant makes the key that signs them all.

    Raises Problem NOT_FOUND for an unknown customer, and VaultError when the key cannot be encrypted or decrypted.
    """
    async with runtime.database.snapshot() as read:
        customer = await get_customer(read, tenant, customer_id)
        key = await load_proof_key(runtime, read, tenant)
    if customer is None:
        raise Problem("NOT_FOUND", what="Customer")
    now = runtime.real_now()
    if key is None:
        key = await _make_key(runtime, tenant, now)
    expires_on = (now + LIFETIME).replace(microsecond=0)
    return Proof(sign_proof(key, "link", tenant, customer.customer_id, expires_on), expires_on)


async def _make_key(runtime: Runtime, tenant: Tenant, now: datetime) -> bytes:
    """Store a fresh key, unless another request was faster, and return the one that is stored."""
    vault, clock, place = runtime.vault, runtime.clock, place_of_key(tenant)
    assert vault is not None  # noqa: S101 - only some tests go without
    fresh = vault.seal(clock.random_bytes(KEY_BYTES), place, clock.random_bytes(NONCE_BYTES))
    async with runtime.database.statement() as tx:
        return vault.open(await make_proof_key(tx, tenant, fresh, now), place)
