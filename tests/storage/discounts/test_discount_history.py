"""What is known of a code's past, what a payment keeps of its codes, and what PostgreSQL itself refuses."""

import asyncpg
import pytest

from discount_orders import buy, counters, discount, give_back, order_of, succeed
from harness import START, Merchant
from nicobar.core.discounts.discount_record import DiscountChange
from nicobar.core.discounts.discounts import CodeHistory, CurrencyOption, DiscountCode
from nicobar.flows.discounts.allow_customers import allow_customers
from nicobar.flows.discounts.delete_discount import delete_discount
from nicobar.flows.discounts.update_discount import update_discount
from nicobar.flows.runtime import Runtime
from nicobar.storage.belongings.payment_belongings import load_belongings
from nicobar.storage.discounts.redemptions import (
    CounterDifference,
    discount_counter_differences,
    load_codes,
)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("times_reserved = 3", "discounts_uses"),
        ("times_used = 2", "discounts_uses"),
        ("times_reserved = -1", "discounts_times_reserved_check"),
        ("amount = 10001", "discounts_percentage"),
        ("type = 'flat'", "discounts_flat"),
        ("per_customer_usage_limit = 3", "discounts_limits"),
        ("starts_at = created_at, expires_at = created_at", "discounts_period"),
        ("code = 'lower'", "discounts_code_check"),
    ],
)
async def test_postgresql_refuses_what_the_program_should(
    runtime: Runtime, merchant: Merchant, change: str, constraint: str
) -> None:
    code = await discount(runtime, merchant.tenant, usage_limit=2)
    await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        async with runtime.database.transaction() as tx:
            await tx.execute(f"UPDATE discounts SET {change}")
    assert refusal.value.constraint_name == constraint
    assert await counters(runtime, code) == (0, 1)


def history(times_used: int, customer_uses: int = 0, **more: bool) -> CodeHistory:
    return CodeHistory(times_used=times_used, customer_uses=customer_uses, **more)


async def test_codes_are_loaded_with_their_history(runtime: Runtime, merchant: Merchant) -> None:
    tenant = merchant.tenant
    options = [{"currency": "USD", "max_amount_possible": 500, "minimum_subtotal": 1000}]
    code = await discount(
        runtime,
        tenant,
        code="first",
        amount=1250,
        currency_options=options,
        usage_limit=9,
        per_customer_usage_limit=4,
        starts_at="2026-01-01T00:00:00Z",
        expires_at="2027-01-01T01:00:00+01:00",
    )
    other = await discount(runtime, tenant, code="OTHER")
    deleted = await discount(runtime, tenant, code="DELETED")
    await delete_discount(runtime, tenant, deleted.discount_id)
    ana = (await buy(runtime, order_of(runtime, tenant, "ana"), [code])).customer.customer_id
    await succeed(runtime, await buy(runtime, order_of(runtime, tenant, "ana"), [code, other]))
    await give_back(runtime, await buy(runtime, order_of(runtime, tenant, "ana"), [code]))
    ben = await buy(runtime, order_of(runtime, tenant, "ben", lines=[], status="succeeded"), [code], free=True)
    await allow_customers(runtime, tenant, code.discount_id, [ana])
    expected = DiscountCode(
        discount_id=code.discount_id,
        code="FIRST",
        type="percentage",
        amount=1250,
        currency_options=(CurrencyOption("USD", 500, 1000),),
        usage_limit=9,
        per_customer_usage_limit=4,
        starts_at=START.replace(year=2026, month=1, day=1, hour=0, minute=0, second=0, microsecond=0),
        expires_at=START.replace(year=2027, month=1, day=1, hour=0, minute=0, second=0, microsecond=0),
    )
    async with runtime.database.read() as read:
        for_ana = await load_codes(read, tenant, ["FIRST", "OTHER", "DELETED", "NEVER"], ana)
        for_ben = await load_codes(read, tenant, ["FIRST"], ben.customer.customer_id)
        for_nobody = await load_codes(read, tenant, ["FIRST", "OTHER"], None)
        in_live_mode = await load_codes(read, merchant.live_tenant, ["FIRST"], ana)
    assert for_ana == {
        # Her own open payment does not count: a newer one takes its use over.
        "FIRST": (expected, history(2, 1, customer_has_purchased=True, customer_listed=True)),
        "OTHER": (for_ana["OTHER"][0], history(1, 1, customer_has_purchased=True)),
    }
    assert for_ben == {"FIRST": (expected, history(3, 1, customer_has_purchased=True))}, "a free one is a purchase"
    assert {key: history for key, (_, history) in for_nobody.items()} == {
        "FIRST": history(3),
        "OTHER": history(1),
    }
    assert in_live_mode == {}


async def test_a_payment_keeps_the_terms_that_it_was_made_with(runtime: Runtime, merchant: Merchant) -> None:
    tenant = merchant.tenant
    spring = await discount(runtime, tenant, code="SPRING", amount=2000, metadata={"season": 1}, name="Spring")
    extra = await discount(runtime, tenant, code="EXTRA")
    payment = await buy(runtime, order_of(runtime, tenant, "ana"), [spring, extra], deducted=70)
    plain = await buy(runtime, order_of(runtime, tenant, "ben"), [])
    await update_discount(runtime, tenant, spring.discount_id, DiscountChange(code="AUTUMN", amount=500, name="Autumn"))
    await delete_discount(runtime, tenant, extra.discount_id)
    await succeed(runtime, payment)
    async with runtime.database.read() as read:
        first, second = (await load_belongings(read, tenant, payment.payment_id)).discounts
        assert (await load_belongings(read, tenant, plain.payment_id)).discounts == []
        assert (await load_belongings(read, merchant.live_tenant, payment.payment_id)).discounts == []
    assert (first.position, first.code, first.amount, first.deducted, first.state) == (
        0,
        "SPRING",
        2000,
        70,
        "redeemed",
    )
    assert (first.name, first.times_used, first.metadata) == ("Autumn", 1, {"season": 1})
    assert (second.position, second.code, second.deducted, second.discount_id) == (1, "EXTRA", 71, extra.discount_id)


async def test_counters_changed_by_hand_are_found(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant, code="TAMPERED")
    await discount(runtime, merchant.tenant, code="SOUND")
    await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE discounts SET times_used = 4 WHERE code = 'TAMPERED'")
    async with runtime.database.read() as read:
        found = await discount_counter_differences(read)
    business_id = merchant.tenant.business_id
    assert found == [CounterDifference(business_id, "test", code.discount_id, "TAMPERED", 4, 1, redeemed=0, reserved=1)]


@pytest.mark.parametrize("limit", [2, 1], ids=["full", "over the limit"])
async def test_postgresql_refuses_a_reservation_too_many(
    runtime: Runtime, merchant: Merchant, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    code = await discount(runtime, merchant.tenant, usage_limit=2)
    for name in ("ana", "ben"):
        await buy(runtime, order_of(runtime, merchant.tenant, name), [code])
    await update_discount(runtime, merchant.tenant, code.discount_id, DiscountChange(usage_limit=limit))
    monkeypatch.setattr("nicobar.flows.discounts.reserve_codes.check_room", lambda *_: None)
    for free in (False, True):
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await buy(runtime, order_of(runtime, merchant.tenant, "eva"), [code], free=free)
        assert refusal.value.constraint_name == "discounts_uses"
    assert await counters(runtime, code) == (0, 2)
