"""Who is sent what if many want it at once: no endpoint keeps another waiting, and no event passes one by."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
import pytest_asyncio

from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.endpoint import EndpointChange
from nicobar.flows.events.load_whole_payment import load_whole_payment
from nicobar.flows.events.write_event import write_event
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.claim_deliveries import claim_deliveries
from nicobar.flows.upkeep.claim_due_work import LEASE
from nicobar.flows.webhooks.update_endpoint import update_endpoint
from nicobar.storage.database import Tx
from nicobar.storage.due_work import Claim
from nicobar.storage.webhooks.deliveries import PLACES
from orders import order, place, with_processors
from receiver import endpoint_at

URL = "http://127.0.0.1:1/"


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    return with_processors(runtime)


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def tell(runtime: Runtime, tx: Tx, tenant: Tenant) -> str:
    """Write an event about a payment that is placed for it."""
    payment = await place(runtime, order(runtime, tenant))
    whole = await load_whole_payment(runtime, tx, payment)
    return (await write_event(runtime, tx, tenant, "payment.succeeded", whole, runtime.now(tenant))).event_id


async def told(runtime: Runtime, tenant: Tenant, number: int) -> None:
    for _ in range(number):
        async with runtime.database.transaction() as tx:
            await tell(runtime, tx, tenant)


def by_endpoint(claims: list[Claim]) -> Counter[str]:
    return Counter(claim.key[1] for claim in claims)


async def test_each_endpoint_has_places_of_its_own(runtime: Runtime, tenant: Tenant) -> None:
    a = (await endpoint_at(runtime, tenant, URL)).endpoint_id
    await told(runtime, tenant, PLACES + 5)
    b = (await endpoint_at(runtime, tenant, URL)).endpoint_id
    await told(runtime, tenant, 3)
    assert by_endpoint(await claim_deliveries(runtime, {})) == {a: PLACES, b: 3}
    assert by_endpoint(await claim_deliveries(runtime, {a: PLACES, b: 3})) == {}
    assert by_endpoint(await claim_deliveries(runtime, {a: PLACES - 2})) == {a: 2}
    assert by_endpoint(await claim_deliveries(runtime, {a: PLACES + 7})) == {}
    assert by_endpoint(await claim_deliveries(runtime, {})) == {a: 6}


async def test_an_endpoint_that_fails_has_two(runtime: Runtime, tenant: Tenant) -> None:
    a = (await endpoint_at(runtime, tenant, URL)).endpoint_id
    await told(runtime, tenant, 5)
    async with runtime.database.statement() as tx:
        await tx.execute("UPDATE webhook_endpoints SET failing_since = now()")
    assert by_endpoint(await claim_deliveries(runtime, {})) == {a: 2}
    assert by_endpoint(await claim_deliveries(runtime, {a: 2})) == {}


async def test_a_lease_runs_out(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    await endpoint_at(runtime, tenant, URL)
    await told(runtime, tenant, 1)
    (first,) = await claim_deliveries(runtime, {})
    clock.moment += LEASE - timedelta(microseconds=1)
    assert await claim_deliveries(runtime, {}) == []
    clock.moment += timedelta(microseconds=1)
    (second,) = await claim_deliveries(runtime, {})
    assert (first.key, first.tries, second.key, second.tries) == (first.key, 1, first.key, 2)


async def test_many_workers_take_every_row_once(runtime: Runtime, merchant: Merchant, other_merchant: Merchant) -> None:
    for tenant in (merchant.tenant, other_merchant.tenant):
        for _ in range(2):
            await endpoint_at(runtime, tenant, URL)
        await told(runtime, tenant, 30)
    taken: list[Claim] = []
    while found := await asyncio.gather(*(claim_deliveries(runtime, {}) for _ in range(8))):
        if not any(found):
            break
        taken += [claim for claims in found for claim in claims]
    assert len(taken) == 120
    assert len({(claim.tenant, claim.key) for claim in taken}) == 120
    assert {claim.tries for claim in taken} == {1}


async def test_a_rate_limit_holds_for_all_workers_together(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    slow = (await endpoint_at(runtime, tenant, URL, rate_limit=3)).endpoint_id
    free = (await endpoint_at(runtime, tenant, URL, rate_limit=0)).endpoint_id
    await told(runtime, tenant, 8)
    clock.moment = clock.moment.replace(microsecond=0) + timedelta(seconds=1)

    async def a_second() -> Counter[str]:
        claims = await asyncio.gather(*(claim_deliveries(runtime, {}) for _ in range(4)))
        late = [await claim_deliveries(runtime, {}) for _ in range(2)]
        return sum((by_endpoint(found) for found in [*claims, *late]), Counter())

    assert await a_second() == {slow: 3, free: 8}
    clock.advance(microseconds=999_999)
    assert await a_second() == {}
    clock.advance(microseconds=1)
    assert await a_second() == {slow: 3}
    clock.advance(seconds=1)
    assert await a_second() == {slow: 2}


async def test_taking_reads_nothing_but_what_is_due(runtime: Runtime) -> None:
    async with runtime.database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        plan = await tx.fetch(
            "EXPLAIN SELECT FROM webhook_deliveries WHERE business_id = 'b' AND mode = 'test' AND endpoint_id = 'e'"
            " AND due_at <= now() ORDER BY due_at LIMIT 5 FOR UPDATE SKIP LOCKED"
        )
    text = "\n".join(row[0] for row in plan)
    assert "Index Scan using webhook_deliveries_by_due" in text
    assert "Sort" not in text


async def test_an_endpoint_waits_for_those_who_write_and_misses_nothing_after(runtime: Runtime, tenant: Tenant) -> None:
    """The rule: an event that commits after the endpoint's commit is scheduled for it."""
    written, may_commit = asyncio.Event(), asyncio.Event()

    async def write() -> str:
        async with runtime.database.transaction() as tx:
            event_id = await tell(runtime, tx, tenant)
            written.set()
            await may_commit.wait()
        return event_id

    writing = asyncio.create_task(write())
    await written.wait()
    creating = asyncio.create_task(endpoint_at(runtime, tenant, URL))
    async with runtime.database.read() as read:
        while not await read.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ):
            await asyncio.sleep(0.005)
    assert not creating.done()
    async with runtime.database.transaction() as tx:  # a writer who comes later waits for nobody of another tenant
        await tell(runtime, tx, Tenant(tenant.business_id, "live"))
    may_commit.set()
    before = await writing
    endpoint = await creating
    await told(runtime, tenant, 1)
    claims = await claim_deliveries(runtime, {})
    assert by_endpoint(claims) == {endpoint.endpoint_id: 1}
    assert before not in {claim.key[0] for claim in claims}


