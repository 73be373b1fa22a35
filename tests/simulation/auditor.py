"""The independent auditor: it judges by tables read with plain SQL, by what clients were told, and by its own rules.

Nothing of the program takes part in its judgement. It has its own copy of the contract's table of moves, and watches
every move with triggers of its own, so that even one that is undone by the next is seen.
"""

import asyncio
import hashlib
import json
from datetime import datetime
from typing import Any

import asyncpg

from simulation.expected_books import Sums, expected_sums
from simulation.town import Journal

MOVES = {
    "payments": {
        "requires_payment_method": ("processing", "succeeded", "cancelled"),
        "processing": ("requires_customer_action", "succeeded", "failed", "requires_payment_method"),
        "requires_customer_action": ("processing", "succeeded", "failed", "requires_payment_method"),
        "failed": ("processing", "succeeded"),
    },
    "refunds": {"pending": ("succeeded", "failed"), "succeeded": ("failed",)},
    "disputes": {
        "dispute_opened": (
            "dispute_expired",
            "dispute_accepted",
            "dispute_cancelled",
            "dispute_challenged",
            "dispute_won",
            "dispute_lost",
        ),
        "dispute_challenged": ("dispute_cancelled", "dispute_won", "dispute_lost"),
        "dispute_won": ("dispute_lost",),
        "dispute_lost": ("dispute_won",),
    },
}
"""What may follow what."""

EVENTS = {
    "payment.succeeded": ("payments", "succeeded"),
    "payment.failed": ("payments", "failed"),
    "payment.cancelled": ("payments", "cancelled"),
    "refund.succeeded": ("refunds", "succeeded"),
    "refund.failed": ("refunds", "failed"),
    "dispute.opened": ("disputes", "dispute_opened"),
    "dispute.cancelled": ("disputes", "dispute_cancelled"),
    "dispute.won": ("disputes", "dispute_won"),
    "dispute.lost": ("disputes", "dispute_lost"),
}
"""Which event tells of a move to which status."""

_WATCH = """
CREATE SCHEMA auditor;
CREATE TABLE auditor.moves (
    number bigserial, business_id text, mode text, kind text, id text, origin text, target text);
CREATE FUNCTION auditor.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO auditor.moves (business_id, mode, kind, id, origin, target) VALUES (
        NEW.business_id, NEW.mode, TG_TABLE_NAME, to_jsonb(NEW) ->> TG_ARGV[0],
        CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status);
    RETURN NULL;
END $$;
CREATE TRIGGER audited_move AFTER UPDATE OF status ON payments
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION auditor.note('payment_id');
CREATE TRIGGER audited_move AFTER UPDATE OF status ON refunds
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION auditor.note('refund_id');
CREATE TRIGGER audited_move AFTER UPDATE OF status ON disputes
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION auditor.note('dispute_id');
CREATE TRIGGER audited_birth AFTER INSERT ON disputes FOR EACH ROW EXECUTE FUNCTION auditor.note('dispute_id');
"""

_UNWATCH = """
DROP TRIGGER IF EXISTS audited_move ON payments;
DROP TRIGGER IF EXISTS audited_move ON refunds;
DROP TRIGGER IF EXISTS audited_move ON disputes;
DROP TRIGGER IF EXISTS audited_birth ON disputes;
DROP SCHEMA IF EXISTS auditor CASCADE;
"""

