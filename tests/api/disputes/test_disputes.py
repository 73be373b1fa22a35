"""GET of disputes, and disputes on their payments; the official library checks every answer strictly."""

from datetime import timedelta
from typing import Any

import dodopayments
import pytest
from dodopayments.types import Dispute, DisputeListResponse, GetDispute

from api.answers import answered, has_every_key
from disputing import OPENED_AT, Disputing, open_dispute
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from orders import paid


@pytest.fixture
def processor(runtime: Runtime) -> Disputing:
    return Disputing(runtime)


async def listed(merchant: Merchant, **query: Any) -> list[str]:
    return [item["dispute_id"] for item in answered(await merchant.client.get("/disputes", params=query))["items"]]


async def test_the_library_reads_everything(
    runtime: Runtime, merchant: Merchant, processor: Disputing, sdk: dodopayments.AsyncDodoPayments
) -> None:
    payment = await paid(runtime, merchant.tenant)
    made = await open_dispute(runtime, processor, payment, amount=1500)
    read = await sdk.disputes.retrieve(made.dispute_id)
    assert (read.amount, read.currency, read.reason) == ("1500", "USD", "product_not_received")
    assert (read.dispute_stage, read.dispute_status) == ("dispute", "dispute_opened")
    assert (read.customer.email, read.created_at) == ("ana.lima@example.com", OPENED_AT)
    page = await sdk.disputes.list(page_number=0, dispute_stage="dispute", created_at_gte=OPENED_AT)
    assert [item.dispute_id for item in page.items] == [made.dispute_id]
    whole = await sdk.payments.retrieve(payment.payment_id)
    assert [dispute.dispute_id for dispute in whole.disputes] == [made.dispute_id]
    payments = await sdk.payments.list(page_number=0)
    assert [item.dispute_status for item in payments.items] == ["dispute_opened"]


async def test_every_key_and_value(runtime: Runtime, merchant: Merchant, processor: Disputing) -> None:
    payment = await paid(runtime, merchant.tenant)
    made = await open_dispute(runtime, processor, payment, amount=1500)
    shared = {
        "amount": "1500",
        "business_id": merchant.business_id,
        "created_at": "2026-03-14T12:00:00Z",
        "currency": "USD",
        "dispute_id": made.dispute_id,
        "dispute_stage": "dispute",
        "dispute_status": "dispute_opened",
        "payment_id": payment.payment_id,
        "is_resolved_by_rdr": None,
    }
    read = (await merchant.client.get(f"/disputes/{made.dispute_id}")).json()
    assert read == shared | {
        "brand_id": merchant.business_id,
        "customer": {
            "customer_id": payment.customer.customer_id,
            "email": "ana.lima@example.com",
            "name": "Ana Lima",
            "metadata": {},
            "phone_number": None,
        },
        "payment_provider": "dodo",
        "reason": "product_not_received",
        "remarks": None,
    }
    has_every_key(read, GetDispute)
    (item,) = (await merchant.client.get("/disputes")).json()["items"]
    assert item == shared | {"payment_provider": "dodo"}
    has_every_key(item, DisputeListResponse)
    (part,) = (await merchant.client.get(f"/payments/{payment.payment_id}")).json()["disputes"]
    assert part == shared | {"remarks": None}
    has_every_key(part, Dispute)


async def test_filters_and_pages(runtime: Runtime, merchant: Merchant, processor: Disputing, clock: FakeClock) -> None:
    made = []
    for number in range(3):
        clock.advance(seconds=1)
        payment = await paid(runtime, merchant.tenant)
        opened_at = OPENED_AT + timedelta(hours=number)
        made.append(await open_dispute(runtime, processor, payment, reference=f"du_{number}", opened_at=opened_at))
    clock.advance(seconds=1)
    await open_dispute(runtime, processor, payment, reference="du_2", stage="pre_arbitration", status="dispute_lost")
    first, second, third = (dispute.dispute_id for dispute in made)
    assert await listed(merchant) == [third, second, first]
    assert await listed(merchant, page_size=1, page_number=1) == [second]
    assert await listed(merchant, page_number=1) == []
    assert await listed(merchant, created_at_gte="2026-03-14T13:00:00Z") == [third, second]
    assert await listed(merchant, created_at_gte="2026-03-14T13:00:00.000001Z") == [third]
    assert await listed(merchant, created_at_lte="2026-03-14T14:00:00+01:00") == [second, first]
    assert await listed(merchant, dispute_status="dispute_opened") == [second, first]
    assert await listed(merchant, dispute_status="dispute_lost", dispute_stage="pre_arbitration") == [third]
    assert await listed(merchant, dispute_stage="pre_dispute") == []
    assert await listed(merchant, customer_id=payment.customer.customer_id) == [third, second, first]
    assert await listed(merchant, customer_id="cus_unknown") == []
    for wrong in ({"dispute_status": "won"}, {"dispute_stage": "x"}, {"page_size": "101"}, {"created_at_gte": "x"}):
        response = await merchant.client.get("/disputes", params=wrong)
        assert (response.status_code, response.json()["code"]) == (422, "INVALID_QUERY_PARAMS")


async def test_the_newest_dispute_is_the_one_in_the_list_of_payments(
    runtime: Runtime, merchant: Merchant, processor: Disputing, clock: FakeClock
) -> None:
    payment = await paid(runtime, merchant.tenant)
    clock.advance(seconds=1)
    undisputed = await paid(runtime, merchant.tenant)
    older = await open_dispute(runtime, processor, payment, amount=1400)
    newer = await open_dispute(
        runtime, processor, payment, reference="du_2", amount=1000, opened_at=OPENED_AT + timedelta(days=1)
    )
    clock.advance(seconds=1)
    await open_dispute(runtime, processor, payment, amount=1400, status="dispute_won")
    items = (await merchant.client.get("/payments")).json()["items"]
    assert {item["payment_id"]: item["dispute_status"] for item in items} == {
        payment.payment_id: "dispute_opened",
        undisputed.payment_id: None,
    }
    whole = (await merchant.client.get(f"/payments/{payment.payment_id}")).json()
    assert [(part["dispute_id"], part["dispute_status"]) for part in whole["disputes"]] == [
        (older.dispute_id, "dispute_won"),
        (newer.dispute_id, "dispute_opened"),
    ]


async def test_nobody_else_sees_it(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, processor: Disputing
) -> None:
    made = await open_dispute(runtime, processor, await paid(runtime, merchant.tenant))
    for client in (other_merchant.client, merchant.live_client):
        response = await client.get(f"/disputes/{made.dispute_id}")
        assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
        assert response.headers["x-should-retry"] == "false"
        assert (await client.get("/disputes")).json() == {"items": []}
    assert (await merchant.read_only_client.get(f"/disputes/{made.dispute_id}")).status_code == 200
    assert (await merchant.client.get("/disputes/dp_unknown")).json() == {
        "code": "NOT_FOUND",
        "message": "Dispute not found",
    }
    assert (await merchant.client.post("/disputes", json={})).status_code == 405


async def test_an_account_at_stripe_is_named(runtime: Runtime, merchant: Merchant, processor: Disputing) -> None:
    made = await open_dispute(runtime, processor, await paid(runtime, merchant.tenant))
    async with runtime.database.read() as read:
        await read.execute("UPDATE disputes SET processor = 'stripe'")
    assert (await merchant.client.get(f"/disputes/{made.dispute_id}")).json()["payment_provider"] == "stripe"
    assert (await merchant.client.get("/disputes")).json()["items"][0]["payment_provider"] == "stripe"
