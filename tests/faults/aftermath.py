"""What must be true after a crash: everything that a client was told, and the same money on both sides.

The auditor opens the database with a clock that is ahead, so that nobody has to wait until silent attempts are
queried, and lets the regular work run until it has nothing left to do.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from due_work import run_due
from faults.shopping import Journal
from harness import VAULT
from nicobar.clock import SystemClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.accounts.registry import built_in_processors
from nicobar.program.installation import FOLLOWERS
from nicobar.storage.database import Database
from nicobar.storage.simulator.simulator import SimulatorRecords

LATER = timedelta(minutes=3)
"""More than the longest silence after which a processor is asked, and less than the life of a link."""

ROUNDS = 50

# What is not settled yet. A challenge that nobody has answered waits for its customer, and is no concern here.
_OPEN = """
SELECT (SELECT count(*) FROM attempts WHERE resolved_at IS NULL
        AND coalesce(outcome ->> 'type', '') NOT IN ('needs_action', 'pending'))
     + (SELECT count(*) FROM refunds WHERE status = 'pending')
     + (SELECT count(*) FROM notices WHERE handled_at IS NULL)
     + (SELECT count(*) FROM attempts WHERE is_surplus AND returned_at IS NULL)
     + (SELECT count(*) FROM simulator.notices WHERE sent_at IS NULL AND due_at <= $1)
"""

# One row for each payment on which the two sides do not agree.
_DISAGREEMENTS = """
SELECT p.payment_id, p.status, p.total_amount, p.refund_reserved_amount, bank.charges, bank.taken, bank.given
FROM payments p LEFT JOIN (
    SELECT payment_id, count(*) AS charges, sum(amount) AS taken, sum(given) AS given
    FROM simulator.charges LEFT JOIN (
        SELECT attempt_id, sum(amount) AS given FROM simulator.refunds
        WHERE given_at <= $1 AND (returned_at IS NULL OR returned_at > $1) GROUP BY attempt_id
    ) back USING (attempt_id)
    WHERE taken_at <= $1 GROUP BY payment_id
) bank USING (payment_id)
WHERE coalesce(bank.charges, 0) <> CASE WHEN p.status = 'succeeded' AND p.total_amount > 0 THEN 1 ELSE 0 END
   OR coalesce(bank.taken, 0) <> CASE p.status WHEN 'succeeded' THEN p.total_amount ELSE 0 END
   OR coalesce(bank.given, 0) <> p.refund_reserved_amount
"""


class AheadClock(SystemClock):
    """The system's clock, set forward."""

    def now(self) -> datetime:
        return super().now() + LATER


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Runtime]:
    """Yield a runtime alongside the server's, or after it."""
    database, clock = Database(dsn, size=4), AheadClock()
    url = "http://127.0.0.1:1"
    try:
        processors = built_in_processors(clock, url, SimulatorRecords(database))
        yield Runtime(database, clock, url, processors, followers=FOLLOWERS, vault=VAULT)
    finally:
        await database.close()


async def end_what_is_open(runtime: Runtime) -> None:
    """Do all regular work and all that is due, until nothing is open."""
    for _ in range(ROUNDS):
        await sweep(runtime)
        await run_due(runtime)
        async with runtime.database.read() as read:
            if await read.fetchval(_OPEN, runtime.clock.now()) == 0:
                return
    raise AssertionError("something stays open for ever")


async def audit(runtime: Runtime, tenant: Tenant, journal: Journal) -> dict[str, int]:
    """Check everything that clients were told and both parties' books; return how much was checked, by status."""
    await end_what_is_open(runtime)
    async with runtime.database.read() as read:
        payments = await _rows(read, "SELECT payment_id, total_amount AS amount, status FROM payments", tenant)
        refunds = await _rows(read, "SELECT refund_id, amount, status FROM refunds", tenant)
        wrong = [dict(row) for row in await read.fetch(_DISAGREEMENTS, runtime.clock.now())]
    assert journal.errors == []
    assert wrong == []
    told = {payment_id: payments.get(payment_id, {}).get("amount") for payment_id in journal.payments}
    assert told == journal.payments
    told = {refund_id: refunds.get(refund_id, {}).get("amount") for refund_id in journal.refunds}
    assert told == journal.refunds
    assert {payment_id: payments[payment_id]["status"] for payment_id in journal.statuses} == journal.statuses
    counts: dict[str, int] = {}
    for payment in payments.values():
        counts[payment["status"]] = counts.get(payment["status"], 0) + 1
    return counts | {"refunds": len(refunds)}


async def _rows(read: Any, query: str, tenant: Tenant) -> dict[str, dict[str, Any]]:
    rows = await read.fetch(f"{query} WHERE business_id = $1 AND mode = $2", tenant.business_id, tenant.mode)
    return {row[0]: dict(row) for row in rows}
