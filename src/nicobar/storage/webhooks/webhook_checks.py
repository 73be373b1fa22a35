"""What `nicobar doctor` asks about webhooks: what waits for too long, and which endpoints were given up."""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Mode
from nicobar.storage.database import Read
from nicobar.storage.wrong_rows import WrongRow, wrong_rows

# Of a row that is being worked on, the time is when its lease ends.
_OVERDUE: Final = """
SELECT d.mode, d.event_id AS object_id, CASE WHEN e.endpoint_id IS NULL
    THEN 'waits for ' || d.endpoint_id || ', which does not exist'
    WHEN e.deleted_at IS NOT NULL OR e.disabled
    THEN 'waits for ' || d.endpoint_id || ', which is disabled or deleted'
    ELSE 'due at ' || d.endpoint_id || ' since ' || to_char(d.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
        || ' UTC' END AS detail
FROM webhook_deliveries d LEFT JOIN webhook_endpoints e USING (business_id, mode, endpoint_id)
WHERE d.due_at IS NOT NULL AND (d.due_at < $1 OR e.endpoint_id IS NULL OR e.deleted_at IS NOT NULL OR e.disabled)
ORDER BY d.due_at LIMIT $2
"""

_ENDPOINTS: Final = """
SELECT mode, endpoint_id, url, disabled, given_up_at FROM webhook_endpoints WHERE deleted_at IS NULL
ORDER BY mode, endpoint_id
"""


class EndpointState(msgspec.Struct, frozen=True):
    """Whether an endpoint is sent anything."""

    mode: Mode
    endpoint_id: str
    url: str
    disabled: bool
    given_up_at: datetime | None
    """When the server disabled it itself."""


async def overdue_deliveries(read: Read, before: datetime) -> list[WrongRow]:
    """Return deliveries that are due since then or longer, and those that wait for an endpoint that gets nothing."""
    return await wrong_rows(read, _OVERDUE, before)


async def endpoint_states(read: Read) -> list[EndpointState]:
    """Return every endpoint of the installation."""
    return [msgspec.convert(dict(row), EndpointState) for row in await read.fetch(_ENDPOINTS)]
