"""Archiving a brand that has subscriptions: those that have not ended go on under another brand."""

import asyncio
from typing import Any

import pytest
from starlette.types import ASGIApp

from api.subscriptions.subscribing import PRICE, Club, open_club
from harness import FakeClock, Merchant, Statements
from nicobar.flows.events import write_events
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.brands import get_brand, insert_brand


@pytest.fixture
def clubs(
    merchant: Merchant, other_merchant: Merchant, app: ASGIApp, runtime: Runtime, clock: FakeClock
) -> tuple[Club, Club]:
    return open_club(merchant, app, runtime, clock), open_club(other_merchant, app, runtime, clock)


async def brand(club: Club, name: str) -> str:
    made: str = (await club.call("POST", "/brands", {"name": name}))["brand_id"]
    return made


async def product(club: Club, brand_id: str) -> str:
    body = {"name": "Club", "tax_category": "saas", "price": PRICE, "brand_id": brand_id}
    made: str = (await club.call("POST", "/products", body))["product_id"]
    return made


async def brands_of(club: Club, *ids: str) -> list[str]:
    return [(await club.read(each))["brand_id"] for each in ids]


async def same_brand_elsewhere(club: Club, other: Club, brand_id: str) -> None:
    """Give another business a brand with the very id of one of ours."""
    tenant = club.merchant.tenant
    async with club.runtime.database.transaction() as tx:
        known = await get_brand(tx, tenant, brand_id)
        assert known is not None
        await insert_brand(tx, other.merchant.tenant, known)


async def test_what_has_not_ended_moves_in_one_business_alone(clubs: tuple[Club, Club]) -> None:
    club, other = clubs
    old, new, untouched = await brand(club, "Old"), await brand(club, "New"), await brand(club, "Third")
    for each in (old, new):
        await same_brand_elsewhere(club, other, each)
    sold, elsewhere = await product(club, old), await product(club, untouched)
    active = await club.subscribe(sold)
    paused = await club.subscribe(sold)
    await club.call("PATCH", f"/subscriptions/{paused['subscription_id']}", {"status": "paused"})
    ended = await club.subscribe(sold)
    await club.call("PATCH", f"/subscriptions/{ended['subscription_id']}", {"status": "cancelled"})
    pending = await club.request(sold)
    third = await club.subscribe(elsewhere)
    foreign = await other.subscribe(await product(other, old))
    ids = [each["subscription_id"] for each in (active, paused, pending, ended, third)]
    told = len(await club.told())
    answer = await club.call("POST", f"/brands/{old}/archive", {"move_products_to": new})
    assert (answer["products_moved"], answer["subscriptions_moved"], answer["moved_to_brand_id"]) == (1, 3, new)
    assert await brands_of(club, *ids) == [new, new, new, old, untouched]
    assert await brands_of(other, foreign["subscription_id"]) == [old]
    assert [
        each["subscription_id"] for each in (await club.call("GET", f"/subscriptions?brand_id={old}"))["items"]
    ] == [ended["subscription_id"]]
    assert (await club.told())[told:] == ["subscription.updated"] * 3
    bodies = {body["subscription_id"]: body for body in (await club.bodies("subscription.updated"))[-3:]}
    assert set(bodies) == {each["subscription_id"] for each in (active, paused, pending)}
    for subscription_id, body in bodies.items():
        own_of_events = {"payload_type": "Subscription", "past_due_ends_at": None, "payment_id": None}
        assert body == await club.read(subscription_id) | own_of_events
        assert body["brand_id"] == new
    await club.pay(pending)
    await club.work(days=31)
    for subscription_id in (active["subscription_id"], pending["subscription_id"]):
        own = await club.read(subscription_id)
        assert (own["status"], own["brand_id"]) == ("active", new)
        assert [paid["brand_id"] for paid in await club.payments(subscription_id)] == [old, new]
    renewed = (await other.payments(foreign["subscription_id"]))[-1]
    assert (renewed["status"], renewed["brand_id"]) == ("succeeded", old)
    await club.books_agree()


async def test_subscriptions_need_a_brand_to_go_to(clubs: tuple[Club, Club]) -> None:
    club, _ = clubs
    old, new = await brand(club, "Old"), await brand(club, "New")
    sold = await product(club, old)
    own = await club.subscribe(sold)
    await club.call("PATCH", f"/products/{sold}", {"brand_id": new})
    told = await club.told()
    refused = await club.call("POST", f"/brands/{old}/archive", {}, status=422)
    assert refused == {
        "code": "UNSUPPORTED_ACTION",
        "message": "move_products_to: The brand has subscriptions; name the brand that takes them over.",
    }
    assert await brands_of(club, own["subscription_id"]) == [old]
    assert (await club.call("GET", f"/brands/{old}"))["archived_at"] is None
    assert await club.told() == told
    await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"status": "cancelled"})
    answer = await club.call("POST", f"/brands/{old}/archive", {})
    assert (answer["products_moved"], answer["subscriptions_moved"]) == (0, 0)
    assert await brands_of(club, own["subscription_id"]) == [old]


async def test_no_subscription_slips_into_a_brand_while_it_is_archived(clubs: tuple[Club, Club]) -> None:
    club, _ = clubs
    new = await brand(club, "New")
    body: dict[str, Any] = {
        "billing": {"country": "US"},
        "customer": {"email": "ana@example.com", "name": "Ana"},
        "quantity": 1,
        "payment_link": True,
    }
    for number in range(10):
        old = await brand(club, f"Old {number}")
        sold = await product(club, old)
        made, archived = await asyncio.gather(
            club.merchant.client.post("/subscriptions", json=body | {"product_id": sold}),
            club.merchant.client.post(f"/brands/{old}/archive", json={"move_products_to": new}),
        )
        assert archived.status_code == 200
        assert (await club.call("GET", f"/subscriptions?brand_id={old}"))["items"] == []
        if made.status_code != 200:
            assert made.json()["code"] == "BRAND_NOT_ENABLED"


async def test_many_are_moved_with_as_many_statements_as_one(
    clubs: tuple[Club, Club], statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    club, _ = clubs
    await club.call("POST", "/discounts", {"type": "percentage", "amount": 1000, "code": "TEN"})
    new, taken = await brand(club, "New"), []
    for count in (1, 6):
        old = await brand(club, f"Old {count}")
        sold = await product(club, old)
        for number in range(count):
            await club.subscribe(sold, discount_codes=["TEN"] if number % 2 == 0 else [])
        await statements()
        answer = await club.call("POST", f"/brands/{old}/archive", {"move_products_to": new})
        assert answer["subscriptions_moved"] == count
        taken.append(await statements())
    assert [words[:30] for words in taken[1]] == [words[:30] for words in taken[0]]
    bodies = (await club.bodies("subscription.updated"))[-6:]
    assert [body["subscription_id"] for body in bodies] == sorted(body["subscription_id"] for body in bodies)
    for body in bodies:
        own = await club.read(body["subscription_id"])
        assert (body["brand_id"], body["discounts"]) == (new, own["discounts"])
    assert sorted(len(body["discounts"] or []) for body in bodies) == [0, 0, 0, 1, 1, 1]
    monkeypatch.setattr(write_events, "AT_ONCE", 4)
    last = await brand(club, "Last")
    await club.call("POST", f"/brands/{new}/archive", {"move_products_to": last})
    assert [body["brand_id"] for body in (await club.bodies("subscription.updated"))[-7:]] == [last] * 7
    await club.books_agree()
