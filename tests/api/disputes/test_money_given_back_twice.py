"""A payment that is refunded and disputed: its tax goes back once; what goes back twice is lost, proven and shown."""

from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from due_work import run_due
from harness import FakeClock, Merchant
from nicobar.commands.payments import read_history
from nicobar.commands.terminal.payment_screen import screen
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.runtime import Runtime
from nicobar.program.books_audit import audit_books
from nicobar.storage.ledger.ledger_checks import payments_given_back_beyond
from nicobar.storage.payments.payments import get_payment
from orders import pay
from shop import Shop, item, order_request


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(tax="table", seller_country="DE")
    return shop


async def bought(shop: Shop, scenario: str) -> str:
    """Sell for 119.00 with 19.00 tax, and return the payment's id."""
    product = await shop.product(10_000)
    metadata = {"nicobar_scenario": scenario}
    created = await shop.create(order_request(item(product), payment_link=True, metadata=metadata))
    await pay(shop.browser, created["payment_link"])
    payment_id: str = created["payment_id"]
    return payment_id


async def refund(shop: Shop, payment_id: str, amount: int | None = None) -> None:
    read = await shop.read(f"/payments/{payment_id}/line-items")
    body: dict[str, Any] = {"payment_id": payment_id}
    if amount is not None:
        body["items"] = [{"item_id": read["items"][0]["items_id"], "amount": amount}]
    response = await shop.client.post("/refunds", json=body)
    assert response.status_code == 200, response.text


async def later(shop: Shop, **time: float) -> None:
    """Let time pass, and hear what the bank has to tell."""
    shop.clock.advance(**time)
    await deliver_simulated_notices(shop.runtime)
    await run_due(shop.runtime)


async def books(shop: Shop) -> dict[str, int]:
    """Return the balances that are not zero; everything is proven as doctor does."""
    async with shop.runtime.database.read() as read:
        rows = await read.fetch("SELECT account, balance FROM ledger_balances WHERE balance <> 0")
        wrong = [finding.text for finding in await audit_books(read, shop.clock.now()) if not finding.good]
    assert wrong == []
    return {row["account"]: row["balance"] for row in rows}


async def shown(shop: Shop, payment_id: str) -> str:
    async with shop.runtime.database.read() as read:
        payment = await get_payment(read, shop.merchant.tenant, payment_id)
        assert payment is not None
        return screen(await read_history(read, payment))


SOLD = {"processor_receivable": 11_900, "merchant_payable": 10_000, "tax_payable": 1900}


async def test_what_was_refunded_is_not_disputed(shop: Shop) -> None:
    payment_id = await bought(shop, "dispute_after:1h")
    await refund(shop, payment_id)
    await later(shop, hours=2)
    assert (await shop.read("/disputes"))["items"] == []
    assert await books(shop) == {}


async def test_the_rest_of_a_partial_refund_is_disputed(shop: Shop) -> None:
    payment_id = await bought(shop, "dispute_after:1h")
    await refund(shop, payment_id, 1190)
    await later(shop, hours=2)
    (dispute,) = (await shop.read("/disputes"))["items"]
    assert dispute["amount"] == "10710"
    assert await books(shop) == {}
    assert "GIVEN BACK TWICE" not in await shown(shop, payment_id)


async def test_a_refund_that_came_back_is_disputed_again(shop: Shop) -> None:
    payment_id = await bought(shop, "dispute_after:1h; refund_bounce:60")
    await refund(shop, payment_id)
    await later(shop, hours=2)
    (dispute,) = (await shop.read("/disputes"))["items"]
    assert dispute["amount"] == "11900"


async def test_money_given_back_twice_is_the_sellers_loss_and_shown(shop: Shop) -> None:
    payment_id = await bought(shop, "dispute_after:1h; dispute_whole; verdict:lost:1d")
    shop.clock.advance(seconds=1)
    await refund(shop, payment_id)
    assert await books(shop) == {}
    for time in ({"hours": 2}, {"days": 2}):
        await later(shop, **time)
        assert await books(shop) == {"processor_receivable": -11_900, "reversal_loss": 11_900}
        assert "GIVEN BACK TWICE: 119.00 USD, the seller's loss." in await shown(shop, payment_id)
    lines = (await shop.read("/balances/ledger"))["items"]
    assert [(line["event_type"], line["amount"]) for line in lines] == [
        ("tax_reversal", 1900),
        ("refund", 11_900),
        ("tax", 1900),
        ("payment", 11_900),
    ]


async def test_a_dispute_that_is_won_ends_the_loss(shop: Shop) -> None:
    payment_id = await bought(shop, "dispute_after:1h; dispute_whole; verdict:won:1d")
    await refund(shop, payment_id, 5950)
    await later(shop, hours=2)
    assert await books(shop) == {"processor_receivable": -5950, "reversal_loss": 5950}
    await later(shop, days=2)
    assert await books(shop) == {name: amount // 2 for name, amount in SOLD.items()}
    assert "GIVEN BACK TWICE" not in await shown(shop, payment_id)


async def test_doctor_names_a_payment_of_which_more_went_back_than_was_booked(shop: Shop) -> None:
    payment_id = await bought(shop, "dispute_after:1h")
    await later(shop, hours=2)
    assert await books(shop) == {}
    async with shop.runtime.database.read() as read:
        await read.execute("SET session_replication_role = replica")
        await read.execute(
            "UPDATE ledger_entries SET tax_payable = 1901, merchant_payable = 9999 WHERE kind = 'dispute'"
        )
        await read.execute("RESET session_replication_role")
        (found,) = await payments_given_back_beyond(read)
    assert (found.object_id, found.detail) == (
        payment_id,
        "of 10000 settlement, 1900 tax and 0 fee are left 1, -1 and 0, and 0 is lost",
    )


@pytest.mark.parametrize("word", ["dispute_whole", "verdict:won:1h"])
async def test_words_about_disputes_need_one(shop: Shop, word: str) -> None:
    product = await shop.product(10_000)
    refused = await shop.refusal(item(product), metadata={"nicobar_scenario": word})
    assert refused[:2] == (422, "INVALID_REQUEST_BODY")
