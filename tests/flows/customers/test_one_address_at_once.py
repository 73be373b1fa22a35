"""Customers of one address are moved or erased at the same moment, or while somebody orders with it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import ASGIApp

from api.answers import answered
from api.sessions.opening import ADDRESS
from api.subscriptions.subscribing import Club
from flows.sessions.test_new_customers import books_are_good, bought_nothing, first_of, new_customer, who_has
from flows.sessions.test_start_payment import opened
from nicobar.core.customers.customer import Customer, CustomerChange
from nicobar.core.problems import Problem
from nicobar.flows.customers import erase_customer as erasing
from nicobar.flows.customers.erase_customer import erase_customer
from nicobar.flows.customers.update_customer import update_customer
from nicobar.flows.payments import create_payment as creating
from nicobar.flows.pricing.load_pricing_facts import load_pricing_facts
from nicobar.flows.subscriptions import draft_subscription as drafting
from nicobar.flows.subscriptions.load_subscription_facts import load_subscription_facts
from nicobar.storage.customers import customers
from shop import Shop, item, order_request

NEW_ADDRESS = CustomerChange(email="kim@park.example")


def meeting(lock: Callable[..., Any], number: int, ahead: str) -> Callable[..., Any]:
    """Return a `lock_customer` after which `number` of them go on together, that of the customer `ahead` first."""
    barrier = asyncio.Barrier(number)

    async def lock_and_wait(tx: Any, tenant: Any, customer_id: str) -> Any:
        found = await lock(tx, tenant, customer_id)
        await barrier.wait()
        if customer_id != ahead:
            await asyncio.sleep(0.2)
        return found

    return lock_and_wait


@pytest.mark.parametrize("ahead", [0, 1, 2])
async def test_all_of_an_address_move_to_one_other(shop: Shop, monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    known = [await new_customer(shop) for _ in range(3)]
    monkeypatch.setattr(customers, "lock_customer", meeting(customers.lock_customer, 3, known[ahead]))
    moves = (update_customer(shop.runtime, shop.merchant.tenant, each, NEW_ADDRESS) for each in known)
    ended = await asyncio.gather(*moves, return_exceptions=True)
    monkeypatch.undo()
    (moved,) = [one.customer_id for one in ended if isinstance(one, Customer)]
    assert [one.code for one in ended if isinstance(one, Problem)] == ["UNSUPPORTED_ACTION"] * 2
    stayed = [each for each in known if each != moved]
    assert await who_has(shop, "kim@park.example") == [moved]
    assert await who_has(shop, "kim@example.com") == stayed
    assert await first_of(shop, "kim@example.com") == stayed[0]
    assert await first_of(shop, "kim@park.example") == moved
    await books_are_good(shop)


@pytest.mark.parametrize("ahead", [0, 1])
async def test_both_of_a_person_are_erased_while_a_session_waits(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    known = [await bought_nothing(shop) for _ in range(2)]
    email = {"email": "kim@example.com"}
    session = await opened(shop, item(await shop.product()), customer=email, billing_address=ADDRESS)
    monkeypatch.setattr(erasing, "lock_customer", meeting(customers.lock_customer, 2, known[ahead]))
    erasures = (erase_customer(shop.runtime, shop.merchant.tenant, each) for each in known)
    erased = await asyncio.gather(*erasures)
    assert [each.payments for each in erased] == [1, 1]
    assert sorted(len(each.others) for each in erased) == [0, 1]
    assert await who_has(shop, "kim@example.com") == []
    assert (await shop.client.get(f"/checkouts/{session.session_id}")).status_code == 404
    await books_are_good(shop)


def before_writing(load: Callable[..., Any], happens: Callable[[], Awaitable[object]]) -> Callable[..., Any]:
    """Return a loading of facts after which, and before anything is written by them, something happens once."""
    rest = [happens]

    async def load_first(*arguments: Any) -> Any:
        facts = await load(*arguments)
        if rest:
            await rest.pop()()
        return facts

    return load_first


NAMED = {"email": "kim@example.com", "name": "Kim Park"}


@pytest.mark.parametrize("is_erased", [False, True])
async def test_who_leaves_the_address_before_being_completed_is_not_the_payments_customer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, is_erased: bool
) -> None:
    product = await shop.product()
    known = (
        await shop.create(
            order_request(
                item(await shop.product(0, pay_what_you_want=True), amount=0),
                customer={"email": "kim@example.com"},
                payment_link=False,
            )
        )
    )["customer"]["customer_id"]

    async def leave() -> None:
        if is_erased:
            await erase_customer(shop.runtime, shop.merchant.tenant, known)
        else:
            await update_customer(shop.runtime, shop.merchant.tenant, known, NEW_ADDRESS)

    monkeypatch.setattr(creating, "load_pricing_facts", before_writing(load_pricing_facts, leave))
    order, key = order_request(item(product), customer=NAMED), {"Idempotency-Key": "order-18"}
    made = answered(await shop.client.post("/payments", json=order, headers=key))
    assert await who_has(shop, "kim@example.com") == [made["customer"]["customer_id"]]
    assert (made["customer"]["name"], made["customer"]["customer_id"] != known) == ("Kim Park", True)
    assert (await shop.read(f"/payments/{made['payment_id']}"))["customer"] == made["customer"]
    assert answered(await shop.client.post("/payments", json=order, headers=key)) == made
    await books_are_good(shop)


async def test_a_subscription_is_not_that_of_one_who_left_the_address_before_being_completed(
    club: Club, app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(club.runtime, app, club.clock, club.merchant)
    bare = await shop.create(order_request(item(await shop.product()), customer={"email": "kim@example.com"}))
    known = bare["customer"]["customer_id"]

    async def leave() -> None:
        await update_customer(shop.runtime, shop.merchant.tenant, known, NEW_ADDRESS)

    monkeypatch.setattr(drafting, "load_subscription_facts", before_writing(load_subscription_facts, leave))
    sold = await club.subscribe(customer=NAMED)
    assert await who_has(shop, "kim@example.com") == [sold["customer"]["customer_id"]]
    assert await who_has(shop, "kim@park.example") == [known]
    assert sold["customer"]["name"] == "Kim Park"
