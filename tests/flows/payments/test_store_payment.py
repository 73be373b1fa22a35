"""Payments that are created side by side are stored as if each had been alone, one after the other."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.customers.buyer import Buyer
from nicobar.core.customers.customer import CustomerUpsert
from nicobar.core.retries.fingerprint import Fingerprint, KeptAnswer
from nicobar.flows.payments.store_payment import AT_MOST, store_payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.payments.payment_insertion import NewPayment, insert_payments
from nicobar.storage.retries.kept_answers import AnswerToKeep
from orders import line, order, place, pricing_of, some_wait_for_rows
from proof import length

FEW = 6
TABLES = ("customers", "payments", "payment_lines", "kept_answers")

Stored = Buyer | type[BaseException]


async def rows_of(runtime: Runtime, tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
    """Return every row of a tenant in the tables that a creation writes, without the id of its business."""
    found = {}
    async with runtime.database.read() as read:
        for table in TABLES:
            query = f"SELECT * FROM {table} t WHERE business_id = $1 ORDER BY t::text"
            found[table] = [dict(row) | {"business_id": ""} for row in await read.fetch(query, tenant.business_id)]
    return found


class Drawing:
    """Draws creations that get in one another's way, the same ones for each tenant."""

    def __init__(self, runtime: Runtime, tenant: Tenant, seed: int) -> None:
        self._runtime, self._tenant, self._random = runtime, tenant, Random(seed)  # noqa: S311
        self._known: list[Buyer] = []

    async def begin(self) -> None:
        """Store two customers, one of whom lacks a name."""
        for name in ("Ben", ""):
            email = f"known{len(self._known)}@example.com"
            buyer = Buyer(self._id("cus"), email, name, None, {})
            stored = await place(self._runtime, self._payment(buyer))
            self._known.append(stored.customer)

    def creation(self) -> NewPayment:
        """Return one of: for a known customer, one who is completed, a new one, and one that nobody can store."""
        kind = self._random.choice(["known", "completed", "new", "new", "new", "impossible"])
        customer = None
        if kind == "known":
            buyer = self._random.choice(self._known)
        elif kind == "impossible":
            buyer = Buyer(self._id("cus"), "nobody@example.com", "", None, {})  # no such customer
        else:
            email = "known1@example.com" if kind == "completed" else f"new{self._random.randrange(3)}@example.com"
            name, phone = self._random.choice(["", "Ana", "Eva"]), self._random.choice([None, "+15550100"])
            buyer = self._known[1] if kind == "completed" else Buyer(self._id("cus"), email, name, phone, {})
            customer = CustomerUpsert(buyer.customer_id, email, email, name, phone)
        payment = self._payment(buyer)
        kept = self._kept(payment.payment_id) if self._random.random() < 0.6 else None
        return NewPayment(payment, secret_hash(payment.payment_id), pricing_of(payment), customer, kept)

    def _kept(self, payment_id: str) -> AnswerToKeep:
        keyed = self._random.random() < 0.5
        request = bytes([self._random.randrange(3) if keyed else 9]) * 32
        content = bytes(32) if keyed else None
        answer = KeptAnswer(
            answer_id="" if keyed else payment_id, content=content, object_id=payment_id, status=200, sealed=b"sealed"
        )
        retry = self._random.randrange(3)
        until = self._runtime.clock.now() + timedelta(minutes=5)
        return AnswerToKeep(Fingerprint(self._tenant, request, content, retry), answer, until)

    def _payment(self, buyer: Buyer) -> Any:
        lines = [line(position) for position in range(self._random.randrange(1, 4))]
        made = order(self._runtime, self._tenant, lines, payment_id=self._id("pay"), customer=buyer, link_id=None)
        return msgspec.structs.replace(
            made, brand_id="brand", metadata={"note": self._random.choice(["é", '"\\', "x"])}
        )

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._random.randbytes(12).hex()}"


def told(results: Sequence[Buyer | BaseException]) -> list[Stored]:
    return [type(result) if isinstance(result, BaseException) else result for result in results]


