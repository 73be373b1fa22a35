"""Ids of another business in bodies, filters and the ends of paths, next to ids of one's own: none of them works.

Every field of the API that names an object has a row here, or a test fails.
"""

import json
import re
from collections import defaultdict
from typing import Any, NamedTuple

import httpx
import pytest
from msgspec import inspect as types
from starlette.types import ASGIApp

from api.access.one_of_everything import own_ids
from api.retries.test_idempotency_keys import Stand, stand
from api.subscriptions.subscribing import Club
from harness import FakeClock, Merchant
from nicobar.app import OPERATIONS
from nicobar.flows.runtime import Runtime
from orders import dump
from shop import Shop, item, order_request

__all__ = ["stand"]


NOT_FOUND = (404, "NOT_FOUND")
ADDON = {"name": "Seat", "price": 500, "currency": "USD", "tax_category": "saas"}


class Foreign(NamedTuple):
    """A request of the stranger's own in which one id, `{...}` by its kind, is another's."""

    path: str
    body: Any = None
    answer: tuple[int, str] = NOT_FOUND


_NOTHING = {
    "GET /refunds subscription_id",
    "GET /subscriptions/{subscription_id}/usage-history meter_id",
    "POST /checkouts product_cart[].credit_entitlements[].credit_entitlement_id",
    "POST /checkouts product_collection_id",
    "POST /checkouts/preview product_cart[].credit_entitlements[].credit_entitlement_id",
    "POST /checkouts/preview product_collection_id",
    "POST /products credit_entitlements[].credit_entitlement_id",
    "POST /products entitlements[].entitlement_id",
    "POST /products price.meters[].credit_entitlement_id",
    "POST /products price.meters[].meter_id",
    "PATCH /products/{id} credit_entitlements[].credit_entitlement_id",
    "PATCH /products/{id} entitlements[].entitlement_id",
    "PATCH /products/{id} price.meters[].credit_entitlement_id",
    "PATCH /products/{id} price.meters[].meter_id",
}
"""Fields that name what does not exist yet."""

_OWN = {"GET /discounts product_id"}
"""A filter that finds codes for everything too, whatever the product is."""

_CODES = {"POST /discounts code", "PATCH /discounts/{discount_id} code"}
"""Fields that give a name: two businesses may have the same code."""

FILTERS = {
    "GET /payments": ("brand_id", "customer_id", "product_id", "subscription_id"),
    "GET /products/short_links": ("product_id",),
    "GET /subscriptions": ("brand_id", "customer_id", "product_id"),
    "GET /products": ("brand_id",),
    "GET /discounts": ("code",),
    "GET /disputes": ("customer_id",),
    "GET /balances/ledger": ("reference_object_id",),
    "GET /refunds": ("customer_id",),
    "GET /events": ("object_id",),
}
"""Filters of lists: whose id is another's finds nothing."""

KIND_OF = {"reference_object_id": "payment", "object_id": "payment", "code": "code"}


