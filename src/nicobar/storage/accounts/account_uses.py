"""What is left to do with an account at a processor, and what nobody can do any more because its keys are gone."""

from collections.abc import Sequence
from typing import Final

import msgspec

from nicobar.core.accounts.account_uses import AccountUses, AccountWork
from nicobar.core.accounts.processor_account import ProcessorAccount
from nicobar.storage.database import Read
from nicobar.storage.wrong_rows import WrongRow, wrong_rows

_OF_ATTEMPTS: Final = "business_id = $1 AND mode = $2 AND processor = $3 AND account = $4"

# Charges wait while this is counted, so each of the three has an index of the few rows that it is about.
_UNDER_WAY: Final = f"""
SELECT
    (SELECT count(*) FROM attempts WHERE {_OF_ATTEMPTS} AND resolved_at IS NULL) AS open_attempts,
    (SELECT count(*) FROM attempts WHERE {_OF_ATTEMPTS} AND return_due_at IS NOT NULL) AS returns,
    (SELECT count(*) FROM refunds r JOIN attempts a USING (business_id, mode, attempt_id)
        WHERE r.status = 'pending' AND {_OF_ATTEMPTS}) AS pending_refunds
"""

_USES: Final = f"""
SELECT w.*,
    (SELECT count(*) FROM attempts WHERE {_OF_ATTEMPTS} AND outcome ->> 'type' = 'succeeded' AND amount > 0) AS paid,
    (SELECT count(*) FROM saved_methods WHERE {_OF_ATTEMPTS}) AS saved_methods
FROM ({_UNDER_WAY}) w
"""

_WITHOUT_KEYS: Final = """
SELECT mode, object_id, why || ' at an account whose keys are not there' AS detail
FROM (
    SELECT business_id, mode, processor, account, attempt_id AS object_id, 'its end is not known, and it is' AS why
    FROM attempts WHERE resolved_at IS NULL
    UNION ALL
    SELECT business_id, mode, processor, account, attempt_id, 'its charge has to go back, and is'
    FROM attempts WHERE return_due_at IS NOT NULL
    UNION ALL
    SELECT r.business_id, r.mode, a.processor, a.account, r.refund_id, 'it is pending'
    FROM refunds r JOIN attempts a USING (business_id, mode, attempt_id) WHERE r.status = 'pending'
) w
WHERE processor = ANY($1) AND NOT EXISTS (
    SELECT FROM processor_accounts p
    WHERE p.business_id = w.business_id AND p.mode = w.mode AND p.processor = w.processor AND p.account = w.account
      AND p.sealed IS NOT NULL)
ORDER BY object_id LIMIT $2
"""


async def account_uses(read: Read, account: ProcessorAccount) -> AccountUses:
    """Count what is left to do with an account. Every charge is looked at."""
    row = await read.fetchrow(_USES, account.business_id, account.mode, account.processor, account.account)
    return msgspec.convert(row, AccountUses)


async def account_work(read: Read, account: ProcessorAccount) -> AccountWork:
    """Count what is under way with an account."""
    row = await read.fetchrow(_UNDER_WAY, account.business_id, account.mode, account.processor, account.account)
    return msgspec.convert(row, AccountWork)


async def left_without_keys(read: Read, processors: Sequence[str]) -> list[WrongRow]:
    """Find what is under way at an account of these processors that cannot be asked, because it was removed."""
    return await wrong_rows(read, _WITHOUT_KEYS, list(processors))
