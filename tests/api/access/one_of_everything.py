"""A business that has one of everything, and the request of each operation that names what is its own."""

import re
from typing import Any, NamedTuple

from starlette.types import ASGIApp

from api.retries.samples import samples
from api.retries.test_idempotency_keys import Stand, subscribe
from disputing import Disputing, open_dispute
from nicobar.api.routing import Operation
from nicobar.app import OPERATIONS
from nicobar.flows.runtime import Runtime
from orders import paid
from saved_cards import CONSENT, open_shop


class Asked(NamedTuple):
    """A request of one operation that its business is allowed, and the ids in it."""

    method: str
    path: str
    body: Any

    @property
    def words(self) -> str:
        """Everything in it that may name an object."""
        return f"{self.path} {self.body}"


async def own_ids(runtime: Runtime, app: ASGIApp, stand: Stand) -> dict[str, str]:
    """Add a refund, a dispute and a saved method to the stand; return every id, by the word before it in a path."""
    merchant, names = stand.shop.merchant, stand.names
    customers = await open_shop(merchant, app, "ben@example.com")
    await customers.sell(**CONSENT)
    refund = await merchant.client.post("/refunds", json={"payment_id": await stand.refundable()})
    assert refund.status_code == 200, refund.text
    await subscribe(stand.shop, names)
    dispute = await open_dispute(runtime, Disputing(runtime), await paid(runtime, merchant.tenant))
    body = {"customer_ids": [names["customer"]]}
    assert (await merchant.client.post(f"/discounts/{names['discount']}/customers", json=body)).status_code == 200
    return {
        "payments": names["paid"],
        "products": names["product"],
        "localized-prices": names["price"],
        "customers": customers.customer_id,
        "payment-methods": (await customers.saved())[0]["payment_method_id"],
        "brands": names["brand"],
        "discounts": names["discount"],
        "code": "SPRING",
        "disputes": dispute.dispute_id,
        "refunds": refund.json()["refund_id"],
        "webhooks": names["endpoint"],
        "events": names["event"],
        "subscriptions": names["subscription"],
        "checkouts": names["session"],
        "addons": names["addon"],
    }


def filled(path: str, ids: dict[str, str]) -> str:
    """Return the path of an operation with an id for each parameter, found by the word before it."""
    return re.sub(r"([\w-]+)/\{[^}]+\}", lambda found: f"{found[1]}/{ids[found[1]]}", path)


def requests(stand: Stand, ids: dict[str, str]) -> dict[str, Asked]:
    """Return a request for every operation of the API. Raises KeyError for a parameter that nobody has an id for."""
    writing = samples(stand.names)

    def asked(operation: Operation) -> Asked:
        method, path = operation.method, operation.path
        if method != "GET" and "payment-methods" not in path:
            return Asked(method, *writing[f"{method} {path}"][:2])
        own = ids | {"products": stand.names["market"]} if "localized-prices" in path else ids
        return Asked(method, filled(path, own), None)

    return {f"{operation.method} {operation.path}": asked(operation) for operation in OPERATIONS}
