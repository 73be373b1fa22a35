"""A charge besides the one that paid is given back, once, whatever happens on the way."""

import json
from collections import Counter
from datetime import timedelta

import msgspec
import pytest
import pytest_asyncio

from disputing import facts_of
from due_work import run_due
from harness import START, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Declined, Payment, Succeeded
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import (
    NewRefund,
    RefundFailed,
    RefundInstruction,
    RefundItem,
    RefundOutcome,
    RefundPending,
    RefundSucceeded,
)
from nicobar.flows.disputes.record_dispute import record_dispute
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import ChargeRequest, RefundRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.program.books_audit import audit_books
from nicobar.storage.events.events import events_of
from nicobar.storage.ledger.ledger import entries_of
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payments import lock_payment
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import attempts_of, card, line, order, place, reload


class Wavering(Simulator):
    """Declines what the test says, and answers refunds in the order that the test gives."""

    def __init__(self, clock: FakeClock, store: SimulatorRecords) -> None:
        super().__init__(clock, "http://pay.test", store)
        self.decline = False
        self.answers: list[RefundOutcome | Exception] = []
        self.refunds: Counter[tuple[str, int]] = Counter()

    async def charge(self, request: ChargeRequest) -> Declined | Succeeded:
        return Declined("CARD_DECLINED", "No.") if self.decline else Succeeded("r")

    async def refund(self, request: RefundRequest) -> RefundOutcome:
        self.refunds[request.refund_id, request.amount] += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def find_refund(self, request: RefundRequest) -> RefundOutcome | None:
        return None


@pytest.fixture
def processor(runtime: Runtime, clock: FakeClock) -> Wavering:
    return Wavering(clock, SimulatorRecords(runtime.database))


@pytest_asyncio.fixture
async def runtime_with(runtime: Runtime, processor: Wavering) -> Runtime:
    return runtime._replace(processors={"simulator": processor})


async def _charged_twice(runtime: Runtime, tenant: Tenant, processor: Wavering, clock: FakeClock) -> Payment:
    """Return a payment that a second attempt has paid, after the processor took the no to the first one back."""
    payment = await place(runtime, order(runtime, tenant))
    processor.decline = True
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    (first,) = await attempts_of(runtime, payment)
    processor.decline = False
    clock.advance(seconds=1)
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    clock.advance(seconds=1)
    assert await _record(runtime, payment, first["attempt_id"], Succeeded("late"))
    return await reload(runtime, payment)


async def _record(runtime: Runtime, payment: Payment, attempt_id: str, outcome: Succeeded) -> bool:
    async with runtime.database.transaction() as tx:
        locked = await lock_payment(tx, payment.tenant, payment.payment_id)
        attempt = await get_attempt(tx, payment.tenant, attempt_id)
        assert locked is not None
        return await record_payment_outcome(runtime, tx, locked, attempt, outcome, runtime.clock.now())


async def _problems(runtime: Runtime, clock: FakeClock) -> list[str]:
    async with runtime.database.read() as read:
        findings = await audit_books(read, clock.now(), since=START)
    return [finding.sentence for finding in findings if finding.good is False]


async def test_the_second_charge_goes_back_and_the_payment_stays_paid(
    runtime_with: Runtime, merchant: Merchant, processor: Wavering, clock: FakeClock
) -> None:
    runtime = runtime_with
    paid = await _charged_twice(runtime, merchant.tenant, processor, clock)
    first, second = await attempts_of(runtime, paid)
    assert (paid.status, first["is_surplus"], second["is_surplus"]) == ("succeeded", True, False)
    assert len(await _problems(runtime, clock)) == 1
    processor.answers = [ConnectionError(), RefundPending("x"), RefundFailed("closed"), RefundSucceeded("x")]
    assert await run_due(runtime) == 1
    for pause in (2, 4):  # a bank that cannot be reached is asked again, after longer and longer pauses
        assert len(await _problems(runtime, clock)) == 1
        clock.advance(seconds=pause - 1)
        assert await run_due(runtime) == 0
        clock.advance(seconds=1)
        assert await run_due(runtime) == 1
    assert len(await _problems(runtime, clock)) == 1
    clock.advance(seconds=8)
    assert await run_due(runtime) == 1
    clock.advance(hours=1)
    assert await run_due(runtime) == 0
    (id_and_amount,) = processor.refunds
    assert id_and_amount == (f"ref_{first['attempt_id'].removeprefix('att_')}", paid.total_amount)
    assert await _problems(runtime, clock) == []
    assert await reload(runtime, paid) == paid
    first, second = await attempts_of(runtime, paid)
    assert (first["returned_at"], second["returned_at"]) == (clock.now() - timedelta(hours=1), None)
    assert (first["return_tries"], first["return_due_at"], second["return_due_at"]) == (4, None, None)
    async with runtime.database.read() as read:
        events = await events_of(read, merchant.tenant, paid.payment_id)
        assert await read.fetchval("SELECT count(*) FROM ledger_entries") == 1
    assert [event.type for event in events] == ["payment.failed", "payment.succeeded"]


async def test_the_same_news_again_gives_nothing_back_twice(
    runtime_with: Runtime, merchant: Merchant, processor: Wavering, clock: FakeClock
) -> None:
    runtime = runtime_with
    paid = await _charged_twice(runtime, merchant.tenant, processor, clock)
    first, _ = await attempts_of(runtime, paid)
    processor.answers = [RefundSucceeded("x")]
    assert await run_due(runtime) == 1
    assert not await _record(runtime, paid, first["attempt_id"], Succeeded("late"))
    assert await run_due(runtime) == 0
    assert sum(processor.refunds.values()) == 1