def bodies(own: dict[str, str]) -> dict[str, Foreign]:
    """Return the stranger's requests, by operation and field."""
    order = order_request(item(own["product"]))
    preview = {"product_cart": [item(own["product"])]}
    price = {"type": "one_time_price", "currency": "USD", "price": 500}
    product = {"name": "New", "tax_category": "e_book", "price": price}
    percentage = {"type": "percentage", "amount": 500}
    code, list_of_ids = (422, "INVALID_DISCOUNT_CODE"), (422, "INVALID_REQUEST_PARAMETERS")
    return {
        "POST /payments customer.customer_id": Foreign(
            "/payments", order | {"customer": {"customer_id": "{customer}"}}
        ),
        "POST /payments discount_code": Foreign("/payments", order | {"discount_code": "{code}"}, code),
        "POST /payments discount_codes": Foreign("/payments", order | {"discount_codes": ["{code}"]}, code),
        "POST /payments payment_method_id": Foreign(
            "/payments", order | {"customer": {"customer_id": own["customer"]}, "payment_method_id": "{method}"}
        ),
        "POST /payments product_cart[].product_id": Foreign(
            "/payments", order | {"product_cart": [item(own["product"]), item("{product}")]}
        ),
        "POST /checkouts/preview customer.customer_id": Foreign(
            "/checkouts/preview", preview | {"customer": {"customer_id": "{customer}"}}
        ),
        "POST /checkouts/preview discount_code": Foreign(
            "/checkouts/preview", preview | {"discount_code": "{code}"}, code
        ),
        "POST /checkouts/preview discount_codes": Foreign(
            "/checkouts/preview", preview | {"discount_codes": ["{code}"]}, code
        ),
        "POST /checkouts/preview product_cart[].product_id": Foreign(
            "/checkouts/preview", {"product_cart": [item(own["product"]), item("{product}")]}
        ),
        "POST /products brand_id": Foreign("/products", product | {"brand_id": "{brand}"}),
        "PATCH /products/{id} brand_id": Foreign(f"/products/{own['product']}", {"brand_id": "{brand}"}),
        "PATCH /products/{id} image_id": Foreign(f"/products/{own['product']}", {"image_id": "{image}"}),
        "PATCH /brands/{id} image_id": Foreign(f"/brands/{own['brand']}", {"image_id": "{image}"}),
        "POST /discounts restricted_to": Foreign(
            "/discounts", percentage | {"restricted_to": ["{product}"]}, list_of_ids
        ),
        "PATCH /discounts/{discount_id} restricted_to": Foreign(
            f"/discounts/{own['discount']}", {"restricted_to": ["{product}"]}, list_of_ids
        ),
        "POST /discounts/{discount_id}/customers customer_ids": Foreign(
            f"/discounts/{own['discount']}/customers", {"customer_ids": [own["customer"], "{customer}"]}, list_of_ids
        ),
        "POST /refunds payment_id": Foreign("/refunds", {"payment_id": "{payment}"}),
        "POST /refunds items[].item_id": Foreign(
            "/refunds",
            {"payment_id": own["payment"], "items": [{"item_id": "{product}"}]},
            (422, "LINE_ITEM_NOT_FOUND"),
        ),
        "POST /refunds/preview payment_id": Foreign("/refunds/preview", {"payment_id": "{payment}"}),
        "POST /refunds/preview items[].item_id": Foreign(
            "/refunds/preview",
            {"payment_id": own["payment"], "items": [{"item_id": "{product}"}]},
            (422, "LINE_ITEM_NOT_FOUND"),
        ),
        "POST /events/replay endpoint_id": Foreign(
            "/events/replay", {"what": "missing", "since": "2026-03-01T00:00:00Z", "endpoint_id": "{endpoint}"}
        ),
        "POST /events/{event_id}/redeliver endpoint_id": Foreign(
            f"/events/{own['event']}/redeliver", {"endpoint_id": "{endpoint}"}
        ),
        **of_sessions(own),
        **of_subscriptions(own),
        **of_plan_changes(own, "change-plan"),
        **of_plan_changes(own, "change-plan/preview"),
    }


CODE = (422, "INVALID_DISCOUNT_CODE")
NO_NEW_CODES = (422, "UNSUPPORTED_ACTION")
"""Of plan changes: the codes of a subscription are kept or dropped, and none is added, whosever it is."""
ADDON_MISSING = (422, "MISSING_ADDON_IDS")


def of_sessions(own: dict[str, str]) -> dict[str, Foreign]:
    session = {"product_cart": [item(own["product"])]}
    address = {"country": "US", "state": "CA", "city": "Oakland", "street": "1 Main St", "zipcode": "94601"}
    at_once = session | {"billing_address": address, "confirm": True}
    plan = item(own["club"]) | {"addons": [{"addon_id": "{addon}", "quantity": 1}]}
    changes: dict[str, Foreign] = {
        "customer.customer_id": Foreign("/checkouts", session | {"customer": {"customer_id": "{customer}"}}),
        "discount_code": Foreign("/checkouts", session | {"discount_code": "{code}"}, CODE),
        "discount_codes": Foreign("/checkouts", session | {"discount_codes": ["{code}"]}, CODE),
        "payment_method_id": Foreign(
            "/checkouts",
            at_once | {"customer": {"customer_id": own["customer"]}, "payment_method_id": "{method}"},
        ),
        "product_cart[].product_id": Foreign("/checkouts", {"product_cart": [item(own["product"]), item("{product}")]}),
        "product_cart[].addons[].addon_id": Foreign("/checkouts", {"product_cart": [plan]}, ADDON_MISSING),
    }
    preview = Foreign("/checkouts/preview", {"product_cart": [plan]}, ADDON_MISSING)
    rows = {f"POST /checkouts {field}": row for field, row in changes.items()}
    return rows | {"POST /checkouts/preview product_cart[].addons[].addon_id": preview}


