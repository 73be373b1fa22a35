"""What every processor has to keep, whoever it speaks to: the tests of `processors/base.py:Processor`.

A test module makes a class `TestContract(ProcessorContract)` and a fixture `subject` with what the tests need to know.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from nicobar.core.payments.payment import Abandoned, Attempt, Declined, NeedsAction, Outcome, Pending, Succeeded
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.refunds.refund import RefundFailed, RefundOutcome, RefundPending, RefundSucceeded
from nicobar.processors.base import (
    CardInput,
    ChargeRequest,
    MethodInput,
    Notice,
    NoticeRefused,
    Processor,
    RefundRequest,
)
from nicobar.reference import failures

Input = CardInput | SavedMethod | MethodInput

AMOUNT = 2400
CURRENCY = "USD"


@dataclass
class Subject:
    """A processor, with the inputs that make it do something and the books of whom it speaks to."""

    processor: Processor
    now: datetime
    """The time by the processor's clock."""
    pays: Callable[[], Awaitable[Input]]
    """Make an input that is charged at once."""
    declines: Callable[[], Awaitable[Input]]
    """Make an input that is declined at once."""
    asks: Callable[[], Awaitable[Input]]
    """Make an input for which the customer has to do something first."""
    taken: Callable[[str], Awaitable[int]]
    """Count the money that was taken for an attempt, in the books of the other side."""
    given_back: Callable[[str], Awaitable[int]]
    """Count the money that went back, or is on its way back, of an attempt."""
    sign: Callable[[str], tuple[Mapping[str, str], bytes]]
    """Make a genuine notice about an attempt: headers with names in lower case, and the body."""
    secrets: list[str] = field(default_factory=list)
    """What no text form of the processor may show."""

    def attempt(self, attempt_id: str, outcome: Outcome | None = None, amount: int = AMOUNT) -> Attempt:
        """Return the attempt as our books have it."""
        return Attempt(
            attempt_id=attempt_id,
            payment_id=f"pay_{attempt_id[4:]}",
            processor=self.processor.name,
            amount=amount,
            currency=CURRENCY,
            card=None,
            outcome=outcome,
            created_at=self.now,
            resolved_at=None,
        )

    async def charge(self, attempt_id: str, card: Input, amount: int = AMOUNT, *, keep_card: bool = False) -> Outcome:
        """Order a charge."""
        request = ChargeRequest(
            attempt_id,
            amount,
            CURRENCY,
            card,
            "http://pay.test/Ab3dE6gH",
            keep_card=keep_card,
            email="ana@example.com",
            business_id="bus_contract",
            payment_id=f"pay_{attempt_id[4:]}",
        )
        return await self.processor.charge(request)

    async def charged(self) -> tuple[Attempt, Succeeded]:
        """Take money for a new attempt; return it with the outcome."""
        attempt_id = new_id()
        outcome = await self.charge(attempt_id, await self.pays())
        assert isinstance(outcome, Succeeded)
        return self.attempt(attempt_id, outcome), outcome


def new_id(prefix: str = "att") -> str:
    """Return an id that the other side has not seen, in this run or an earlier one."""
    return f"{prefix}_{uuid.uuid4().hex[:21]}"


def gist(outcome: Outcome | RefundOutcome | None) -> tuple[str, str | None]:
    """Return what an outcome is about: its kind and the reference or code. The rest may come to be known later."""
    detail = outcome.error_code if isinstance(outcome, Declined) else getattr(outcome, "reference", None)
    return type(outcome).__name__, detail


async def answered(order: Awaitable[Outcome]) -> Outcome | None:
    """Return the answer to an order, None when it was refused by an exception."""
    try:
        return await order
    except Exception:  # noqa: BLE001 - how a processor refuses is up to it
        return None


async def refunded(order: Awaitable[RefundOutcome]) -> RefundOutcome | None:
    """Return the answer to a refund, None when it was refused by an exception."""
    try:
        return await order
    except Exception:  # noqa: BLE001 - how a processor refuses is up to it
        return None


