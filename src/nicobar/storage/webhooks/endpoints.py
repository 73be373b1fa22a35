"""Endpoints of merchants. Who changes them takes the tenant's lock alone, so that no event passes an endpoint by."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.endpoint import Endpoint
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = """
business_id, mode, endpoint_id, url, description, metadata, filter_types, rate_limit, disabled, given_up_at, secret,
previous_secret, previous_ends_at, headers, failing_since, created_at, updated_at
"""

_ALIVE: Final = "business_id = $1 AND mode = $2 AND deleted_at IS NULL"

_GET: Final = f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE {_ALIVE} AND endpoint_id = $3"

_LIST: Final = f"""
SELECT {_COLUMNS} FROM webhook_endpoints
WHERE {_ALIVE} AND ($3::text IS NULL OR endpoint_id < $3) ORDER BY endpoint_id DESC LIMIT $4
"""

_LIST_BACK: Final = f"""
SELECT {_COLUMNS} FROM webhook_endpoints WHERE {_ALIVE} AND endpoint_id > $3 ORDER BY endpoint_id LIMIT $4
"""

_ALL: Final = f"""
SELECT {_COLUMNS} FROM webhook_endpoints WHERE deleted_at IS NULL
ORDER BY business_id, mode, endpoint_id LIMIT 100000
"""

_LOCK: Final = "SELECT pg_advisory_xact_lock(webhook_lock($1, $2))"

_COUNT: Final = f"SELECT count(*) FROM webhook_endpoints WHERE {_ALIVE}"

_BY_KEY: Final = f"""
SELECT {_COLUMNS} FROM webhook_endpoints WHERE {_ALIVE} AND idempotency_key = $3 AND created_at > $4
ORDER BY endpoint_id DESC LIMIT 1
"""

_INSERT: Final = """
INSERT INTO webhook_endpoints (business_id, mode, endpoint_id, url, description, metadata, filter_types, rate_limit,
    disabled, secret, headers, idempotency_key, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
"""

_UPDATE: Final = """
UPDATE webhook_endpoints SET url = $4, description = $5, metadata = $6, filter_types = $7, rate_limit = $8,
    disabled = $9, given_up_at = $10, failing_since = $11, updated_at = $12
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3
"""

_SEAL: Final = """
UPDATE webhook_endpoints SET secret = $4, previous_secret = $5, previous_ends_at = $6, headers = $7, updated_at = $8
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3
"""

_DELETE: Final = """
UPDATE webhook_endpoints SET deleted_at = $4, updated_at = $4, secret = NULL, previous_secret = NULL,
    previous_ends_at = NULL, headers = NULL
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3
"""

_TENANTS: Final = "SELECT DISTINCT business_id, mode FROM webhook_endpoints"


async def get_endpoint(read: Read, tenant: Tenant, endpoint_id: str) -> Endpoint | None:
    """Return an endpoint; None for one that was deleted."""
    return _endpoint(await read.fetchrow(_GET, tenant.business_id, tenant.mode, endpoint_id))


async def list_endpoints(
    read: Read, tenant: Tenant, limit: int, *, before: str | None = None, after: str | None = None
) -> list[Endpoint]:
    """Return endpoints, the newest first: those made before `before`, or the ones next to `after` that came later."""
    query, bound = (_LIST, before) if after is None else (_LIST_BACK, after)
    rows = await read.fetch(query, tenant.business_id, tenant.mode, bound, limit)
    return [_made(row) for row in (rows if after is None else reversed(rows))]


async def all_endpoints(read: Read) -> list[Endpoint]:
    """Return every endpoint of the installation that was not deleted."""
    return [_made(row) for row in await read.fetch(_ALL)]


async def tenants_with_endpoints(read: Read) -> list[Tenant]:
    """Return everybody who has endpoints, or had."""
    return [Tenant(row["business_id"], row["mode"]) for row in await read.fetch(_TENANTS)]


async def lock_endpoints(tx: Tx, tenant: Tenant) -> None:
    """Wait until all who are writing events of the tenant have committed, and let others wait for this commit.

    It has to be the first thing in its transaction: what is read after it holds until the end.
    """
    await tx.execute(_LOCK, tenant.business_id, tenant.mode)


async def count_endpoints(read: Read, tenant: Tenant) -> int:
    """Return how many endpoints a tenant has."""
    return int(await read.fetchval(_COUNT, tenant.business_id, tenant.mode))


async def find_by_key(read: Read, tenant: Tenant, idempotency_key: str, since: datetime) -> Endpoint | None:
    """Return the endpoint that was created with this key after `since`."""
    return _endpoint(await read.fetchrow(_BY_KEY, tenant.business_id, tenant.mode, idempotency_key, since))


async def insert_endpoint(tx: Tx, endpoint: Endpoint, idempotency_key: str | None) -> None:
    """Store a new endpoint."""
    await tx.execute(
        _INSERT,
        endpoint.business_id,
        endpoint.mode,
        endpoint.endpoint_id,
        endpoint.url,
        endpoint.description,
        endpoint.metadata,
        _listed(endpoint.filter_types),
        endpoint.rate_limit,
        endpoint.disabled,
        endpoint.secret,
        endpoint.headers,
        idempotency_key,
        endpoint.created_at,
    )


async def update_endpoint(tx: Tx, endpoint: Endpoint) -> None:
    """Store all of an endpoint but its secrets."""
    await tx.execute(
        _UPDATE,
        endpoint.business_id,
        endpoint.mode,
        endpoint.endpoint_id,
        endpoint.url,
        endpoint.description,
        endpoint.metadata,
        _listed(endpoint.filter_types),
        endpoint.rate_limit,
        endpoint.disabled,
        endpoint.given_up_at,
        endpoint.failing_since,
        endpoint.updated_at,
    )


async def update_secrets(tx: Tx, endpoint: Endpoint) -> None:
    """Store the encrypted secrets of an endpoint."""
    await tx.execute(
        _SEAL,
        endpoint.business_id,
        endpoint.mode,
        endpoint.endpoint_id,
        endpoint.secret,
        endpoint.previous_secret,
        endpoint.previous_ends_at,
        endpoint.headers,
        endpoint.updated_at,
    )


async def delete_endpoint(tx: Tx, tenant: Tenant, endpoint_id: str, at: datetime) -> None:
    """Delete an endpoint and forget its secrets; its log stays."""
    await tx.execute(_DELETE, tenant.business_id, tenant.mode, endpoint_id, at)


def _listed(types: Sequence[str] | None) -> list[str] | None:
    return None if types is None else list(types)


def _endpoint(row: Any) -> Endpoint | None:
    return None if row is None else _made(row)


def _made(row: Any) -> Endpoint:
    return msgspec.convert(dict(row), Endpoint)
