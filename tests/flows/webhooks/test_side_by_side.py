"""Deliveries to one endpoint side by side share their statements, and each is recorded as if it were alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from harness import START, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.delivery import DeliveryAttempt
from nicobar.core.webhooks.endpoint import EndpointChange
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.claim_deliveries import claim_deliveries
from nicobar.flows.webhooks.deliver_webhook import deliver_webhook
from nicobar.flows.webhooks.update_endpoint import update_endpoint
from nicobar.storage.database import Database, Read
from nicobar.storage.due_work import Claim
from nicobar.storage.gathering import Gathering
from nicobar.storage.webhooks.deliveries import PLACES, Try, record_tries
from orders import card, order, place, with_processors
from receiver import Got, answer, endpoint_at, receiving


class Counting(Database):
    """A database that remembers its statements."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, size=8)
        self.heard: list[str] = []

    async def connect(self) -> Read:
        connection = await super().connect()
        connection.add_query_logger(lambda record: self.heard.append(record.query))
        return connection


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    return with_processors(runtime)


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


@asynccontextmanager
async def counting(runtime: Runtime) -> AsyncIterator[tuple[Runtime, list[str]]]:
    database = Counting(runtime.database.dsn)
    try:
        yield runtime._replace(database=database), database.heard
    finally:
        await database.close()


async def paid(runtime: Runtime, tenant: Tenant, number: int) -> None:
    for _ in range(number):
        payment = await place(runtime, order(runtime, tenant))
        await confirm_payment(runtime, tenant, payment.payment_id, card())


async def deliver(runtime: Runtime, claims: list[Claim]) -> list[bool | BaseException]:
    return await asyncio.gather(
        *(deliver_webhook(runtime, claim.tenant, *claim.key) for claim in claims), return_exceptions=True
    )


async def states(runtime: Runtime) -> list[tuple[str, int, int]]:
    """Return state, step and number of tries of every delivery, the oldest event first."""
    async with runtime.database.read() as read:
        rows = await read.fetch(
            "SELECT d.state, d.step, d.attempts, (SELECT count(*) FROM webhook_attempts a WHERE a.event_id = d.event_id"
            " AND a.endpoint_id = d.endpoint_id) AS kept FROM webhook_deliveries d JOIN events e"
            " USING (business_id, mode, event_id) ORDER BY e.number, d.endpoint_id"
        )
    assert all(row["attempts"] == row["kept"] for row in rows)
    return [(row["state"], row["step"], row["attempts"]) for row in rows]


async def failing_since(runtime: Runtime) -> datetime | None:
    async with runtime.database.read() as read:
        found: datetime | None = await read.fetchval("SELECT failing_since FROM webhook_endpoints")
    return found


async def test_twenty_are_loaded_with_one_statement_and_recorded_with_few(runtime: Runtime, tenant: Tenant) -> None:
    async with receiving() as receiver, counting(runtime) as (counted, heard):
        await endpoint_at(runtime, tenant, receiver.url)
        await paid(runtime, tenant, 20)
        claims = await claim_deliveries(counted, {})
        assert await deliver(counted, claims) == [True] * 20
        await asyncio.sleep(0)
    assert len({got.message_id for got in receiver.got}) == len(receiver.got) == 20
    assert await states(runtime) == [("delivered", 1, 1)] * 20
    assert sum("AS asked (event_id)" in query for query in heard) == 1
    assert sum("INSERT INTO webhook_attempts" in query for query in heard) < 20


