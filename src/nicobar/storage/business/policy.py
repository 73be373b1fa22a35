"""What of a tenant's policy may have changed, in one small query: the settings, and which other parts hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read

_STATE: Final = """
SELECT
    (SELECT coalesce(jsonb_object_agg(name, new_value), '{}') FROM (
        SELECT DISTINCT ON (name) name, new_value FROM setting_changes WHERE business_id = $1 AND mode = $2
        ORDER BY name, number DESC) AS newest) AS setting_texts,
    (SELECT imported_at FROM tax_tables WHERE business_id = $1 AND mode = $2 ORDER BY number DESC LIMIT 1)
        AS tax_table_at,
    (SELECT number FROM tax_tables WHERE business_id = $1 AND mode = $2 ORDER BY number DESC LIMIT 1)
        AS tax_table_number,
    (SELECT stored_at FROM rate_snapshots ORDER BY number DESC LIMIT 1) AS rates_at,
    (SELECT number FROM rate_snapshots ORDER BY number DESC LIMIT 1) AS rates_number,
    (SELECT coalesce(array_agg(number ORDER BY number), '{}') FROM processor_accounts
        WHERE business_id = $1 AND mode = $2) AS account_numbers
"""


class PolicyState(msgspec.Struct, frozen=True):
    """The settings, and marks that differ whenever the tax table, the rates or the processors' accounts do."""

    setting_texts: Mapping[str, str]
    """The settings that were ever changed, by name."""
    tax_table_at: datetime | None
    tax_table_number: int | None
    rates_at: datetime | None
    rates_number: int | None
    account_numbers: list[int]


async def policy_state(read: Read, tenant: Tenant) -> PolicyState:
    """Return the state of a tenant's policy."""
    return msgspec.convert(await read.fetchrow(_STATE, tenant.business_id, tenant.mode), PolicyState)