# Each finds rows that must not be. $1 is the present moment of the simulation.
ALWAYS = {
    "a payment was charged twice": """
        SELECT payment_id FROM simulator.charges WHERE taken_at <= $1 GROUP BY payment_id HAVING count(*) > 1""",
    "a succeeded payment has not exactly one charge of its amount": """
        SELECT p.payment_id, p.total_amount FROM payments p
        WHERE p.status = 'succeeded' AND p.total_amount > 0 AND 1 <> (
            SELECT count(*) FROM simulator.charges o
            WHERE (o.business_id, o.payment_id) = (p.business_id, p.payment_id) AND o.taken_at <= $1
              AND (o.amount, o.currency) = (p.total_amount, p.currency) AND p.mode = 'test')""",
    "refunds take more of a payment than was paid, or are counted wrongly": """
        SELECT p.payment_id, p.total_amount, p.refund_reserved_amount, p.refund_succeeded_amount, r.held, r.returned
        FROM payments p LEFT JOIN (
            SELECT business_id, mode, payment_id, sum(amount) FILTER (WHERE status <> 'failed') AS held,
                   sum(amount) FILTER (WHERE status = 'succeeded') AS returned
            FROM refunds GROUP BY 1, 2, 3) r USING (business_id, mode, payment_id)
        WHERE coalesce(r.held, 0) > p.total_amount OR coalesce(r.held, 0) <> p.refund_reserved_amount
           OR coalesce(r.returned, 0) <> p.refund_succeeded_amount OR (r.held > 0 AND p.status <> 'succeeded')""",
    "refunds take more of a line than it has, or are counted wrongly": """
        SELECT l.payment_id, l.position, l.total, l.refund_reserved_amount, r.amount, r.tax
        FROM payment_lines l LEFT JOIN (
            SELECT business_id, mode, payment_id, position, sum(n.amount) AS amount, sum(n.tax) AS tax
            FROM refund_lines n JOIN refunds r USING (business_id, mode, refund_id, payment_id)
            WHERE r.status <> 'failed' GROUP BY 1, 2, 3, 4) r USING (business_id, mode, payment_id, position)
        WHERE coalesce(r.amount, 0) > l.total OR coalesce(r.tax, 0) > l.tax
           OR coalesce(r.amount, 0) <> l.refund_reserved_amount OR coalesce(r.tax, 0) <> l.refund_reserved_tax""",
    "a refund is not the sum of its lines": """
        SELECT refund_id FROM refunds r WHERE (amount, tax, settlement_amount, settlement_tax) <> (
            SELECT sum(l.amount), sum(l.tax), sum(l.settlement_amount), sum(l.settlement_tax)
            FROM refund_lines l WHERE (l.business_id, l.mode, l.refund_id) = (r.business_id, r.mode, r.refund_id))""",
    "the bank gave more back than it took": """
        SELECT o.attempt_id FROM simulator.charges o WHERE o.amount < (
            SELECT sum(r.amount) FROM simulator.refunds r WHERE r.attempt_id = o.attempt_id AND r.given_at <= $1
              AND (r.returned_at IS NULL OR r.returned_at > $1))""",
    "an order at the bank is not of a payment's seller": """
        SELECT o.attempt_id FROM simulator.charges o WHERE o.outcome IS NOT NULL AND NOT EXISTS (
            SELECT FROM attempts a JOIN payments p USING (business_id, mode, payment_id)
            WHERE (a.attempt_id, p.payment_id, p.business_id, p.mode)
                = (o.attempt_id, o.payment_id, o.business_id, 'test'))""",
    "a payment under way has not exactly one live attempt, or another has one": """
        SELECT p.payment_id, p.status FROM payments p
        WHERE (p.status IN ('processing', 'requires_customer_action'))::integer <> (
            SELECT count(*) FROM attempts a
            WHERE (a.business_id, a.mode, a.payment_id) = (p.business_id, p.mode, p.payment_id)
              AND a.resolved_at IS NULL)""",
    "a discount's counters are not its uses": """
        SELECT d.code, d.times_used, d.times_reserved FROM discounts d WHERE (d.times_used, d.times_reserved) <> (
            SELECT count(*) FILTER (WHERE r.state = 'redeemed'), count(*) FILTER (WHERE r.state = 'reserved')
            FROM discount_redemptions r
            WHERE (r.business_id, r.mode, r.discount_id) = (d.business_id, d.mode, d.discount_id))
           OR (NOT d.over_limit AND d.times_used + d.times_reserved > d.usage_limit)""",
    "a code's use is counted for a payment that did not succeed, or not counted for one that did": """
        SELECT r.payment_id, r.state, p.status FROM discount_redemptions r
        JOIN payments p USING (business_id, mode, payment_id)
        WHERE (r.state = 'redeemed') <> (p.status = 'succeeded')""",
    "an event tells of another object than it names, or of another status": """
        SELECT event_id, type, object_id FROM events e
        WHERE payload ->> 'business_id' <> business_id OR payload ->> 'type' <> type OR object_id <> coalesce(
            CASE split_part(type, '.', 1) WHEN 'refund' THEN payload #>> '{data,refund_id}'
                WHEN 'dispute' THEN payload #>> '{data,dispute_id}' ELSE payload #>> '{data,payment_id}' END, '')
           OR split_part(type, '.', 2)
              <> replace(coalesce(payload #>> '{data,status}', payload #>> '{data,dispute_status}', ''),
                         'dispute_', '')""",
    "an entry of the ledger does not balance": """
        SELECT entry_id FROM ledger_entries
        WHERE merchant_payable + tax_payable + fee_income + reversal_loss
              <> -CASE WHEN currency = settlement_currency THEN processor_receivable ELSE gross END""",
    "more was given back on an account of a payment than was booked": """
        SELECT payment_id, sum(tax_payable) AS tax, sum(fee_income) AS fee, sum(merchant_payable) AS seller
        FROM ledger_entries GROUP BY business_id, mode, payment_id
        HAVING sum(tax_payable) > 0 OR sum(merchant_payable) > 0 OR sum(fee_income) > 0 OR sum(reversal_loss) < 0
            OR sum(tax_payable) < min(tax_payable) FILTER (WHERE kind = 'payment')
            OR sum(merchant_payable) < min(merchant_payable) FILTER (WHERE kind = 'payment')
            OR sum(fee_income) < min(fee_income) FILTER (WHERE kind = 'payment')""",
    "something happened to a payment that cannot be paid": """
        SELECT payment_id FROM payments WHERE mode = 'live' AND total_amount > 0
          AND status NOT IN ('requires_payment_method', 'cancelled')""",
}

