"""A thousand races for the end of a payment, each between everybody who could bring it about.

The browser comes back, a notice arrives (twice), the link expires, a second tab pays and the sweep asks, while the
answer to the charge is still on its way. They are started together in random order, over sixteen connections, so
that they meet in the locks of PostgreSQL. Which of them comes first is left to it; what comes of it is not.
"""

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import structlog

from harness import PUBLIC_URL, EmptyingDatabase, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, Outcome, Payment
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import NewRefund, RefundInstruction, RefundItem
from nicobar.flows.business.create_business import create_business
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.notices.receive_notice import receive_notice
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.base import ChargeRequest, Notice
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.belongings.hosted_page import find_hosted_pages
from nicobar.storage.payments.attempts import live_attempt
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import card, order, place

IN_FLIGHT = 50
"""Payments that are raced for at the same time."""

Actor = Callable[[], Awaitable[object]]


class Gated(Simulator):
    """A simulator that can hold the answers to charges back, and believes notices that nobody has signed."""

    def __init__(self, clock: FakeClock, store: SimulatorRecords) -> None:
        super().__init__(clock, PUBLIC_URL, store)
        self.gate: asyncio.Event | None = None
        self.waiting = 0

    async def charge(self, request: ChargeRequest) -> Outcome:
        try:
            return await super().charge(request)
        finally:  # a lost answer is late, too
            self.waiting += 1
            if self.gate is not None:
                await self.gate.wait()

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        told = json.loads(body)
        return Notice(headers.get("webhook-id", ""), told["subject"], told["reference"])


class Track:
    """Where the races run."""

    def __init__(self, runtime: Runtime, tenant: Tenant, clock: FakeClock, bank: Gated, chance: random.Random) -> None:
        self.runtime, self.tenant, self.clock, self.bank, self.chance = runtime, tenant, clock, bank, chance

    async def start(self, count: int, number: str, **changes: Any) -> list[Payment]:
        """Place payments of 24.00 dollars whose links expire in ten minutes, and begin to pay them by card."""
        self.card = number
        payments = [await place(self.runtime, order(self.runtime, self.tenant, **changes)) for _ in range(count)]
        self.clock.moment = payments[0].expires_on
        self.clock.advance(minutes=-10)
        return payments

    async def confirm(self, payment: Payment) -> None:
        """Send the form of the payment's page; now and then by a way that has not read it."""
        known = None
        if self.chance.random() < 0.7:
            async with self.runtime.database.read() as read:
                (found,) = await find_hosted_pages(read, [payment.link_id or ""])
            known = None if found is None else found.versioned
        await confirm_payment(self.runtime, self.tenant, payment.payment_id, card(self.card), known=known)

    async def live(self, payment: Payment) -> Attempt | None:
        async with self.runtime.database.read() as read:
            return await live_attempt(read, self.tenant, payment.payment_id)

    async def notice(self, subject: str, reference: str, notice_id: str) -> None:
        """Bring a notice and do its job."""
        body = json.dumps({"subject": subject, "reference": reference}).encode()
        await receive_notice(self.runtime, self.tenant, "simulator", {"webhook-id": notice_id}, body)
        await handle_notice(self.runtime, self.tenant, "simulator", notice_id)

    def around(self, payment: Payment, attempt: Attempt) -> list[Actor]:
        """Return everybody who could end the payment from outside: a notice that comes twice, the customer, time."""
        told = f"notice_{attempt.attempt_id}"
        actors: list[Actor] = [
            lambda: self.notice("attempt", attempt.attempt_id, told),
            lambda: self.notice("attempt", attempt.attempt_id, told),
            lambda: resolve_attempt(self.runtime, self.tenant, payment.payment_id, came_back=True),
            lambda: resolve_attempt(self.runtime, self.tenant, payment.payment_id),
            lambda: self.confirm(payment),
            lambda: expire_payments(self.runtime),
        ]
        return [*actors, lambda: sweep(self.runtime)] if self.chance.random() < 0.1 else actors

    async def race(self, actors: Sequence[Actor]) -> None:
        """Start all at once, in random order, each after a random number of turns of the event loop."""

        async def run(actor: Actor, turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await actor()

        shuffled = self.chance.sample(actors, len(actors))
        await asyncio.gather(*(run(actor, self.chance.randrange(20)) for actor in shuffled))

    async def come_to_rest(self) -> None:
        """Let time pass and the sweep run until nothing is in doubt."""
        for _ in range(20):
            self.clock.advance(minutes=2)
            await sweep(self.runtime)
            async with self.runtime.database.read() as read:
                if not await read.fetchval("SELECT count(*) FROM attempts WHERE resolved_at IS NULL"):
                    return
        raise AssertionError("attempts stay in doubt for ever")

    async def in_mid_air(self, payments: Sequence[Payment]) -> None:
        """Confirm all, let the links expire while the answers are held back, and race for every end."""
        self.bank.gate, self.bank.waiting = asyncio.Event(), 0
        running = [asyncio.create_task(self.confirm(payment)) for payment in payments]
        while self.bank.waiting < len(payments):
            await asyncio.sleep(0)
        self.clock.advance(minutes=11)
        actors: list[Actor] = []
        for payment in payments:
            attempt = await self.live(payment)
            assert attempt is not None
            actors += self.around(payment, attempt)

        async def open_gate() -> None:
            assert self.bank.gate is not None
            self.bank.gate.set()

        await self.race([*actors, open_gate])
        await asyncio.gather(*running)

    async def counted(self, query: str) -> dict[str, Counter[str]]:
        """Return, by object, how often each word occurs."""
        found: dict[str, Counter[str]] = {}
        async with self.runtime.database.read() as read:
            for row in await read.fetch(query):
                found.setdefault(row["id"], Counter())[row["word"]] += 1
        return found


class Books(NamedTuple):
    """What was counted of one payment."""

    status: str
    events: Counter[str]
    entries: Counter[str]
    attempts: Counter[str]
    charges: int
    """Charges at the simulator that took money."""


async def books(track: Track, payments: Sequence[Payment]) -> list[Books]:
    """Read the ends of payments out of the tables."""
    statuses = await track.counted("SELECT payment_id AS id, status AS word FROM payments")
    events = await track.counted("SELECT object_id AS id, type AS word FROM events")
    entries = await track.counted("SELECT payment_id AS id, kind AS word FROM ledger_entries")
    attempts = await track.counted("SELECT payment_id AS id, outcome ->> 'type' AS word FROM attempts")
    charges = await track.counted(
        "SELECT payment_id AS id, 'taken' AS word FROM simulator.charges WHERE outcome ->> 'type' = 'succeeded'"
    )
    none: Counter[str] = Counter()
    return [
        Books(
            next(iter(statuses[payment.payment_id])),
            events.get(payment.payment_id, none),
            entries.get(payment.payment_id, none),
            attempts.get(payment.payment_id, none),
            charges.get(payment.payment_id, none).total(),
        )
        for payment in payments
    ]


PAID = Books("succeeded", Counter({"payment.succeeded": 1}), Counter({"payment": 1}), Counter({"succeeded": 1}), 1)
DECLINED = Books("failed", Counter({"payment.failed": 1}), Counter(), Counter({"declined": 1}), 0)
CANCELLED = Books("cancelled", Counter({"payment.cancelled": 1}), Counter(), Counter(), 0)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Leave the log out, which tens of thousands of lines would fill."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def bank(clock: FakeClock, tests_database: EmptyingDatabase) -> Gated:
    return Gated(clock, SimulatorRecords(tests_database.database))


@pytest_asyncio.fixture
async def track(runtime: Runtime, clock: FakeClock, bank: Gated, request: pytest.FixtureRequest) -> Track:
    runtime = runtime._replace(processors={"simulator": bank})
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "test")
    return Track(runtime, tenant, clock, bank, random.Random(request.node.nodeid))  # noqa: S311 - to be repeated


