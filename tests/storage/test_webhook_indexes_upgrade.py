"""The upgrade to indexes that serve one condition each: what was scheduled is kept, linked and delivered as before."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from harness import START, Databases
from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Database
from nicobar.storage.events.events import EventFilter, list_events
from nicobar.storage.migrate import migrate
from nicobar.storage.webhooks.deliveries import claim_deliveries, load_due
from nicobar.storage.webhooks.delivery_log import count_deliveries, deliveries_of, purge_deliveries
from storage.older import left_before

TENANT = Tenant("bus_1", "test")

OLD_ROWS = """
INSERT INTO businesses (business_id, name, created_at) VALUES ('bus_1', 'A', now());
INSERT INTO events (business_id, mode, event_id, type, object_id, payload, created_at) VALUES
    ('bus_1', 'test', 'evt_1', 'payment.processing', 'pay_1', '{"n":1}', now()),
    ('bus_1', 'test', 'evt_2', 'payment.succeeded', 'pay_1', '{"n":2}', now()),
    ('bus_1', 'live', 'evt_2', 'payment.succeeded', 'pay_1', '{"n":3}', now());
INSERT INTO webhook_endpoints
    (business_id, mode, endpoint_id, url, description, metadata, disabled, secret, created_at, updated_at)
VALUES ('bus_1', 'test', 'ep_1', 'http://a.example/', '', '{}', false, repeat('x', 40)::bytea, now(), now());
INSERT INTO webhook_deliveries
    (business_id, mode, event_id, endpoint_id, message_id, state, attempts, due_at, created_at, updated_at) VALUES
    ('bus_1', 'test', 'evt_1', 'ep_1', 'msg_1', 'waiting', 0, '2026-03-14', now(), now()),
    ('bus_1', 'test', 'evt_2', 'ep_1', 'msg_2', 'delivered', 1, NULL, '2026-01-01', '2026-01-01');
INSERT INTO webhook_attempts (business_id, mode, event_id, endpoint_id, number, attempted_at, duration_ms)
VALUES ('bus_1', 'test', 'evt_2', 'ep_1', 1, now(), 5);
"""


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[Database]:
    """A database as the program before `webhook_indexes` has left it, with a delivery that waits and one that ended."""
    async with left_before(databases, "webhook_indexes") as database:
        async with database.read() as read:
            await read.execute(OLD_ROWS)
        yield database


async def test_what_was_scheduled_before_is_kept_and_sent(before: Database) -> None:
    assert "webhook_indexes" in [migration.name for migration in await migrate(before)]
    async with before.read() as read:
        listed = await list_events(read, TENANT, EventFilter(), 10, before=None, after=None)
        log = await deliveries_of(read, TENANT, ["evt_1", "evt_2"])
        assert await count_deliveries(read, TENANT, "ep_1") == {"waiting": 1, "delivered": 1}
    assert [event.event_id for event in listed] == ["evt_2", "evt_1"]
    assert [(one.message_id, one.state, len(one.attempts)) for one in log] == [
        ("msg_1", "waiting", 0),
        ("msg_2", "delivered", 1),
    ]
    async with before.transaction() as tx:
        (claim,) = await claim_deliveries(tx, [Reckoning(START)], timedelta(minutes=1), {})
        (due,) = await load_due(tx, TENANT, "ep_1", ["evt_1"])
    assert (claim.tenant, claim.key, claim.tries) == (TENANT, ("evt_1", "ep_1"), 1)
    assert due is not None
    assert (due.message_id, due.event.payload, due.is_newest) == ("msg_1", b'{"n":1}', False)


async def test_the_links_between_the_tables_hold_as_before(before: Database) -> None:
    await migrate(before)
    async with before.read() as read:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await read.execute("DELETE FROM events WHERE event_id = 'evt_1'")
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await read.execute("UPDATE webhook_attempts SET event_id = 'evt_1' , endpoint_id = 'ep_2'")
        with pytest.raises(asyncpg.UniqueViolationError):
            await read.execute("UPDATE webhook_deliveries SET event_id = 'evt_2'")
        with pytest.raises(asyncpg.UniqueViolationError):
            await read.execute("UPDATE events SET number = 1 WHERE mode = 'test'")
        with pytest.raises(asyncpg.CheckViolationError):
            await read.execute("UPDATE events SET number = 0 WHERE event_id = 'evt_1'")
    async with before.transaction() as tx:
        await purge_deliveries(tx, TENANT, START, 10)
    async with before.read() as read:
        assert await read.fetchval("SELECT count(*) FROM webhook_attempts") == 0
        assert [row["event_id"] for row in await read.fetch("SELECT event_id FROM webhook_deliveries")] == ["evt_1"]
