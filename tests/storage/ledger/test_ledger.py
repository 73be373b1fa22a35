"""The books hold by themselves: whatever a program sends, PostgreSQL keeps them balanced, complete and unchanged."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from starlette.types import ASGIApp

from disputing import Disputing, open_dispute
from harness import FakeClock, Merchant
from nicobar.core.ledger.ledger import LedgerEntry, Posting
from nicobar.core.payments.payment import Payment
from nicobar.flows.ledger import read_ledger
from nicobar.flows.ledger.read_ledger import read_ledger as read_lines
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Read, Tx, UniqueViolation
from nicobar.storage.ledger import seller_account
from nicobar.storage.ledger.ledger import entries_of, insert_entry
from nicobar.storage.ledger.ledger_checks import (
    disputes_that_disagree,
    entries_that_disagree,
    marks_that_disagree,
    payments_without_entry,
    refunds_without_entry,
    unbalanced_entries,
)
from nicobar.storage.ledger.seller_account import LineFilters, list_lines, mark_balances
from orders import dump, line, order, paid, place
from selling import refunded, sold
from shop import EXAMPLE_RATES, Shop

MIGRATION = Path(__file__).resolve().parents[3] / "src/nicobar/storage/migrations/0011_ledger.sql"

NO_FILTER = LineFilters()

CHECKS = (
    unbalanced_entries,
    payments_without_entry,
    refunds_without_entry,
    entries_that_disagree,
    disputes_that_disagree,
    marks_that_disagree,
)

COLUMNS: dict[str, Any] = {
    "kind": "payment",
    "turn": 0,
    "currency": "EUR",
    "processor_receivable": 9146,
    "settlement_currency": "USD",
    "gross": 9941,
    "merchant_payable": -8033,
    "tax_payable": -1526,
    "fee_income": -382,
}
"""Example 18 of the contract's page on amounts."""

PLAIN = {
    "currency": "USD",
    "processor_receivable": 2400,
    "gross": 2400,
    "merchant_payable": -2000,
    "tax_payable": -400,
    "fee_income": 0,
}

OUT = {name: -amount if isinstance(amount, int) else amount for name, amount in PLAIN.items()}
"""The same amounts on their way out."""


async def write(connection: Read, payment: Payment, **changes: Any) -> None:
    values = {
        "business_id": payment.business_id,
        "mode": payment.mode,
        "entry_id": "led_1",
        "payment_id": payment.payment_id,
        "reference": payment.payment_id,
        "created_at": payment.created_at,
    }
    values |= COLUMNS | changes
    marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO ledger_entries ({', '.join(values)}) VALUES ({marks})", *values.values())


async def found(read: Read) -> dict[str, list[str]]:
    """Return what the checks find, by their names: the objects."""
    findings = {check.__name__: await check(read) for check in CHECKS}
    return {name: [finding.object_id for finding in rows] for name, rows in findings.items() if rows}


