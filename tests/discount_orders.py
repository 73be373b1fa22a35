"""Payments with discount codes, stored as the creation stores them, and their ends."""

from collections.abc import Sequence
from typing import Any

import msgspec

from harness import START
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Buyer
from nicobar.core.customers.customer import CustomerUpsert
from nicobar.core.discounts.discount_record import CodeUse, DiscountRecord, NewDiscount
from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.pricing import CartLine, ChargeTerms, QuoteInputs
from nicobar.flows.discounts.create_discount import create_discount
from nicobar.flows.discounts.reserve_codes import reserve_codes
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts.redemptions import discount_counter_differences, redeem, release
from nicobar.storage.payments.payment_insertion import insert_payment
from nicobar.storage.payments.payment_moves import move_payment
from nicobar.storage.payments.payments import lock_payment
from orders import order


def pricing_of(payment: Payment, codes: Sequence[DiscountRecord], uses: Sequence[CodeUse]) -> QuoteInputs:
    """Return inputs that fit the lines, with codes that take off what the uses say."""
    lines = [CartLine(line.product_id, "USD", line.unit_price, line.quantity) for line in payment.lines]
    terms = [
        DiscountTerms(code.discount_id, code.code, "flat", use.deducted) for code, use in zip(codes, uses, strict=True)
    ]
    return QuoteInputs(tuple(lines), ChargeTerms("USD", 2, "USD", 2), tuple(terms))


async def discount(runtime: Runtime, tenant: Tenant, **fields: Any) -> DiscountRecord:
    new = msgspec.convert({"type": "percentage", "amount": 1000} | fields, NewDiscount)
    return await create_discount(runtime, tenant, new)


def order_of(runtime: Runtime, tenant: Tenant, person: str, **changes: Any) -> Payment:
    buyer = Buyer(runtime.new_id("cus", START), f"{person}@example.com", person, None, {})
    return order(runtime, tenant, customer=buyer, **changes)


async def buy(
    runtime: Runtime, payment: Payment, codes: Sequence[DiscountRecord], *, deducted: int = 100, free: bool = False
) -> Payment:
    """Store a payment with its codes as the creation does: in one transaction, the codes last."""
    buyer = payment.customer
    customer = CustomerUpsert(buyer.customer_id, buyer.email, buyer.email, buyer.name, None) if buyer.email else None
    uses = [CodeUse(code.discount_id, deducted + index) for index, code in enumerate(codes)]
    async with runtime.database.transaction() as tx:
        stored = await insert_payment(tx, payment, bytes(32), pricing_of(payment, codes, uses), customer)
        buyer_id, until, at = stored.customer_id, payment.expires_on, payment.created_at
        await reserve_codes(tx, payment.tenant, payment.payment_id, buyer_id, uses, until, at)
        if free:
            await redeem(tx, payment.tenant, payment.payment_id, at)
    return msgspec.structs.replace(payment, customer=stored)


async def succeed(runtime: Runtime, payment: Payment) -> int:
    """Record a success as `record_payment_outcome` does, under the payment's lock; return the uses counted."""
    at = runtime.clock.now()
    async with runtime.database.transaction() as tx:
        await lock_payment(tx, payment.tenant, payment.payment_id)
        await move_payment(tx, payment, "succeeded", at)
        return await redeem(tx, payment.tenant, payment.payment_id, at)


async def give_back(runtime: Runtime, payment: Payment) -> int:
    async with runtime.database.transaction() as tx:
        return await release(tx, [(payment.tenant, payment.payment_id)], runtime.clock.now())


async def counters(runtime: Runtime, code: DiscountRecord) -> tuple[int, int]:
    """Return `times_used` and `times_reserved`, after making sure that they agree with the uses."""
    async with runtime.database.read() as read:
        assert await discount_counter_differences(read) == []
        query = "SELECT times_used, times_reserved FROM discounts WHERE business_id = $1 AND discount_id = $2"
        row = await read.fetchrow(query, code.business_id, code.discount_id)
    assert row is not None
    return row["times_used"], row["times_reserved"]
