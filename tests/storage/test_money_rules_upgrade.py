"""The upgrade to the money rules: what was stored before stays, and what they allow can be stored."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from harness import Databases
from nicobar.storage.database import Database
from nicobar.storage.ledger.ledger_checks import payments_given_back_beyond, unbalanced_entries
from nicobar.storage.migrate import migrate
from storage.older import left_before


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[Database]:
    """A database as the program before `money_rules` has left it: a converted sale, refunded in part, with a code."""
    async with left_before(databases, "money_rules", size=1) as database:
        async with database.read() as read:
            await read.execute("SET session_replication_role = replica")
            await read.execute((Path(__file__).parent / "dumps" / "0020_sale.sql").read_text(encoding="utf-8"))
            await read.execute("RESET session_replication_role")
        yield database


async def test_codes_of_64_characters_can_be_stored(before: Database) -> None:
    await migrate(before)
    async with before.read() as read:
        await read.execute("UPDATE discounts SET code = repeat('A', 64)")
        assert await read.fetchval("SELECT length(code) FROM discounts") == 64
        with pytest.raises(asyncpg.CheckViolationError, match="discounts_code_check"):
            await read.execute("UPDATE discounts SET code = repeat('A', 65)")


async def test_entries_from_before_stay_and_doctor_names_what_they_gave_back_twice(before: Database) -> None:
    """The old program took the tax of a payment twice, by a refund and by a dispute."""
    async with before.read() as read:
        told = await read.fetch("SELECT to_jsonb(e) AS row FROM ledger_entries e ORDER BY entry_id")
    await migrate(before)
    async with before.read() as read:
        kept = await read.fetch("SELECT to_jsonb(e) - 'reversal_loss' AS row FROM ledger_entries e ORDER BY entry_id")
        assert [row["row"] for row in kept] == [row["row"] for row in told]
        assert await unbalanced_entries(read) == []
        (found,) = await payments_given_back_beyond(read)
        assert found.detail == "of 9000 settlement, 1710 tax and 428 fee are left -9000, -1710 and -428, and 0 is lost"
        lost = await read.fetchval("SELECT sum(losses)::bigint FROM ledger_by_day")
    assert lost == 0