def of_subscriptions(own: dict[str, str]) -> dict[str, Foreign]:
    customer = {"customer_id": own["customer"]}
    body = {"billing": {"country": "US"}, "customer": customer, "product_id": own["club"], "quantity": 1}
    changes: dict[str, tuple[Any, tuple[int, str]]] = {
        "addons[].addon_id": ({"addons": [{"addon_id": "{addon}", "quantity": 1}]}, ADDON_MISSING),
        "customer.customer_id": ({"customer": {"customer_id": "{customer}"}}, NOT_FOUND),
        "discount_code": ({"discount_code": "{code}"}, CODE),
        "discount_codes": ({"discount_codes": ["{code}"]}, CODE),
        "one_time_product_cart[].product_id": ({"one_time_product_cart": [item("{product}")]}, NOT_FOUND),
        "payment_method_id": ({"payment_method_id": "{method}"}, NOT_FOUND),
        "product_id": ({"product_id": "{club}"}, NOT_FOUND),
    }
    rows = {
        f"POST /subscriptions {field}": Foreign("/subscriptions", body | change, answer)
        for field, (change, answer) in changes.items()
    }
    method = {"type": "existing", "payment_method_id": "{method}"}
    update = f"/subscriptions/{own['subscription']}/update-payment-method"
    name = "POST /subscriptions/{subscription_id}/update-payment-method"
    rows[f"{name} payment_method_id"] = Foreign(update, method)
    rows[f"{name} payment_method.payment_method_id"] = Foreign(update, {"payment_method": method})
    rows["PATCH /addons/{id} image_id"] = Foreign(f"/addons/{own['addon']}", {"image_id": "{image}"})
    return rows


def of_plan_changes(own: dict[str, str], end: str) -> dict[str, Foreign]:
    body = {"product_id": own["club"], "quantity": 2, "proration_billing_mode": "do_not_bill"}
    changes: dict[str, tuple[Any, tuple[int, str]]] = {
        "addons[].addon_id": ({"addons": [{"addon_id": "{addon}", "quantity": 1}]}, ADDON_MISSING),
        "discount_code": ({"discount_code": "{code}"}, NO_NEW_CODES),
        "discount_codes": ({"discount_codes": ["{code}"]}, NO_NEW_CODES),
        "product_id": ({"product_id": "{club}"}, NOT_FOUND),
    }
    path = f"/subscriptions/{own['subscription']}/{end}"
    return {
        f"POST /subscriptions/{{subscription_id}}/{end} {field}": Foreign(path, body | change, answer)
        for field, (change, answer) in changes.items()
    }


def ends_of_paths(own: dict[str, str]) -> dict[str, Foreign]:
    """Return paths that begin with an object of the stranger's own and end with another's."""
    return {
        "GET /products/{product_id}/localized-prices/{id}": Foreign(
            f"/products/{own['product']}/localized-prices/{{price}}"
        ),
        "PATCH /products/{product_id}/localized-prices/{id}": Foreign(
            f"/products/{own['product']}/localized-prices/{{price}}", {"amount": 700}
        ),
        "DELETE /products/{product_id}/localized-prices/{id}": Foreign(
            f"/products/{own['product']}/localized-prices/{{price}}"
        ),
        "DELETE /customers/{customer_id}/payment-methods/{payment_method_id}": Foreign(
            f"/customers/{own['customer']}/payment-methods/{{method}}",
            None,
            (204, ""),  # as for one that is gone
        ),
        "DELETE /discounts/{discount_id}/customers/{customer_id}": Foreign(
            f"/discounts/{own['discount']}/customers/{{customer}}"
        ),
    }


def fields(node: Any, path: str = "", seen: tuple[Any, ...] = ()) -> set[str]:
    """Return the paths of all fields of a type that name an object, by their names."""
    found: set[str] = set()
    if isinstance(node, types.StructType) and node.cls not in seen:
        for field in node.fields:
            name = f"{path}.{field.encode_name}".removeprefix(".")
            found |= fields(field.type, name, (*seen, node.cls))
            found |= {name} if _NAMES_AN_OBJECT.search(name) else set()
    elif isinstance(node, types.UnionType):
        found |= {name for member in node.types for name in fields(member, path, seen)}
    elif isinstance(node, types.ListType):
        found |= fields(node.item_type, f"{path}[]", seen)
    elif isinstance(node, types.Metadata):
        found |= fields(node.type, path, seen)
    return found


_NAMES_AN_OBJECT = re.compile(r"(?<!tax)(_ids?|(?<!allow_)discount_codes?|restricted_to)$|^code$")


@pytest.fixture
async def theirs(runtime: Runtime, app: ASGIApp, stand: Stand) -> dict[str, str]:
    """Ids of the business that is not to be touched, by kind."""
    ids = await own_ids(runtime, app, stand)
    offered = await stand.shop.client.put(f"/products/{ids['products']}/images")
    return {
        "payment": ids["payments"],
        "product": ids["products"],
        "price": ids["localized-prices"],
        "customer": ids["customers"],
        "method": ids["payment-methods"],
        "brand": ids["brands"],
        "discount": ids["discounts"],
        "code": "SPRING",
        "endpoint": ids["webhooks"],
        "image": offered.json()["image_id"],
        "subscription": ids["subscriptions"],
        "club": stand.names["club"],
        "addon": ids["addons"],
    }