async def test_what_balances_is_taken(runtime: Runtime, merchant: Merchant) -> None:
    first, second = [await place(runtime, order(runtime, merchant.tenant)) for _ in range(2)]
    async with runtime.database.read() as connection:
        await write(connection, first)
        await write(connection, second, entry_id="led_2", **PLAIN)
        assert await unbalanced_entries(connection) == []


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("balance", {"gross": 9942}),
        ("balance", {"merchant_payable": -8034}),
        ("balance", {"tax_payable": 0}),
        ("balance", {"fee_income": 0}),
        ("balance", PLAIN | {"merchant_payable": -2001}),
        ("balance", PLAIN | {"processor_receivable": 2401}),
        ("balance", PLAIN | {"gross": 2401, "fee_income": -1}),
        ("kind", PLAIN | {"kind": "gift"}),
        ("kind", PLAIN | {"reference": "pay_2"}),
        ("kind", PLAIN | {"turn": 1}),
        ("kind", PLAIN | {"kind": "refund", "reference": "ref_1"}),
        ("kind", PLAIN | {"kind": "refund_reversal"}),
        ("kind", PLAIN | {"kind": "refund_reversal", "reference": "ref_1", "turn": 1}),
        ("kind", OUT | {"kind": "refund_reversal", "reference": "ref_1"}),
        ("kind", PLAIN | {"kind": "dispute", "reference": "dp_1"}),
        ("kind", PLAIN | dict.fromkeys(("processor_receivable", "gross", "merchant_payable", "tax_payable"), 0)),
        ("kind", OUT),
    ],
)
async def test_postgresql_refuses_what_does_not_balance(
    runtime: Runtime, merchant: Merchant, constraint: str, changes: dict[str, Any]
) -> None:
    payment = await place(runtime, order(runtime, merchant.tenant))
    before = await dump(runtime)
    async with runtime.database.read() as connection:
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await write(connection, payment, **changes)
    assert constraint in str(refusal.value.constraint_name)
    assert await dump(runtime) == before


async def test_an_entry_is_about_a_payment_that_exists(runtime: Runtime, merchant: Merchant) -> None:
    payment = order(runtime, merchant.tenant)
    async with runtime.database.read() as connection:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await write(connection, payment)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET created_at = now()",
        "UPDATE ledger_entries SET merchant_payable = merchant_payable - 1, tax_payable = tax_payable + 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries CASCADE",
    ],
)
async def test_what_is_written_stays(runtime: Runtime, merchant: Merchant, statement: str) -> None:
    await sold(runtime, order(runtime, merchant.tenant))
    before = await dump(runtime)
    async with runtime.database.read() as connection:
        with pytest.raises(asyncpg.RestrictViolationError, match="rows of ledger_entries are kept as they are"):
            await connection.execute(statement)
    assert await dump(runtime) == before


async def test_nothing_is_booked_twice(runtime: Runtime, merchant: Merchant) -> None:
    payment = await sold(runtime, order(runtime, merchant.tenant))
    before = await dump(runtime)
    with pytest.raises(UniqueViolation, match="ledger_entries_once"):
        async with runtime.database.transaction() as tx:
            await write(tx, payment, **PLAIN)
    assert await dump(runtime) == before


async def test_entries_come_back_as_they_went_in(runtime: Runtime, merchant: Merchant) -> None:
    payment = await place(runtime, order(runtime, merchant.tenant))
    entry = LedgerEntry(
        entry_id="led_1",
        kind="dispute",
        payment_id=payment.payment_id,
        reference="dp_1",
        turn=3,
        created_at=runtime.clock.now(),
        currency="CAD",
        settlement_currency="USD",
        postings=(
            Posting("processor_receivable", "CAD", -14_248),
            Posting("conversion_clearing", "CAD", 14_248),
            Posting("conversion_clearing", "USD", -10_400),
            Posting("merchant_payable", "USD", 9000),
            Posting("tax_payable", "USD", 1000),
            Posting("fee_income", "USD", 400),
        ),
    )
    async with runtime.database.transaction() as tx:
        await insert_entry(tx, merchant.tenant, entry)
    async with runtime.database.read() as read:
        assert await entries_of(read, merchant.tenant, payment.payment_id) == [entry]
        assert await entries_of(read, merchant.live_tenant, payment.payment_id) == []


