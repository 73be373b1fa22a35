"""The upgrade to checkout sessions: payments of before belong to none, and a session can have a payment."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from harness import START, Databases
from nicobar.core.business.tenant import Tenant
from nicobar.core.sessions.checkout_session import CheckoutSession, SessionItem, SessionRequest
from nicobar.storage.database import Database
from nicobar.storage.migrate import migrate
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.sessions.session_checks import sessions_that_disagree
from nicobar.storage.sessions.sessions import NewSession, claim_session, get_session_status, insert_sessions
from storage.older import left_before, migrate_before

TENANT = Tenant("bus_OngtHP67H9lcLvQujx1nW", "test")
PAYMENT = "pay_OngtW2b6zDPg7_ncFijUv"
DUMP = Path(__file__).parent / "dumps" / "0023_refunds.sql"


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[Database]:
    """A database that a program without sessions has left."""
    async with left_before(databases, "refund_words", size=1) as database:
        async with database.read() as read:
            await read.execute("SET session_replication_role = replica")
            await read.execute(DUMP.read_text(encoding="utf-8"))
            await read.execute(
                "INSERT INTO businesses (business_id, name, created_at) VALUES ($1, 'Shop', now())"
                " ON CONFLICT DO NOTHING",
                TENANT.business_id,
            )
            await read.execute("RESET session_replication_role")
        await migrate_before(database, "sessions")
        yield database


async def test_payments_of_before_belong_to_no_session(before: Database) -> None:
    assert "sessions" in [migration.name for migration in await migrate(before)]
    session = CheckoutSession(
        business_id=TENANT.business_id,
        mode=TENANT.mode,
        session_id="cks_8mJt0wq5nV2xRkLb7YcQd",
        request=SessionRequest(items=[SessionItem("pdt_1", 1)]),
        payment_id=None,
        created_at=START,
        expires_at=START + timedelta(hours=24),
    )
    async with before.read() as read:
        payment = await get_payment(read, TENANT, PAYMENT)
        assert payment is not None
        assert (payment.options.checkout_session_id, payment.options.custom_field_responses) == (None, None)
        assert await sessions_that_disagree(read) == []
    async with before.transaction() as tx:
        await insert_sessions(tx, [NewSession(session)])
        assert await claim_session(tx, session, PAYMENT, START) is True
        assert await claim_session(tx, session, PAYMENT, START) is False
    async with before.read() as read:
        status = await get_session_status(read, TENANT, session.session_id)
        (wrong,) = await sessions_that_disagree(read)
    assert status is not None
    assert (status.payment_id, status.payment_status, status.customer_email) == (
        PAYMENT,
        "succeeded",
        "ana.lima@example.com",
    )
    assert (wrong.object_id, wrong.detail) == (session.session_id, f"its payment {PAYMENT} does not name it")
