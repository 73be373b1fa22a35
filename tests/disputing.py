"""Disputes for tests: a processor that says what it is told to, and notices that lead to asking it."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from nicobar.core.business.tenant import Tenant
from nicobar.core.disputes.dispute import Dispute, DisputeFacts
from nicobar.core.payments.payment import Payment
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.notices.receive_notice import receive_notice
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Notice
from nicobar.storage.disputes.disputes import disputes_of
from orders import attempts_of

OPENED_AT = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


class Disputing:
    """Makes the simulator know the disputes that the test puts in, and counts how often it was asked."""

    def __init__(self, runtime: Runtime) -> None:
        self.simulator = cast(Any, runtime.processors["simulator"])
        self.simulator.find_dispute = self._find_dispute
        self.simulator.read_notice = self._read_notice
        self.known: dict[str, DisputeFacts | Exception | None] = {}
        self.questions: Counter[str] = Counter()

    async def _find_dispute(self, reference: str) -> DisputeFacts | None:
        self.questions[reference] += 1
        answer = self.known.get(reference)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        return Notice(**json.loads(body))


async def facts_of(runtime: Runtime, payment: Payment, reference: str = "du_1", **changes: Any) -> DisputeFacts:
    """Return what a processor says about a new dispute of all that a payment has paid."""
    attempt = (await attempts_of(runtime, payment))[-1]
    values: dict[str, Any] = {
        "reference": reference,
        "attempt_id": attempt["attempt_id"],
        "amount": attempt["amount"],
        "currency": attempt["currency"],
        "stage": "dispute",
        "status": "dispute_opened",
        "reason": "product_not_received",
        "opened_at": OPENED_AT,
    }
    return DisputeFacts(**(values | changes))


async def notify(
    runtime: Runtime, tenant: Tenant, reference: str, notice_id: str = "evt_1", subject: str = "dispute"
) -> bool:
    """Send the notice and handle it; return whether that is done."""
    body = json.dumps({"notice_id": notice_id, "subject": subject, "reference": reference}).encode()
    await receive_notice(runtime, tenant, "simulator", {}, body)
    return await handle_notice(runtime, tenant, "simulator", notice_id)


async def open_dispute(runtime: Runtime, processor: Disputing, payment: Payment, **changes: Any) -> Dispute:
    """Let the processor open a dispute, or move it, and tell us; return the payment's newest."""
    facts = await facts_of(runtime, payment, **changes)
    processor.known[facts.reference] = facts
    notice_id = f"evt_{runtime.clock.random_bits(64)}"
    assert await notify(runtime, payment.tenant, facts.reference, notice_id)
    async with runtime.database.read() as read:
        return (await disputes_of(read, payment.tenant, payment.payment_id))[-1]
