"""Several customers of one address are moved or erased at the same moment: nobody waits for one who waits for them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from api.sessions.opening import ADDRESS
from flows.sessions.test_new_customers import books_are_good, bought_nothing, first_of, new_customer, who_has
from flows.sessions.test_start_payment import opened
from nicobar.core.customers.customer import Customer, CustomerChange
from nicobar.core.problems import Problem
from nicobar.flows.customers import erase_customer as erasing
from nicobar.flows.customers.erase_customer import erase_customer
from nicobar.flows.customers.update_customer import update_customer
from nicobar.storage.customers import customers
from shop import Shop, item

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
    assert await asyncio.gather(*erasures, return_exceptions=True) == [1, 1]
    assert await who_has(shop, "kim@example.com") == []
    assert (await shop.client.get(f"/checkouts/{session.session_id}")).status_code == 404
    await books_are_good(shop)
