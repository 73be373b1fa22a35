"""Payments that are changed before they are paid, and what is seen of them."""

from typing import Any

import pytest

from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import PaymentChange
from nicobar.core.problems import Problem
from nicobar.flows.payments.reprice_payment import reprice_payment
from nicobar.storage.belongings.payment_belongings import load_belongings
from nicobar.storage.discounts.redemptions import discount_counter_differences
from nicobar.storage.payments.payments import get_payment
from orders import dump
from shop import Shop, order_request


async def link(shop: Shop, *items: dict[str, Any], country: str = "DE", **fields: Any) -> Payment:
    """Create a payment with a link through the API."""
    created = await shop.create(order_request(*items, country=country, payment_link=True, **fields))
    return await current(shop, created["payment_id"])


async def current(shop: Shop, payment_id: str) -> Payment:
    async with shop.runtime.database.read() as read:
        payment = await get_payment(read, shop.merchant.tenant, payment_id)
    assert payment is not None
    return payment


async def change(shop: Shop, payment: Payment, **changes: Any) -> Payment:
    """Change a payment; what is returned is what is stored, and it can be explained."""
    new = await reprice_payment(shop.runtime, payment.tenant, payment.payment_id, PaymentChange(**changes))
    assert new == await current(shop, payment.payment_id)
    assert (await shop.read(f"/payments/{payment.payment_id}/explain"))["recomputed"] is True
    async with shop.runtime.database.read() as read:
        assert await discount_counter_differences(read) == []
    return new


async def refusal(shop: Shop, payment: Payment, **changes: Any) -> tuple[str, str | None]:
    """Return code and path of a refused change; nothing may change by it."""
    before = await dump(shop.runtime)
    with pytest.raises(Problem) as caught:
        await reprice_payment(shop.runtime, payment.tenant, payment.payment_id, PaymentChange(**changes))
    assert await dump(shop.runtime) == before
    return caught.value.code, caught.value.path


def amounts(payment: Payment) -> tuple[str, int, int, int, int]:
    assert payment.total_amount == sum(line.total for line in payment.lines)
    return payment.currency, payment.subtotal, payment.discount, payment.tax, payment.total_amount


async def codes_of(shop: Shop, payment: Payment) -> list[tuple[str, int, int | None]]:
    """Return code, position and deduction of every use that the payment holds."""
    async with shop.runtime.database.read() as read:
        applied = (await load_belongings(read, payment.tenant, payment.payment_id)).discounts
    assert {use.state for use in applied} <= {"reserved"}
    return [(use.code, use.position, use.deducted) for use in applied]