async def test_no_event_is_missed_by_endpoints_that_come_and_go(runtime: Runtime, tenant: Tenant) -> None:
    """What commits between the answer to the creation and the request to disable is scheduled, whoever else writes."""
    committed: list[str] = []
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            async with runtime.database.transaction() as tx:
                event_id = await tell(runtime, tx, tenant)
            committed.append(event_id)

    writers = [asyncio.create_task(write()) for _ in range(6)]
    expected: set[tuple[str, str]] = set()
    for _ in range(12):
        endpoint = await endpoint_at(runtime, tenant, URL)
        begun = len(committed)
        while len(committed) < begun + len(writers) + 4:
            await asyncio.sleep(0)
        # A writer notes its event after the commit: the first of each may have been committed before the endpoint was.
        expected |= {(event_id, endpoint.endpoint_id) for event_id in committed[begun + len(writers) :]}
        await update_endpoint(runtime, tenant, endpoint.endpoint_id, EndpointChange(disabled=True))
    stop.set()
    await asyncio.gather(*writers)
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT event_id, endpoint_id FROM webhook_deliveries")
        events = {row["event_id"] for row in await read.fetch("SELECT event_id FROM events")}
    scheduled = {(row["event_id"], row["endpoint_id"]) for row in rows}
    assert expected <= scheduled
    assert {event_id for event_id, _ in scheduled} <= events == set(committed)


async def test_an_event_without_endpoints_is_one_statement(runtime: Runtime, tenant: Tenant) -> None:
    heard: list[str] = []
    async with runtime.database.transaction() as tx:
        payment = await place(runtime, order(runtime, tenant))
        whole = await load_whole_payment(runtime, tx, payment)
        listener = lambda record: heard.append(record.query)  # noqa: E731
        await write_event(runtime, tx, tenant, "payment.processing", whole, runtime.now(tenant))  # asks for its types
        tx.add_query_logger(listener)
        await write_event(runtime, tx, tenant, "payment.succeeded", whole, runtime.now(tenant))
        await asyncio.sleep(0)
        tx.remove_query_logger(listener)
    assert len(heard) == 1
    assert "schedule_webhooks" in heard[0]
