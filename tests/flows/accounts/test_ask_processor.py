"""A processor is asked with a deadline, and whatever goes wrong is Unknown, in a log line without its words."""

import asyncio

import pytest
import structlog

from harness import FakeClock
from nicobar.core.payments.payment import Declined, Succeeded, Unknown
from nicobar.flows.accounts.ask_processor import ask_processor
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput, ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import card


class Chatty(Simulator):
    """Raises what it was asked with."""

    async def charge(self, request: ChargeRequest) -> Succeeded | Declined:
        assert isinstance(request.instrument, CardInput)
        raise RuntimeError(f"cannot charge {request.instrument.number}")


@pytest.fixture
def chatty(runtime: Runtime, clock: FakeClock) -> Chatty:
    return Chatty(clock, "http://pay.test", SimulatorRecords(runtime.database))


async def test_an_answer_is_returned_without_a_word(chatty: Chatty) -> None:
    async def answer(_asked: Chatty) -> int:
        return 7

    with structlog.testing.capture_logs() as lines:
        assert await ask_processor(chatty, answer, 5, "in_doubt") == 7
    assert lines == []


async def test_an_exception_is_unknown_and_its_words_stay_where_they_are(chatty: Chatty) -> None:
    request = ChargeRequest("att_1", 100, "USD", card(), "http://pay.test")
    with structlog.testing.capture_logs() as lines:
        told = await ask_processor(chatty, lambda asked: asked.charge(request), 5, "in_doubt", attempt_id="att_1")
    assert told == Unknown("RuntimeError")
    assert lines == [
        {
            "event": "in_doubt",
            "log_level": "warning",
            "processor": "simulator",
            "why": "RuntimeError",
            "attempt_id": "att_1",
        }
    ]


async def test_a_question_that_fails_before_it_is_put_is_unknown_too(chatty: Chatty) -> None:
    def broken(_asked: Chatty) -> asyncio.Future[int]:
        raise ZeroDivisionError

    assert await ask_processor(chatty, broken, 5, "in_doubt") == Unknown("ZeroDivisionError")


async def test_silence_ends_at_the_deadline(chatty: Chatty) -> None:
    async def silence(_asked: Chatty) -> None:
        await asyncio.Event().wait()

    assert await ask_processor(chatty, silence, 0.01, "in_doubt") == Unknown("TimeoutError")


async def test_being_cancelled_is_no_answer(chatty: Chatty) -> None:
    async def cancelled(_asked: Chatty) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ask_processor(chatty, cancelled, 5, "in_doubt")