@pytest.mark.parametrize("wave", range(5))
async def test_a_charge_under_way_succeeds_once(track: Track, wave: int) -> None:
    """250 races: the answer is a success, and all others find it too."""
    payments = await track.start(IN_FLIGHT, "4242424242424242")
    await track.in_mid_air(payments)
    assert await books(track, payments) == [PAID] * IN_FLIGHT


@pytest.mark.parametrize("wave", range(3))
async def test_a_decline_under_way_is_told_once(track: Track, wave: int) -> None:
    """150 races: nobody makes a cancelled payment of a declined one, or tells about it twice."""
    payments = await track.start(IN_FLIGHT, "4000000000000002")
    await track.in_mid_air(payments)
    assert await books(track, payments) == [DECLINED] * IN_FLIGHT


@pytest.mark.parametrize("wave", range(4))
async def test_a_lost_answer_is_found_once(track: Track, wave: int) -> None:
    """200 races: the money was taken, and the answer breaks off while others find the charge."""
    payments = await track.start(IN_FLIGHT, "4242424242424242", metadata={"nicobar_scenario": "drop_after"})
    await track.in_mid_air(payments)
    await track.come_to_rest()
    assert await books(track, payments) == [PAID] * IN_FLIGHT


@pytest.mark.parametrize("wave", range(3))
async def test_a_challenge_is_confirmed_while_its_link_expires(track: Track, wave: int) -> None:
    """150 races: the customer confirms at the bank after the link has ended, which no longer matters then."""
    payments = await track.start(IN_FLIGHT, "4000002500003155")
    await asyncio.gather(*(track.confirm(payment) for payment in payments))
    track.clock.advance(minutes=11)
    actors: list[Actor] = []
    for payment in payments:
        attempt = await track.live(payment)
        assert attempt is not None

        async def approve(payment: Payment = payment, attempt: Attempt = attempt) -> None:
            reference = getattr(attempt.outcome, "reference", "")
            await track.bank.decide(reference, "approve")
            await resolve_attempt(track.runtime, track.tenant, payment.payment_id, came_back=True)

        actors += [approve, *track.around(payment, attempt)]
    await track.race(actors)
    await track.come_to_rest()
    assert await books(track, payments) == [PAID] * IN_FLIGHT


