"""A processor for tests of refunds: it gives money back as the test says, and keeps books of its own."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from harness import PUBLIC_URL
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment
from nicobar.core.refunds.refund import RefundOutcome, RefundSucceeded
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.notices.receive_notice import receive_notice
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Notice, RefundRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.refunds.refunds import refunds_of
from nicobar.storage.simulator.simulator import SimulatorRecords


class Returning(Simulator):
    """Charges as the simulator does. Its refunds succeed unless `answer` says otherwise."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.clock, PUBLIC_URL, SimulatorRecords(runtime.database))
        self.answer: RefundOutcome | None = None
        self.loses: Literal["the order", "the answer"] | None = None
        self.silent = False
        """Whether it answers no question."""
        self.orders: Counter[str] = Counter()
        """How often each refund was ordered."""
        self.questions: Counter[str] = Counter()
        self.books: dict[str, tuple[int, RefundOutcome]] = {}
        """Amount and end of every refund that has arrived."""
        self.entered = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def refund(self, request: RefundRequest) -> RefundOutcome:
        self.orders[request.refund_id] += 1
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.loses == "the order":
            raise ConnectionResetError
        outcome = self.answer or RefundSucceeded(f"re_{request.refund_id}")
        self.books.setdefault(request.refund_id, (request.amount, outcome))
        if self.loses == "the answer":
            raise ConnectionResetError
        return self.books[request.refund_id][1]

    async def find_refund(self, request: RefundRequest) -> RefundOutcome | None:
        self.questions[request.refund_id] += 1
        if self.silent:
            raise TimeoutError
        found = self.books.get(request.refund_id)
        return None if found is None else found[1]

    def end(self, refund_id: str, outcome: RefundOutcome) -> None:
        """Let a refund end."""
        self.books[refund_id] = (self.books[refund_id][0], outcome)

    @property
    def given_back(self) -> int:
        """What customers have got, in minor units."""
        return sum(amount for amount, outcome in self.books.values() if isinstance(outcome, RefundSucceeded))

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        return Notice(**json.loads(body))


async def notify(runtime: Runtime, tenant: Tenant, refund_id: str, notice_id: str = "evt_1") -> bool:
    """Send a notice about a refund and handle it; return whether that is done."""
    body = json.dumps({"notice_id": notice_id, "subject": "refund", "reference": refund_id}).encode()
    await receive_notice(runtime, tenant, "simulator", {}, body)
    return await handle_notice(runtime, tenant, "simulator", notice_id)


async def refund_rows(runtime: Runtime, payment: Payment) -> list[tuple[str, int]]:
    """Return status and amount of the payment's refunds, the oldest first."""
    async with runtime.database.read() as read:
        return [(refund.status, refund.amount) for refund in await refunds_of(read, payment.tenant, payment.payment_id)]
