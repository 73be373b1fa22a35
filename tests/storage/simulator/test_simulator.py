"""The books of the simulated bank: what PostgreSQL refuses in them, what an auditor counts, and what is forgotten."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from harness import FakeClock
from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import NeedsAction, Succeeded
from nicobar.core.refunds.refund import RefundFailed, RefundSucceeded
from nicobar.core.simulator.simulated_scenario import SimulatedScenario
from nicobar.flows.runtime import Runtime
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords, money_given_back, money_taken, successful_charges
from simulated import attempt, charge_of, refund_of

BUSINESS = Tenant("bus_1", "test")

TABLES = ("charges", "refunds", "notices")


@pytest_asyncio.fixture
async def records(runtime: Runtime) -> SimulatorRecords:
    return SimulatorRecords(runtime.database)


async def execute(runtime: Runtime, query: str) -> None:
    async with runtime.database.statement() as tx:
        await tx.execute(query)


async def count(runtime: Runtime, table: str) -> int:
    async with runtime.database.read() as read:
        found: int = await read.fetchval(f"SELECT count(*) FROM simulator.{table}")
    return found


@pytest.mark.parametrize(
    ("query", "constraint"),
    [
        ("UPDATE simulator.charges SET refunded = 2401", "charges_refunded"),
        ("UPDATE simulator.charges SET refunded = -1", "charges_refunded"),
        ("UPDATE simulator.charges SET taken_at = NULL", "charges_taken"),
        ('UPDATE simulator.charges SET outcome = \'{"type": "declined"}\'', "charges_taken"),
        ("UPDATE simulator.charges SET outcome = NULL, taken_at = NULL", "charges_closed"),
        ("UPDATE simulator.charges SET amount = -1", "charges_amount_check"),
        (
            "INSERT INTO simulator.refunds (refund_id, attempt_id, amount, created_at) VALUES ('r', 'att_1', 0, now())",
            "refunds_amount_check",
        ),
        (
            "INSERT INTO simulator.refunds (refund_id, attempt_id, amount, created_at, given_at, returned_at)"
            " VALUES ('r', 'att_1', 1, now(), now(), now() - interval '1 second')",
            "refunds_returned",
        ),
        (
            "INSERT INTO simulator.refunds (refund_id, attempt_id, amount, created_at, given_at, is_back)"
            " VALUES ('r', 'att_1', 1, now(), now(), true)",
            "refunds_returned",
        ),
    ],
)
async def test_postgresql_refuses_impossible_books(
    runtime: Runtime, simulator: Simulator, query: str, constraint: str
) -> None:
    await simulator.charge(charge_of())
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await execute(runtime, query)
    assert refused.value.constraint_name == constraint


async def test_charges_that_come_together_are_each_taken_once(runtime: Runtime, simulator: Simulator) -> None:
    """Two of them have one attempt id, and share a statement with others."""
    ids = ["att_1", "att_2", "att_1", "att_3"]
    scenarios = [None, None, None, "decline; notice_twice"]
    charges = zip(ids, scenarios, strict=True)
    first, other, again, last = await asyncio.gather(
        *(simulator.charge(charge_of(scenario, attempt_id)) for attempt_id, scenario in charges)
    )
    assert isinstance(first, Succeeded) and isinstance(other, Succeeded)
    assert again == first != other
    assert not isinstance(last, Succeeded)
    assert [await count(runtime, table) for table in TABLES] == [3, 0, 1]
    with pytest.raises(ValueError, match="ordered before with another amount"):
        await asyncio.gather(
            *(simulator.charge(charge_of(None, "att_4", amount=amount)) for amount in (100, 200)),
        )
    assert await count(runtime, "charges") == 4


async def test_no_money_is_taken_under_a_closed_id(runtime: Runtime, simulator: Simulator) -> None:
    await simulator.cancel(attempt())
    with pytest.raises(asyncpg.CheckViolationError):
        await execute(runtime, "UPDATE simulator.charges SET taken_at = now()")


async def test_the_bank_has_no_tie_to_our_tables(runtime: Runtime) -> None:
    query = """
    SELECT conrelid::regclass::text AS holder, confrelid::regclass::text AS target FROM pg_constraint
    WHERE contype = 'f' AND (starts_with(conrelid::regclass::text, 'simulator.')
                             OR starts_with(confrelid::regclass::text, 'simulator.'))
    """
    async with runtime.database.read() as read:
        rows = await read.fetch(query)
    ties = {(row["holder"], row["target"]) for row in rows}
    assert ties == {("simulator.notices", "simulator.charges"), ("simulator.refunds", "simulator.charges")}


async def test_an_auditor_counts_what_was_taken_and_given_back(
    runtime: Runtime, simulator: Simulator, clock: FakeClock
) -> None:
    await simulator.charge(charge_of())
    await simulator.charge(charge_of("late_success:60; refund_pending:60", "att_2", amount=100))
    await simulator.charge(charge_of(None, "att_3", amount=5000, currency="JPY", payment_id="pay_2"))
    await simulator.charge(charge_of("decline", "att_4"))
    asked = await simulator.charge(charge_of("challenge", "att_5"))
    with pytest.raises(ConnectionError):
        await simulator.charge(charge_of("drop_before", "att_6"))
    with pytest.raises(ConnectionError):
        await simulator.charge(charge_of("drop_after", "att_7", payment_id="pay_3", amount=7))
    await simulator.charge(charge_of(None, "att_8", business_id="bus_2", amount=900))
    await simulator.refund(refund_of())
    await simulator.refund(refund_of("ref_2", 5000, "att_3"))
    await simulator.refund(refund_of("ref_3", 5000))

    async def audit() -> tuple[list[tuple[str, str, int]], dict[str, int], dict[str, int]]:
        async with runtime.database.read() as read:
            charges = await successful_charges(read, BUSINESS, clock.now())
            taken = await money_taken(read, BUSINESS, clock.now())
            back = await money_given_back(read, BUSINESS, clock.now())
        return [(charge.attempt_id, charge.payment_id, charge.amount) for charge in charges], taken, back

    now = [("att_1", "pay_1", 2400), ("att_3", "pay_2", 5000), ("att_7", "pay_3", 7)]
    assert await audit() == (now, {"USD": 2407, "JPY": 5000}, {"USD": 1000, "JPY": 5000})
    clock.advance(seconds=60)
    await simulator.refund(refund_of("ref_4", 40, "att_2"))
    assert isinstance(asked, NeedsAction)
    await simulator.decide(asked.reference, "approve")
    later = [now[0], ("att_2", "pay_1", 100), now[1], ("att_5", "pay_1", 2400), now[2]]
    assert await audit() == (later, {"USD": 4907, "JPY": 5000}, {"USD": 1000, "JPY": 5000})
    clock.advance(seconds=60)
    assert await audit() == (later, {"USD": 4907, "JPY": 5000}, {"USD": 1040, "JPY": 5000})
    async with runtime.database.read() as read:
        assert await successful_charges(read, Tenant("bus_1", "live"), clock.now()) == []
        assert await money_taken(read, Tenant("bus_2", "test"), clock.now()) == {"USD": 900}
        assert await money_given_back(read, Tenant("bus_2", "test"), clock.now()) == {}


async def test_what_came_back_of_refunds_can_be_given_back_again(
    runtime: Runtime, simulator: Simulator, clock: FakeClock
) -> None:
    await simulator.charge(charge_of("refund_bounce:60"))
    assert isinstance(await simulator.refund(refund_of("ref_1", 2000)), RefundSucceeded)
    assert isinstance(await simulator.refund(refund_of("ref_2", 401)), RefundFailed)
    clock.advance(seconds=59)
    assert isinstance(await simulator.refund(refund_of("ref_3", 401)), RefundFailed)
    clock.advance(seconds=1)
    answers = await asyncio.gather(*(simulator.refund(refund_of(f"ref_{number}", 700)) for number in range(4, 10)))
    assert sorted(type(answer).__name__ for answer in answers) == ["RefundFailed"] * 3 + ["RefundSucceeded"] * 3
    assert isinstance(await simulator.refund(refund_of("ref_1", 2000)), RefundFailed)
    async with runtime.database.read() as read:
        assert await money_given_back(read, BUSINESS, clock.now()) == {"USD": 2100}
        assert await read.fetchval("SELECT refunded FROM simulator.charges") == 2100
    clock.advance(seconds=60)
    assert isinstance(await simulator.refund(refund_of("ref_10", 2401)), RefundFailed)
    async with runtime.database.read() as read:
        assert await money_given_back(read, BUSINESS, clock.now()) == {}
        assert await read.fetchval("SELECT refunded FROM simulator.charges") == 0
    assert isinstance(await simulator.refund(refund_of("ref_11", 2400)), RefundSucceeded)


async def test_an_order_is_stored_as_it_is(simulator: Simulator, records: SimulatorRecords, clock: FakeClock) -> None:
    asked = await simulator.charge(
        charge_of("challenge; late_success:60; notice_late:1.5; dispute_after:2d; verdict:won:1h")
    )
    assert isinstance(asked, NeedsAction)
    by_id, by_reference = await records.charge("att_1"), await records.charge_behind(asked.reference)
    assert by_id is not None and by_id == by_reference
    assert (by_id.business_id, by_id.payment_id, by_id.type) == ("bus_1", "pay_1", "card")
    assert by_id.outcome == asked
    assert set(by_id.choices) == {"approve", "fail", "cancel"}
    assert isinstance(by_id.choices["approve"], Succeeded)
    assert by_id.decide_until == by_id.later_at == clock.now() + timedelta(minutes=15)
    assert by_id.scenario == SimulatedScenario(
        challenge=True,
        late=timedelta(seconds=60),
        notice_late=timedelta(seconds=1.5),
        dispute_after=timedelta(days=2),
        verdict="won",
        verdict_after=timedelta(hours=1),
    )


async def test_a_customer_decides_once_and_in_time(
    runtime: Runtime, simulator: Simulator, records: SimulatorRecords, clock: FakeClock
) -> None:
    for number in (1, 2):
        await simulator.charge(charge_of("challenge", f"att_{number}"))
    first, second = await records.charge("att_1"), await records.charge("att_2")
    assert first is not None and second is not None
    assert await records.record_decision(first.ended(first.choices["fail"], clock.now()), [], clock.now())
    assert not await records.record_decision(first.ended(first.choices["approve"], clock.now()), [], clock.now())
    settled = await records.charge("att_1")
    assert settled is not None
    assert (settled.outcome, settled.choices, settled.later, settled.taken_at) == (
        first.choices["fail"],
        {},
        None,
        None,
    )
    late = clock.advance(minutes=15)
    assert not await records.record_decision(second.ended(second.choices["approve"], late), [], late)
    assert await records.charge("att_2") == second


async def test_a_notice_that_another_process_claims_is_passed_over(
    runtime: Runtime, simulator: Simulator, records: SimulatorRecords, clock: FakeClock
) -> None:
    for number in (1, 2):
        await simulator.charge(charge_of("notice_twice", f"att_{number}"))
    async with runtime.database.transaction() as tx:
        await tx.execute("SELECT FROM simulator.notices WHERE attempt_id = 'att_1' FOR UPDATE")
        claimed = await asyncio.wait_for(records.claim_notices(Reckoning(clock.now()), timedelta(0), 10), 5)
    assert [notice.reference for notice in claimed] == ["att_2"]


async def test_notices_are_claimed_in_order_and_a_bounded_number_of_times(
    simulator: Simulator, records: SimulatorRecords, clock: FakeClock
) -> None:
    for number, seconds in ((1, 30), (2, 10), (3, 20)):
        await simulator.charge(charge_of(f"late_success:{seconds}", f"att_{number}"))
    clock.advance(seconds=29)
    later = clock.now() + timedelta(seconds=30)
    claimed = await records.claim_notices(Reckoning(clock.now()), timedelta(seconds=30), 10)
    assert [notice.reference for notice in claimed] == ["att_2", "att_3"]
    assert await records.claim_notices(Reckoning(clock.now()), timedelta(seconds=30), 10) == []
    await records.mark_sent(claimed[0].notice_id, clock.now())
    assert (await records.has_told("att_2"), await records.has_told("att_3")) == (True, False)
    tries, late = 1, Reckoning(later)
    while "att_3" in [notice.reference for notice in await records.claim_notices(late, timedelta(0), 10)]:
        tries += 1
    assert tries == 10
    assert await records.claim_notices(late, timedelta(0), 10) == []


async def test_what_is_old_is_forgotten_with_all_that_belongs_to_it(
    runtime: Runtime, simulator: Simulator, records: SimulatorRecords, clock: FakeClock
) -> None:
    for number in range(3):
        await simulator.charge(charge_of("dispute_after:1; notice_twice", f"att_{number}"))
        await simulator.refund(refund_of(f"ref_{number}", attempt_id=f"att_{number}"))
        clock.advance(seconds=1)
    await simulator.cancel(attempt("att_9"))
    assert [await count(runtime, table) for table in TABLES] == [4, 3, 9]
    assert await records.purge(clock.now() - timedelta(seconds=1), 1) == 1
    assert await records.charge("att_0") is None
    assert await records.purge(clock.now() - timedelta(seconds=1), 10) == 1
    assert [await count(runtime, table) for table in TABLES] == [2, 1, 3]
    clock.advance(seconds=1)
    assert await records.purge(clock.now(), 10) == 2
    assert [await count(runtime, table) for table in TABLES] == [0, 0, 0]
