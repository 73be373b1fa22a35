"""Do checkout sessions and payments name each other? For `nicobar doctor`."""

from typing import Final

from nicobar.storage.database import Read
from nicobar.storage.wrong_rows import WrongRow, wrong_rows

_DISAGREE: Final = """
SELECT mode, coalesce(s.session_id, p.named) AS object_id, CASE
    WHEN s.session_id IS NULL THEN 'the payment ' || p.payment_id || ' names it, and it does not name the payment'
    ELSE 'its payment ' || s.payment_id || ' does not name it' END AS detail
FROM (SELECT * FROM checkout_sessions WHERE payment_id IS NOT NULL) s
FULL JOIN (
    SELECT business_id, mode, payment_id, options ->> 'checkout_session_id' AS named FROM payments
    WHERE options ->> 'checkout_session_id' IS NOT NULL
) p USING (business_id, mode, payment_id)
WHERE s.session_id IS DISTINCT FROM p.named
ORDER BY 2 LIMIT $1
"""


async def sessions_that_disagree(read: Read) -> list[WrongRow]:
    """Return sessions whose payment does not name them, and those that a payment names which is not theirs."""
    return await wrong_rows(read, _DISAGREE)
