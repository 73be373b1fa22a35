"""The list of discounts, the customers that a discount is kept for, and who may see and change them."""

from typing import Any

import pytest

from api.answers import answered
from discount_orders import buy, give_back, order_of
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts.discounts import get_discount
from orders import dump

BODY: dict[str, Any] = {"type": "percentage", "amount": 1000}
USD = {"currency": "USD", "max_amount_possible": 500}
NOT_FOUND = (404, {"code": "NOT_FOUND", "message": "Discount not found"})


async def create(merchant: Merchant, code: str, **fields: Any) -> dict[str, Any]:
    return answered(await merchant.client.post("/discounts", json=BODY | {"code": code} | fields))


async def listed(merchant: Merchant, **query: Any) -> list[str]:
    return [item["code"] for item in answered(await merchant.client.get("/discounts", params=query))["items"]]


async def product(merchant: Merchant) -> str:
    price = {"type": "one_time_price", "currency": "USD", "price": 1999}
    body = {"name": "Field Guide", "tax_category": "e_book", "price": price}
    product_id: str = (await merchant.client.post("/products", json=body)).json()["product_id"]
    return product_id


async def customer(merchant: Merchant, name: str) -> str:
    response = await merchant.client.post("/customers", json={"email": f"{name}@example.com", "name": name})
    customer_id: str = response.json()["customer_id"]
    return customer_id


async def allowed(merchant: Merchant, path: str, **query: Any) -> list[str]:
    return [item["customer_id"] for item in answered(await merchant.client.get(path, params=query))["items"]]


async def test_the_list_is_paged_and_filtered(merchant: Merchant, clock: FakeClock) -> None:
    guide, album = await product(merchant), await product(merchant)
    fields: list[dict[str, Any]] = [
        {"code": "SPRING_10"},
        {"code": "SUMMER%20", "restricted_to": [guide]},
        {"code": "FLAT5", "type": "flat", "amount": 500, "currency_options": [USD], "restricted_to": [guide, album]},
        {"code": "SPRINGFLAT", "type": "flat", "currency_options": [USD], "restricted_to": [album]},
    ]
    for changes in fields:
        await create(merchant, **changes)
        clock.advance(milliseconds=1)
    everything = ["SPRINGFLAT", "FLAT5", "SUMMER%20", "SPRING_10"]
    assert await listed(merchant) == everything
    assert await listed(merchant, page_size=3) == everything[:3]
    assert await listed(merchant, page_size=3, page_number=1) == everything[3:]
    assert await listed(merchant, page_number=5) == []
    assert await listed(merchant, code="spring") == ["SPRINGFLAT", "SPRING_10"]
    assert await listed(merchant, code="%") == ["SUMMER%20"]
    assert await listed(merchant, code="g_1") == ["SPRING_10"]
    assert await listed(merchant, code=" ") == everything
    assert await listed(merchant, discount_type="flat") == ["SPRINGFLAT", "FLAT5"]
    assert await listed(merchant, product_id=guide) == ["FLAT5", "SUMMER%20", "SPRING_10"]
    assert await listed(merchant, product_id=album, discount_type="flat", code="SPRING") == ["SPRINGFLAT"]
    assert await listed(merchant, product_id="pdt_unknown") == ["SPRING_10"]


async def test_the_list_knows_what_can_be_redeemed_now(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    now = clock.now()
    in_an_hour = clock.advance(hours=1).isoformat()
    clock.moment = now
    await create(merchant, "ALWAYS")
    await create(merchant, "STARTED", starts_at=now.isoformat(), expires_at=in_an_hour)
    await create(merchant, "FUTURE", starts_at=in_an_hour)
    await create(merchant, "EXPIRED", expires_at=now.isoformat())
    taken = await create(merchant, "TAKEN", usage_limit=1)
    async with runtime.database.read() as read:
        record = await get_discount(read, merchant.tenant, taken["discount_id"])
    assert record is not None
    payment = await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [record])
    assert sorted(await listed(merchant, active="true")) == ["ALWAYS", "STARTED"]
    assert sorted(await listed(merchant, active="false")) == ["EXPIRED", "FUTURE", "TAKEN"]
    await give_back(runtime, payment)
    clock.moment = now
    assert sorted(await listed(merchant, active="true")) == ["ALWAYS", "STARTED", "TAKEN"]
    clock.advance(hours=1)
    assert sorted(await listed(merchant, active="true")) == ["ALWAYS", "FUTURE", "TAKEN"]


@pytest.mark.parametrize("query", [{"discount_type": "fixed"}, {"active": "maybe"}, {"page_size": 101}])
async def test_a_filter_that_cannot_be_read_is_refused(merchant: Merchant, query: dict[str, Any]) -> None:
    response = await merchant.client.get("/discounts", params=query)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_QUERY_PARAMS")


