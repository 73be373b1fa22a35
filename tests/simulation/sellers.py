"""What sellers' applications do: they create payments, read them, refund them, and make every kind of mistake."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

from simulation.town import CODES, Process, Seller, Told, Town

Act = Callable[[Town, Process, random.Random], Awaitable[None]]

COUNTRIES = ("US", "DE", "GB", "IN", "JP", "BR", "NL", "FR")
PEOPLE = ("ana", "bob", "cem", "dia", "eve", "customer", "customer+denied")

SCENARIOS = (
    "decline:INSUFFICIENT_FUNDS",
    "challenge",
    "challenge; decline:INCORRECT_CVC",
    "latency:20",
    "latency:60",
    "latency:60; drop_after",
    "timeout_before",
    "timeout_after",
    "drop_before",
    "drop_after",
    "drop_after; notice_twice",
    "late_success:2m",
    "late_success:3d; notices_shuffled",
    "late_decline:90:EXPIRED_CARD",
    "notice_twice",
    "notice_first",
    "notice_first; drop_after",
    "notice_lost; timeout_after",
    "notice_late:5h",
    "dispute_after:0",
    "dispute_after:2d; notices_shuffled; seed:11",
    "dispute_after:1h; verdict:won:3h",
    "dispute_after:10; verdict:lost:1d; notice_twice",
    "dispute_after:1d; verdict:cancelled:0; notices_shuffled",
    "refund_pending:10m",
    "refund_pending:2d; refund_fail",
    "refund_fail",
    "refund_bounce:2d",
    "refund_pending:1h; refund_bounce:3h; notice_twice",
    "refund_bounce:1h; notices_shuffled; seed:3",
    "refund_drop_before",
    "refund_drop_after; notice_twice",
    "refund_drop_before; refund_pending:5m; refund_fail",
)


async def create(town: Town, process: Process, chance: random.Random) -> None:
    """Ask for a payment of one to five lines, in every way that the contract knows."""
    seller = chance.choices(town.sellers, (50, 8, 35, 7))[0]
    cart = [_line(seller, chance) for _ in range(chance.choice((1, 1, 1, 2, 3, 5)))]
    country = chance.choice(COUNTRIES)
    person = {"email": f"{chance.choice(PEOPLE)}@email.us", "name": "Ana Lima"}
    body: dict[str, Any] = {
        "billing": {"country": country, "city": "City", "state": "NY", "street": "Street 1", "zipcode": "10118"},
        "customer": person,
        "product_cart": cart,
        "payment_link": chance.random() < 0.9,
    }
    if chance.random() < 0.45:
        codes = chance.choices([code["code"] for code in CODES], (5, 1, 4, 3), k=chance.choice((1, 1, 2)))
        body["discount_codes"] = list(dict.fromkeys(codes))
    if chance.random() < 0.55:
        body["metadata"] = {"nicobar_scenario": f"chaos; seed:{chance.randrange(10**6)}"}
        if chance.random() < 0.7:
            body["metadata"]["nicobar_scenario"] = chance.choice(SCENARIOS)
    elif chance.random() < 0.4:
        body["metadata"] = {"nicobar_scenario": f"refund_bounce:{chance.choice((0, 60, '5h', '3d'))}"}
    if chance.random() < 0.2:
        body["billing_currency"] = chance.choice(("EUR", "GBP", "INR", "JPY", "USD"))
    if chance.random() < 0.1:
        body["force_3ds"] = chance.random() < 0.5
    await sell(town, process, seller, body)


async def charge_saved(town: Town, process: Process, chance: random.Random) -> None:
    """Charge a card that a customer has saved, without the customer."""
    told = _any(town, chance, lambda told: told.status == "succeeded")
    if told is None:
        return
    path = f"/customers/{told.customer_id}/payment-methods"
    saved = await town.ask(process, told.seller, "GET", path)
    if saved is None or not saved.json().get("items"):
        return
    body: dict[str, Any] = {
        "payment_link": None,
        "customer": {"customer_id": told.customer_id},
        "product_cart": [_line(told.seller, chance)],
        "payment_method_id": saved.json()["items"][0]["payment_method_id"],
    }
    if chance.random() < 0.4:
        body["metadata"] = {"nicobar_scenario": chance.choice(SCENARIOS)}
    await sell(town, process, told.seller, body)


async def read(town: Town, process: Process, chance: random.Random) -> None:
    """Read a payment; it is there, and its amount is the one that was told."""
    payment_id = chance.choice(list(town.journal.payments) or [""])
    if payment_id:
        await look(town, process, payment_id)


async def look(town: Town, process: Process, payment_id: str) -> None:
    """Read this payment, and write down what is told of it."""
    told = town.journal.payments[payment_id]
    changes = told.changes
    answer = await town.ask(process, told.seller, "GET", f"/payments/{payment_id}")
    if answer is None:
        return
    if answer.status_code != 200:
        town.journal.wrong.append(f"{payment_id} was created, and is not there: {answer.text}")
        return
    found = answer.json()
    told.status = found["status"]
    if changes == told.changes:
        if not told.may_cost(found["total_amount"]):
            town.journal.wrong.append(f"{payment_id}: {told.total} was told, and then {found['total_amount']}")
        told.total = found["total_amount"]


async def refund(town: Town, process: Process, chance: random.Random) -> None:
    """Ask for a refund: of everything, of a line, of some amount, and of what cannot be refunded."""
    payment_id = _paid(town, chance) if chance.random() < 0.85 else chance.choice(list(town.journal.payments) or [""])
    if payment_id:
        await refund_of(town, process, chance, payment_id)


async def refund_of(town: Town, process: Process, chance: random.Random, payment_id: str) -> None:
    """Ask for a refund of this payment."""
    told = town.journal.payments[payment_id]
    body: dict[str, Any] = {"payment_id": payment_id}
    if chance.random() < 0.8:
        items: list[dict[str, Any]] = [{"item_id": item} for item in dict.fromkeys(told.items)]
        items = chance.sample(items, chance.randint(1, len(items)))
        for item in items:
            if chance.random() < 0.7:
                item |= {"amount": chance.choice((1, 50, 99, 500, 1234, 10**6, 0, -5))}
                item |= {"tax_inclusive": chance.random() < 0.7}
        body["items"] = items
        if chance.random() < 0.2:
            body["currency"] = chance.choice(("USD", "EUR", "JPY"))
    await _ask_for_refund(town, process, told, body)


async def refund_all(town: Town, process: Process, told: Told) -> None:
    """Ask for everything back."""
    await _ask_for_refund(town, process, told, {"payment_id": told.payment_id})


async def _ask_for_refund(town: Town, process: Process, told: Told, body: dict[str, Any]) -> None:
    answer = await town.ask(process, told.seller, "POST", "/refunds", json=body)
    if answer is None:
        return
    if answer.status_code == 200:
        made = answer.json()
        town.journal.refunds[made["refund_id"]] = (told.payment_id, made["amount"])
    town.journal.happened[f"refund: {answer.json().get('code', answer.json().get('status'))}"] += 1


async def make_a_mistake(town: Town, process: Process, chance: random.Random) -> None:
    """Send what must be refused: bodies of wrong shape and content, unknown objects, keys that may not write."""
    seller = chance.choice(town.sellers)
    good = {
        "billing": {"country": "US"},
        "customer": {"email": "ana@email.us"},
        "product_cart": [_line(seller, chance)],
    }
    bodies: list[dict[str, Any]] = [
        {},
        good | {"product_cart": []},
        good | {"product_cart": [{"product_id": "pdt_unknown", "quantity": 1}]},
        good | {"product_cart": [{"product_id": seller.products[0], "quantity": -1}]},
        good | {"billing": {"country": "XX"}},
        good | {"customer": {"customer_id": "cus_unknown"}},
        good | {"discount_codes": ["NOSUCHCODE"]},
        good | {"metadata": {"nicobar_scenario": "explode"}} if seller.tenant.mode == "test" else {},
        good | {"payment_method_id": "pm_unknown"},
    ]
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/payments", {"json": chance.choice(bodies)}),
        ("POST", "/payments", {"content": b'{"billing": ', "headers": {"content-type": "application/json"}}),
        ("POST", "/payments", {"json": good, "headers": {"authorization": "Bearer nicobar_test_wrong"}}),
        ("POST", "/refunds", {"json": {"payment_id": "pay_unknown"}}),
        (
            "POST",
            "/refunds",
            {"json": {"payment_id": chance.choice(list(town.journal.payments) or ["?"]), "items": []}},
        ),
        ("GET", "/payments/pay_unknown", {}),
        ("GET", "/payments?page_size=-1", {}),
        ("POST", "/AAAAAAAA", {"data": {"token": "1.2"}}),
        ("POST", "/simulator/pay/sim_unknown", {"data": {"answer": "approve"}}),
    ]
    if seller.tenant.mode == "test":
        requests.append(("POST", "/payments", {"json": good, "headers": _bearer(seller.read_only_key)}))
    method, path, more = chance.choice(requests)
    answer = await town.ask(process, seller, method, path, **more)
    if answer is not None and not 400 <= answer.status_code < 500:
        town.journal.wrong.append(f"{method} {path} {more} was answered with {answer.status_code}")


async def trespass(town: Town, process: Process, chance: random.Random) -> None:
    """Reach for what belongs to another business, or to the other mode."""
    payment_id = chance.choice(list(town.journal.payments) or [""])
    if not payment_id:
        return
    told = town.journal.payments[payment_id]
    stranger = chance.choice([seller for seller in town.sellers if seller is not told.seller])
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/payments/{payment_id}", {}),
        ("GET", f"/payments/{payment_id}/explain", {}),
        ("GET", f"/payments/{payment_id}/line-items", {}),
        ("GET", f"/customers/{told.customer_id}", {}),
        ("POST", "/refunds", {"json": {"payment_id": payment_id}}),
        ("GET", f"/refunds/{chance.choice([*town.journal.refunds, 'ref_unknown'])}", {}),
    ]
    method, path, more = chance.choice(requests)
    if path.startswith("/refunds/ref_") and (refund := town.journal.refunds.get(path.rpartition("/")[2])):
        stranger = next(s for s in town.sellers if s is not town.journal.payments[refund[0]].seller)
    answer = await town.ask(process, stranger, method, path, **more)
    if answer is not None and answer.status_code != 404:
        town.journal.wrong.append(f"{method} {path} of a stranger was answered with {answer.status_code}")


async def list_all(town: Town, process: Process, chance: random.Random) -> None:
    """Read a list; nothing in it is another seller's."""
    seller = chance.choice(town.sellers)
    path = chance.choice(("/payments", "/refunds", "/disputes", "/balances/ledger"))
    answer = await town.ask(process, seller, "GET", f"{path}?page_size=100")
    if answer is None:
        return
    for item in answer.json()["items"]:
        payment_id = item.get("payment_id") or ""
        told = town.journal.payments.get(payment_id)
        if item.get("business_id", seller.tenant.business_id) != seller.tenant.business_id or (
            told is not None and told.seller is not seller
        ):
            town.journal.wrong.append(f"{path} shows {seller.tenant} what is not its own: {item}")