WHEN_QUIET = {
    "the bank took money for a payment that did not succeed": """
        SELECT o.payment_id, p.status FROM simulator.charges o JOIN payments p USING (business_id, payment_id)
        WHERE o.taken_at <= $1 AND p.status <> 'succeeded'""",
    "an attempt is in doubt for ever": "SELECT attempt_id, outcome FROM attempts WHERE resolved_at IS NULL",
    "a refund is pending for ever": "SELECT refund_id, outcome FROM refunds WHERE status = 'pending'",
    "a refund at the bank ended otherwise than ours": """
        SELECT r.refund_id, r.status, r.amount, b.amount AS given FROM refunds r
        FULL JOIN (
            SELECT * FROM simulator.refunds WHERE given_at <= $1 AND (returned_at IS NULL OR returned_at > $1)
        ) b USING (refund_id)
        WHERE (r.status IS NOT DISTINCT FROM 'succeeded') <> (b.refund_id IS NOT NULL)
           OR b.amount <> r.amount""",
    "a dispute that the bank tells of is not known": """
        SELECT o.payment_id FROM simulator.charges o CROSS JOIN LATERAL (
            SELECT coalesce(sum(r.amount), 0) AS amount FROM simulator.refunds r
            WHERE r.attempt_id = o.attempt_id AND r.given_at IS NOT NULL
              AND r.created_at < o.taken_at + (o.scenario ->> 'dispute_after')::interval
              AND (r.returned_at IS NULL OR r.returned_at > o.taken_at + (o.scenario ->> 'dispute_after')::interval)
        ) AS back
        WHERE o.taken_at + (o.scenario ->> 'dispute_after')::interval <= $1
          AND o.scenario ->> 'notices' IS DISTINCT FROM 'lost'
          AND o.amount > back.amount
          AND NOT EXISTS (
            SELECT FROM disputes d WHERE (d.attempt_id, d.amount) = (o.attempt_id, o.amount - back.amount))""",
    "a link has expired and its payment waits": """
        SELECT payment_id FROM payments WHERE status = 'requires_payment_method' AND expires_on <= $1""",
    "a code is held by a payment that nobody can pay": """
        SELECT r.payment_id FROM discount_redemptions r JOIN payments p USING (business_id, mode, payment_id)
        WHERE r.state = 'reserved' AND p.expires_on <= $1""",
    "a notice was not handled": "SELECT notice_id FROM notices WHERE handled_at IS NULL",
    "a surplus charge was not given back": """
        SELECT attempt_id, payment_id FROM attempts WHERE is_surplus AND returned_at IS NULL""",
    "work is left that is done": """
        SELECT notice_id FROM notices WHERE handled_at IS NOT NULL AND due_at IS NOT NULL
        UNION ALL SELECT attempt_id FROM attempts WHERE return_due_at IS NOT NULL AND returned_at IS NOT NULL""",
}

_WRONG_MOVES = """
SELECT kind, id, origin, target FROM auditor.moves
WHERE origin IS NOT NULL AND NOT EXISTS (
    SELECT FROM jsonb_array_elements_text($1::jsonb -> kind -> origin) AS allowed (target)
    WHERE allowed.target = moves.target)
"""

