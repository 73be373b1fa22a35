"""The life of a payment over HTTP in any order: create, pay, try again, refund, dispute, wait, read; against a model.

Hypothesis draws the steps. After each, everything that can be read is what the model says, and nothing else is there.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from typing import Any, NamedTuple, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from starlette.types import ASGIApp

from api.payments.payment_model import PRICE, Carried, Memory, ModelPayment
from due_work import run_due
from harness import EmptyingDatabase, FakeClock, make_merchant
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.program.books_audit import audit_books
from orders import pay
from proof import PROVING, length
from shop import Shop, item, order_request

LIVES = length(200)
STEPS = 30

CARDS = {"pays": "4242424242424242", "declines": "4000000000009995", "asks": "4000002500003155"}

KEYS = st.none() | st.sampled_from("abcd")

EMAILS = ("ana@example.com", "bo@example.com")

HAPPENS = {
    *("succeeded", "failed", "cancelled", "disputed", "the same key", "a key again", "the same bytes"),
    *("PAYMENT_NOT_SUCCEEDED", "PAYMENT_ALREADY_REFUNDED", "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH", "UNSUPPORTED_ACTION"),
    "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT",
}
"""What the lives of a proof have to touch."""

T = TypeVar("T")


class World(NamedTuple):
    """Where lives are lived: one at a time, each in an empty database."""

    loop: asyncio.AbstractEventLoop
    runtime: Runtime
    app: ASGIApp
    clock: FakeClock
    database: EmptyingDatabase
    happened: Counter[str]
    """How often what the steps are about has happened, in all lives."""

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(step)


@pytest.fixture
async def world(runtime: Runtime, app: ASGIApp, clock: FakeClock, tests_database: EmptyingDatabase) -> World:
    return World(asyncio.get_running_loop(), runtime, app, clock, tests_database, Counter())


class PaymentMachine(RuleBasedStateMachine):
    """A shop and its customers, who do what they like."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.payments: dict[str, ModelPayment] = {}
        self.memory = Memory()
        self.customers: set[str] = set()
        self.sent: list[tuple[str, bytes, str | None]] = []
        self.shop, self.product = self.world.run(self._open())

    async def _open(self) -> tuple[Shop, str]:
        await self.world.database.empty()
        merchant = await make_merchant(self.world.runtime, self.world.app, "Dodo Records")
        shop = Shop(self.world.runtime, self.world.app, self.world.clock, merchant)
        return shop, await shop.product(PRICE)

    # --- what the shop asks for -----------------------------------------------------------------------------

    @rule(
        quantity=st.integers(1, 3),
        email=st.sampled_from(EMAILS),
        disputed=st.booleans(),
        key=KEYS,
    )
    def create(self, quantity: int, email: str, disputed: bool, key: str | None) -> None:
        order = order_request(item(self.product, quantity), customer={"email": email}, payment_link=True)
        order["metadata"] = {"nicobar_scenario": "dispute_after:1h"} if disputed else {}
        self._post("/payments", json.dumps(order).encode(), key)

    @rule(
        choice=st.integers(0, 99),
        amount=st.sampled_from([None, 1, PRICE // 2, PRICE - 1, PRICE, 2 * PRICE, 3 * PRICE + 1]),
        key=KEYS,
    )
    def refund(self, choice: int, amount: int | None, key: str | None) -> None:
        if self.payments:
            paid = [each for each in self.payments.values() if each.left and each.status == "succeeded"]
            body: dict[str, Any] = {"payment_id": self._chosen(choice, paid).payment_id}
            if amount is not None:
                body["items"] = [{"item_id": self.product, "amount": amount}]
            self._post("/refunds", json.dumps(body).encode(), key)

    @rule(choice=st.integers(0, 99), retry=st.integers(1, 2))
    def retry(self, choice: int, retry: int) -> None:
        """Send a request again, as an SDK does whose answer was lost."""
        if self.sent:
            path, body, key = self.sent[choice % len(self.sent)]
            self._post(path, body, key, retry)

    # --- what customers do ----------------------------------------------------------------------------------

    @rule(
        choice=st.integers(0, 99),
        card=st.sampled_from(["pays", "pays", "declines", "asks"]),
        answer=st.sampled_from(["confirm", "refuse"]),
    )
    def pay(self, choice: int, card: str, answer: str) -> None:
        if not self.payments:
            return
        now = self.world.clock.now()
        payment = self._chosen(choice, [each for each in self.payments.values() if each.is_open(now)])
        if not payment.is_open(now):
            page = self.world.run(self.shop.browser.get(payment.link))
            assert 'name="token"' not in page.text
            return
        self.world.run(self._pay(payment.link, CARDS[card], answer))
        paid = card == "pays" or (card == "asks" and answer == "confirm")
        payment.status = "succeeded" if paid else "failed"
        payment.paid_at = self.world.clock.now() if paid else None

    async def _pay(self, link: str, number: str, answer: str) -> None:
        response = await pay(self.shop.browser, link, number=number)
        assert response.status_code == 303, response.text
        if "/simulator/challenge/" in response.headers["location"]:
            await self.shop.browser.post(response.headers["location"], data={"answer": answer})
            await self.shop.browser.get(link)

    # --- what time does -------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([0.02, 0.1, 2, 25]))
    def wait(self, hours: float) -> None:
        self.world.clock.advance(hours=hours)
        self.world.run(self._work())
        for payment in self.payments.values():
            payment.pass_time(self.world.clock.now())

    async def _work(self) -> None:
        await deliver_simulated_notices(self.world.runtime)
        await run_due(self.world.runtime)
        await sweep(self.world.runtime)

    # --- what must be ---------------------------------------------------------------------------------------

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        self.world.clock.advance(seconds=1)  # so that what follows is later
        self.world.run(self._compare())

    async def _compare(self) -> None:
        refunds, disputes = 0, 0
        for model in self.payments.values():
            read = await self.shop.read(f"/payments/{model.payment_id}")
            assert read["total_amount"] == model.amount
            assert (read["status"] or "requires_payment_method") == model.status
            assert sorted(refund["amount"] for refund in read["refunds"]) == sorted(model.refunds)
            assert read["refund_status"] == model.refund_status
            assert [dispute["amount"] for dispute in read["disputes"]] == (
                [str(model.disputed)] if model.disputed else []
            )
            refunds += len(model.refunds)
            disputes += model.disputed > 0
        for path, count in (("payments", len(self.payments)), ("refunds", refunds), ("disputes", disputes)):
            assert len((await self.shop.read(f"/{path}", page_size="100"))["items"]) == count
        customers = (await self.shop.read("/customers"))["items"]
        assert {customer["email"] for customer in customers} == self.customers
        assert len(customers) == len(self.customers)

    def teardown(self) -> None:
        for payment in self.payments.values():
            self.world.happened[payment.status] += 1
            self.world.happened["disputed"] += payment.disputed > 0
        self.world.run(self._check_books())

    async def _check_books(self) -> None:
        async with self.world.runtime.database.read() as read:
            findings = await audit_books(read, self.world.clock.now())
        wrong = [finding.sentence for finding in findings if not finding.good]
        assert [text for text in wrong if "wait" not in text] == []

    # --- a request and what the model makes of it -----------------------------------------------------------

    def _chosen(self, choice: int, likely: list[ModelPayment]) -> ModelPayment:
        """Return a payment, mostly of the likely ones."""
        every = likely if likely and choice % 8 else list(self.payments.values())
        return every[choice % len(every)]

    def _post(self, path: str, body: bytes, key: str | None, retry: int = 0) -> None:
        now = self.world.clock.now()
        headers = {"content-type": "application/json", "x-stainless-retry-count": str(retry)}
        headers |= {} if key is None else {"idempotency-key": key}
        answer = self.world.run(self.shop.client.post(path, content=body, headers=headers))
        self.sent.append((path, body, key))
        if key is not None and (kept := self.memory.by_key(path, key, now)) is not None:
            self.world.happened["the same key"] += kept[0] == body
            self.world.happened["a key again"] += kept[0] != body
            if kept[0] == body:
                self._is_repeated(answer, kept[1])
            else:
                assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
            return
        if key is None and retry and (carried := self.memory.by_content(path, body, retry, now)) is not None:
            self.world.happened["the same bytes"] += 1
            self._is_repeated(answer, carried)
            return
        assert "idempotent-replayed" not in answer.headers
        if self._is_carried_out(path, json.loads(body), answer):
            carried = Carried(now, answer.json(), {retry} if retry else set())
            if key is not None:
                self.memory.keyed[path, key] = body, carried
            else:
                self.memory.unkeyed.setdefault((path, body), []).append(carried)

    def _is_repeated(self, answer: httpx.Response, carried: Carried) -> None:
        assert (answer.status_code, answer.json()) == (200, carried.answer)
        assert answer.headers["idempotent-replayed"] == "true"

    def _is_carried_out(self, path: str, body: dict[str, Any], answer: httpx.Response) -> bool:
        """Compare the answer to something new with the model, and do the same there."""
        if path == "/payments":
            amount = body["product_cart"][0]["quantity"] * PRICE
            made = answer.json()
            assert (answer.status_code, made["total_amount"]) == (200, amount)
            assert made["payment_id"] not in self.payments
            self.customers.add(body["customer"]["email"])
            self.payments[made["payment_id"]] = ModelPayment(
                made["payment_id"], made["payment_link"], amount, self.world.clock.now(), bool(body["metadata"])
            )
            return True
        payment = self.payments[body["payment_id"]]
        wanted = body["items"][0]["amount"] if "items" in body else None
        if refused := payment.refusal_of(wanted):
            assert answer.json()["code"] == refused
            self.world.happened[refused] += 1
            return False
        assert (answer.status_code, answer.json()["amount"]) == (200, wanted or payment.left)
        payment.refunds.append(wanted or payment.left)
        return True


@pytest.mark.proof
def test_a_life_in_any_order_is_that_of_the_model(world: World, record_property: Any) -> None:
    machine = type("Machine", (PaymentMachine,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=LIVES, stateful_step_count=STEPS, database=None, suppress_health_check=list(HealthCheck)
        ),
    )
    if PROVING:
        assert HAPPENS - {name for name, count in world.happened.items() if count} == set()
    record_property(f"lives of {STEPS} steps", LIVES)