async def sell(town: Town, process: Process, seller: Seller, order: dict[str, Any]) -> None:
    """Ask for a payment with a link for Ana in New York, or what the order says."""
    ana = {"billing": {"country": "US"}, "customer": {"email": "ana@email.us", "name": "Ana Lima"}}
    body = ana | {"payment_link": True} | order
    answer = await town.ask(process, seller, "POST", "/payments", json=body)
    if answer is None:
        return
    town.journal.happened[f"create: {answer.json().get('code', 'done')}"] += 1
    if answer.status_code != 200:
        return
    made = answer.json()
    link = made["payment_link"]
    town.journal.payments[made["payment_id"]] = Told(
        made["payment_id"],
        seller,
        made["total_amount"],
        None if link is None else "/" + link.rpartition("/")[2],
        [line["product_id"] for line in body["product_cart"]],
        made["customer"]["customer_id"],
        has_codes=bool(body.get("discount_codes")),
    )


def _line(seller: Seller, chance: random.Random) -> dict[str, Any]:
    product = chance.choices(seller.products, (8, 4, 4, 3, 2, 1, 2))[0]
    line: dict[str, Any] = {"product_id": product, "quantity": chance.choice((1, 1, 1, 2, 7))}
    if product == seller.products[-1]:
        line["amount"] = chance.choice((500, 777, 5000))
    return line


def _any(town: Town, chance: random.Random, wanted: Callable[[Told], bool]) -> Told | None:
    found = [told for told in town.journal.payments.values() if wanted(told)]
    return chance.choice(found) if found else None


def _paid(town: Town, chance: random.Random) -> str:
    found = [
        payment_id
        for payment_id, told in town.journal.payments.items()
        if told.status == "succeeded" and (told.total != 0 or chance.random() < 0.05)
    ]
    return chance.choice(found or list(town.journal.payments) or [""])


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