_TOLD_WRONGLY = """
SELECT m.id, m.target, m.number AS moved, count(e.event_id) AS told
FROM (SELECT business_id, mode, kind, id, target, count(*) AS number FROM auditor.moves GROUP BY 1, 2, 3, 4, 5) m
LEFT JOIN events e ON (e.business_id, e.mode, e.object_id, e.type) = (m.business_id, m.mode, m.id, $3)
WHERE (m.kind, m.target) = ($1, $2) GROUP BY m.id, m.target, m.number HAVING count(e.event_id) <> m.number
UNION ALL
SELECT e.object_id, e.type, 0, count(*) FROM events e
WHERE e.type = $3 AND NOT EXISTS (SELECT FROM auditor.moves m WHERE (m.kind, m.id, m.target) = ($1, e.object_id, $2))
GROUP BY 1, 2
"""

_BANK = """
SELECT business_id, currency, sum(amount)::bigint AS amount FROM (
    SELECT business_id, currency, amount FROM simulator.charges WHERE taken_at <= $1
    UNION ALL
    SELECT o.business_id, o.currency, -r.amount FROM simulator.refunds r JOIN simulator.charges o USING (attempt_id)
    WHERE r.given_at <= $1 AND (r.returned_at IS NULL OR r.returned_at > $1)) AS moved
GROUP BY 1, 2
"""

_OURS = """
SELECT business_id, currency, sum(amount)::bigint AS amount FROM (
    SELECT business_id, currency, total_amount AS amount FROM payments WHERE status = 'succeeded' AND total_amount > 0
    UNION ALL
    SELECT business_id, currency, -amount FROM refunds WHERE status = 'succeeded') AS moved
GROUP BY 1, 2
"""


