"""A request for every writing operation and every preview, that it carries out."""

from typing import Any, NamedTuple

from shop import item, order_request


class Sample(NamedTuple):
    """A request that an operation carries out, and what is lost when the server ends before the answer is kept."""

    path: str
    body: Any = None
    as_it_is: bool = True
    """Whether the object itself can answer then."""


def plan_change(product_id: str, mode: str) -> dict[str, Any]:
    return {"product_id": product_id, "quantity": 2, "proration_billing_mode": mode}


def samples(names: dict[str, str]) -> dict[str, Sample]:
    product, customer, discount = names["product"], names["customer"], names["discount"]
    price = {"type": "one_time_price", "currency": "USD", "price": 500}
    cart = [{"product_id": product, "quantity": 1}]
    order = order_request(item(product), customer={"customer_id": customer})
    return {
        "POST /payments": Sample("/payments", order),
        "POST /payments/{payment_id}/retry": Sample(f"/payments/{names['failed']}/retry", as_it_is=False),
        "POST /products": Sample("/products", {"name": "New", "tax_category": "e_book", "price": price}),
        "PATCH /products/{id}": Sample(f"/products/{product}", {"name": "Renamed"}),
        "DELETE /products/{id}": Sample(f"/products/{product}"),
        "POST /products/{id}/unarchive": Sample(f"/products/{product}/unarchive"),
        "PUT /products/{id}/images": Sample(f"/products/{product}/images", as_it_is=False),
        "POST /products/{product_id}/localized-prices": Sample(
            f"/products/{names['market']}/localized-prices", {"amount": 800, "currency": "GBP"}
        ),
        "PATCH /products/{product_id}/localized-prices/{id}": Sample(
            f"/products/{names['market']}/localized-prices/{names['price']}", {"amount": 700}
        ),
        "DELETE /products/{product_id}/localized-prices/{id}": Sample(
            f"/products/{names['market']}/localized-prices/{names['price']}"
        ),
        "POST /products/{id}/short_links": Sample(
            f"/products/{product}/short_links", {"slug": "guide"}, as_it_is=False
        ),
        "POST /test/clock": Sample("/test/clock", {"advance": "1s"}, as_it_is=False),
        "POST /customers": Sample("/customers", {"email": "bo@example.com", "name": "Bo"}),
        "PATCH /customers/{customer_id}": Sample(f"/customers/{customer}", {"name": "Ann"}),
        "DELETE /customers/{customer_id}/payment-methods/{payment_method_id}": Sample(
            f"/customers/{customer}/payment-methods/pm_gone"
        ),
        "POST /customers/{customer_id}/proof": Sample(f"/customers/{customer}/proof", as_it_is=False),
        "POST /customers/{customer_id}/customer-portal/session": Sample(
            f"/customers/{customer}/customer-portal/session", as_it_is=False
        ),
        "POST /brands": Sample("/brands", {"name": "Second"}),
        "PATCH /brands/{id}": Sample(f"/brands/{names['brand']}", {"name": "Renamed"}),
        "POST /brands/{id}/archive": Sample(f"/brands/{names['brand']}/archive", {}, as_it_is=False),
        "PUT /brands/{id}/images": Sample(f"/brands/{names['brand']}/images", as_it_is=False),
        "POST /discounts": Sample("/discounts", {"type": "percentage", "amount": 500}),
        "PATCH /discounts/{discount_id}": Sample(f"/discounts/{discount}", {"name": "Sale"}),
        "DELETE /discounts/{discount_id}": Sample(f"/discounts/{discount}"),
        "POST /discounts/{discount_id}/customers": Sample(
            f"/discounts/{discount}/customers", {"customer_ids": [customer]}, as_it_is=False
        ),
        "DELETE /discounts/{discount_id}/customers/{customer_id}": Sample(
            f"/discounts/{discount}/customers/{customer}"
        ),
        "POST /checkouts": Sample("/checkouts", {"product_cart": cart, "customer": {"customer_id": customer}}),
        "POST /checkouts/preview": Sample("/checkouts/preview", {"product_cart": cart}),
        "POST /refunds": Sample("/refunds", {"payment_id": names["paid"]}),
        "POST /refunds/preview": Sample("/refunds/preview", {"payment_id": names["paid"]}),
        "POST /webhooks": Sample("/webhooks", {"url": "https://shop.example/second"}),
        "PATCH /webhooks/{webhook_id}": Sample(f"/webhooks/{names['endpoint']}", {"description": "Orders"}),
        "DELETE /webhooks/{webhook_id}": Sample(f"/webhooks/{names['endpoint']}"),
        "PATCH /webhooks/{webhook_id}/headers": Sample(
            f"/webhooks/{names['endpoint']}/headers", {"headers": {"x-shop": "1"}}
        ),
        "POST /webhooks/{webhook_id}/secret/rotate": Sample(
            f"/webhooks/{names['endpoint']}/secret/rotate", as_it_is=False
        ),
        "POST /events/replay": Sample(
            "/events/replay", {"what": "missing", "since": "2026-03-01T00:00:00Z"}, as_it_is=False
        ),
        "POST /addons": Sample("/addons", {"name": "Seat", "price": 500, "currency": "USD", "tax_category": "saas"}),
        "PATCH /addons/{id}": Sample(f"/addons/{names['addon']}", {"name": "Seats"}),
        "PUT /addons/{id}/images": Sample(f"/addons/{names['addon']}/images", as_it_is=False),
        "DELETE /addons/{id}": Sample(f"/addons/{names['addon']}"),
        "POST /addons/{id}/unarchive": Sample(f"/addons/{names['addon']}/unarchive"),
        "POST /subscriptions": Sample(
            "/subscriptions",
            {
                "product_id": names["club"],
                "quantity": 1,
                "billing": {"country": "US"},
                "customer": {"customer_id": customer},
            },
        ),
        "PATCH /subscriptions/{subscription_id}": Sample(
            f"/subscriptions/{names['subscription']}", {"metadata": {"a": "1"}}
        ),
        "POST /subscriptions/{subscription_id}/change-plan": Sample(
            f"/subscriptions/{names['subscription']}/change-plan",
            plan_change(names["club"], "do_not_bill"),
            as_it_is=False,
        ),
        "POST /subscriptions/{subscription_id}/change-plan/preview": Sample(
            f"/subscriptions/{names['subscription']}/change-plan/preview", plan_change(names["club"], "do_not_bill")
        ),
        "DELETE /subscriptions/{subscription_id}/change-plan/scheduled": Sample(
            f"/subscriptions/{names['subscription']}/change-plan/scheduled"
        ),
        "POST /subscriptions/{subscription_id}/charge": Sample(
            f"/subscriptions/{names['demand']}/charge", {"product_price": 500}, as_it_is=False
        ),
        "POST /subscriptions/{subscription_id}/update-payment-method": Sample(
            f"/subscriptions/{names['subscription']}/update-payment-method", {"type": "new"}, as_it_is=False
        ),
        "POST /events/{event_id}/redeliver": Sample(f"/events/{names['event']}/redeliver", {}, as_it_is=False),
    }
