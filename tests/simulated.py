"""Asking the simulator in tests, without a payment of ours."""

from datetime import UTC, datetime
from typing import Any

from nicobar.core.payments.payment import Attempt, Declined, Outcome
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import ChargeRequest, Processor, RefundRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.reference import failures
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import card

LINK = "http://pay.test/Ab3dE6gH"


def attempt(attempt_id: str = "att_1", outcome: Outcome | None = None) -> Attempt:
    """Return an attempt as our books would have it."""
    return Attempt(
        attempt_id=attempt_id,
        payment_id="pay_1",
        processor="simulator",
        amount=2400,
        currency="USD",
        card=None,
        outcome=outcome,
        created_at=datetime(2026, 3, 14, tzinfo=UTC),
        resolved_at=None,
    )


async def found(processor: Processor, attempt_id: str = "att_1") -> Outcome | None:
    """Return what a processor says about an attempt."""
    return await processor.find(attempt(attempt_id))


def charge_of(
    scenario: str | None = None, attempt_id: str = "att_1", number: str = "4242424242424242", **changes: Any
) -> ChargeRequest:
    """Return an order of 24 dollars by card, for the payment pay_1 of the business bus_1."""
    values: dict[str, Any] = {"amount": 2400, "currency": "USD", "instrument": card(number), "return_url": LINK}
    values |= {"business_id": "bus_1", "payment_id": "pay_1", "scenario": scenario}
    return ChargeRequest(attempt_id, **(values | changes))


def refund_of(refund_id: str = "ref_1", amount: int = 1000, attempt_id: str = "att_1") -> RefundRequest:
    """Return an order to give something of a charge back."""
    return RefundRequest(refund_id, attempt(attempt_id), amount)


def restarted(runtime: Runtime) -> Simulator:
    """Return a simulator as it is after a restart: another object on the same books."""
    return Simulator(runtime.clock, runtime.public_url, SimulatorRecords(runtime.database))


def code_of(outcome: Outcome | None) -> str:
    """Return why a charge was declined; the words are those of the catalogue."""
    assert isinstance(outcome, Declined)
    assert outcome.error_message == failures.get(outcome.error_code).error_message
    return outcome.error_code