_UNDER_WAY = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state = 'active'
"""


class Auditor:
    """One auditor with a connection of its own."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    @classmethod
    async def begin(cls, dsn: str) -> "Auditor":
        """Begin to watch an empty database."""
        connection = await asyncpg.connect(dsn)
        await connection.execute(_UNWATCH + _WATCH)
        return cls(connection)

    async def end(self) -> None:
        """Leave the database as it was."""
        await self._connection.execute(_UNWATCH)
        await self._connection.close()

    async def findings(self, journal: Journal, now: datetime, *, quiet: bool) -> list[str]:
        """Return what is wrong; `quiet` says that everything should have come to its end."""
        found = [*journal.wrong, *await self._told(journal)]
        for what, query in (ALWAYS | (WHEN_QUIET if quiet else {})).items():
            rows = await self._connection.fetch(query, *([now] if "$1" in query else []))
            found += [f"{what}: {dict(row)}" for row in rows]
        for row in await self._connection.fetch(_WRONG_MOVES, json.dumps(MOVES)):
            found.append(f"a move that the contract does not have: {dict(row)}")
        for event, (kind, status) in EVENTS.items():
            for row in await self._connection.fetch(_TOLD_WRONGLY, kind, status, event):
                found.append(f"{event} was told another number of times than it happened: {dict(row)}")
        booked, expected = await self._booked(), await expected_sums(self._connection)
        if booked != expected:
            wrong = {key: (booked.get(key), expected.get(key)) for key in booked.keys() | expected.keys()}
            found += [f"{key}: {b} is booked, {e} expected" for key, (b, e) in wrong.items() if b != e]
        if quiet:
            bank, ours = [await self._connection.fetch(query, *more) for query, more in ((_BANK, [now]), (_OURS, []))]
            held = [{tuple(row)[:2]: row["amount"] for row in rows if row["amount"]} for rows in (bank, ours)]
            found += [] if held[0] == held[1] else [f"the bank holds {held[0]}, and we think {held[1]}"]
        return found

    async def findings_after(self, forgery: str, journal: Journal, now: datetime) -> list[str]:
        """Return what would be wrong after a change of the tables by hand, which is undone."""
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            await self._connection.execute("ALTER TABLE payments ENABLE ALWAYS TRIGGER audited_move")
            await self._connection.execute("ALTER TABLE refunds ENABLE ALWAYS TRIGGER audited_move")
            await self._connection.execute("SET LOCAL session_replication_role = replica")
            assert int((await self._connection.execute(forgery)).split()[-1]) > 0, f"nothing to forge: {forgery}"
            return await self.findings(journal, now, quiet=True)
        finally:
            await transaction.rollback()

    async def _told(self, journal: Journal) -> list[str]:
        """Compare what clients were told with what is stored."""
        rows = await self._connection.fetch("SELECT payment_id, business_id, mode, total_amount FROM payments")
        payments = {row["payment_id"]: row for row in rows}
        found = []
        for payment_id, told in journal.payments.items():
            row = payments.get(payment_id)
            if row is None or (row["business_id"], row["mode"]) != (
                told.seller.tenant.business_id,
                told.seller.tenant.mode,
            ):
                found.append(f"{payment_id} was answered and is not there")
            elif not told.may_cost(row["total_amount"]):
                found.append(f"{payment_id} was told to cost {told.total} and costs {row['total_amount']}")
        rows = await self._connection.fetch("SELECT refund_id, payment_id, amount FROM refunds")
        refunds = {row["refund_id"]: (row["payment_id"], row["amount"]) for row in rows}
        found += [
            f"{refund_id} was answered with {told}, and is {refunds.get(refund_id)}"
            for refund_id, told in journal.refunds.items()
            if refunds.get(refund_id) != told
        ]
        return found

    async def _booked(self) -> Sums:
        """Sum the ledger up by tenant, account and currency."""
        sums: Sums = {}
        for row in await self._connection.fetch("SELECT * FROM ledger_entries"):
            tenant, charge, settlement = (row["business_id"], row["mode"]), row["currency"], row["settlement_currency"]
            postings = [
                ("processor_receivable", charge, row["processor_receivable"]),
                ("merchant_payable", settlement, row["merchant_payable"]),
                ("tax_payable", settlement, row["tax_payable"]),
                ("fee_income", settlement, row["fee_income"]),
                ("reversal_loss", settlement, row["reversal_loss"]),
            ]
            if charge != settlement:  # what is taken in at one end of the clearing is given out at the other
                postings.append(("conversion_clearing", charge, -row["processor_receivable"]))
                postings.append(("conversion_clearing", settlement, row["gross"]))
            for account, currency, amount in postings:
                key = (*tenant, account, currency)
                sums[key] = sums.get(key, 0) + amount
        return {key: amount for key, amount in sums.items() if amount}

    async def busy(self, now: datetime) -> bool:
        """Return whether anything can still come to an end by itself."""
        query = """
            SELECT EXISTS (SELECT FROM attempts WHERE resolved_at IS NULL)
                OR EXISTS (SELECT FROM refunds WHERE status = 'pending')
                OR EXISTS (SELECT FROM notices WHERE handled_at IS NULL)
                OR EXISTS (SELECT FROM attempts WHERE is_surplus AND returned_at IS NULL)
                OR EXISTS (SELECT FROM simulator.notices WHERE sent_at IS NULL AND tries < 10)
                OR EXISTS (SELECT FROM payments WHERE status = 'requires_payment_method' AND expires_on <= $1)
                OR EXISTS (SELECT FROM discount_redemptions r JOIN payments p USING (business_id, mode, payment_id)
                           WHERE r.state = 'reserved' AND p.expires_on <= $1)"""
        return bool(await self._connection.fetchval(query, now))

    async def census(self) -> dict[str, int]:
        """Count what came of everything, to be told at the end of the runs."""
        rows = await self._connection.fetch(
            "SELECT kind || ' ' || target AS what, count(*) AS number FROM auditor.moves GROUP BY 1"
            " UNION ALL SELECT 'paid by ' || payment_method_type, count(*) FROM payments"
            " WHERE status = 'succeeded' AND payment_method_type IS NOT NULL GROUP BY 1"
            " UNION ALL SELECT 'converted', count(*) FROM payments"
            " WHERE status = 'succeeded' AND currency <> settlement_currency"
        )
        return {row["what"]: row["number"] for row in rows}

    async def digest(self) -> dict[str, str]:
        """Return a digest of the rows of each table.

        A COMMIT whose connection was broken on purpose may still be under way in PostgreSQL: it is waited for.
        """
        async with asyncio.timeout(60):
            while await self._connection.fetchval(_UNDER_WAY):
                await asyncio.sleep(0.002)
        tables = await self._connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname IN ('public', 'simulator') AND tablename <> 'schema_migrations' ORDER BY 1"
        )
        digests: dict[str, str] = {}
        for table in tables:
            rows: list[Any] = await self._connection.fetch(f"SELECT t::text AS row FROM {table['name']} t")
            text = "\n".join(sorted(row["row"] for row in rows))
            digests[table["name"]] = hashlib.sha256(text.encode()).hexdigest()
        return digests
