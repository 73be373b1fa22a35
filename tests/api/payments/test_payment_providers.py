"""`payment_provider` of a payment: the processor that was paid, or else the one that was tried last."""

from typing import Any

import pytest

from api.answers import answered
from harness import FakeClock, Merchant
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from orders import order, paid, place

COPY = """
INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, amount, currency, card, outcome, created_at,
                      updated_at, resolved_at, is_surplus, returned_at)
SELECT business_id, mode, $2, payment_id, $3, amount, currency, card,
       CASE WHEN $4 THEN outcome ELSE '{"type": "failed", "code": "X", "message": "x"}' END, created_at, updated_at,
       resolved_at, $5, CASE WHEN $5 THEN resolved_at END
FROM attempts WHERE payment_id = $1 AND processor = 'simulator'
"""


async def another_try(
    runtime: Runtime, payment: Payment, attempt_id: str, processor: str, *, took: bool, surplus: bool = False
) -> None:
    """Store one more attempt to charge a payment that the simulator has charged."""
    async with runtime.database.transaction() as tx:
        await tx.execute(COPY, payment.payment_id, attempt_id, processor, took, surplus)


async def told(merchant: Merchant) -> dict[str, Any]:
    """Return the provider of each payment, which one and all are told alike."""
    found = {}
    for item in answered(await merchant.client.get("/payments"))["items"]:
        whole = answered(await merchant.client.get(f"/payments/{item['payment_id']}"))
        found[item["payment_id"]] = whole["payment_provider"]
        assert item["payment_provider"] == whole["payment_provider"]
    return found


async def test_a_payment_names_where_it_was_paid(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    open_, simulated = await place(runtime, order(runtime, merchant.tenant)), await paid(runtime, merchant.tenant)
    clock.advance(seconds=1)
    abroad = await paid(runtime, merchant.tenant)
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE attempts SET processor = 'stripe' WHERE payment_id = $1", abroad.payment_id)
    assert await told(merchant) == {
        open_.payment_id: "dodo",
        simulated.payment_id: "dodo",
        abroad.payment_id: "stripe",
    }


@pytest.mark.parametrize("attempt_id", ["att_0", "att_z"])
async def test_what_was_tried_beside_it_is_not_named(runtime: Runtime, merchant: Merchant, attempt_id: str) -> None:
    """Whether it was tried earlier or later, and whether it was refused or took money that goes back."""
    refused, surplus = await paid(runtime, merchant.tenant), await paid(runtime, merchant.tenant)
    await another_try(runtime, refused, f"{attempt_id}1", "stripe", took=False)
    await another_try(runtime, surplus, f"{attempt_id}2", "stripe", took=True, surplus=True)
    assert await told(merchant) == {refused.payment_id: "dodo", surplus.payment_id: "dodo"}


async def test_an_unpaid_one_names_the_last_try(runtime: Runtime, merchant: Merchant) -> None:
    declined = await paid(runtime, merchant.tenant, number="4000000000000002")
    await another_try(runtime, declined, "att_z", "stripe", took=False)
    assert await told(merchant) == {declined.payment_id: "stripe"}
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE attempts SET attempt_id = 'att_0' WHERE processor = 'stripe'")
    assert await told(merchant) == {declined.payment_id: "dodo"}