class ProcessorContract:
    """The tests; a subclass may add to them, and replace none without a reason."""

    async def test_it_says_what_it_can_do(self, subject: Subject) -> None:
        processor = subject.processor
        assert processor.name
        assert processor.modes and processor.modes <= {"test", "live"}
        assert processor.methods
        with pytest.raises(KeyError):
            processor.check(MethodInput("nonsense"))

    async def test_an_attempt_it_never_heard_of(self, subject: Subject) -> None:
        assert await subject.processor.find(subject.attempt(new_id())) is None

    async def test_the_same_id_gets_the_same_answer_and_takes_no_more(self, subject: Subject) -> None:
        attempt_id, card = new_id(), await subject.pays()
        first = await subject.charge(attempt_id, card)
        assert isinstance(first, Succeeded)
        assert gist(await subject.charge(attempt_id, card)) == gist(first)
        assert gist(await subject.processor.find(subject.attempt(attempt_id))) == gist(first)
        assert gist(await subject.processor.find(subject.attempt(attempt_id, first))) == gist(first)
        assert await subject.taken(attempt_id) == AMOUNT

    async def test_the_same_id_at_the_same_time_takes_money_once(self, subject: Subject) -> None:
        attempt_id, card = new_id(), await subject.pays()
        answers = await asyncio.gather(*(answered(subject.charge(attempt_id, card)) for _ in range(5)))
        assert len({gist(answer) for answer in answers if answer is not None}) == 1
        assert await subject.taken(attempt_id) == AMOUNT

    async def test_the_same_id_with_another_amount_takes_nothing(self, subject: Subject) -> None:
        attempt_id, card = new_id(), await subject.pays()
        await subject.charge(attempt_id, card)
        other = await answered(subject.charge(attempt_id, card, AMOUNT + 100))
        assert not isinstance(other, Succeeded)
        assert await subject.taken(attempt_id) == AMOUNT

    async def test_different_ids_are_different_charges(self, subject: Subject) -> None:
        (_, one), (_, two) = await subject.charged(), await subject.charged()
        assert one.reference != two.reference

    async def test_a_decline_has_a_code_of_the_contract_and_takes_nothing(self, subject: Subject) -> None:
        attempt_id, card = new_id(), await subject.declines()
        outcome = await subject.charge(attempt_id, card)
        assert isinstance(outcome, Declined)
        assert outcome.error_code in {failure.code for failure in failures.ALL}
        assert outcome.error_message
        assert gist(await subject.processor.find(subject.attempt(attempt_id, outcome))) == gist(outcome)
        assert await subject.taken(attempt_id) == 0

    async def test_a_card_is_kept_without_taking_money(self, subject: Subject) -> None:
        attempt_id, card = new_id(), await subject.pays()
        kept = await subject.charge(attempt_id, card, 0, keep_card=True)
        assert isinstance(kept, Succeeded) and kept.kept is not None
        assert gist(await subject.charge(attempt_id, card, 0, keep_card=True)) == gist(kept)
        for known in (None, kept):
            assert gist(await subject.processor.find(subject.attempt(attempt_id, known, 0))) == gist(kept)
        assert await subject.taken(attempt_id) == 0

    async def test_a_customer_is_sent_somewhere_and_can_be_closed_out(self, subject: Subject) -> None:
        attempt_id, card = new_id(), await subject.asks()
        asked = await subject.charge(attempt_id, card)
        assert isinstance(asked, NeedsAction)
        assert asked.url.startswith(("http://", "https://"))
        attempt = subject.attempt(attempt_id, asked)
        assert gist(await subject.processor.find(attempt)) == gist(asked)
        assert isinstance(await subject.processor.cancel(attempt), Abandoned)
        assert isinstance(await subject.processor.find(attempt), Abandoned | Declined)
        assert isinstance(await subject.processor.cancel(attempt), Abandoned | Declined)
        assert await subject.taken(attempt_id) == 0

    async def test_an_order_that_comes_after_the_close_takes_nothing(self, subject: Subject) -> None:
        attempt_id, card = new_id(), await subject.pays()
        attempt = subject.attempt(attempt_id)
        assert await subject.processor.cancel(attempt) is None
        assert await subject.processor.cancel(attempt) is None
        assert not isinstance(await answered(subject.charge(attempt_id, card)), Succeeded | NeedsAction | Pending)
        assert not isinstance(await subject.processor.find(attempt), Succeeded | NeedsAction | Pending)
        assert await subject.taken(attempt_id) == 0

    async def test_order_and_close_at_the_same_time_agree(self, subject: Subject) -> None:
        for _ in range(5):
            attempt_id, card = new_id(), await subject.pays()
            attempt = subject.attempt(attempt_id)
            charged, closed = await asyncio.gather(
                answered(subject.charge(attempt_id, card)),
                asyncio.create_task(_closed(subject.processor, attempt)),
            )
            taken = await subject.taken(attempt_id)
            assert taken == (AMOUNT if isinstance(charged, Succeeded) else 0)
            if closed != "refused":  # it may be unable to tell at this moment, and is asked again
                assert isinstance(closed, Succeeded) == (taken == AMOUNT)

    async def test_a_close_takes_nothing_back(self, subject: Subject) -> None:
        attempt, outcome = await subject.charged()
        assert gist(await subject.processor.cancel(attempt)) == gist(outcome)
        assert gist(await subject.processor.find(attempt)) == gist(outcome)
        assert await subject.taken(attempt.attempt_id) == AMOUNT

    async def test_the_same_refund_goes_back_once(self, subject: Subject) -> None:
        attempt, _ = await subject.charged()
        request = RefundRequest(new_id("ref"), attempt, 1000)
        assert await subject.processor.find_refund(request) is None
        first = await subject.processor.refund(request)
        assert isinstance(first, RefundSucceeded | RefundPending)
        assert gist(await subject.processor.refund(request)) == gist(first)
        assert gist(await subject.processor.find_refund(request)) == gist(first)
        assert await subject.given_back(attempt.attempt_id) == 1000

    async def test_no_more_goes_back_than_was_taken(self, subject: Subject) -> None:
        attempt, _ = await subject.charged()
        for amount, works in ((AMOUNT + 1, False), (1000, True), (1401, False), (1400, True), (1, False)):
            answer = await refunded(subject.processor.refund(RefundRequest(new_id("ref"), attempt, amount)))
            assert isinstance(answer, RefundSucceeded | RefundPending) == works
        assert await subject.given_back(attempt.attempt_id) == AMOUNT

    async def test_refunds_at_the_same_time_give_back_no_more_than_was_taken(self, subject: Subject) -> None:
        attempt, _ = await subject.charged()
        orders = [subject.processor.refund(RefundRequest(new_id("ref"), attempt, 1500)) for _ in range(5)]
        answers = await asyncio.gather(*(refunded(order) for order in orders))
        assert sum(isinstance(answer, RefundSucceeded | RefundPending) for answer in answers) == 1
        assert await subject.given_back(attempt.attempt_id) == 1500

    async def test_nothing_goes_back_where_nothing_was_taken(self, subject: Subject) -> None:
        request = RefundRequest(new_id("ref"), subject.attempt(new_id()), 1000)
        assert isinstance(await subject.processor.refund(request), RefundFailed)
        assert not isinstance(await subject.processor.find_refund(request), RefundSucceeded | RefundPending)

    async def test_a_dispute_it_does_not_know(self, subject: Subject) -> None:
        assert await subject.processor.find_dispute("dp_unknown") is None

    async def test_a_genuine_notice_is_read(self, subject: Subject) -> None:
        attempt, _ = await subject.charged()
        headers, body = subject.sign(attempt.attempt_id)
        first, second = (subject.processor.read_notice(headers, body) for _ in range(2))
        assert first is not None and first.notice_id
        assert first == Notice(first.notice_id, "attempt", attempt.attempt_id)
        assert second == first

    async def test_a_notice_that_proves_nothing_is_refused(self, subject: Subject) -> None:
        headers, body = subject.sign(new_id())
        other, _ = subject.sign(new_id())
        forged = [
            ({}, body),
            ({}, b""),
            (other, body),
            (headers, body + b" "),
            (headers, b""),
            *(({**headers, name: ""}, body) for name in headers if "signature" in name),
            *(({**headers, name: f"{headers[name]}0"}, body) for name in headers if "signature" in name),
            *(({**headers, name: "\x00,=\u00e9"}, body) for name in headers),
        ]
        for name, (given, text) in enumerate(forged):
            with pytest.raises(NoticeRefused):
                assert subject.processor.read_notice(given, text) is None, name

    async def test_its_text_form_shows_no_secret(self, subject: Subject) -> None:
        headers, body = subject.sign(new_id())
        for text in (repr(subject.processor), str(subject.processor), f"{subject.processor}", str(body)):
            for secret in subject.secrets:
                assert secret not in text
        with pytest.raises(NoticeRefused) as refused:
            subject.processor.read_notice(headers, b"{}")
        for secret in subject.secrets:
            assert secret not in str(refused.value)


async def _closed(processor: Processor, attempt: Attempt) -> Outcome | str | None:
    try:
        return await processor.cancel(attempt)
    except Exception:  # noqa: BLE001 - how a processor refuses is up to it
        return "refused"
