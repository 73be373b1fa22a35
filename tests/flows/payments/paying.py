"""Paying on a payment's page: the form for what the page has read, a bank that can be held up, the rows that follow."""

import asyncio
import re
from typing import Any

import pytest
import pytest_asyncio

from harness import EmptyingDatabase, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.paying import revision
from nicobar.core.payments.payment import (
    Outcome,
    Payment,
)
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.confirm_payment import Confirmation, confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput, ChargeRequest, MethodInput, SimulatedCharge
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.belongings.hosted_page import find_hosted_pages
from nicobar.storage.payments.payments import VersionedPayment
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import card, order, place

TABLES = ("payments", "attempts", "ledger_entries", "events", "webhook_deliveries", "simulator.charges")

RANDOM_IDS = re.compile(r"\b(att|evt|led|sim|msg|bus|pm|ep)_[\w-]{20,}")


class Gated(Simulator):
    """A simulator that holds its answers back, and counts those that are waited for."""

    def __init__(self, clock: FakeClock, store: SimulatorRecords) -> None:
        super().__init__(clock, "http://pay.test", store)
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Semaphore(0)
        self.answer: Outcome | None = None

    async def charge(self, request: ChargeRequest) -> Outcome:
        self.waiting.release()
        await self.gate.wait()
        return self.answer or await super().charge(request)


@pytest.fixture(name="bank")
def gated_bank(clock: FakeClock, tests_database: EmptyingDatabase) -> Gated:
    """A bank of the test's own."""
    return Gated(clock, SimulatorRecords(tests_database.database))


@pytest_asyncio.fixture(name="runtime")
async def gated_runtime(runtime: Runtime, bank: Gated) -> Runtime:
    """A runtime whose charges go to that bank."""
    return runtime._replace(processors={"simulator": bank})


async def run(runtime: Runtime, query: str, *values: object) -> None:
    async with runtime.database.statement() as tx:
        await tx.execute(query, *values)


async def as_read(runtime: Runtime, payment: Payment) -> VersionedPayment:
    """Return a payment as its page reads it."""
    async with runtime.database.read() as read:
        (found,) = await find_hosted_pages(read, [payment.link_id or ""])
    assert found is not None
    return found.versioned


async def placed(runtime: Runtime, tenant: Tenant, **changes: Any) -> VersionedPayment:
    return await as_read(runtime, await place(runtime, order(runtime, tenant, **changes)))


async def several(runtime: Runtime, tenant: Tenant, count: int) -> list[VersionedPayment]:
    """Store payments; return them as their pages read them. The policy is known by then, so nobody waits for it."""
    made = [await place(runtime, order(runtime, tenant)) for _ in range(count)]
    await load_policy(runtime, tenant)
    return [await as_read(runtime, payment) for payment in made]


async def pay(
    runtime: Runtime, known: VersionedPayment, instrument: CardInput | MethodInput | SimulatedCharge | None = None
) -> Confirmation:
    """Send the form of the page that was read."""
    payment = known.payment
    return await confirm_payment(
        runtime, payment.tenant, payment.payment_id, instrument or card(), revision(payment), known=known
    )


async def rows_of(runtime: Runtime, tenant: Tenant) -> dict[str, list[str]]:
    """Return every row of a tenant that paying writes, without ids that are drawn and numbers that count."""
    found = {}
    async with runtime.database.read() as read:
        for table in TABLES:
            columns = "*, payload::text AS body" if table == "events" else "*"
            rows = await read.fetch(f"SELECT {columns} FROM {table} WHERE business_id = $1", tenant.business_id)
            kept = [{name: value for name, value in row.items() if name != "number"} for row in rows]
            found[table] = sorted(RANDOM_IDS.sub(r"\1_", repr(row)) for row in kept)
    return found


def told(result: Confirmation | BaseException) -> str:
    return RANDOM_IDS.sub(r"\1_", repr(result))
