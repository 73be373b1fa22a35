"""Delivering reads what it needs by the right index, whether PostgreSQL has statistics or none, few rows or many.

Without statistics every index whose first columns a condition names looks as good as the right one, and one that reads
all of a tenant may win. So the statements of the whole path, and those with which PostgreSQL checks foreign keys, are
explained on an empty database and on a large one, before and after ANALYZE, as they are planned once for all values and
for those that they were run with.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest_asyncio

from due_work import run_due
from harness import PUBLIC_URL, VAULT, Databases, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.endpoint import EndpointChange
from nicobar.flows.business.create_business import create_business
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.put_off_work import put_off_work
from nicobar.flows.webhooks.forward_event import forward_event
from nicobar.flows.webhooks.open_listener import open_listener
from nicobar.flows.webhooks.update_endpoint import update_endpoint
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.storage.database import Read
from nicobar.storage.due_work import DELIVERIES, Claim
from nicobar.storage.events.events import EventFilter, list_events
from nicobar.storage.webhooks.listeners import events_after
from orders import card, order, place, with_processors
from receiver import answer, endpoint_at, receiving
from storage.plans.explained import Heard, Listening, explained, never_analysed

MANY: Final = 50_000

# What a statement is recognized by, and the indexes by which it may read.
PATH: Final = {
    "SKIP LOCKED\n    ) d": {"webhook_deliveries_by_due", "Tid Scan", "webhook_endpoints_pkey"},
    "AS asked (event_id)": {
        "webhook_deliveries_pkey",
        "events_pkey",
        "events_object",
        "webhook_endpoints_pkey",
        "refunds_by_payment",
        "disputes_by_payment",
    },
    "INSERT INTO webhook_attempts": {"webhook_deliveries_pkey", "webhook_endpoints_pkey"},
    "SET state = 'stopped'": {"webhook_deliveries_by_due"},
    "UPDATE webhook_deliveries SET due_at = CASE": {"webhook_deliveries_pkey"},
    "AS message_id": {"events_pkey", "events_object", "refunds_by_payment", "disputes_by_payment"},
    "SELECT number, event_id FROM events": {"events_number"},
    "AND object_id = $3": {"events_object"},
    "FOR KEY SHARE OF x -- event": {"events_pkey"},
    "FOR KEY SHARE OF x -- delivery": {"webhook_deliveries_pkey"},
}

# As PostgreSQL writes them itself.
FOREIGN_KEYS: Final = [
    ("events", "business_id = $1 AND mode = $2 AND event_id = $3", "event"),
    ("webhook_deliveries", "business_id = $1 AND mode = $2 AND event_id = $3 AND endpoint_id = $4", "delivery"),
]

# Rows of one tenant, with half of the deliveries to one endpoint due.
FILLING: Final = """
SET session_replication_role = replica;
DELETE FROM webhook_attempts; DELETE FROM webhook_deliveries; DELETE FROM events; DELETE FROM refunds;
DELETE FROM disputes; DELETE FROM webhook_endpoints WHERE url = '';
INSERT INTO events (business_id, mode, event_id, type, object_id, payload, created_at)
SELECT '{business}', 'test', 'evt_' || md5(i::text), 'payment.succeeded', 'pay_' || md5(i::text), '{{"data": 1}}', now()
FROM generate_series(1, {rows}) i;
INSERT INTO webhook_deliveries
    (business_id, mode, event_id, endpoint_id, message_id, state, due_at, created_at, updated_at)
SELECT '{business}', 'test', event_id, '{endpoint}', 'msg_' || number,
    CASE WHEN number % 2 = 0 THEN 'waiting' ELSE 'delivered' END, CASE WHEN number % 2 = 0 THEN now() END, now(), now()
FROM events;
INSERT INTO webhook_endpoints
    (business_id, mode, endpoint_id, url, description, metadata, disabled, secret, created_at, updated_at)
