"""Confirming a payment: one attempt, one charge, whatever happens around it."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from harness import EmptyingDatabase, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, Declined, NeedsAction, Outcome, Pending, Succeeded, Unknown
from nicobar.core.problems import Problem
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.payments.resolve_attempts_due import resolve_attempts_due
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardRefused, ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.database import DatabaseUnavailable
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payments import lock_payment
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import attempts_of, card, line, order, place, purge_simulated_books, reload


class Scripted(Simulator):
    """A processor that does what the test says, and counts what it was asked."""

    def __init__(self, clock: FakeClock, store: SimulatorRecords) -> None:
        super().__init__(clock, "http://pay.test", store)
        self.answer: Outcome | Exception | None = None
        self.later: Outcome | Exception | None = None
        self.charges: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()
        self.entered = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def charge(self, request: ChargeRequest) -> Outcome:
        self.charges[request.attempt_id] += 1
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if self.answer is not None else await super().charge(request)

    async def find(self, attempt: Attempt) -> Outcome | None:
        self.questions[attempt.attempt_id] += 1
        if isinstance(self.later, Exception):
            raise self.later
        return self.later if self.later is not None else await super().find(attempt)


@pytest.fixture
def processor(clock: FakeClock, tests_database: EmptyingDatabase) -> Scripted:
    return Scripted(clock, SimulatorRecords(tests_database.database))


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, processor: Scripted) -> Runtime:
    return runtime._replace(processors={"simulator": processor})


async def test_fifty_customers_at_once_make_one_charge(runtime: Runtime, tenant: Tenant, processor: Scripted) -> None:
    payment = await place(runtime, order(runtime, tenant))
    confirmations = await asyncio.gather(
        *(confirm_payment(runtime, tenant, payment.payment_id, card()) for _ in range(50))
    )
    made = [confirmation.outcome for confirmation in confirmations if confirmation.outcome is not None]
    assert len(made) == 1
    assert isinstance(made[0], Succeeded)
    (attempt,) = await attempts_of(runtime, payment)
    assert processor.charges == {attempt["attempt_id"]: 1}
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_the_attempt_is_committed_before_the_processor_is_called(
    runtime: Runtime, tenant: Tenant, processor: Scripted
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    processor.gate = asyncio.Event()
    task = asyncio.create_task(confirm_payment(runtime, tenant, payment.payment_id, card()))
    await processor.entered.wait()
    assert (await reload(runtime, payment)).status == "processing"
    (attempt,) = await attempts_of(runtime, payment)
    assert (attempt["outcome"], attempt["resolved_at"]) == (None, None)
    assert (await confirm_payment(runtime, tenant, payment.payment_id, card())).outcome is None
    processor.gate.set()
    assert isinstance((await task).outcome, Succeeded)
    assert (await reload(runtime, payment)).status == "succeeded"
    assert sum(processor.charges.values()) == 1


@pytest.mark.parametrize(
    ("outcome", "status", "resolved"),
    [
        (Succeeded("r"), "succeeded", True),
        (Declined("CARD_DECLINED", "No."), "failed", True),
        (NeedsAction("r", "http://bank.example/"), "requires_customer_action", False),
        (Pending("r"), "processing", False),
        (Unknown("why"), "processing", False),
        (TimeoutError("the words of a processor"), "processing", False),
        (ValueError("the words of a processor"), "processing", False),
    ],
)
async def test_each_outcome_has_its_status(
    runtime: Runtime,
    tenant: Tenant,
    processor: Scripted,
    outcome: Outcome | Exception,
    status: str,
    resolved: bool,
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    processor.answer = outcome
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    assert (await reload(runtime, payment)).status == status
    (attempt,) = await attempts_of(runtime, payment)
    expected = Unknown(type(outcome).__name__) if isinstance(outcome, Exception) else outcome
    assert msgspec.convert(attempt["outcome"], Outcome) == expected
    assert (attempt["resolved_at"] is not None) == resolved


async def test_a_processor_that_hangs_is_not_waited_for(
    runtime: Runtime, tenant: Tenant, processor: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    processor.gate = asyncio.Event()
    monkeypatch.setattr("nicobar.flows.payments.confirm_payment.CHARGE_TIMEOUT", 0.01)
    assert (await confirm_payment(runtime, tenant, payment.payment_id, card())).outcome == Unknown("TimeoutError")
    assert (await reload(runtime, payment)).status == "processing"


async def test_a_database_that_goes_away_after_the_call_is_no_failure(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told of an error tries again, and would pay twice."""

    async def gone(*_arguments: object) -> bool:
        raise DatabaseUnavailable("all connections are busy")

    payment = await place(runtime, order(runtime, tenant))
    with monkeypatch.context() as patched:
        patched.setattr("nicobar.flows.payments.confirm_payment.record_payment_outcome", gone)
        told = (await confirm_payment(runtime, tenant, payment.payment_id, card())).outcome
    assert isinstance(told, Succeeded)
    assert (await reload(runtime, payment)).status == "processing"
    assert (await confirm_payment(runtime, tenant, payment.payment_id, card())).outcome is None
    clock.advance(minutes=1)
    assert await resolve_attempts_due(runtime, clock.now()) == 1
    assert (await reload(runtime, payment)).status == "succeeded"
    (attempt,) = await attempts_of(runtime, payment)
    assert processor.charges == {attempt["attempt_id"]: 1}


