"""Many renewals are due at once, for two workers and four API processes: each is charged once.

`make prove` does it with 1,000.
"""

import asyncio
import base64
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.types import ASGIApp

from api.subscriptions.subscribing import Club, open_club
from cli.program import PATIENCE, PROGRAM, Serving, environment, heed_signals
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from nicobar.program.books_audit import audit_books
from proof import length

RENEWALS = int(os.environ.get("NICOBAR_RENEWALS_AT_ONCE", length(1000)))
KEY = base64.b64encode(bytes(range(32))).decode()

ROUND = "SELECT count(*) FROM subscription_charges WHERE state = 'paid'"


@pytest.fixture
def club(merchant: Merchant, app: ASGIApp, runtime: Runtime, clock: FakeClock) -> Club:
    """A club whose members came 32 days ago, so that the first renewal of each is due by real time."""
    clock.moment = datetime.now(UTC) - timedelta(days=32)
    return open_club(merchant, app, runtime, clock)


@pytest.fixture
def servers(runtime: Runtime) -> Iterator[list[Serving]]:
    """Four processes that serve the API and work on nothing."""
    where = {"NICOBAR_DATABASE_URL": runtime.database.dsn, "NICOBAR_ENCRYPTION_KEY": KEY}
    started = [Serving("--no-worker", **where) for _ in range(4)]
    yield started
    for serving in started:
        serving.close()


@pytest.fixture
def start_worker(runtime: Runtime) -> Iterator[Callable[[], None]]:
    """Start a worker, which ends with the test."""
    where = {"NICOBAR_DATABASE_URL": runtime.database.dsn, "NICOBAR_ENCRYPTION_KEY": KEY}
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(
            subprocess.Popen(
                [*PROGRAM, "worker"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(**where),
                preexec_fn=heed_signals,
            )
        )

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


async def _note(servers: list[Serving], key: str, ids: list[str]) -> Counter[int]:
    """Change every subscription at each server, while they are renewed; return how often each status was answered."""
    answered: Counter[int] = Counter()

    async def at(number: int, serving: Serving) -> None:
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=serving.base_url, headers=headers, timeout=PATIENCE) as client:
            for each in ids[number:] + ids[:number]:
                answer = await client.patch(f"/subscriptions/{each}", json={"metadata": {"seen_by": str(number)}})
                answered[answer.status_code] += 1

    await asyncio.gather(*[at(number, serving) for number, serving in enumerate(servers)])
    return answered


@pytest.mark.proof
async def test_each_is_charged_once(
    club: Club,
    servers: list[Serving],
    start_worker: Callable[[], None],
    record_property: Callable[[str, object], None],
) -> None:
    product = await club.product()
    for number in range(RENEWALS):
        club.clock.advance(seconds=1)
        await club.subscribe(product, customer={"email": f"c{number}@example.com", "name": "C"})
    async with club.runtime.database.read() as read:
        ids = [row[0] for row in await read.fetch("SELECT subscription_id FROM subscriptions ORDER BY 1")]
        assert await read.fetchval(ROUND) == RENEWALS
    for serving in servers:
        await asyncio.to_thread(serving.ready)
    start_worker()
    start_worker()
    noting = asyncio.create_task(_note(servers, club.merchant.key, ids[:: max(1, len(ids) // 50)]))
    async with asyncio.timeout(PATIENCE + RENEWALS / 10), club.runtime.database.read() as read:
        while await read.fetchval(ROUND) < 2 * RENEWALS:
            await asyncio.sleep(0.1)
    answered = await noting
    await asyncio.sleep(1)  # whoever would charge once more has had the time
    record_property("renewals due at once", RENEWALS)
    assert set(answered) == {200}
    async with club.runtime.database.read() as read:
        charges = await read.fetch(
            "SELECT count(*) AS made, count(DISTINCT c.payment_id) AS payments FROM simulator.charges c"
            " JOIN subscription_charges s USING (payment_id) GROUP BY s.subscription_id"
        )
        states = await read.fetch("SELECT state, count(*) FROM subscription_charges GROUP BY state")
        renewed = await read.fetch("SELECT count(*) FROM events WHERE type = 'subscription.renewed' GROUP BY object_id")
        entries = await read.fetchval("SELECT count(*) FROM ledger_entries")
        findings = await audit_books(read, datetime.now(UTC), club.clock.moment - timedelta(days=1))
    assert Counter((row["made"], row["payments"]) for row in charges) == {(2, 2): RENEWALS}
    assert {row["state"]: row["count"] for row in states} == {"paid": 2 * RENEWALS}
    assert Counter(row["count"] for row in renewed) == {2: RENEWALS}  # the first payment is told as one, too
    assert entries == 2 * RENEWALS
    assert [found for found in findings if found.good is False] == []
