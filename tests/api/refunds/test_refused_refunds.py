"""POST /refunds: what it refuses, with which words; and that a refusal, and its preview, change nothing."""

from typing import Any

import pytest
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.refunds.refund import RefundPending
from nicobar.flows.runtime import Runtime
from orders import dump, line, order, paid, place
from returning import Returning
from shop import Shop, item


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    return runtime._replace(processors={"simulator": Returning(runtime)})


async def refusal(merchant: Merchant, runtime: Runtime, **body: Any) -> tuple[int, str, str]:
    """Return what a refund and its preview are refused with; nothing may change by them."""
    before = await dump(runtime)
    answers = [await merchant.client.post(path, json=body) for path in ("/refunds/preview", "/refunds")]
    assert await dump(runtime) == before
    assert [answer.headers.get("x-should-retry") for answer in answers] == ["false", "false"]
    first, second = [(answer.status_code, answer.json()["code"], answer.json()["message"]) for answer in answers]
    assert first == second
    return first


async def refund(merchant: Merchant, payment_id: str, *items: dict[str, Any]) -> None:
    body = {"payment_id": payment_id} | ({"items": items} if items else {})
    response = await merchant.client.post("/refunds", json=body)
    assert response.status_code == 200, response.text


def one(amount: int | None = None, item_id: str = "pdt_0", **more: Any) -> dict[str, Any]:
    return {"item_id": item_id, "amount": amount} | more


async def test_payments_of_which_nothing_can_be_refunded(
    runtime: Runtime, merchant: Merchant, processor: Returning, clock: FakeClock
) -> None:
    unpaid = await place(runtime, order(runtime, merchant.tenant))
    clock.advance(seconds=1)
    assert await refusal(merchant, runtime, payment_id="pay_unknown") == (
        404,
        "NOT_FOUND",
        "Payment pay_unknown not found",
    )
    assert await refusal(merchant, runtime, payment_id=unpaid.payment_id) == (
        422,
        "PAYMENT_NOT_SUCCEEDED",
        "The provided payment has not succeeded",
    )
    payment = await paid(runtime, merchant.tenant)
    processor.answer = RefundPending("re_1")
    await refund(merchant, payment.payment_id, one(100))
    assert await refusal(merchant, runtime, payment_id=payment.payment_id) == (
        422,
        "EXISTING_REFUND_REQUEST_PROCESSING",
        'A refund request with status "Pending" is still being processed',
    )


async def test_what_has_been_refunded_is_not_refunded_again(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    at_once = await paid(runtime, merchant.tenant)
    await refund(merchant, at_once.payment_id)
    expected = (422, "PAYMENT_ALREADY_REFUNDED", "This payment has already been refunded")
    assert await refusal(merchant, runtime, payment_id=at_once.payment_id) == expected
    assert await refusal(merchant, runtime, payment_id=at_once.payment_id, items=[one(1)]) == expected
    clock.advance(seconds=1)
    by_parts = await paid(runtime, merchant.tenant)
    await refund(merchant, by_parts.payment_id, one(1))
    await refund(merchant, by_parts.payment_id)
    assert await refusal(merchant, runtime, payment_id=by_parts.payment_id) == (
        422,
        "NOTHING_TO_REFUND",
        "No refundable amount remaining. All positive line items have been fully refunded.",
    )


async def test_a_free_payment_has_nothing_to_give_back(
    runtime: Runtime, app: ASGIApp, merchant: Merchant, clock: FakeClock
) -> None:
    """Example 19 of the contract's page on amounts."""
    shop = Shop(runtime, app, clock, merchant)
    await shop.percentage("FREE", 10_000)
    bought = await shop.buy(item(await shop.product(4200, "EUR")), discount_codes=["FREE"])
    assert await refusal(merchant, runtime, payment_id=bought.payment["payment_id"]) == (
        422,
        "ZERO_AMOUNT_PAYMENT_REFUND_NOT_ALLOWED",
        "Cannot refund a payment with zero currency amount",
    )


async def test_the_window_is_the_setting(runtime: Runtime, app: ASGIApp, merchant: Merchant, clock: FakeClock) -> None:
    shop = Shop(runtime, app, clock, merchant)
    payment = await paid(runtime, merchant.tenant)
    clock.advance(days=30, microseconds=-1)
    await refund(merchant, payment.payment_id, one(100))
    clock.advance(microseconds=1)
    assert await refusal(merchant, runtime, payment_id=payment.payment_id) == (
        422,
        "REFUND_WINDOW_EXPIRED",
        "Refunds cannot be initiated 30 days after payment creation.",
    )
    await shop.settings(refund_window_days="90")
    await refund(merchant, payment.payment_id, one(100))
    await shop.settings(refund_window_days="7")
    assert (await refusal(merchant, runtime, payment_id=payment.payment_id))[2] == (
        "Refunds cannot be initiated 7 days after payment creation."
    )


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            {"items": [one(1)], "currency": "EUR"},
            "UNSUPPORTED_CURRENCY",
            "currency: Currency Not Supported: the customer paid this payment in USD",
        ),
        ({"currency": "EUR"}, "UNSUPPORTED_CURRENCY", None),
        (
            {"items": [one(1), one(2)]},
            "DUPLICATE_LINE_ITEMS_IN_REQUEST",
            "Duplicate item_ids specified in items array",
        ),
        ({"items": [one(1, "pdt_9")]}, "LINE_ITEM_NOT_FOUND", "Line item pdt_9 not found in payment"),
        (
            {"items": [one(1, "pdt_1")]},
            "LINE_ITEM_FULLY_REFUNDED",
            "Line item pdt_1 has been fully refunded cannot be refunded further.",
        ),
        (
            {"items": [one(0)]},
            "LINE_ITEM_REFUND_AMOUNT_TOO_LOW",
            "Line item pdt_0 requested refund amount is $0.00 which is too low",
        ),
        (
            {"items": [one(-100)]},
            "LINE_ITEM_REFUND_AMOUNT_TOO_LOW",
            "Line item pdt_0 requested refund amount is -$1.00 which is too low",
        ),
        (
            {"items": [one(2401)]},
            "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH",
            "Line item pdt_0 requested refund amount including tax is $24.01 which is above the paid amount $24.00",
        ),
        (
            {"items": [one(2400, tax_inclusive=False)], "currency": "USD"},
            "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH",
            "Line item pdt_0 requested refund amount including tax is $28.80 which is above the paid amount $24.00",
        ),
        (
            {"items": [one(2301)]},
            "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT",
            "The calculated refund amount is larger than the paid amount",
        ),
    ],
)
async def test_each_item_is_checked(
    runtime: Runtime, merchant: Merchant, body: dict[str, Any], code: str, message: str | None
) -> None:
    payment = await paid(runtime, merchant.tenant, [line(), line(1, 500, 0, 0)])
    await refund(merchant, payment.payment_id, one(100), one(None, "pdt_1"))
    status, found, words = await refusal(merchant, runtime, payment_id=payment.payment_id, **body)
    assert (status, found) == (422, code)
    assert message in (None, words)