SELECT '{business}', 'test', 'ep_' || i, '', '', '{{}}', i % 2 = 0, repeat('x', 40)::bytea, now(), now()
FROM generate_series(1, 400) i;
INSERT INTO refunds (business_id, mode, refund_id, payment_id, attempt_id, status, amount, tax, currency,
    settlement_amount, settlement_tax, settlement_currency, is_partial, metadata, created_at, updated_at, resolved_at)
SELECT '{business}', 'test', 'ref_' || i, 'pay_' || md5(i::text), 'att_' || i, 'succeeded', 1, 0, 'USD', 1, 0, 'USD',
    false, '{{}}', now(), now(), now()
FROM generate_series(1, {rows}) i;
INSERT INTO disputes (business_id, mode, dispute_id, payment_id, attempt_id, processor, reference, amount, currency,
    stage, status, money_out, created_at, updated_at, asked_at)
SELECT '{business}', 'test', 'dp_' || i, 'pay_' || md5(i::text), 'att_' || i, 'simulator', i::text, 1, 'USD',
    'dispute', 'dispute_opened', true, now(), now(), now()
FROM generate_series(1, {rows}) i;
RESET session_replication_role;
"""


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Listening]:
    async with never_analysed(databases, "nicobar_plans") as database:
        yield database


async def run_the_path(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> str:
    """Do everything once that belongs to a delivery, and return the id of an endpoint."""
    async with receiving(answer(), answer(500)) as receiver:
        endpoint = await endpoint_at(runtime, tenant, receiver.url, rate_limit=7)
        listener = await open_listener(runtime, tenant, receiver.url)
        for _ in range(2):
            payment = await place(runtime, order(runtime, tenant))
            await confirm_payment(runtime, tenant, payment.payment_id, card())
        assert await run_due(runtime) == 2
        async with runtime.database.read() as read:
            await events_after(read, tenant, 0)
            narrowed = EventFilter(object_id=payment.payment_id)
            (event,) = await list_events(read, tenant, narrowed, 10, before=None, after=None)
        await forward_event(runtime, listener, event.event_id)
    claim = Claim(tenant, (event.event_id, endpoint.endpoint_id), 1)
    await put_off_work(runtime, DELIVERIES, claim, timedelta(seconds=2))
    await update_endpoint(runtime, tenant, endpoint.endpoint_id, EndpointChange(disabled=True))
    await update_endpoint(runtime, tenant, endpoint.endpoint_id, EndpointChange(disabled=False))
    clock.advance(hours=1)
    return endpoint.endpoint_id


async def check_plans(read: Read, statements: Heard) -> None:
    for sign, allowed in PATH.items():
        (query,) = [query for query in statements if sign in query]
        read_by = await explained(read, query, statements[query])
        # Who has endpoints is read whole: there are few, and each has places of its own.
        wrong = {
            (table, index)
            for table, index in read_by
            if index not in allowed and not (sign.startswith("SKIP LOCKED") and table == "webhook_endpoints")
        }
        assert wrong == set(), f"{sign!r} reads {wrong}"
        assert {index for _, index in read_by} & allowed, sign


async def test_every_statement_of_a_delivery_takes_the_right_index(database: Listening, clock: FakeClock) -> None:
    webhooks = Webhooks(VAULT, clock, allow_private=True)
    runtime = with_processors(Runtime(database, clock, PUBLIC_URL, webhooks=webhooks, vault=VAULT))
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "test")
    endpoint_id = await run_the_path(runtime, tenant, clock)
    webhooks.close()
    statements = {query: values for query, values in database.heard.items() if any(sign in query for sign in PATH)}
    key = (tenant.business_id, tenant.mode, "evt_1", endpoint_id)
    for table, condition, name in FOREIGN_KEYS:
        check = f"SELECT 1 FROM ONLY {table} x WHERE {condition} FOR KEY SHARE OF x -- {name}"
        statements[check] = key[: condition.count("$")]
    async with database.read() as read:
        await check_plans(read, statements)
        for more in (100, MANY):
            filling = FILLING.format(business=tenant.business_id, endpoint=endpoint_id, rows=more)
            await read.execute(filling)
            await check_plans(read, statements)
        await read.execute("ANALYZE")
        await check_plans(read, statements)