async def test_payments_from_before_the_books_are_booked_by_the_migration(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant
) -> None:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo")
    await shop.rates(EXAMPLE_RATES)
    product = await shop.product(9999, tax_category="saas")
    for country, currency in (("US", "USD"), ("CA", "CAD"), ("DE", "EUR"), ("JP", "JPY")):
        await shop.purchase(product, country=country, billing_currency=currency)
    await sold(runtime, order(runtime, merchant.tenant, [line(subtotal=1000, discount=1000, tax=0)]))
    backfill = MIGRATION.read_text().partition("INSERT INTO ledger_entries")
    statement = backfill[1] + backfill[2].partition(";")[0]
    columns = ", ".join(["reference", "created_at", *COLUMNS])
    booked = f"SELECT {columns} FROM ledger_entries ORDER BY reference"
    async with runtime.database.read() as connection:
        by_the_flow = await connection.fetch(booked)
        assert len(by_the_flow) == 4
        await connection.execute(
            "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM ledger_entries; COMMIT"
        )
        await connection.execute(statement)
        assert await connection.fetch(booked) == by_the_flow


async def broken(tx: Tx, statement: str) -> dict[str, list[str]]:
    """Return what the checks find after a change that the guards would have refused."""
    await tx.execute("ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_balance")
    await tx.execute("SET LOCAL session_replication_role = replica")
    await tx.execute(statement)
    return await found(tx)


class RolledBack(Exception):
    """Ends a transaction that must leave nothing behind."""


@pytest.mark.parametrize(
    ("statement", "findings"),
    [
        ("SELECT 1", {}),
        (
            "UPDATE ledger_entries SET fee_income = 1",
            {"unbalanced_entries": ["entry"]},
        ),
        ("DELETE FROM ledger_entries", {"payments_without_entry": ["payment"]}),
        (
            "UPDATE ledger_entries SET merchant_payable = merchant_payable - 1, tax_payable = tax_payable + 1",
            {"entries_that_disagree": ["entry"]},
        ),
        (
            "UPDATE ledger_entries SET processor_receivable = 2401, gross = 2401, merchant_payable = -2001",
            {"entries_that_disagree": ["entry"]},
        ),
        ("UPDATE payments SET status = 'cancelled'", {"entries_that_disagree": ["entry"]}),
        ("UPDATE payments SET settlement_tax = 399", {"entries_that_disagree": ["entry"]}),
        (
            "UPDATE ledger_entries SET kind = 'refund', reference = 'ref_1', processor_receivable = -2400,"
            " gross = -2400, merchant_payable = 2000, tax_payable = 400",
            {"payments_without_entry": ["payment"], "entries_that_disagree": ["entry"]},
        ),
        (
            "UPDATE ledger_entries SET kind = 'dispute', reference = 'dp_1', processor_receivable = -2400,"
            " gross = -2400, merchant_payable = 2000, tax_payable = 400",
            {"payments_without_entry": ["payment"], "disputes_that_disagree": ["dp_1"]},
        ),
        (
            "INSERT INTO ledger_marks SELECT business_id, mode, 'USD', entry_id, 1999 FROM ledger_entries",
            {"marks_that_disagree": ["entry"]},
        ),
        ("INSERT INTO ledger_marks SELECT business_id, mode, 'USD', entry_id, 2000 FROM ledger_entries", {}),
    ],
)
async def test_the_checks_find_what_is_wrong(
    runtime: Runtime, merchant: Merchant, statement: str, findings: dict[str, list[str]]
) -> None:
    payment = await sold(runtime, order(runtime, merchant.tenant, settlement_tax=400))
    async with runtime.database.read() as read:
        (entry,) = await entries_of(read, merchant.tenant, payment.payment_id)
    names = {"entry": entry.entry_id, "payment": payment.payment_id}
    with pytest.raises(RolledBack):
        async with runtime.database.transaction() as tx:
            seen = await broken(tx, statement)
            raise RolledBack
    assert seen == {check: [names.get(name, name) for name in named] for check, named in findings.items()}


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("fee_income = -3", "USD is off by -3"),
        ("processor_receivable = 2407", "USD is off by 7"),
        ("currency = 'EUR', tax_payable = tax_payable + 5", "USD is off by 5"),
    ],
)
async def test_an_unbalanced_entry_is_told_with_its_difference(
    runtime: Runtime, merchant: Merchant, change: str, detail: str
) -> None:
    await sold(runtime, order(runtime, merchant.tenant))
    with pytest.raises(RolledBack):
        async with runtime.database.transaction() as tx:
            await broken(tx, f"UPDATE ledger_entries SET {change}")
            (finding,) = await unbalanced_entries(tx)
            by_the_view = await tx.fetch(
                "SELECT currency, sum(debit - credit) AS off FROM ledger_postings GROUP BY currency, entry_id"
            )
            raise RolledBack
    assert finding.detail == detail
    assert detail in [f"{row['currency']} is off by {row['off']}" for row in by_the_view]


