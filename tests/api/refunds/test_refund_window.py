"""When a refund comes too late, and which parts the processor can move."""

from typing import Any

import httpx
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.runtime import Runtime
from orders import dump, pay
from shop import Shop, item, order_request


async def back(shop: Shop, payment: dict[str, Any], amount: int) -> httpx.Response:
    """Ask for a part of a payment's one line, in the currency that was paid."""
    line = {"item_id": payment["product_cart"][0]["product_id"], "amount": amount}
    return await shop.client.post("/refunds", json={"payment_id": payment["payment_id"], "items": [line]})


async def refused(shop: Shop, payment: dict[str, Any], amount: int) -> tuple[str, str]:
    before = await dump(shop.runtime)
    response = await back(shop, payment, amount)
    assert response.status_code == 422, response.text
    assert await dump(shop.runtime) == before
    return response.json()["code"], response.json()["message"]


async def test_the_window_runs_from_success(
    runtime: Runtime, app: ASGIApp, merchant: Merchant, clock: FakeClock
) -> None:
    """A link that is paid after 20 days can be refunded for 30 more; so can what the processor told of late."""
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(link_ttl_minutes=str(40 * 24 * 60))
    product = await shop.product(2000)
    created = await shop.create(order_request(item(product), payment_link=True))
    late = await shop.create(
        order_request(item(product), payment_link=True, metadata={"nicobar_scenario": "late_success:25d"})
    )
    await pay(shop.browser, late["payment_link"])
    clock.advance(days=20)
    await pay(shop.browser, created["payment_link"])
    clock.advance(days=6)
    await resolve_attempt(runtime, merchant.tenant, late["payment_id"])
    clock.advance(days=24, microseconds=-1)
    assert (await back(shop, created, 100)).status_code == 200
    clock.advance(microseconds=1)
    assert (await refused(shop, created, 100))[0] == "REFUND_WINDOW_EXPIRED"
    clock.advance(days=6, microseconds=-1)
    assert (await back(shop, late, 100)).status_code == 200
    clock.advance(microseconds=1)
    assert (await refused(shop, late, 100))[0] == "REFUND_WINDOW_EXPIRED"


async def test_a_part_that_the_processor_cannot_move_is_refused(
    runtime: Runtime, app: ASGIApp, merchant: Merchant, clock: FakeClock
) -> None:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(currencies="dodo,KWD")
    created = await shop.purchase(await shop.product(3070, "KWD"), billing={"country": "KW"})
    async with runtime.database.statement() as tx:  # as if Stripe had taken it
        await tx.execute("UPDATE attempts SET processor = 'stripe'")
    assert await refused(shop, created, 1234) == (
        "AMOUNT_NOT_CHARGEABLE",
        "items: The processor takes amounts in steps of KWD 0.010, and KWD 1.234 is none",
    )
    # The next passes every check of its amount, and there is no Stripe here.
    assert (await refused(shop, created, 1230))[0] == "UNSUPPORTED_ACTION"