@pytest.mark.parametrize("wave", range(3))
async def test_either_the_customer_or_the_end_of_the_link_is_first(track: Track, wave: int) -> None:
    """150 races: two tabs pay while the link ends. Whoever pays in time has paid, and nothing else was charged."""
    payments = await track.start(IN_FLIGHT, "4242424242424242")
    track.clock.advance(minutes=10, microseconds=-1)
    actors: list[Actor] = [lambda: expire_payments(track.runtime) for _ in payments]
    for payment in payments:
        actors += [lambda payment=payment: track.confirm(payment) for _ in range(2)]  # type: ignore[misc]

    async def end() -> None:
        track.clock.advance(microseconds=1)

    await track.race([*actors, end])
    await expire_payments(track.runtime)
    found = await books(track, payments)
    assert found.count(PAID) + found.count(CANCELLED) == IN_FLIGHT, [
        one for one in found if one not in (PAID, CANCELLED)
    ]


@pytest.mark.parametrize("wave", range(2))
async def test_refunds_and_a_dispute_are_each_booked_once(track: Track, wave: int) -> None:
    """100 races: two refunds of everything, one of a part, and the notice of a dispute, which comes twice.

    A bank that takes disputed money does not ask what was refunded; but refunds themselves stay within the payment.
    """
    payments = await track.start(IN_FLIGHT, "4242424242424242", metadata={"nicobar_scenario": "dispute_after:0"})
    await asyncio.gather(*(track.confirm(payment) for payment in payments))
    answers: Counter[str] = Counter()

    async def refund(payment: Payment, amount: int | None) -> None:
        items = None if amount is None else (RefundItem("pdt_0", amount),)
        new = NewRefund(payment.payment_id, RefundInstruction(items))
        try:
            made = await refund_payment(track.runtime, track.tenant, new)
            answers[made.refund.status] += 1
        except Problem as problem:
            answers[problem.code] += 1

    actors: list[Actor] = []
    for payment, reference in zip(payments, await _dispute_references(track, payments), strict=True):
        told = f"notice_{reference}"
        actors += [lambda payment=payment, part=part: refund(payment, part) for part in (None, None, 1000)]  # type: ignore[misc]
        actors += [lambda told=told, it=reference: track.notice("dispute", it, told) for _ in range(2)]  # type: ignore[misc]
    await track.race(actors)

    disputes = await track.counted("SELECT payment_id AS id, status AS word FROM disputes")
    events = await track.counted("SELECT payload #>> '{data,payment_id}' AS id, type AS word FROM events")
    given = await track.counted(
        "SELECT o.payment_id AS id, 'refund.succeeded' AS word"
        " FROM simulator.refunds r JOIN simulator.charges o USING (attempt_id) WHERE r.given_at IS NOT NULL"
    )
    for payment, found in zip(payments, await books(track, payments), strict=True):
        refunds = given.get(payment.payment_id, Counter())["refund.succeeded"]
        assert disputes[payment.payment_id] == Counter({"dispute_opened": 1})
        assert found.entries == +Counter({"payment": 1, "dispute": 1, "refund": refunds})
        assert events[payment.payment_id] == +Counter(
            {"payment.succeeded": 1, "dispute.opened": 1, "refund.succeeded": refunds}
        )
    async with track.runtime.database.read() as read:
        query = (
            "SELECT count(*) FROM payments WHERE refund_reserved_amount > total_amount"
            " OR refund_reserved_amount <> refund_succeeded_amount"
        )
        assert await read.fetchval(query) == 0
    assert answers["succeeded"] > 0
    assert set(answers) <= {
        "succeeded",
        "EXISTING_REFUND_REQUEST_PROCESSING",
        "PAYMENT_ALREADY_REFUNDED",
        "NOTHING_TO_REFUND",
        "UNSUPPORTED_ACTION",
        "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT",
        "LINE_ITEM_FULLY_REFUNDED",
    }


async def _dispute_references(track: Track, payments: Sequence[Payment]) -> list[str]:
    async with track.runtime.database.read() as read:
        rows = await read.fetch("SELECT payment_id, reference FROM simulator.charges")
    known = {row["payment_id"]: f"simdp_{row['reference'].partition('_')[2]}" for row in rows}
    return [known[payment.payment_id] for payment in payments]


def test_the_races_are_a_thousand() -> None:
    marked = [test for name, test in globals().items() if name.startswith("test_") and hasattr(test, "pytestmark")]
    waves = sum(len(mark.args[1]) for test in marked for mark in test.pytestmark)
    assert waves * IN_FLIGHT == 1000