async def test_marks_give_the_same_balances_with_less_to_add_up(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seller_account, "MARK_EVERY", 4)
    for number in range(1, 23):
        clock.advance(seconds=1)
        payment = await sold(runtime, order(runtime, merchant.tenant, [line(subtotal=100 * number, tax=0)]))
        if number % 7 == 0:
            clock.advance(seconds=1)
            await refunded(runtime, payment, 50, 0)
    tenant = merchant.tenant
    queries = [LineFilters(event_type=kind) for kind in (None, "payment", "refund")]
    async with runtime.database.read() as read:
        plain = [await list_lines(read, tenant, query, 100, 0) for query in queries]
    assert [line.after for line in plain[2].lines] == [22_950, 10_400, 2750]
    assert plain[0].unmarked == {"USD": 25}
    # The last eight entries are too young to be remembered; a second call finds nothing more.
    young = clock.now() - timedelta(seconds=7)
    for _ in range(2):
        async with runtime.database.transaction() as tx:
            await mark_balances(tx, tenant, "USD", young)
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM ledger_marks") == 4
        assert await marks_that_disagree(read) == []
        again = [await list_lines(read, tenant, query, 100, 0) for query in queries]
        newest = await list_lines(read, tenant, NO_FILTER, 3, 0)
    assert [page.lines for page in again] == [page.lines for page in plain]
    assert newest.lines == plain[0].lines[:3]
    assert newest.unmarked == {"USD": 9}


async def test_reading_a_long_account_leaves_marks(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seller_account, "MARK_EVERY", 2)
    monkeypatch.setattr(read_ledger, "LONG", 4)
    for _ in range(5):
        await sold(runtime, order(runtime, merchant.tenant))
        clock.advance(seconds=1)
    marks = "SELECT count(*) FROM ledger_marks"
    async with runtime.database.read() as read:
        first = await read_lines(runtime, merchant.tenant, NO_FILTER, 1, 0)
        assert await read.fetchval(marks) == 0  # none is ten minutes old
        clock.advance(minutes=10)
        assert await read_lines(runtime, merchant.tenant, NO_FILTER, 1, 0) == first
        assert await read.fetchval(marks) == 2
        assert await read_lines(runtime, merchant.tenant, NO_FILTER, 1, 0) == first


async def test_a_dispute_is_compared_with_what_the_books_hold(runtime: Runtime, merchant: Merchant) -> None:
    processor = Disputing(runtime)
    payment = await paid(runtime, merchant.tenant)
    dispute = await open_dispute(runtime, processor, payment)
    async with runtime.database.read() as read:
        assert await found(read) == {}
    with pytest.raises(RolledBack):
        async with runtime.database.transaction() as tx:
            await tx.execute("SET LOCAL session_replication_role = replica")
            await tx.execute("DELETE FROM ledger_entries WHERE kind = 'dispute'")
            (missing,) = await disputes_that_disagree(tx)
            await tx.execute("UPDATE payments SET status = 'cancelled'")
            await tx.execute("DELETE FROM ledger_entries")
            unbooked = await found(tx)
            raise RolledBack
    assert missing.object_id == dispute.dispute_id
    assert missing.detail == "0 is booked as taken away, and it should be 2400"
    assert unbooked == {}  # the charge did not pay its payment, so it never was in the books