async def test_a_late_charge_of_another_amount_does_not_pay(
    runtime_with: Runtime, merchant: Merchant, processor: Wavering, clock: FakeClock
) -> None:
    """The customer has changed the order since, so what was charged is not what it costs now."""
    runtime = runtime_with
    payment = await place(runtime, order(runtime, merchant.tenant))
    processor.decline = True
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card())
    (attempt,) = await attempts_of(runtime, payment)
    async with runtime.database.read() as read:
        await read.execute("UPDATE payments SET subtotal = subtotal + 100, total_amount = total_amount + 100")
    assert await _record(runtime, payment, attempt["attempt_id"], Succeeded("late"))
    assert (await reload(runtime, payment)).status == "failed"
    processor.answers = [RefundSucceeded("x")]
    assert await run_due(runtime) == 1
    assert processor.refunds == {(f"ref_{attempt['attempt_id'].removeprefix('att_')}", payment.total_amount): 1}
    assert await _problems(runtime, clock) == []


async def test_a_card_that_was_kept_late_for_nothing_has_nothing_to_go_back(
    runtime_with: Runtime, merchant: Merchant, processor: Wavering, clock: FakeClock
) -> None:
    """A first try at keeping a card, for which nothing is charged, turns out to have worked after the second one."""
    runtime = runtime_with
    waiting = order(runtime, merchant.tenant, [line(subtotal=0, tax=0)])
    options = msgspec.structs.replace(waiting.options, keeps_method=True)
    payment = await place(runtime, msgspec.structs.replace(waiting, options=options))
    processor.decline = True
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card())
    (first,) = await attempts_of(runtime, payment)
    processor.decline = False
    clock.advance(seconds=1)
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card())
    assert await _record(runtime, payment, first["attempt_id"], Succeeded("late"))
    assert (await reload(runtime, payment)).status == "succeeded"
    assert await run_due(runtime) == 0
    assert await _problems(runtime, clock) == []
    assert not processor.refunds
    first, second = await attempts_of(runtime, payment)
    assert (first["is_surplus"], first["return_due_at"], first["returned_at"]) == (True, None, clock.now())
    assert (second["is_surplus"], second["returned_at"]) == (False, None)


async def test_a_charge_that_pays_late_shows_its_own_card(
    runtime_with: Runtime, merchant: Merchant, processor: Wavering, clock: FakeClock
) -> None:
    """Another card was declined since, and stands in the payment."""
    runtime = runtime_with
    payment = await place(runtime, order(runtime, merchant.tenant))
    processor.decline = True
    for number in ("4242424242424242", "5200828282828210"):
        clock.advance(seconds=1)
        await confirm_payment(runtime, merchant.tenant, payment.payment_id, card(number))
    first, _ = await attempts_of(runtime, payment)
    failed = await reload(runtime, payment)
    assert failed.card is not None
    assert (failed.card.last_four, failed.payment_method_type) == ("8210", "debit")
    clock.advance(seconds=1)  # events of one millisecond have no order
    assert await _record(runtime, payment, first["attempt_id"], Succeeded("late"))
    paid = await reload(runtime, payment)
    assert paid.card is not None
    assert (paid.status, paid.card.last_four, paid.card.network) == ("succeeded", "4242", "visa")
    assert (paid.payment_method, paid.payment_method_type, paid.payment_method_id) == ("card", "credit", None)
    async with runtime.database.read() as read:
        last = (await events_of(read, merchant.tenant, paid.payment_id))[-1]
    assert (last.type, json.loads(last.payload)["data"]["card_last_four"]) == ("payment.succeeded", "4242")


async def test_a_dispute_of_the_second_charge_touches_neither_books_nor_refunds(
    runtime_with: Runtime, merchant: Merchant, processor: Wavering, clock: FakeClock
) -> None:
    """The seller never had that money, so the bank that takes it away takes nothing of what the payment has paid."""
    runtime, tenant = runtime_with, merchant.tenant
    paid = await _charged_twice(runtime, tenant, processor, clock)
    processor.answers = [RefundSucceeded("x"), RefundSucceeded("y")]
    assert await run_due(runtime) == 1
    surplus, paying = await attempts_of(runtime, paid)
    await _dispute(runtime, paid, surplus["attempt_id"], 2400)
    assert await _booked(runtime, paid) == [("payment", 2400)]
    assert await _problems(runtime, clock) == []
    part = RefundInstruction((RefundItem("pdt_0", 1900),))
    refund = (await refund_payment(runtime, tenant, NewRefund(paid.payment_id, part))).refund
    assert (refund.status, refund.amount) == ("succeeded", 1900)
    clock.advance(seconds=1)
    await _dispute(runtime, paid, paying["attempt_id"], 500)
    assert await _booked(runtime, paid) == [("payment", 2400), ("refund", -1900), ("dispute", -500)]
    assert await _problems(runtime, clock) == []
    with pytest.raises(Problem, match=r"\$0\.00 of it can be refunded"):
        await refund_payment(runtime, tenant, NewRefund(paid.payment_id))


async def _dispute(runtime: Runtime, payment: Payment, attempt_id: str, amount: int) -> None:
    facts = await facts_of(runtime, payment, f"du_{amount}", attempt_id=attempt_id, amount=amount)
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, payment.tenant, attempt_id)
    assert attempt is not None
    assert await record_dispute(runtime, payment.tenant, attempt, facts, runtime.clock.now())


async def _booked(runtime: Runtime, payment: Payment) -> list[tuple[str, int]]:
    async with runtime.database.read() as read:
        return [(entry.kind, entry.received) for entry in await entries_of(read, payment.tenant, payment.payment_id)]