async def test_some_methods_give_all_back_or_nothing(runtime: Runtime, merchant: Merchant) -> None:
    payment = await paid(runtime, merchant.tenant)
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE payments SET payment_method = 'voucher', payment_method_type = 'multibanco'")
    assert await refusal(merchant, runtime, payment_id=payment.payment_id, items=[one(2399)]) == (
        422,
        "PARTIAL_REFUND_NOT_ALLOWED",
        "Partial refunds are not allowed for this payment method",
    )
    await refund(merchant, payment.payment_id, one(2400))


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"payment_id": None}, "INVALID_REQUEST_BODY", "payment_id: "),
        ({"items": []}, "INVALID_REQUEST_BODY", "items: "),
        ({"items": [{"amount": 1}]}, "INVALID_REQUEST_BODY", "items[0].item_id: "),
        ({"items": [one(2**31)]}, "INVALID_REQUEST_BODY", "items[0].amount: "),
        ({"items": [one()] * 101}, "INVALID_REQUEST_BODY", "items: "),
        ({"reason": "x" * 3001}, "INVALID_REQUEST_BODY", "reason: "),
        ({"currency": "usd"}, "INVALID_REQUEST_BODY", "currency: "),
        ({"metadata": {f"key{number}": 1 for number in range(51)}}, "MAXIMUM_KEYS_REACHED", "metadata: "),
        ({"metadata": {"a": [1]}}, "INVALID_REQUEST_BODY", "metadata"),
    ],
)
async def test_a_body_of_the_wrong_shape_names_the_place(
    runtime: Runtime, merchant: Merchant, body: dict[str, Any], code: str, path: str
) -> None:
    payment = await paid(runtime, merchant.tenant)
    status, found, words = await refusal(merchant, runtime, **({"payment_id": payment.payment_id} | body))
    assert (status, found) == (422, code)
    assert words.startswith(path)


async def test_the_longest_reason_is_kept(runtime: Runtime, merchant: Merchant) -> None:
    payment = await paid(runtime, merchant.tenant)
    reason = "ö" * 3000
    response = await merchant.client.post("/refunds", json={"payment_id": payment.payment_id, "reason": reason})
    assert response.json()["reason"] == reason


async def test_a_processor_that_is_gone_is_named(runtime: Runtime, merchant: Merchant, processor: Returning) -> None:
    payment = await paid(runtime, merchant.tenant)
    processors: Any = runtime.processors
    del processors["simulator"]
    assert await refusal(merchant, runtime, payment_id=payment.payment_id) == (
        422,
        "UNSUPPORTED_ACTION",
        "This payment was taken by simulator, which is not configured any more",
    )
