"""The upgrade to secrets of `nicobar listen`: businesses of before have none, and the first start makes one to keep."""

from collections.abc import AsyncIterator

import pytest_asyncio

from harness import PUBLIC_URL, VAULT, Databases, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.endpoint import listener_place
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.open_listener import open_listener
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.storage.database import Database
from nicobar.storage.migrate import migrate
from nicobar.storage.webhooks.listeners import all_listen_secrets
from storage.older import left_before

URL = "http://127.0.0.1:1/"


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[Database]:
    """A database as the program before `webhook_listeners` has left it, with two businesses and an event of one."""
    async with left_before(databases, "webhook_listeners") as database:
        async with database.read() as read:
            await read.execute(
                "INSERT INTO businesses (business_id, name, created_at)"
                " VALUES ('bus_1', 'A', now()), ('bus_2', 'B', now())"
            )
            await read.execute(
                "INSERT INTO events (business_id, mode, event_id, type, object_id, payload, created_at)"
                " VALUES ('bus_1', 'test', 'evt_1', 'payment.succeeded', 'pay_1', '{}', now())"
            )
        yield database


async def test_each_business_gets_a_secret_of_its_own_and_keeps_it(before: Database, clock: FakeClock) -> None:
    assert "webhook_listeners" in [migration.name for migration in await migrate(before)]
    webhooks = Webhooks(VAULT, clock, allow_private=True)
    runtime = Runtime(before, clock, PUBLIC_URL, webhooks=webhooks, vault=VAULT)
    async with before.read() as read:
        assert await all_listen_secrets(read) == {}
    first = await open_listener(runtime, Tenant("bus_1", "test"), URL)
    assert (first.after, first.known) == (0, frozenset({1}))  # what happened before is not forwarded
    again = await open_listener(runtime, Tenant("bus_1", "test"), URL)
    other = await open_listener(runtime, Tenant("bus_2", "test"), URL)
    async with before.read() as read:
        sealed = await all_listen_secrets(read)
    webhooks.close()
    assert first.secret == again.secret != other.secret
    assert {business: VAULT.open(secret, listener_place(business)).decode() for business, secret in sealed.items()} == {
        "bus_1": first.secret,
        "bus_2": other.secret,
    }
    assert all(first.secret.encode() not in secret for secret in sealed.values())
