"""What happened to one payment, for the people who look into it."""

from typing import Final

import msgspec

from nicobar.core.events.event import Event
from nicobar.core.payments.payment import Attempt, Payment
from nicobar.storage.database import Read
from nicobar.storage.payments.attempts import ATTEMPT_COLUMNS

_ATTEMPTS: Final = f"""
SELECT {ATTEMPT_COLUMNS} FROM attempts
WHERE business_id = $1 AND mode = $2 AND payment_id = $3
ORDER BY attempt_id
"""

_EVENTS: Final = """
SELECT event_id, type, object_id, convert_to(payload::text, 'UTF8') AS payload, created_at FROM events
WHERE business_id = $1 AND mode = $2 AND object_id = ANY($3::text[]) ORDER BY number
"""


async def attempts_of(read: Read, payment: Payment) -> list[Attempt]:
    """Return a payment's attempts, the oldest first."""
    rows = await read.fetch(_ATTEMPTS, payment.business_id, payment.mode, payment.payment_id)
    return [msgspec.convert(dict(row), Attempt) for row in rows]


async def events_about(read: Read, payment: Payment, others: list[str]) -> list[Event]:
    """Return the events about a payment and about its refunds and disputes, whose ids are `others`, oldest first."""
    rows = await read.fetch(_EVENTS, payment.business_id, payment.mode, [payment.payment_id, *others])
    return [Event(**row) for row in rows]
