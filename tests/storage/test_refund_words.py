"""The upgrade to the columns of reserved and succeeded refunds, from a state that the version before has stored."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from harness import Databases, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment
from nicobar.core.refunds.refund import RefundSucceeded
from nicobar.core.refunds.refund_plan import refundable_lines
from nicobar.flows.pricing.load_settled_lines import load_settled_lines
from nicobar.storage.database import Database
from nicobar.storage.migrate import migrate
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.refunds.refund_audit import refund_differences
from nicobar.storage.refunds.refunds import get_refund, move_refund
from storage.older import left_before

DUMPS = Path(__file__).parent / "dumps"
TENANT = Tenant("bus_OngtHP67H9lcLvQujx1nW", "test")
HALF, WHOLE = "pay_OngtHP6JPrarNBtvFOInu", "pay_OngtW2b6zDPg7_ncFijUv"
PENDING = "ref_OngtW2bp2Txl-JHgYEX-b"
STATEMENTS = dict(
    re.findall(r"^-- (\w+)\n(.*?);$", (DUMPS / "0023_refund_statements.sql").read_text(), re.DOTALL | re.MULTILINE)
)


@pytest_asyncio.fixture
async def of_before(databases: Databases) -> AsyncIterator[Database]:
    """A database as the program before `refund_words` has left it, with a pending refund."""
    async with left_before(databases, "refund_words") as database:
        async with database.read() as read:
            await read.execute("SET session_replication_role = replica")
            await read.execute((DUMPS / "0023_refunds.sql").read_text(encoding="utf-8"))
            await read.execute("RESET session_replication_role")
        yield database


async def stored(database: Database, payment_id: str) -> Payment:
    async with database.read() as read:
        payment = await get_payment(read, TENANT, payment_id)
    assert payment is not None
    return payment


async def test_what_refunds_take_is_carried_over(of_before: Database, clock: FakeClock) -> None:
    database = of_before
    assert "refund_words" in [migration.name for migration in await migrate(database)]
    half, whole = await stored(database, HALF), await stored(database, WHOLE)
    assert (half.refund_reserved_amount, half.refund_succeeded_amount, half.refund_status) == (1900, 1000, "partial")
    assert (whole.refund_reserved_amount, whole.refund_succeeded_amount, whole.refund_status) == (2400, 2400, "full")
    (line,) = half.lines
    assert (line.refund_reserved_amount, line.refund_reserved_tax) == (1900, 317)
    assert (line.refund_reserved_settlement_amount, line.refund_reserved_settlement_tax) == (1900, 317)
    async with database.read() as read:
        left = [one.paid.left for one in refundable_lines(half, await load_settled_lines(read, half), [])]
        assert (left, await refund_differences(read)) == ([500], [])
        pending = await get_refund(read, TENANT, PENDING)
        untouched = await read.fetch(
            "SELECT refund_reserved_amount, refund_reserved_settlement_amount, refund_succeeded_amount FROM payments"
            " WHERE payment_id <> ALL($1)",
            [HALF, WHOLE],
        )
    assert [tuple(row) for row in untouched] == [(0, 0, 0)]
    assert pending is not None
    async with database.transaction() as tx:  # the refund that was pending during the upgrade ends after it
        await move_refund(tx, TENANT, pending, "succeeded", RefundSucceeded("re_2"), clock.now(), clock.now())
    half = await stored(database, HALF)
    assert (half.refund_reserved_amount, half.refund_succeeded_amount) == (1900, 1900)


async def test_a_process_of_the_version_before_neither_reads_nor_refunds(of_before: Database) -> None:
    """Its statements, prepared before the upgrade and not, fail as a whole."""

    async def refunds() -> list[Any]:
        async with of_before.read() as read:
            return await read.fetch("SELECT refund_id, status, amount, outcome FROM refunds ORDER BY refund_id")

    assert list(STATEMENTS) == ["lock_payment", "read_lines", "insert_refund", "move_refund"]
    missing = r'column "?(\w\.)?(refunded|returned)_\w+"? (of relation "\w+" )?does not exist'
    old = await asyncpg.connect(of_before.dsn)
    try:
        prepared = {name: await old.prepare(statement) for name, statement in STATEMENTS.items()}
        for name in ("lock_payment", "read_lines"):
            assert len(await prepared[name].fetch(TENANT.business_id, TENANT.mode, HALF)) == 1
        before = await refunds()
        assert len(before) == 3
        await migrate(of_before)
        for name, statement in STATEMENTS.items():
            nothing = [None] * len(prepared[name].get_parameters())
            with pytest.raises(asyncpg.UndefinedColumnError, match=missing):
                await prepared[name].fetch(*nothing)
            with pytest.raises(asyncpg.UndefinedColumnError, match=missing):
                await old.fetch(statement, *nothing)
        assert await refunds() == before
    finally:
        await old.close()
    assert (await stored(of_before, HALF)).refund_reserved_amount == 1900


async def test_no_name_of_before_has_another_meaning(of_before: Database) -> None:
    """Each column that was renamed is gone under its old name from its table."""
    columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    async with of_before.read() as read:
        before = {tuple(row) for row in await read.fetch(columns)}
    await migrate(of_before)
    async with of_before.read() as read:
        after = {tuple(row) for row in await read.fetch(columns)}
    assert {column for column in before - after if column[0] in ("payments", "payment_lines")} >= {
        ("payments", "refunded_amount"),
        ("payments", "refunded_settlement_amount"),
        ("payments", "returned_amount"),
        ("payment_lines", "refunded_amount"),
        ("payment_lines", "refunded_tax"),
        ("payment_lines", "refunded_settlement_amount"),
        ("payment_lines", "refunded_settlement_tax"),
    }