async def test_a_free_payment_asks_no_processor(runtime: Runtime, tenant: Tenant, processor: Scripted) -> None:
    payment = await place(runtime, order(runtime, tenant, [line(0, 1500, 1500, 0)]))
    confirmation = await confirm_payment(runtime._replace(processors={}), tenant, payment.payment_id, None)
    assert confirmation.outcome == Succeeded("free")
    assert (await reload(runtime, payment)).status == "succeeded"
    assert (await attempts_of(runtime, payment), processor.charges) == ([], {})
    assert (await confirm_payment(runtime, tenant, payment.payment_id, None)).outcome is None


@pytest.mark.parametrize("changes", [{"status": "cancelled"}, {"status": "succeeded"}, {"status": "processing"}])
async def test_what_cannot_be_paid_is_left_alone(
    runtime: Runtime, tenant: Tenant, processor: Scripted, changes: dict[str, Any]
) -> None:
    payment = await place(runtime, order(runtime, tenant, **changes))
    assert (await confirm_payment(runtime, tenant, payment.payment_id, card())).outcome is None
    assert (await reload(runtime, payment), processor.charges) == (payment, {})


async def test_an_expired_payment_is_left_alone(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    clock.moment = payment.expires_on
    assert (await confirm_payment(runtime, tenant, payment.payment_id, card())).outcome is None
    assert (await reload(runtime, payment), processor.charges) == (payment, {})


async def test_a_form_for_an_older_state_is_used_up(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    seen = payment.created_at
    processor.answer = Declined("CARD_DECLINED", "No.")
    clock.advance(seconds=1)
    assert (await confirm_payment(runtime, tenant, payment.payment_id, card(), seen)).outcome == processor.answer
    assert (await confirm_payment(runtime, tenant, payment.payment_id, card(), seen)).outcome is None
    failed = await reload(runtime, payment)
    assert len(await attempts_of(runtime, payment)) == 1
    again = await confirm_payment(runtime, tenant, payment.payment_id, card(), failed.updated_at)
    assert again.outcome == processor.answer
    assert len(await attempts_of(runtime, payment)) == 2


async def test_refusals_store_nothing(runtime: Runtime, tenant: Tenant, processor: Scripted) -> None:
    payment = await place(runtime, order(runtime, tenant))
    live = await place(runtime, order(runtime, Tenant(tenant.business_id, "live")))
    with pytest.raises(Problem, match="NOT_FOUND"):
        await confirm_payment(runtime, tenant, "pay_unknown", card())
    with pytest.raises(Problem, match="NOT_FOUND"):
        await confirm_payment(runtime, live.tenant, payment.payment_id, card())
    with pytest.raises(Problem, match="No processor is configured for live payments"):
        await confirm_payment(runtime, live.tenant, live.payment_id, card())
    with pytest.raises(Problem, match="A card is needed to pay"):
        await confirm_payment(runtime, tenant, payment.payment_id, None)
    with pytest.raises(CardRefused, match="not_a_test_card"):
        await confirm_payment(runtime, tenant, payment.payment_id, card("4111111111111111"))
    for untouched in (payment, live):
        assert await reload(runtime, untouched) == untouched
        assert await attempts_of(runtime, untouched) == []
    assert processor.charges == {}


async def test_the_resolver_learns_what_a_silent_processor_did(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    processor.answer = TimeoutError()
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    processor.later = Succeeded("r")
    clock.advance(seconds=59)
    assert await resolve_attempts_due(runtime, clock.now()) == 0
    await resolve_attempt(runtime, tenant, payment.payment_id)
    assert processor.questions == {}
    clock.advance(seconds=1)
    assert await resolve_attempts_due(runtime, clock.now()) == 1
    assert (await reload(runtime, payment)).status == "succeeded"
    assert await resolve_attempts_due(runtime, clock.now()) == 0


async def test_an_order_that_never_arrived_is_a_failure_after_a_minute(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    processor.answer = TimeoutError()
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    clock.advance(minutes=1)
    await resolve_attempts_due(runtime, clock.now())
    failed = await reload(runtime, payment)
    assert (failed.status, failed.error_code) == ("failed", "NETWORK_TIMEOUT")


async def test_doubt_stays_doubt_and_is_asked_about_once_a_minute(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    processor.answer = TimeoutError()
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    processor.later = ConnectionError()
    for minute in range(1, 4):
        clock.advance(minutes=1)
        for _ in range(3):
            await resolve_attempts_due(runtime, clock.now())
        assert sum(processor.questions.values()) == minute
    assert (await reload(runtime, payment)).status == "processing"
    clock.advance(minutes=1)
    await resolve_attempts_due(runtime._replace(processors={}), clock.now())
    assert (await reload(runtime, payment)).status == "processing"


async def test_many_that_ask_at_once_ask_the_processor_once(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    processor.answer = TimeoutError()
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    processor.later = Succeeded("r")
    clock.advance(minutes=1)
    await asyncio.gather(*(resolve_attempt(runtime, tenant, payment.payment_id) for _ in range(20)))
    assert sum(processor.questions.values()) == 1
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_an_attempt_that_cannot_be_settled_keeps_nobody_else_waiting(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock
) -> None:
    """Somebody has changed a row by hand, so that the transition table refuses the success."""
    processor.answer = TimeoutError()
    broken, sound = [await place(runtime, order(runtime, tenant)) for _ in range(2)]
    for payment in (broken, sound):
        await confirm_payment(runtime, tenant, payment.payment_id, card())
        clock.advance(seconds=1)
    async with runtime.database.read() as read:
        await read.execute("UPDATE payments SET status = 'cancelled' WHERE payment_id = $1", broken.payment_id)
    processor.later = Succeeded("r")
    clock.advance(minutes=1)
    assert await resolve_attempts_due(runtime, clock.now()) == 2
    assert (await reload(runtime, broken)).status == "cancelled"
    assert (await reload(runtime, sound)).status == "succeeded"
    clock.advance(minutes=1)
    assert await resolve_attempts_due(runtime, clock.now()) == 1


async def test_a_second_word_on_an_attempt_changes_nothing(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000000002"))
    failed = await reload(runtime, payment)
    (before,) = await attempts_of(runtime, payment)
    clock.advance(seconds=5)
    for word in (Declined("CARD_DECLINED", "No."), Unknown("why"), Pending("r")):
        async with runtime.database.transaction() as tx:
            locked = await lock_payment(tx, tenant, payment.payment_id)
            attempt = await get_attempt(tx, tenant, before["attempt_id"])
            assert locked is not None
            assert not await record_payment_outcome(runtime, tx, locked, attempt, word, clock.now())
    assert await reload(runtime, payment) == failed
    assert await attempts_of(runtime, payment) == [before]


async def test_a_lost_challenge_can_be_paid_again(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    """A bank that has lost its books: the payment must not hang for ever."""
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card("4000002500003155"))
    await purge_simulated_books(runtime)
    await resolve_attempt(runtime, tenant, payment.payment_id, came_back=True)
    assert (await reload(runtime, payment)).status == "requires_customer_action"
    clock.advance(minutes=1)
    await resolve_attempts_due(runtime, clock.now())
    failed = await reload(runtime, payment)
    assert (failed.status, failed.error_code) == ("failed", "AUTHENTICATION_TIMEOUT")


async def test_what_is_pending_for_days_is_asked_about_once_an_hour(
    runtime: Runtime, tenant: Tenant, processor: Scripted, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    processor.answer = processor.later = Pending("r")
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    asked: list[int] = []
    for minute in range(1, 601):
        clock.advance(minutes=1)
        if await resolve_attempts_due(runtime, clock.now()):
            asked.append(minute)
    assert asked == [1, 3, 7, 15, 31, 63, 124, 185, 246, 307, 368, 429, 490, 551]
    assert sum(processor.questions.values()) == len(asked)
    processor.later = Succeeded("r")
    clock.advance(minutes=61)
    await resolve_attempts_due(runtime, clock.now())
    assert (await reload(runtime, payment)).status == "succeeded"
