"""Uses of discount codes: limits under concurrency, every use counted once, and given back when nobody pays."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from discount_orders import buy, counters, discount, give_back, order_of, succeed
from harness import FakeClock, Merchant
from nicobar.core.business.business_clock import Reckoning
from nicobar.core.discounts.discount_record import DiscountChange, DiscountRecord
from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.flows.discounts.delete_discount import delete_discount
from nicobar.flows.discounts.update_discount import update_discount
from nicobar.flows.runtime import Runtime
from nicobar.storage.belongings.payment_belongings import load_belongings
from nicobar.storage.discounts import redemptions
from nicobar.storage.discounts.discounts import get_discount
from nicobar.storage.discounts.redemptions import release_expired
from nicobar.storage.payments.payments import lock_payment
from orders import order


async def outcome(runtime: Runtime, payment: Payment, codes: Sequence[DiscountRecord]) -> str:
    """Return how a purchase ended: "bought" or the code of the refusal."""
    try:
        await buy(runtime, payment, codes)
    except Problem as problem:
        return problem.code
    return "bought"


async def over_limit(runtime: Runtime, code: DiscountRecord) -> bool:
    async with runtime.database.read() as read:
        found = await read.fetchval("SELECT over_limit FROM discounts WHERE discount_id = $1", code.discount_id)
    assert isinstance(found, bool)
    return found


async def states(runtime: Runtime, payment: Payment) -> list[str | None]:
    async with runtime.database.read() as read:
        applied = (await load_belongings(read, payment.tenant, payment.payment_id)).discounts
    return [item.state for item in applied]


async def payments_stored(runtime: Runtime) -> int:
    async with runtime.database.read() as read:
        count: int = await read.fetchval("SELECT count(*) FROM payments")
    return count


async def sweep(runtime: Runtime, limit: int = 100) -> int:
    async with runtime.database.statement() as tx:
        return await release_expired(tx, Reckoning(runtime.clock.now()), limit)


async def test_64_at_once_get_the_ten_uses_of_a_code(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant, usage_limit=10)
    orders = [order_of(runtime, merchant.tenant, f"buyer{number}") for number in range(64)]
    ends = await asyncio.gather(*[outcome(runtime, payment, [code]) for payment in orders])
    assert (ends.count("bought"), ends.count("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED")) == (10, 54)
    assert await counters(runtime, code) == (0, 10)
    assert await payments_stored(runtime) == 10, "a refused creation leaves no payment"
    paid = [payment for payment, end in zip(orders, ends, strict=True) if end == "bought"]
    assert await asyncio.gather(*[succeed(runtime, payment) for payment in paid]) == [1] * 10
    assert await counters(runtime, code) == (10, 0)


async def test_one_customer_at_once_gets_what_a_customer_may_have(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant, per_customer_usage_limit=3)
    first = await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
    # Known by the id alone, no row of the customer's is written that would let them in one by one.
    ana = msgspec.structs.replace(first.customer, email="")
    orders = [order(runtime, merchant.tenant, customer=ana) for _ in range(32)]
    ends = await asyncio.gather(*[outcome(runtime, payment, [code]) for payment in orders])
    # A newer one takes a use over from an older one, unless that is being worked on at this moment.
    assert ends.count("bought") >= 2
    assert set(ends) <= {"bought", "DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED"}
    assert await counters(runtime, code) == (0, 3)
    assert await outcome(runtime, order_of(runtime, merchant.tenant, "ben"), [code]) == "bought"
    assert await counters(runtime, code) == (0, 4)


async def test_free_payments_at_once_keep_the_limit(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant, usage_limit=3)
    orders = [order_of(runtime, merchant.tenant, f"buyer{number}", status="succeeded") for number in range(16)]
    ends = await asyncio.gather(
        *[buy(runtime, payment, [code], free=True) for payment in orders], return_exceptions=True
    )
    assert sum(isinstance(end, Payment) for end in ends) == 3
    assert await counters(runtime, code) == (3, 0)
    assert await payments_stored(runtime) == 3


async def test_codes_in_different_orders_do_not_block_each_other(runtime: Runtime, merchant: Merchant) -> None:
    """One code has too few uses for all, so that both or none are taken; then all end at once, half paid."""
    few = await discount(runtime, merchant.tenant, usage_limit=20)
    many = await discount(runtime, merchant.tenant)
    orders = [order_of(runtime, merchant.tenant, f"buyer{number}") for number in range(64)]
    stacks = [[few, many], [many, few]] * 32
    ends = await asyncio.gather(*map(outcome, [runtime] * 64, orders, stacks))
    assert (ends.count("bought"), ends.count("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED")) == (20, 44)
    assert (await counters(runtime, few), await counters(runtime, many)) == ((0, 20), (0, 20))
    bought = [payment for payment, end in zip(orders, ends, strict=True) if end == "bought"]
    moves = [(succeed if number % 2 else give_back)(runtime, payment) for number, payment in enumerate(bought)]
    late = [outcome(runtime, order_of(runtime, merchant.tenant, f"late{number}"), [many]) for number in range(16)]
    assert await asyncio.gather(*moves, *late) == [2] * 20 + ["bought"] * 16
    assert (await counters(runtime, few), await counters(runtime, many)) == ((10, 0), (10, 16))


async def test_the_second_code_without_room_refuses_the_whole_creation(runtime: Runtime, merchant: Merchant) -> None:
    first = await discount(runtime, merchant.tenant)
    empty = await discount(runtime, merchant.tenant, usage_limit=1)
    await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [empty])
    with pytest.raises(Problem) as refusal:
        await buy(runtime, order_of(runtime, merchant.tenant, "ben"), [first, empty])
    assert (refusal.value.code, refusal.value.path) == ("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED", "discount_codes[1]")
    assert await counters(runtime, first) == (0, 0)
    assert await payments_stored(runtime) == 1


async def test_a_use_is_counted_once_and_then_stays(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant)
    payment = await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
    assert (await states(runtime, payment), await counters(runtime, code)) == (["reserved"], (0, 1))
    assert [await succeed(runtime, payment), await succeed(runtime, payment)] == [1, 0]
    assert await give_back(runtime, payment) == 0
    assert (await states(runtime, payment), await counters(runtime, code)) == (["redeemed"], (1, 0))


async def test_a_use_that_is_given_back_once_can_be_taken_again(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant, usage_limit=1, per_customer_usage_limit=1)
    payment = await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
    assert (
        await outcome(runtime, order_of(runtime, merchant.tenant, "ben"), [code])
        == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"
    )
    assert [await give_back(runtime, payment), await give_back(runtime, payment)] == [1, 0]
    assert (await states(runtime, payment), await counters(runtime, code)) == (["released"], (0, 0))
    assert await outcome(runtime, order_of(runtime, merchant.tenant, "ana"), [code]) == "bought"


async def test_a_late_success_counts_although_the_limit_is_full(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant, usage_limit=1)
    late = await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
    await give_back(runtime, late)
    await succeed(runtime, await buy(runtime, order_of(runtime, merchant.tenant, "ben"), [code]))
    assert await over_limit(runtime, code) is False
    assert [await succeed(runtime, late), await succeed(runtime, late)] == [1, 0]
    assert (await counters(runtime, code), await over_limit(runtime, code)) == ((2, 0), True)
    refused = await outcome(runtime, order_of(runtime, merchant.tenant, "eva"), [code])
    assert (refused, await counters(runtime, code)) == ("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED", (2, 0))


async def test_a_limit_below_the_open_reservations_stops_the_code(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant)
    payments = [await buy(runtime, order_of(runtime, merchant.tenant, f"buyer{n}"), [code]) for n in range(3)]
    await update_discount(runtime, merchant.tenant, code.discount_id, DiscountChange(usage_limit=2))
    assert await over_limit(runtime, code) is True
    assert (
        await outcome(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
        == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"
    )
    await succeed(runtime, payments[0])
    await give_back(runtime, payments[1])
    assert (await counters(runtime, code), await over_limit(runtime, code)) == ((1, 1), False)
    await give_back(runtime, payments[2])
    assert await outcome(runtime, order_of(runtime, merchant.tenant, "ana"), [code]) == "bought"


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        ("failed", False),
        ("cancelled", False),
        ("requires_payment_method", True),
        ("processing", True),
        ("requires_customer_action", True),
        ("succeeded", True),
    ],
)
async def test_the_sweep_takes_back_what_nobody_can_pay(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, status: str, kept: bool
) -> None:
    code = await discount(runtime, merchant.tenant)
    payment = await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
    error = "CARD_DECLINED" if status == "failed" else None
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE payments SET status = $1, error_code = $2", status, error)
    clock.advance(hours=24, microseconds=-1)
    assert await sweep(runtime) == 0, "the link still works"
    clock.advance(microseconds=1)
    assert [await sweep(runtime), await sweep(runtime)] == [0 if kept else 1, 0]
    assert await states(runtime, payment) == ["reserved" if kept else "released"]
    assert await counters(runtime, code) == (0, 1 if kept else 0)


async def test_the_sweep_goes_in_steps_and_around_payments_in_use(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    codes = [await discount(runtime, merchant.tenant) for _ in range(2)]
    orders = [order_of(runtime, merchant.tenant, f"buyer{number}", status="cancelled") for number in range(3)]
    payments = [await buy(runtime, payment, codes) for payment in orders]
    clock.advance(hours=24)
    async with runtime.database.transaction() as tx:
        await lock_payment(tx, merchant.tenant, payments[0].payment_id)
        assert [await sweep(runtime, 3), await sweep(runtime, 3), await sweep(runtime, 3)] == [3, 1, 0]
        assert await states(runtime, payments[0]) == ["reserved", "reserved"]
    assert [await counters(runtime, code) for code in codes] == [(0, 1), (0, 1)]
    assert await sweep(runtime) == 2
    assert [await counters(runtime, code) for code in codes] == [(0, 0), (0, 0)]


async def test_a_code_that_is_held_too_long_can_be_tried_again(
    runtime: Runtime, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redemptions, "LOCK_TIMEOUT", "20ms")
    code = await discount(runtime, merchant.tenant)
    payment = order_of(runtime, merchant.tenant, "ana")
    async with runtime.database.transaction() as tx:
        await tx.execute("SELECT FROM discounts FOR UPDATE")
        with pytest.raises(Problem) as refusal:
            await buy(runtime, payment, [code])
    assert (refusal.value.code, refusal.value.status) == ("DISCOUNT_CONCURRENT_REDEMPTION", 503)
    assert await payments_stored(runtime) == 0
    await buy(runtime, payment, [code])
    assert await counters(runtime, code) == (0, 1)


async def test_a_code_deleted_meanwhile_is_refused(runtime: Runtime, merchant: Merchant) -> None:
    code = await discount(runtime, merchant.tenant, code="GONE")
    payment = await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [code])
    await delete_discount(runtime, merchant.tenant, code.discount_id)
    assert await outcome(runtime, order_of(runtime, merchant.tenant, "ben"), [code]) == "INVALID_DISCOUNT_CODE"
    assert await payments_stored(runtime) == 1
    assert await succeed(runtime, payment) == 1, "who was promised the price gets it"
    assert await counters(runtime, code) == (1, 0)


async def test_one_code_in_two_modes_is_two_codes(runtime: Runtime, merchant: Merchant) -> None:
    here = await discount(runtime, merchant.tenant, code="BOTH", usage_limit=1)
    there = await discount(runtime, merchant.live_tenant, code="BOTH", usage_limit=1)
    await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [here])
    async with runtime.database.read() as read:
        untouched = await get_discount(read, merchant.live_tenant, there.discount_id)
        assert await get_discount(read, merchant.tenant, there.discount_id) is None
    assert untouched == there
    assert await outcome(runtime, order_of(runtime, merchant.live_tenant, "ana"), [there]) == "bought"
