"""The keys that sign the proofs by which customers are known, one for each tenant."""

from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read, Tx

_GET: Final = "SELECT sealed FROM proof_keys WHERE business_id = $1 AND mode = $2"

# The "update" that changes nothing hands back the key that is there, so two first proofs at once share one key.
_MAKE: Final = """
INSERT INTO proof_keys (business_id, mode, sealed, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (business_id, mode) DO UPDATE SET sealed = proof_keys.sealed
RETURNING sealed
"""


async def sealed_proof_key(read: Read, tenant: Tenant) -> bytes | None:
    """Return the encrypted key of the tenant's proofs, None when none was ever made."""
    sealed: bytes | None = await read.fetchval(_GET, tenant.business_id, tenant.mode)
    return sealed


async def make_proof_key(tx: Tx, tenant: Tenant, sealed: bytes, at: datetime) -> bytes:
    """Return the encrypted key of the tenant's proofs; the first call stores this one."""
    kept: bytes = await tx.fetchval(_MAKE, tenant.business_id, tenant.mode, sealed, at)
    return kept


async def purge_proof_keys(tx: Tx) -> None:
    """Forget the keys of all proofs. The next proof of a tenant makes a new one."""
    await tx.execute("DELETE FROM proof_keys")