@pytest.mark.proof
async def test_any_group_is_stored_as_its_members_would_be_one_after_the_other(
    runtime: Runtime,
    merchant: Merchant,
    other_merchant: Merchant,
    record_property: Callable[[str, object], None],
) -> None:
    """All who come at one moment are one group, in the order in which they came."""
    together, alone = merchant.tenant, other_merchant.tenant
    groups = length(200)
    for seed in range(groups):
        left, right = Drawing(runtime, together, seed), Drawing(runtime, alone, seed)
        await left.begin()
        await right.begin()
        size = Random(seed).randrange(1, AT_MOST + 1 if seed % 4 == 0 else FEW + 1)  # noqa: S311
        creations = [left.creation() for _ in range(size)]
        found = await asyncio.gather(*(store_payment(runtime, new) for new in creations), return_exceptions=True)
        expected: list[Buyer | BaseException] = []
        for new in [right.creation() for _ in range(size)]:
            try:
                async with runtime.database.statement() as tx:
                    expected += await insert_payments(tx, [new])
            except Exception as error:  # noqa: BLE001 - what is refused together is refused alone
                expected.append(error)
        assert told(found) == told(expected), f"seed {seed}"
        assert await rows_of(runtime, together) == await rows_of(runtime, alone), f"seed {seed}"
        async with runtime.database.transaction() as tx:
            for table in reversed(TABLES):
                await tx.execute(f"DELETE FROM {table}")
    record_property("groups", groups)


async def test_those_who_come_together_share_a_commit(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    drawing = Drawing(runtime, tenant, 1)
    await drawing.begin()
    known = (await rows_of(runtime, tenant))["customers"][0]
    buyer = Buyer(known["customer_id"], known["email"], known["name"], None, {})
    new = [
        NewPayment(payment, bytes(32), pricing_of(payment))
        for payment in (order(runtime, tenant, customer=buyer) for _ in range(FEW))
    ]
    assert await asyncio.gather(*(store_payment(runtime, one) for one in new)) == [buyer] * FEW
    ids = [one.payment.payment_id for one in new]
    async with runtime.database.read() as read:
        query = "SELECT count(DISTINCT xmin::text) FROM payments WHERE payment_id = ANY($1)"
        assert await read.fetchval(query, ids) == 1


async def test_one_that_is_refused_leaves_its_neighbours_stored(runtime: Runtime, tenant: Tenant) -> None:
    drawing = Drawing(runtime, tenant, 2)
    await drawing.begin()
    before = await rows_of(runtime, tenant)
    nobody = Buyer("cus_nobody", "nobody@example.com", "", None, {})
    known = before["customers"][0]
    buyer = Buyer(known["customer_id"], known["email"], known["name"], None, {})
    good, bad = order(runtime, tenant, customer=buyer), order(runtime, tenant, customer=nobody)
    results = await asyncio.gather(
        *(store_payment(runtime, NewPayment(one, bytes(32), pricing_of(one))) for one in (good, bad, good)),
        return_exceptions=True,
    )
    assert results[0] == buyer
    assert [type(result).__name__ for result in results[1:]] == ["ReferenceGone", "UniqueViolation"]
    after = await rows_of(runtime, tenant)
    added = [row["payment_id"] for row in after["payments"] if row not in before["payments"]]
    assert added == [good.payment_id]
    assert after["customers"] == before["customers"]


async def test_live_mode_waits_for_no_rows_of_test_mode(runtime: Runtime, merchant: Merchant) -> None:
    """They are held while a test mode is emptied, and a group waits for all of its rows."""
    known = [await place(runtime, order(runtime, each)) for each in (merchant.tenant, merchant.live_tenant)]
    new = [
        NewPayment(order(runtime, each.tenant, customer=each.customer), bytes(32), pricing_of(each)) for each in known
    ]
    more = order(runtime, merchant.tenant, customer=known[0].customer)
    async with runtime.database.transaction() as tx:
        await tx.fetch("SELECT FROM customers WHERE mode = 'test' FOR UPDATE")
        waiting = [asyncio.create_task(store_payment(runtime, new[0]))]
        await some_wait_for_rows(runtime)
        waiting.append(asyncio.create_task(store_payment(runtime, NewPayment(more, bytes(32), pricing_of(more)))))
        live = asyncio.create_task(store_payment(runtime, new[1]))
        assert await asyncio.wait_for(live, 10) == known[1].customer
        assert [task.done() for task in waiting] == [False, False]
    assert await asyncio.gather(*waiting) == [known[0].customer] * 2