@pytest.fixture
async def own(runtime: Runtime, app: ASGIApp, clock: FakeClock, other_merchant: Merchant) -> dict[str, str]:
    """Ids of the stranger's own objects."""
    shop = Shop(runtime, app, clock, other_merchant)
    product = await shop.product(pricing_mode="by_currency")
    endpoint = await shop.client.post("/webhooks", json={"url": "https://books.example/hook"})
    members = Club(other_merchant, shop.browser, runtime, clock)
    addon = await members.call("POST", "/addons", ADDON)
    club = await members.product()
    await members.call("PATCH", f"/products/{club}", {"addons": [addon["id"]]})
    return {
        "addon": addon["id"],
        "club": club,
        "subscription": (await members.subscribe(club))["subscription_id"],
        "product": product,
        "customer": await shop.customer("cy@example.com"),
        "payment": (await shop.purchase(product))["payment_id"],
        "discount": await shop.percentage("AUTUMN", 500),
        "brand": (await shop.client.post("/brands", json={"name": "Own"})).json()["brand_id"],
        "endpoint": endpoint.json()["id"],
        "event": (await shop.read("/events"))["data"][0]["event_id"],
    }


def test_every_field_that_names_an_object_has_a_row() -> None:
    found = {
        f"{operation.method} {operation.path} {name}"
        for operation in OPERATIONS
        for shape in (operation.body, operation.query)
        if shape is not None
        for name in fields(types.type_info(shape))
    }
    filters = {f"{operation} {name}" for operation, names in FILTERS.items() for name in names}
    rows = bodies(defaultdict(str))
    assert found == _NOTHING | _OWN | _CODES | filters | set(rows)


def test_every_path_with_two_ids_has_a_row() -> None:
    two = {f"{each.method} {each.path}" for each in OPERATIONS if each.path.count("{") > 1}
    assert two == set(ends_of_paths(dict.fromkeys(("product", "customer", "discount"), "x")))


def put_in(value: Any, theirs: dict[str, str]) -> Any:
    """Return a value with each `{kind}` replaced by the other's id."""
    if isinstance(value, dict):
        return {name: put_in(held, theirs) for name, held in value.items()}
    if isinstance(value, list):
        return [put_in(held, theirs) for held in value]
    return re.sub(r"\{(\w+)\}", lambda found: theirs[found[1]], value) if isinstance(value, str) else value


async def test_another_business_id_is_not_found_wherever_it_stands(
    runtime: Runtime, other_merchant: Merchant, theirs: dict[str, str], own: dict[str, str]
) -> None:
    """And it is answered as one that nobody has, so that nobody learns which ids there are."""
    invented = {kind: f"{value[:-3]}000" for kind, value in theirs.items()}
    before = await dump(runtime)
    rows = bodies(own) | ends_of_paths(own)
    found = {}
    for name, row in rows.items():
        answers = []
        for ids in (theirs, invented):
            method, path = name.partition(" ")[0], put_in(row.path, ids)
            answer = await other_merchant.client.request(method, path, json=put_in(row.body, ids))
            text = answer.text
            for kind, value in ids.items():
                text = text.replace(value, kind)
            answers.append((answer.status_code, text))
        assert answers[0] == answers[1], name
        status, text = answers[0]
        found[name] = (status, json.loads(text)["code"] if status >= 400 else "")
    assert found == {name: row.answer for name, row in rows.items()}
    assert await dump(runtime) == before


async def test_filters_by_another_business_id_find_nothing(
    stand: Stand, other_merchant: Merchant, theirs: dict[str, str], own: dict[str, str]
) -> None:
    assert own["payment"]

    async def rows(client: httpx.AsyncClient, path: str, name: str) -> list[Any]:
        value = theirs[KIND_OF.get(name, name.removesuffix("_id"))]
        answer = await client.get(path, params={name: value})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        listed: list[Any] = body["data"] if "data" in body else body["items"]
        return listed

    for operation, names in FILTERS.items():
        path = operation.removeprefix("GET ")
        for name in names:
            assert await rows(other_merchant.client, path, name) == [], (path, name)
            assert await rows(stand.shop.merchant.live_client, path, name) == [], (path, name)
    assert len(await rows(stand.shop.client, "/payments", "product_id")) > 0
    assert len(await rows(stand.shop.client, "/events", "object_id")) > 0
    assert len(await rows(stand.shop.client, "/payments", "subscription_id")) > 0
