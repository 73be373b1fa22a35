"""Names under which callers say how much goes back, and that no field has: refused with what to send."""

from typing import Any

import pytest

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from orders import dump, line, paid
from returning import Returning

WHY = "Your request body is invalid. There is no such field, and without it more money could move than you mean."
PART = f"{WHY} To give back a part, send items[].item_id and items[].amount."


async def refused(merchant: Merchant, runtime: Runtime, method: str, path: str, body: dict[str, Any]) -> str:
    """Send a body that is refused without a trace, and return the message."""
    before = await dump(runtime)
    response = await merchant.client.request(method, path, json=body)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY"), response.text
    assert await dump(runtime) == before
    message: str = response.json()["message"]
    return message


@pytest.mark.parametrize("path", ["/refunds", "/refunds/preview"])
@pytest.mark.parametrize(
    "name",
    [
        *("amount", "Amount", "refund_amount", "refundAmount", "item", "line-items", "is_partial", " amount"),
        *("amount\t", "refund amount", "refund.amount", "items[]", "\ufeffamount"),
    ],
)
async def test_a_part_of_a_payment_is_not_taken_for_all_of_it(
    merchant: Merchant, runtime: Runtime, path: str, name: str
) -> None:
    payment = await paid(runtime, merchant.tenant, [line(), line(1)])
    body: dict[str, Any] = {"payment_id": payment.payment_id, name: 500}
    assert await refused(merchant, runtime, "POST", path, body) == f"{name}: {PART}"


@pytest.mark.parametrize("name", ["quantity", "refund_amount", "percentage"])
async def test_a_part_of_an_item_is_not_taken_for_all_of_it(merchant: Merchant, runtime: Runtime, name: str) -> None:
    payment = await paid(runtime, merchant.tenant, [line(), line(1)])
    items: list[dict[str, Any]] = [{"item_id": "pdt_1", "amount": 1}, {"item_id": "pdt_0", name: 1}]
    told = await refused(merchant, runtime, "POST", "/refunds", {"payment_id": payment.payment_id, "items": items})
    assert told == f"items[1].{name}: {WHY} An item goes back whole unless items[].amount says how much of it."


async def test_what_is_null_or_blank_or_about_no_money_is_ignored_as_before(
    merchant: Merchant, runtime: Runtime, clock: FakeClock
) -> None:
    runtime = runtime._replace(processors={"simulator": Returning(runtime)})
    payment = await paid(runtime, merchant.tenant, [line()])
    clock.advance(days=1)
    body: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "amount": None,
        "item": " ",
        "note": "torn",
        "x" * 5000: 1,
        "unknown": [],
    }
    told = await merchant.client.post("/refunds/preview", json=body)
    assert (told.status_code, told.json()["amount"]) == (200, 2400)


async def test_other_operations_ignore_unknown_fields(merchant: Merchant) -> None:
    made = await merchant.client.post("/customers", json={"email": "bo@example.com", "name": "Bo", "amount": 5})
    assert (made.status_code, made.json()["name"]) == (200, "Bo")