async def test_endpoints_and_tenants_share_nothing(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    """What is to be sent, and what came of it, stays with its endpoint, though all are under way at once."""
    async with receiving() as well, receiving(answer(500)) as broken:
        for tenant in (merchant.tenant, other_merchant.tenant):
            await endpoint_at(runtime, tenant, well.url)
            await endpoint_at(runtime, tenant, broken.url)
            await paid(runtime, tenant, 3)
        claims = await claim_deliveries(runtime, {})
        assert await deliver(runtime, claims) == [True] * 12
    assert (len(well.got), len(broken.got)) == (6, 6)
    assert {got.message_id for got in well.got}.isdisjoint(got.message_id for got in broken.got)
    for tenant in (merchant.tenant, other_merchant.tenant):
        async with runtime.database.read() as read:
            rows = await read.fetch(
                "SELECT e.url, e.failing_since, d.state FROM webhook_deliveries d JOIN webhook_endpoints e"
                " USING (business_id, mode, endpoint_id) WHERE d.business_id = $1",
                tenant.business_id,
            )
        assert sorted((row["url"] == well.url, row["failing_since"], row["state"]) for row in rows) == [
            *[(False, START, "waiting")] * 3,
            *[(True, None, "delivered")] * 3,
        ]


async def test_a_row_that_cannot_be_recorded_spoils_no_other(runtime: Runtime, tenant: Tenant) -> None:
    async with receiving() as receiver:
        await endpoint_at(runtime, tenant, receiver.url)
        await paid(runtime, tenant, 5)
        claims = await claim_deliveries(runtime, {})
        async with runtime.database.read() as read:
            await read.execute(
                "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" IF NEW.event_id = '{claims[2].key[0]}' THEN RAISE 'refused'; END IF; RETURN NEW; END $$;"
                " CREATE TRIGGER refuse BEFORE INSERT ON webhook_attempts FOR EACH ROW EXECUTE FUNCTION"
                " pg_temp.refuse()"
            )
        try:
            results = await deliver(runtime, claims)
        finally:
            async with runtime.database.read() as read:
                await read.execute("DROP TRIGGER refuse ON webhook_attempts; DROP FUNCTION pg_temp.refuse")
    assert [isinstance(result, asyncpg.RaiseError) or result for result in results] == [True] * 5
    assert isinstance(results[2], asyncpg.RaiseError)
    assert await states(runtime) == [
        ("delivered" if at != 2 else "waiting", int(at != 2), int(at != 2)) for at in range(5)
    ]


async def test_one_that_was_stopped_meanwhile_is_not_sent_with_the_others(runtime: Runtime, tenant: Tenant) -> None:
    async with receiving() as receiver, receiving() as other:
        endpoint = await endpoint_at(runtime, tenant, receiver.url)
        await endpoint_at(runtime, tenant, other.url)
        await paid(runtime, tenant, 3)
        claims = await claim_deliveries(runtime, {})
        await update_endpoint(runtime, tenant, endpoint.endpoint_id, EndpointChange(disabled=True))
        assert await deliver(runtime, claims) == [True] * 6
    assert (len(receiver.got), len(other.got)) == (0, 3)


def attempt(number: int, reason: str | None) -> DeliveryAttempt:
    at = START + timedelta(seconds=number)
    next_at = None if reason is None else at + timedelta(hours=1)
    return DeliveryAttempt(0, at, 1, 200 if reason is None else 500, "", reason, next_at)


FIVE = START + timedelta(seconds=-5)


@pytest.mark.parametrize(
    ("since", "outcomes", "expected"),
    [
        (None, "ok ok ok", None),
        (FIVE, "bad bad bad", FIVE),
        (None, "bad bad bad", START),
        (FIVE, "bad ok bad", START + timedelta(seconds=2)),
        (FIVE, "ok bad bad", START + timedelta(seconds=1)),
        (None, "bad bad ok", None),
        (FIVE, "bad bad ok", None),
    ],
)
async def test_an_endpoint_fails_since_the_first_failure_after_its_last_success(
    runtime: Runtime, tenant: Tenant, since: datetime | None, outcomes: str, expected: datetime | None
) -> None:
    endpoint = await endpoint_at(runtime, tenant, "http://127.0.0.1:1/")
    await paid(runtime, tenant, 3)
    claims = await claim_deliveries(runtime, {})
    async with runtime.database.read() as read:
        await read.execute("UPDATE webhook_endpoints SET failing_since = $1", since)
    made = [
        Try(claim.key[0], 1, attempt(number, None if outcome == "ok" else "It broke."))
        for number, (claim, outcome) in enumerate(zip(claims, outcomes.split(), strict=True))
    ]
    async with runtime.database.statement() as tx:
        await record_tries(tx, tenant, endpoint.endpoint_id, made)
    assert await failing_since(runtime) == expected
    assert await states(runtime) == [
        ("delivered" if outcome == "ok" else "waiting", 1, 1) for outcome in outcomes.split()
    ]


async def test_a_try_after_the_lease_changes_nothing_of_the_next_one_beside_others(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    endpoint = await endpoint_at(runtime, tenant, "http://127.0.0.1:1/")
    await paid(runtime, tenant, 2)
    first, second = await claim_deliveries(runtime, {})
    async with runtime.database.read() as read:
        await read.execute("UPDATE webhook_deliveries SET tries = 2 WHERE event_id = $1", first.key[0])
        due = await read.fetchval("SELECT due_at FROM webhook_deliveries WHERE event_id = $1", first.key[0])
    async with runtime.database.statement() as tx:
        made = [Try(claim.key[0], 1, attempt(0, "It broke.")) for claim in (first, second)]
        await record_tries(tx, tenant, endpoint.endpoint_id, made)
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT event_id, due_at, step, attempts FROM webhook_deliveries")
    assert {row["event_id"]: (row["due_at"], row["step"], row["attempts"]) for row in rows} == {
        first.key[0]: (due, 0, 1),
        second.key[0]: (START + timedelta(hours=1), 1, 1),
    }


async def test_two_tries_of_one_event_that_end_together_are_both_kept(runtime: Runtime, tenant: Tenant) -> None:
    """As when the first one took longer than its lease: they are recorded one after the other."""
    endpoint = await endpoint_at(runtime, tenant, "http://127.0.0.1:1/")
    await paid(runtime, tenant, 2)
    first, second = await claim_deliveries(runtime, {})
    made = [Try(claim.key[0], 1, attempt(number, "It broke.")) for number, claim in enumerate((first, first, second))]
    with pytest.raises(ValueError, match="an event was tried twice"):
        async with runtime.database.statement() as tx:
            await record_tries(tx, tenant, endpoint.endpoint_id, made)
    assert await states(runtime) == [("waiting", 0, 0)] * 2

    async def store(tries: list[Try]) -> list[None]:
        async with runtime.database.statement() as tx:
            await record_tries(tx, tenant, endpoint.endpoint_id, tries)
        return [None] * len(tries)

    records = Gathering[Try, None](PLACES)
    await asyncio.gather(*(records.ask(None, each, store) for each in made))
    assert await states(runtime) == [("waiting", 2, 2), ("waiting", 1, 1)]


async def test_recording_and_stopping_at_once_do_not_lock_each_other_out(runtime: Runtime, tenant: Tenant) -> None:
    """Both lock deliveries in the order of their events, and the endpoint last."""

    async def later(_got: Got) -> bytes:
        await asyncio.sleep(0)
        return answer(500)

    async with receiving(by=later) as receiver:
        endpoint = await endpoint_at(runtime, tenant, receiver.url)
        for _ in range(6):
            await paid(runtime, tenant, 8)
            claims = await claim_deliveries(runtime, {})
            results, _ = await asyncio.gather(
                deliver(runtime, claims),
                update_endpoint(runtime, tenant, endpoint.endpoint_id, EndpointChange(disabled=True)),
            )
            assert results == [True] * len(claims)
            await update_endpoint(runtime, tenant, endpoint.endpoint_id, EndpointChange(disabled=False))
