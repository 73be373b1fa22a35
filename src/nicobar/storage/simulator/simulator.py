"""The books of the simulated bank, in a schema of their own, and what an auditor may count in them.

The bank is a second party. It writes by single statements that PostgreSQL commits by itself, on connections of its
own, and never within a transaction of ours: so it can know of a charge that we do not, as a real one can.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.simulator.bank_charge import BankCharge, SimulatedNotice, SimulatedRefund
from nicobar.storage.database import Database, Read, Record
from nicobar.storage.gathering import Gatherings
from nicobar.storage.test_clocks import reckoned, reckoned_value, remembered_clocks

LARGEST_TRIES: Final = 10
"""How often a notice is tried; a simulator does not nag for ever."""

_TOLD: Final = """
INSERT INTO simulator.notices (notice_id, attempt_id, business_id, subject, reference, due_at, copies)
SELECT news.* FROM new, ROWS FROM (
    unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
    unnest($6::timestamptz[]), unnest($7::integer[])) AS news
"""

_CHARGE_COLUMNS: Final = (
    "attempt_id, reference, business_id, payment_id, type, amount, currency, return_url, outcome, choices,"
    " decide_until, later, later_at, taken_at, scenario, created_at"
)

# $1 is a JSON list of `BankCharge`, $2 one of `SimulatedNotice`. The conflicts come in one order for all statements.
_PLACE: Final = f"""
WITH new AS (
    INSERT INTO simulator.charges ({_CHARGE_COLUMNS})
    SELECT {_CHARGE_COLUMNS} FROM json_to_recordset($1) AS given(
        attempt_id text, reference text, business_id text, payment_id text, type text, amount bigint, currency text,
        return_url text, outcome jsonb, choices jsonb, decide_until timestamptz, later jsonb, later_at timestamptz,
        taken_at timestamptz, scenario jsonb, created_at timestamptz)
    ORDER BY attempt_id
    ON CONFLICT (attempt_id) DO NOTHING
    RETURNING attempt_id
), told AS (
    INSERT INTO simulator.notices (notice_id, attempt_id, business_id, subject, reference, due_at, copies)
    SELECT notice_id, attempt_id, business_id, subject, reference, due_at, copies
    FROM json_to_recordset($2) AS given(
        notice_id text, attempt_id text, business_id text, subject text, reference text, due_at timestamptz,
        copies integer)
    JOIN new USING (attempt_id)
)
SELECT attempt_id FROM new
"""

_CHARGE: Final = f"SELECT {_CHARGE_COLUMNS} FROM simulator.charges WHERE attempt_id = $1 AND outcome IS NOT NULL"

_CHARGE_BEHIND: Final = f"SELECT {_CHARGE_COLUMNS} FROM simulator.charges WHERE reference = $1"

_DECISION: Final = f"""
WITH new AS (
    UPDATE simulator.charges SET outcome = $9, choices = '{{}}', later = $10, later_at = $11, taken_at = $12
    WHERE attempt_id = $8 AND choices <> '{{}}' AND (later_at IS NULL OR later_at > $13)
    RETURNING attempt_id
), outdated AS (
    DELETE FROM simulator.notices n USING new WHERE n.attempt_id = new.attempt_id AND n.sent_at IS NULL
), told AS ({_TOLD})
SELECT true FROM new
"""

_CANCEL: Final = """
INSERT INTO simulator.charges (attempt_id, created_at) VALUES ($1, $2)
ON CONFLICT (attempt_id) DO UPDATE SET attempt_id = excluded.attempt_id WHERE charges.outcome IS NULL
RETURNING true
"""

_REFUND_COLUMNS: Final = "refund_id, attempt_id, amount, outcome, later, later_at, returned_at, created_at"

# The charge has what came back of its refunds again. That is noted when it matters: by the next refund, made at $15.
_GIVE_BACK: Final = f"""
WITH back AS (
    UPDATE simulator.refunds SET is_back = true
    WHERE attempt_id = $9 AND refund_id <> $8 AND returned_at <= $15 AND NOT is_back
    RETURNING amount
), new AS (
    INSERT INTO simulator.refunds ({_REFUND_COLUMNS}, given_at) VALUES ($8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT (refund_id) DO UPDATE
        SET outcome = excluded.outcome, later = excluded.later, later_at = excluded.later_at,
            returned_at = excluded.returned_at, given_at = excluded.given_at
        WHERE refunds.outcome IS NULL
    RETURNING attempt_id, amount, given_at
), change AS (
    SELECT coalesce((SELECT amount FROM new WHERE given_at IS NOT NULL), 0)
        - coalesce((SELECT sum(amount) FROM back), 0)::bigint AS amount
), booked AS (
    UPDATE simulator.charges o SET refunded = o.refunded + change.amount
    FROM change WHERE o.attempt_id = $9 AND change.amount <> 0
), told AS ({_TOLD})
SELECT true FROM new
"""

_LOSE_REFUND: Final = """
INSERT INTO simulator.refunds (refund_id, attempt_id, amount, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING true
"""

_REFUND: Final = f"SELECT {_REFUND_COLUMNS} FROM simulator.refunds WHERE refund_id = $1 AND outcome IS NOT NULL"

_GIVEN_BACK: Final = """
SELECT coalesce(sum(amount), 0)::bigint FROM simulator.refunds
WHERE attempt_id = $1 AND created_at < $2 AND given_at IS NOT NULL AND (returned_at IS NULL OR returned_at > $2)
"""

_CLAIM_NOTICES: Final = """
WITH due AS (
    SELECT notice_id, due_at FROM (SELECT *, 'test' AS mode FROM simulator.notices) n
    WHERE sent_at IS NULL AND due_at <= $1 AND tries < $2 AND {reckoned}
    ORDER BY due_at, notice_id LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE simulator.notices n SET tries = n.tries + 1, due_at = $4 FROM due WHERE n.notice_id = due.notice_id
RETURNING n.notice_id, n.attempt_id, n.business_id, n.subject, n.reference, due.due_at, n.copies
"""

_MARK_SENT: Final = "UPDATE simulator.notices SET sent_at = $2 WHERE notice_id = $1"

_HAS_TOLD: Final = """
SELECT EXISTS (
    SELECT FROM simulator.notices WHERE attempt_id = $1 AND subject = 'attempt' AND sent_at IS NOT NULL)
"""

_PURGE: Final = """
WITH old AS (
    DELETE FROM simulator.charges WHERE attempt_id IN (
        SELECT attempt_id FROM simulator.charges WHERE created_at < $1 ORDER BY created_at LIMIT $2)
    RETURNING true
)
SELECT count(*) FROM old
"""

_TAKEN: Final = """
SELECT attempt_id, payment_id, amount, currency, taken_at FROM simulator.charges
WHERE business_id = $1 AND taken_at <= $2 ORDER BY attempt_id
"""

_MONEY_TAKEN: Final = """
SELECT currency, sum(amount)::bigint AS amount FROM simulator.charges
WHERE business_id = $1 AND taken_at <= $2 GROUP BY currency
"""

_MONEY_GIVEN_BACK: Final = """
SELECT o.currency, sum(r.amount)::bigint AS amount
FROM simulator.refunds r JOIN simulator.charges o USING (attempt_id)
WHERE o.business_id = $1 AND r.given_at <= $2 AND (r.returned_at IS NULL OR r.returned_at > $2) GROUP BY o.currency
"""


class _NewCharge(NamedTuple):
    """A charge with its notices."""

    charge: BankCharge
    notices: list[SimulatedNotice]


_PLACING: Final = Gatherings[_NewCharge, bool](at_most=32, lanes=2)


class SimulatorRecords:
    """The store of the simulator (`processors/simulator/store.py:SimulatorStore`) in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self, charge: BankCharge, notices: list[SimulatedNotice]) -> BankCharge | None:
        """Store a new charge with its notices."""
        new = _NewCharge(charge, notices)
        if await _PLACING.of(self._database).ask(None, new, partial(_place, self._database)):
            return charge
        return await self.charge(charge.attempt_id)

    async def charge(self, attempt_id: str) -> BankCharge | None:
        """Return the charge of an attempt."""
        async with self._database.read() as read:
            return _charge(await read.fetchrow(_CHARGE, attempt_id))

    async def charge_behind(self, reference: str) -> BankCharge | None:
        """Return the charge with this id."""
        async with self._database.read() as read:
            return _charge(await read.fetchrow(_CHARGE_BEHIND, reference))

    async def record_decision(self, charge: BankCharge, notices: list[SimulatedNotice], now: datetime) -> bool:
        """Store what became of a charge that was open."""
        given = (charge.attempt_id, charge.outcome, charge.later, charge.later_at, charge.taken_at, now)
        async with self._database.statement() as tx:
            return await tx.fetchval(_DECISION, *_columns(notices), *given) is not None

    async def cancel(self, attempt_id: str, now: datetime) -> bool:
        """Refuse what may arrive under an attempt id."""
        async with self._database.statement() as tx:
            return await tx.fetchval(_CANCEL, attempt_id, now) is not None

    async def give_back(self, refund: SimulatedRefund, notices: list[SimulatedNotice]) -> SimulatedRefund | None:
        """Store a new refund with its notices."""
        given = [getattr(refund, name) for name in _REFUND_COLUMNS.split(", ")]
        try:
            async with self._database.statement() as tx:
                if await tx.fetchval(_GIVE_BACK, *_columns(notices), *given, refund.given_at):
                    return refund
        except asyncpg.CheckViolationError as error:
            if error.constraint_name != "charges_refunded":
                raise
            return None
        return await self.refund(refund.refund_id)

    async def lose_refund(self, refund: SimulatedRefund) -> bool:
        """Note that the first request of a refund was lost."""
        given = (refund.refund_id, refund.attempt_id, refund.amount, refund.created_at)
        async with self._database.statement() as tx:
            return await tx.fetchval(_LOSE_REFUND, *given) is not None

    async def refund(self, refund_id: str) -> SimulatedRefund | None:
        """Return a refund."""
        async with self._database.read() as read:
            row = await read.fetchrow(_REFUND, refund_id)
        return None if row is None else msgspec.convert(dict(row), SimulatedRefund)

    async def given_back(self, attempt_id: str, at: datetime) -> int:
        """Sum up the refunds of a charge that are in force at a moment."""
        async with self._database.read() as read:
            amount: int = await read.fetchval(_GIVEN_BACK, attempt_id, at)
        return amount

    def now(self, business_id: str, real: datetime) -> datetime:
        """Return the time of a business's test mode, as this process remembers it."""
        return remembered_clocks(self._database).now(business_id, real)

    async def claim_notices(self, reckoning: Reckoning, again: timedelta, limit: int) -> list[SimulatedNotice]:
        """Return notices that are due."""
        query = _CLAIM_NOTICES.format(reckoned=reckoned(reckoning, "n", 5))
        values = (reckoning.now, LARGEST_TRIES, limit, reckoning.now + again, reckoned_value(reckoning))
        async with self._database.statement() as tx:
            rows = await tx.fetch(query, *values)
        notices = [msgspec.convert(dict(row), SimulatedNotice) for row in rows]
        return sorted(notices, key=lambda notice: (notice.due_at, notice.notice_id))

    async def mark_sent(self, notice_id: str, now: datetime) -> None:
        """Note that a notice was sent."""
        async with self._database.statement() as tx:
            await tx.execute(_MARK_SENT, notice_id, now)

    async def has_told(self, attempt_id: str) -> bool:
        """Return whether a notice about a charge was sent."""
        async with self._database.read() as read:
            return bool(await read.fetchval(_HAS_TOLD, attempt_id))

    async def purge(self, before: datetime, limit: int) -> int:
        """Delete old charges."""
        async with self._database.statement() as tx:
            count: int = await tx.fetchval(_PURGE, before, limit)
        return count


class TakenCharge(msgspec.Struct, frozen=True):
    """One charge by which the simulator has taken money."""

    attempt_id: str
    payment_id: str
    amount: int
    """Minor units of `currency`."""
    currency: str
    taken_at: datetime


async def successful_charges(read: Read, tenant: Tenant, now: datetime) -> list[TakenCharge]:
    """Return every charge that the simulator has carried out for a business, whatever we know of it.

    There is one for each attempt at most; two of one payment are money taken twice.
    """
    rows = await read.fetch(_TAKEN, _account(tenant), now)
    return [msgspec.convert(dict(row), TakenCharge) for row in rows]


async def money_taken(read: Read, tenant: Tenant, now: datetime) -> dict[str, int]:
    """Return what the simulator has taken for a business, in minor units by currency."""
    rows = await read.fetch(_MONEY_TAKEN, _account(tenant), now)
    return {row["currency"]: row["amount"] for row in rows}


async def money_given_back(read: Read, tenant: Tenant, now: datetime) -> dict[str, int]:
    """Return what the simulator has given back for a business and still is, in minor units by currency.

    A refund that came back no longer counts.
    """
    rows = await read.fetch(_MONEY_GIVEN_BACK, _account(tenant), now)
    return {row["currency"]: row["amount"] for row in rows}


async def _place(database: Database, new: Sequence[_NewCharge]) -> list[bool]:
    """Store charges in one statement; return of each whether it is the first under its attempt id."""
    firsts = {one.charge.attempt_id: one for one in reversed(new)}
    notices = [notice for one in firsts.values() for notice in one.notices]
    async with database.statement() as tx:
        rows = await tx.fetch(_PLACE, [one.charge for one in firsts.values()], notices)
    placed = [firsts[row["attempt_id"]] for row in rows]
    return [any(one is first for first in placed) for one in new]


def _account(tenant: Tenant) -> str:
    """Return whose account is meant; a live tenant has none, so nothing is found."""
    return tenant.business_id if tenant.mode == "test" else ""


def _columns(notices: Sequence[SimulatedNotice]) -> list[list[Any]]:
    names = ("notice_id", "attempt_id", "business_id", "subject", "reference", "due_at", "copies")
    return [[getattr(notice, name) for notice in notices] for name in names]


def _charge(row: Record | None) -> BankCharge | None:
    return None if row is None else msgspec.convert(dict(row), BankCharge)
