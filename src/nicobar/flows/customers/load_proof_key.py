"""Read the key that signs the proofs of a business's customers."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer_proof import place_of_key
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.proof_keys import sealed_proof_key
from nicobar.storage.database import Read


async def load_proof_key(runtime: Runtime, read: Read, tenant: Tenant) -> bytes | None:
    """Return the key; None when none was ever made: then there is no genuine proof either. Raises VaultError."""
    sealed = await sealed_proof_key(read, tenant)
    if sealed is None:
        return None
    assert runtime.vault is not None  # noqa: S101 - it was sealed by one
    return runtime.vault.open(sealed, place_of_key(tenant))
