"""Asking the simulator in tests, without a payment of ours."""

from datetime import UTC, datetime

from nicobar.core.payment import Attempt, Outcome
from nicobar.processors.base import Processor


def attempt(
    attempt_id: str = "att_1", amount: int = 2400, currency: str = "USD", outcome: Outcome | None = None
) -> Attempt:
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
