"""Create an endpoint, which is sent every event that is committed after it."""

from datetime import timedelta
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import checked_metadata
from nicobar.core.problems import Problem
from nicobar.core.webhooks.endpoint import (
    MAXIMUM_ENDPOINTS,
    Endpoint,
    NewEndpoint,
    checked_filter,
    checked_headers,
    checked_url,
    sealed_place,
)
from nicobar.flows.runtime import Runtime
from nicobar.storage.webhooks.endpoints import count_endpoints, find_by_key, insert_endpoint, lock_endpoints
from nicobar.vault import VaultError

KEY_LIFE: Final = timedelta(hours=24)
"""How long a repeated idempotency key means the endpoint that it has made."""


async def create_endpoint(runtime: Runtime, tenant: Tenant, new: NewEndpoint) -> Endpoint:
    """Store an endpoint with a secret of its own and return it, or the one that the same key has made already.

    The tenant's lock makes it wait for those who are writing events: whatever is committed later is scheduled for it.

    Raises Problem INVALID_REQUEST_BODY, INVALID_REQUEST_PARAMETERS (an address or a header that is not allowed),
    MAXIMUM_KEYS_REACHED, UNSUPPORTED_ACTION (there are 50 endpoints already) and SERVICE_UNAVAILABLE (the server has no
    key to encrypt secrets with); nothing is stored then.
    """
    webhooks = runtime.webhooks
    assert webhooks is not None  # noqa: S101 - only some tests go without
    url = checked_url(new.url, tenant.mode, allow_private=webhooks.allow_private)
    headers, metadata = checked_headers(new.headers), checked_metadata(new.metadata)
    now = runtime.real_now()
    endpoint_id = runtime.new_id("ep", now)
    place = sealed_place(tenant, endpoint_id, url)
    try:
        secret = webhooks.seal(place, webhooks.new_secret())
        sealed_headers = webhooks.seal_headers(place, headers)
    except VaultError as error:
        raise Problem("SERVICE_UNAVAILABLE", message=f"Webhooks need an encryption key: {error}") from error
    endpoint = Endpoint(
        business_id=tenant.business_id,
        mode=tenant.mode,
        endpoint_id=endpoint_id,
        url=url,
        description=new.description or "",
        metadata=metadata,
        filter_types=checked_filter(new.filter_types),
        rate_limit=new.rate_limit,
        disabled=new.disabled,
        given_up_at=None,
        secret=secret,
        previous_secret=None,
        previous_ends_at=None,
        headers=sealed_headers,
        failing_since=None,
        created_at=now,
        updated_at=now,
    )
    async with runtime.database.transaction() as tx:
        await lock_endpoints(tx, tenant)
        if new.idempotency_key is not None:
            made = await find_by_key(tx, tenant, new.idempotency_key, now - KEY_LIFE)
            if made is not None:
                return made
        if await count_endpoints(tx, tenant) >= MAXIMUM_ENDPOINTS:
            detail = f"There are {MAXIMUM_ENDPOINTS} webhook endpoints already. Delete one first."
            raise Problem("UNSUPPORTED_ACTION", detail=detail)
        await insert_endpoint(tx, endpoint, new.idempotency_key)
    return endpoint
