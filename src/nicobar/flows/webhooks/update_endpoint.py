"""Change an endpoint."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import checked_metadata, given
from nicobar.core.problems import Problem
from nicobar.core.webhooks.endpoint import Endpoint, EndpointChange, checked_filter, checked_url
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.seal_endpoint import seal_endpoint
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.storage.webhooks import endpoints
from nicobar.storage.webhooks.deliveries import stop_deliveries
from nicobar.vault import VaultError


async def update_endpoint(runtime: Runtime, tenant: Tenant, endpoint_id: str, change: EndpointChange) -> Endpoint:
    """Store the change and return the whole endpoint.

    What is committed after it is scheduled as the endpoint is then. Disabling stops what is on its way at once;
    enabling brings new events only, and the gap can be replayed. Raises Problem NOT_FOUND, and what `create_endpoint`
    raises about fields; nothing is changed then.
    """
    webhooks = runtime.webhooks
    assert webhooks is not None  # noqa: S101 - only some tests go without
    async with runtime.database.transaction() as tx:
        await endpoints.lock_endpoints(tx, tenant)
        stored = await endpoints.get_endpoint(tx, tenant, endpoint_id)
        if stored is None:
            raise Problem("NOT_FOUND", what="Webhook endpoint")
        url = given(change.url, stored.url)
        if url != stored.url:
            url = checked_url(url, tenant.mode, allow_private=webhooks.allow_private)
        moved = _moved(webhooks, stored, url)
        types = given(change.filter_types, stored.filter_types)
        changed = msgspec.structs.replace(
            moved,
            description=given(change.description, stored.description),
            disabled=given(change.disabled, stored.disabled),
            filter_types=checked_filter(types),
            metadata=checked_metadata(given(change.metadata, stored.metadata)),
            rate_limit=given(change.rate_limit, stored.rate_limit),
        )
        if changed == stored:
            return stored
        now = runtime.real_now()
        if not changed.disabled:
            # Who enables it, or gives it another address, starts over: nothing is known of that one yet.
            renewed = stored.disabled or changed.url != stored.url
            changed = msgspec.structs.replace(
                changed, given_up_at=None, failing_since=None if renewed else stored.failing_since
            )
        elif not stored.disabled:
            await stop_deliveries(tx, tenant, endpoint_id, now)
        changed = msgspec.structs.replace(changed, updated_at=now)
        await endpoints.update_endpoint(tx, changed)
        if changed.url != stored.url:
            await endpoints.update_secrets(tx, changed)
        return changed


def _moved(webhooks: Webhooks, stored: Endpoint, url: str) -> Endpoint:
    """Return the endpoint with another address, to which its secrets are tied then."""
    if url == stored.url:
        return stored
    try:
        return seal_endpoint(webhooks, stored, url)
    except VaultError as error:
        raise Problem("SERVICE_UNAVAILABLE", message=f"Webhooks need an encryption key: {error}") from error
