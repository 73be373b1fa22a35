"""POST /payments: what it stores and answers."""

import asyncio
from typing import Any

import httpx
import pytest

from api.answers import answered
from harness import PUBLIC_URL, FakeClock, Merchant
from nicobar.flows.runtime import Runtime

PRICE: dict[str, Any] = {"type": "one_time_price", "currency": "USD", "price": 1999}


async def product(merchant: Merchant, **price: Any) -> str:
    body = {"name": "Field Guide", "description": "Birds", "tax_category": "e_book", "price": PRICE | price}
    response = await merchant.client.post("/products", json=body)
    assert response.status_code == 200, response.text
    product_id: str = response.json()["product_id"]
    return product_id


async def customer(merchant: Merchant, **changes: Any) -> str:
    response = await merchant.client.post("/customers", json={"email": "ana@example.com", "name": "Ana"} | changes)
    customer_id: str = response.json()["customer_id"]
    return customer_id


def body(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    request = {"billing": {"country": "DE"}, "customer": {"email": "ana@example.com"}, "product_cart": list(items)}
    return request | changes


async def created(merchant: Merchant, request: dict[str, Any]) -> dict[str, Any]:
    return answered(await merchant.client.post("/payments", json=request))


async def read(merchant: Merchant, payment_id: str) -> dict[str, Any]:
    return answered(await merchant.client.get(f"/payments/{payment_id}"))


async def test_the_least_request_gets_every_key(merchant: Merchant) -> None:
    pdt = await product(merchant)
    made = await created(merchant, body({"product_id": pdt, "quantity": 2}))
    payment_id, customer_id = made["payment_id"], made["customer"]["customer_id"]
    assert made == {
        "payment_id": payment_id,
        "client_secret": made["client_secret"],
        "total_amount": 3998,
        "customer": {
            "customer_id": customer_id,
            "email": "ana@example.com",
            "name": "",
            "metadata": {},
            "phone_number": None,
        },
        "metadata": {},
        "discount_id": None,
        "discount_ids": None,
        "expires_on": None,
        "payment_link": None,
        "product_cart": [{"product_id": pdt, "quantity": 2, "amount": None}],
    }
    assert (len(payment_id), payment_id[:4], len(customer_id), customer_id[:4]) == (25, "pay_", 25, "cus_")
    assert made["client_secret"].startswith(f"{payment_id}_secret_")


async def test_the_whole_payment_as_it_is_read(merchant: Merchant, clock: FakeClock) -> None:
    pdt = await product(merchant)
    address = {"country": "DE", "city": "Bremen", "state": "HB", "street": "Deich 1", "zipcode": "28195"}
    made = await created(
        merchant,
        body(
            {"product_id": pdt, "quantity": 1},
            billing=address,
            customer={"email": "Ana@Example.com", "name": "Ana Dodo", "phone_number": "+4942112345678"},
            metadata={"order": "17", "gift": True, "rank": 3, "share": 0.5},
            payment_link=True,
        ),
    )
    stamp = clock.now().isoformat().replace("+00:00", "Z")
    assert await read(merchant, made["payment_id"]) == {
        "payment_id": made["payment_id"],
        "business_id": merchant.business_id,
        "brand_id": merchant.business_id,
        "billing": address,
        "customer": {
            "customer_id": made["customer"]["customer_id"],
            "email": "Ana@Example.com",
            "name": "Ana Dodo",
            "metadata": {},
            "phone_number": "+4942112345678",
        },
        "created_at": stamp,
        "updated_at": None,
        "status": "requires_payment_method",
        "currency": "USD",
        "total_amount": 1999,
        "tax": 0,
        "settlement_currency": "USD",
        "settlement_amount": 1999,
        "settlement_tax": 0,
        "metadata": {"order": "17", "gift": True, "rank": 3, "share": 0.5},
        "product_cart": [{"product_id": pdt, "quantity": 1}],
        "payment_link": made["payment_link"],
        "payment_provider": "dodo",
        "digital_products_delivered": False,
        "disputes": [],
        "refunds": [],
        "service_periods": [],
        "subscription_ids": [],
        "includes_usage": False,
        "is_multi_subscription": False,
        "is_update_payment_method": False,
        "retry_attempt": 0,
        **dict.fromkeys(
            [
                "card_exp_month",
                "card_exp_year",
                "card_holder_name",
                "card_issuing_country",
                "card_last_four",
                "card_network",
                "card_type",
                "charge_type",
                "checkout_session_id",
                "custom_field_responses",
                "discount_id",
                "discounts",
                "error_code",
                "error_message",
                "invoice_id",
                "invoice_url",
                "payment_method",
                "payment_method_id",
                "payment_method_type",
                "refund_status",
                "subscription_id",
                "three_ds_flow",
                "three_ds_status",
                "three_ds_version",
            ]
        ),
    }


async def test_a_link_ends_with_eight_characters_and_lives_a_day(merchant: Merchant) -> None:
    pdt = await product(merchant)
    made = await created(merchant, body({"product_id": pdt, "quantity": 1}, payment_link=True, short_link=True))
    base, _, link_id = made["payment_link"].rpartition("/")
    assert base == PUBLIC_URL
    assert len(link_id) == 8
    assert link_id.isalnum()
    payment = await read(merchant, made["payment_id"])
    assert made["expires_on"][:10] > payment["created_at"][:10]
    assert made["expires_on"][10:] == payment["created_at"][10:]


async def test_reference_page_example_runs(merchant: Merchant) -> None:
    """The example of the reference page: country AF, quantity 0, an existing customer."""
    pdt, cus = await product(merchant), await customer(merchant)
    request = {
        "billing": {"country": "AF"},
        "customer": {"customer_id": cus},
        "product_cart": [{"product_id": pdt, "quantity": 0}],
    }
    made = await created(merchant, request)
    assert made["total_amount"] == 0
    assert (await read(merchant, made["payment_id"]))["status"] == "succeeded"


async def test_a_free_payment_with_a_link_waits_for_its_customer(merchant: Merchant) -> None:
    pdt = await product(merchant, price=0)
    made = await created(merchant, body({"product_id": pdt, "quantity": 1}, payment_link=True))
    assert (await read(merchant, made["payment_id"]))["status"] == "requires_payment_method"


@pytest.mark.parametrize(
    ("price", "item", "total"),
    [
        ({"price": 2000}, {"quantity": 2}, 4000),
        ({"price": 1999, "discount_bps": 1250}, {"quantity": 3}, 5247),
        ({"price": 1000, "discount": 50, "discount_bps": 1000}, {"quantity": 1}, 900),
        ({"price": 333, "discount_bps": 3333}, {"quantity": 3}, 666),
        ({"price": 500, "pay_what_you_want": True}, {"quantity": 1, "amount": 1200}, 1200),
        ({"price": 500, "pay_what_you_want": True}, {"quantity": 2, "amount": 500}, 1000),
        ({"price": 700}, {"quantity": 1, "amount": 9}, 700),
        ({"price": 50}, {"quantity": 1}, 50),
        ({"price": 50, "currency": "JPY"}, {"quantity": 1}, 50),
        ({"price": 214_748, "currency": "USD"}, {"quantity": 10_000}, 2_147_480_000),
    ],
)
async def test_totals(merchant: Merchant, price: dict[str, Any], item: dict[str, Any], total: int) -> None:
    pdt = await product(merchant, **price)
    made = await created(merchant, body({"product_id": pdt, **item}))
    assert made["total_amount"] == total


async def test_lines_keep_their_order_and_may_repeat(merchant: Merchant) -> None:
    first, second = await product(merchant, price=100), await product(merchant, price=250)
    items = [
        {"product_id": second, "quantity": 1},
        {"product_id": first, "quantity": 3},
        {"product_id": second, "quantity": 2},
    ]
    made = await created(merchant, body(*items))
    assert made["product_cart"] == [item | {"amount": None} for item in items]
    assert made["total_amount"] == 1050
    lines = await merchant.client.get(f"/payments/{made['payment_id']}/line-items", params={"currency": "USD"})
    assert [
        (line["items_id"], line["amount"], line["tax"], line["refundable_amount"]) for line in lines.json()["items"]
    ] == [
        (second, 250, 0, 250),
        (first, 300, 0, 300),
        (second, 500, 0, 500),
    ]


async def test_a_hundred_lines(merchant: Merchant) -> None:
    pdt = await product(merchant, price=1)
    made = await created(merchant, body(*[{"product_id": pdt, "quantity": 1} for _ in range(100)]))
    assert made["total_amount"] == 100
    assert len((await read(merchant, made["payment_id"]))["product_cart"]) == 100


async def test_a_customer_is_found_by_mail_in_any_case_and_never_overwritten(merchant: Merchant) -> None:
    cus = await customer(merchant, phone_number="+4942112345678")
    pdt = await product(merchant)
    mail = {"email": " ANA@example.COM ", "name": "Somebody Else", "phone_number": "+4942100000000"}
    made = await created(merchant, body({"product_id": pdt, "quantity": 1}, customer=mail))
    assert made["customer"] == {
        "customer_id": cus,
        "email": "ana@example.com",
        "name": "Ana",
        "metadata": {},
        "phone_number": "+4942112345678",
    }


async def test_a_customer_is_completed_by_what_was_missing(merchant: Merchant) -> None:
    pdt = await product(merchant)
    first = await created(merchant, body({"product_id": pdt, "quantity": 1}))
    given = {"email": "ana@example.com", "name": "Ana", "phone_number": "+4942112345678"}
    second = await created(merchant, body({"product_id": pdt, "quantity": 1}, customer=given))
    assert second["customer"]["customer_id"] == first["customer"]["customer_id"]
    assert (second["customer"]["name"], second["customer"]["phone_number"]) == ("Ana", "+4942112345678")


async def test_simultaneous_first_purchases_make_one_customer(merchant: Merchant) -> None:
    pdt = await product(merchant)
    request = body({"product_id": pdt, "quantity": 1}, customer={"email": "new@example.com"})
    made = await asyncio.gather(*[created(merchant, request) for _ in range(20)])
    assert len({answer["customer"]["customer_id"] for answer in made}) == 1
    assert len({answer["payment_id"] for answer in made}) == 20
    found = await merchant.client.get("/customers", params={"email": "new@example.com"})
    assert len(found.json()["items"]) == 1


async def test_an_id_wins_over_a_mail(merchant: Merchant) -> None:
    cus, pdt = await customer(merchant), await product(merchant)
    both = {"customer_id": cus, "email": "other@example.com"}
    made = await created(merchant, body({"product_id": pdt, "quantity": 1}, customer=both))
    assert made["customer"]["email"] == "ana@example.com"
    found = await merchant.client.get("/customers", params={"email": "other@example.com"})
    assert found.json() == {"items": []}


async def test_nulls_blanks_and_unknown_fields_count_as_not_sent(merchant: Merchant) -> None:
    pdt = await product(merchant)
    nothing: dict[str, Any] = dict.fromkeys(
        [
            "adaptive_currency_fees_inclusive",
            "allowed_payment_method_types",
            "billing_currency",
            "customer_business_name",
            "discount_code",
            "discount_codes",
            "force_3ds",
            "metadata",
            "payment_link",
            "payment_method_id",
            "redirect_immediately",
            "require_phone_number",
            "return_url",
            "short_link",
            "show_saved_payment_methods",
            "tax_id",
        ]
    )
    blank = {"discount_code": " ", "return_url": "", "tax_id": "  ", "customer_business_name": " ", "unknown": [1]}
    address = {"country": "DE", "city": "", "state": " ", "street": None, "zipcode": ""}
    for extra in (nothing, nothing | blank):
        made = await created(merchant, body({"product_id": pdt, "quantity": 1}, billing=address, **extra))
        payment = await read(merchant, made["payment_id"])
        assert payment["billing"] == {"country": "DE", "city": None, "state": None, "street": None, "zipcode": None}
        assert payment["metadata"] == {}


async def test_metadata_keeps_its_types(merchant: Merchant) -> None:
    pdt = await product(merchant)
    pairs = {"int": 5, "float": 5.0, "huge": 1e300, "big": 2**62, "true": True, "text": "5", "empty": "", "k": "é"}
    made = await created(merchant, body({"product_id": pdt, "quantity": 1}, metadata=pairs))
    for metadata in (made["metadata"], (await read(merchant, made["payment_id"]))["metadata"]):
        assert metadata == pairs
        assert {name: type(value) for name, value in metadata.items()} == {k: type(v) for k, v in pairs.items()}


async def test_options_are_stored(merchant: Merchant, runtime: Runtime) -> None:
    pdt = await product(merchant)
    options = {
        "payment_link": True,
        "short_link": True,
        "return_url": "myapp://paid?x=1#top",
        "redirect_immediately": True,
        "require_phone_number": True,
        "show_saved_payment_methods": True,
        "force_3ds": False,
        "allowed_payment_method_types": ["sunbit", "credit", "ideal", "przelewy24", "credit"],  # one no SDK knows
        "billing_currency": "USD",
        "adaptive_currency_fees_inclusive": True,
        "tax_id": "DE 136,695 976",
        "customer_business_name": " Dodo GmbH ",
    }
    made = await created(merchant, body({"product_id": pdt, "quantity": 1}, **options))
    async with runtime.database.read() as connection:
        stored = await connection.fetchval("SELECT options FROM payments WHERE payment_id = $1", made["payment_id"])
    assert stored == options | {
        "allowed_payment_method_types": ["credit", "ideal", "przelewy24"],
        "tax_id": "DE136695976",
        "customer_business_name": "Dodo GmbH",
    }


async def test_secrets_are_stored_as_hashes(merchant: Merchant, runtime: Runtime) -> None:
    pdt = await product(merchant)
    made = await created(merchant, body({"product_id": pdt, "quantity": 1}))
    async with runtime.database.read() as connection:
        rows = [dict(row) for row in await connection.fetch("SELECT * FROM payments")]
        keys = [dict(row) for row in await connection.fetch("SELECT * FROM api_keys")]
    assert made["client_secret"] not in str(rows)
    assert len(rows[0]["client_secret_hash"]) == 32
    for secret in (merchant.key, merchant.live_key, merchant.read_only_key):
        assert secret not in str(keys)


async def test_billing_currency_is_discarded_while_adaptive_pricing_is_off(merchant: Merchant) -> None:
    pdt = await product(merchant)
    made = await created(merchant, body({"product_id": pdt, "quantity": 1}, billing_currency="CUP"))
    assert (await read(merchant, made["payment_id"]))["currency"] == "USD"


async def test_every_answer_has_a_request_id_of_its_own(merchant: Merchant, app_client: httpx.AsyncClient) -> None:
    answers = [await merchant.client.get("/payments"), await app_client.get("/payments"), await app_client.get("/nope")]
    ids = {answer.headers["request-id"] for answer in answers}
    assert len(ids) == 3
    assert all(request_id.startswith("req_") for request_id in ids)
