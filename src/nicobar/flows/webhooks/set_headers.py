"""Add headers to what an endpoint is sent, or replace or remove some."""

from collections.abc import Mapping

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.webhooks.endpoint import merged_headers
from nicobar.flows.runtime import Runtime
from nicobar.storage.webhooks.endpoints import get_endpoint, lock_endpoints, update_secrets
from nicobar.vault import VaultError


async def set_headers(runtime: Runtime, tenant: Tenant, endpoint_id: str, headers: Mapping[str, str]) -> None:
    """Merge headers into those of an endpoint; an empty value removes one.

    Raises Problem NOT_FOUND, INVALID_REQUEST_PARAMETERS and SERVICE_UNAVAILABLE (the server lacks the key that
    secrets are encrypted with); nothing is changed then.
    """
    webhooks = runtime.webhooks
    assert webhooks is not None  # noqa: S101 - only some tests go without
    async with runtime.database.transaction() as tx:
        await lock_endpoints(tx, tenant)
        stored = await get_endpoint(tx, tenant, endpoint_id)
        if stored is None:
            raise Problem("NOT_FOUND", what="Webhook endpoint")
        try:
            merged = merged_headers(webhooks.open_headers(stored.place, stored.headers), headers)
            sealed = webhooks.seal_headers(stored.place, merged)
        except VaultError as error:
            raise Problem("SERVICE_UNAVAILABLE", message=f"Webhooks need an encryption key: {error}") from error
        changed = msgspec.structs.replace(stored, headers=sealed, updated_at=runtime.real_now())
        await update_secrets(tx, changed)