async def test_customers_are_let_in_and_taken_off(merchant: Merchant, clock: FakeClock) -> None:
    made = await create(merchant, "FRIENDS", customer_eligibility="specific")
    path = f"/discounts/{made['discount_id']}/customers"
    people = []
    for name in ("ana", "ben", "eva"):
        people.append(await customer(merchant, name))
        clock.advance(milliseconds=1)
    ana, ben, eva = people
    assert await allowed(merchant, path) == []
    response = await merchant.client.post(path, json={"customer_ids": [ben, ana, f" {ben} "]})
    assert (response.status_code, response.json()) == (200, {"items": [{"customer_id": ben}, {"customer_id": ana}]})
    response = await merchant.client.post(path, json={"customer_ids": [ana, eva]})
    assert response.json() == {"items": [{"customer_id": ana}, {"customer_id": eva}]}, "only those of the request"
    assert await allowed(merchant, path) == [eva, ben, ana]
    assert await allowed(merchant, path, page_size=2, page_number=1) == [ana]
    response = await merchant.client.delete(f"{path}/{ben}")
    assert (response.status_code, response.content) == (204, b"")
    again = await merchant.client.delete(f"{path}/{ben}")
    message = "Customer on the discount's list not found"
    assert (again.status_code, again.json()) == (404, {"code": "NOT_FOUND", "message": message})
    assert await allowed(merchant, path) == [eva, ana]


async def test_an_unknown_customer_keeps_all_others_out(merchant: Merchant, other_merchant: Merchant) -> None:
    made = await create(merchant, "FRIENDS")
    path = f"/discounts/{made['discount_id']}/customers"
    ana, stranger = await customer(merchant, "ana"), await customer(other_merchant, "ana")
    response = await merchant.client.post(path, json={"customer_ids": [ana, stranger]})
    message = f"customer_ids[1]: There is no customer {stranger}."
    assert (response.status_code, response.json()) == (422, {"code": "INVALID_REQUEST_PARAMETERS", "message": message})
    for ids in ([], [ana] * 1001):
        response = await merchant.client.post(path, json={"customer_ids": ids})
        assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert await allowed(merchant, path) == []


async def test_others_see_and_change_nothing(runtime: Runtime, merchant: Merchant, other_merchant: Merchant) -> None:
    made = await create(merchant, "MINE")
    ana = await customer(merchant, "ana")
    path = f"/discounts/{made['discount_id']}"
    await merchant.client.post(f"{path}/customers", json={"customer_ids": [ana]})
    before = await dump(runtime)
    for client in (other_merchant.client, merchant.live_client):
        for method, where, body in (
            ("GET", path, None),
            ("PATCH", path, {"amount": 1}),
            ("DELETE", path, None),
            ("GET", "/discounts/code/MINE", None),
            ("GET", f"{path}/customers", None),
            ("POST", f"{path}/customers", {"customer_ids": [ana]}),
            ("DELETE", f"{path}/customers/{ana}", None),
        ):
            response = await client.request(method, where, json=body)
            assert (response.status_code, response.json()) == NOT_FOUND, (method, where)
        assert (await client.get("/discounts")).json() == {"items": []}
    guide = await product(other_merchant)
    response = await merchant.client.post("/discounts", json=BODY | {"restricted_to": [guide]})
    assert response.json()["message"] == f"restricted_to[0]: There is no product {guide}."
    after = [line for line in (await dump(runtime)).splitlines() if guide not in line]
    waiting = {line for line in after if line.startswith("(aud_") and "," not in line}  # the audit entry of the guide
    lines = before.splitlines()
    assert [line for line in after if line not in waiting - set(lines)] == lines


async def test_a_read_only_key_reads_only(runtime: Runtime, merchant: Merchant) -> None:
    made = await create(merchant, "MINE")
    path = f"/discounts/{made['discount_id']}"
    client = merchant.read_only_client
    before = await dump(runtime)
    for method, where, body in (
        ("POST", "/discounts", BODY),
        ("PATCH", path, {"amount": 1}),
        ("DELETE", path, None),
        ("POST", f"{path}/customers", {"customer_ids": ["cus_x"]}),
        ("DELETE", f"{path}/customers/cus_x", None),
    ):
        response = await client.request(method, where, json=body)
        assert (response.status_code, response.json()["code"]) == (403, "UNAUTHORIZED"), (method, where)
    for where in (path, "/discounts", "/discounts/code/mine", f"{path}/customers"):
        assert (await client.get(where)).status_code == 200, where
    assert await dump(runtime) == before
