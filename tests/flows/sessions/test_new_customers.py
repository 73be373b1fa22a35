"""Sessions that make a new customer in any case: of an address's customers one is the first, whatever happens."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from starlette.types import ASGIApp

from api.answers import answered, refused
from api.sessions.opening import ADDRESS, ANA, create_session
from api.subscriptions.subscribing import Club
from flows.sessions.test_start_payment import opened, stored
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.payments.payment_request import CreatedPayment
from nicobar.core.problems import Problem
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.flows.customers.erase_customer import erase_customer
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.start_payment import start_payment
from nicobar.program.books_audit import audit_books
from orders import dump
from shop import Shop, item, order_request

NEW = {"always_create_new_customer": True}
KIM = ToldDetails(email="Kim@Example.com", name="Kim Park", phone_number="+4930555010")


async def who_has(shop: Shop, email: str) -> list[str]:
    """Return the customers of an address, the oldest first, as the list has them."""
    found = await shop.read("/customers", email=email)
    return [each["customer_id"] for each in reversed(found["items"])]


async def first_of(shop: Shop, email: str) -> str:
    """Return whom the address stands for, as a payment, a session and POST /customers find them."""
    product = await shop.product()
    ordered = await shop.create(order_request(item(product), customer={"email": email}))
    session = await opened(shop, item(product), billing_address=ADDRESS)
    paid = (await start_payment(shop.runtime, session, ToldDetails(email=email))).payment
    found = {ordered["customer"]["customer_id"], paid.customer.customer_id, await shop.customer(email)}
    (first,) = found
    return str(first)


async def new_customer(shop: Shop, told: ToldDetails = KIM) -> str:
    """Let somebody order in a session that makes a new customer; return who it is."""
    shop.clock.advance(seconds=1)  # ids are in the order of their moments
    session = await opened(shop, item(await shop.product()), billing_address=ADDRESS, feature_flags=NEW)
    return (await start_payment(shop.runtime, session, told)).payment.customer.customer_id


async def books_are_good(shop: Shop) -> None:
    async with shop.runtime.database.read() as read:
        assert [found for found in await audit_books(read, shop.clock.now()) if found.good is False] == []


@pytest.mark.parametrize("mode", ["test", "live"])
async def test_the_address_of_a_customer_makes_a_new_one_in_this_tenant_alone(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, other_merchant: Merchant, mode: Mode
) -> None:
    clients = {"test": merchant.client, "live": merchant.live_client, "other": other_merchant.client}
    shops = {name: Shop(runtime, app, clock, merchant) for name in clients}
    for name, shop in shops.items():
        shop.client = clients[name]
    known = {name: await shop.customer("kim@example.com") for name, shop in shops.items()}
    shop = shops[mode]
    before = await shop.read(f"/customers/{known[mode]}")
    clock.advance(hours=1)
    made = await new_customer(shop)
    shown = await shop.read(f"/customers/{made}")
    assert (shown["email"], shown["name"], shown["phone_number"]) == ("Kim@Example.com", "Kim Park", "+4930555010")
    assert await shop.read(f"/customers/{known[mode]}") == before
    assert await who_has(shop, "KIM@example.com") == [known[mode], made]
    assert await first_of(shop, "kim@EXAMPLE.com") == known[mode]
    for name in clients.keys() - {mode}:
        assert await who_has(shops[name], "kim@example.com") == [known[name]]
    await books_are_good(shop)


async def test_somebody_whom_nobody_knew_is_the_first_of_the_address(shop: Shop) -> None:
    first = await new_customer(shop)
    assert await first_of(shop, "kim@example.com") == first
    second, third = await new_customer(shop), await new_customer(shop)
    assert await who_has(shop, "kim@example.com") == [first, second, third]
    assert await first_of(shop, "kim@example.com") == first


async def test_a_confirmed_session_makes_one_however_often_its_answer_is_lost(shop: Shop) -> None:
    known = await shop.customer("ana@example.com")
    product = await shop.product()
    body = {
        "product_cart": [item(product)],
        "customer": ANA,
        "billing_address": ADDRESS,
        "confirm": True,
        "feature_flags": NEW,
    }
    made = answered(await shop.client.post("/checkouts", json=body))
    again = answered(await shop.client.post("/checkouts", json=body, headers={"x-stainless-retry-count": "1"}))
    assert again == made
    customer_id = (await shop.read(f"/payments/{made['payment_id']}"))["customer"]["customer_id"]
    assert await who_has(shop, "ana@example.com") == [known, customer_id]
    keyed = {"Idempotency-Key": "order-17"}
    answers = [answered(await shop.client.post("/checkouts", json=body, headers=keyed)) for _ in range(2)]
    assert answers[0] == answers[1] != made
    assert len(await who_has(shop, "ana@example.com")) == 3


async def test_a_customer_who_is_named_wins_and_another_address_is_somebody_new(shop: Shop) -> None:
    """Contract, "Checkout sessions" 2.2: the flag is about matching an e-mail address."""
    ana, kim = await shop.customer("ana@example.com"), await shop.customer("kim@example.com")
    named = {"customer": {"customer_id": ana}, "billing_address": ADDRESS}
    product = await shop.product()
    session = await opened(shop, item(product), **named, feature_flags=NEW)
    assert (await start_payment(shop.runtime, session, KIM)).payment.customer.customer_id == ana
    flags = NEW | {"allow_customer_editing_email": True, "allow_customer_editing_name": True}
    session = await opened(shop, item(product), **named, feature_flags=flags)
    other = (await start_payment(shop.runtime, session, KIM)).payment.customer.customer_id
    assert sorted(await who_has(shop, "kim@example.com")) == sorted([kim, other])  # made at one moment
    assert await who_has(shop, "ana@example.com") == [ana]


async def test_two_buyers_of_one_session_are_one_customer(shop: Shop) -> None:
    known = await shop.customer("kim@example.com")
    shop.clock.advance(seconds=1)
    session = await opened(shop, item(await shop.product()), billing_address=ADDRESS, feature_flags=NEW)
    ended = await asyncio.gather(*(start_payment(shop.runtime, session, KIM) for _ in range(6)), return_exceptions=True)
    (made,) = [one for one in ended if isinstance(one, CreatedPayment)]
    assert [one.code for one in ended if isinstance(one, Problem)] == ["CHECKOUT_SESSION_CONSUMED"] * 5
    assert await who_has(shop, "kim@example.com") == [known, made.payment.customer.customer_id]
    before = await dump(shop.runtime)
    with pytest.raises(Problem):
        await start_payment(shop.runtime, await stored(shop, session.session_id), KIM)
    assert await dump(shop.runtime) == before


async def test_several_at_once_leave_one_first(shop: Shop) -> None:
    """Nobody has the address before; those who do not ask for a new customer all get the same one."""
    product = await shop.product()
    sessions = [await opened(shop, item(product), billing_address=ADDRESS, feature_flags=NEW) for _ in range(4)]
    order = order_request(item(product), customer={"email": "kim@example.com"})
    made, answers = await asyncio.gather(
        asyncio.gather(*(start_payment(shop.runtime, session, KIM) for session in sessions)),
        asyncio.gather(*(shop.create(order) for _ in range(3))),
    )
    fresh = {created.payment.customer.customer_id for created in made}
    assert len(fresh) == 4
    (matched,) = {answer["customer"]["customer_id"] for answer in answers}
    assert set(await who_has(shop, "kim@example.com")) == fresh | {matched}
    assert await first_of(shop, "kim@example.com") == matched
    await books_are_good(shop)


async def test_who_leaves_an_address_leaves_it_to_the_oldest(shop: Shop, clock: FakeClock) -> None:
    async def move(customer_id: str, email: str) -> Any:
        clock.advance(seconds=1)
        return await shop.client.patch(f"/customers/{customer_id}", json={"email": email})

    first, second, third = [await new_customer(shop) for _ in range(3)]
    bo = await shop.customer("bo@example.com")
    before = await dump(shop.runtime)
    for customer_id in (first, second):
        refused(
            await move(customer_id, "bo@example.com"),
            422,
            "UNSUPPORTED_ACTION",
            "email: Another customer has this e-mail address.",
        )
    assert await dump(shop.runtime) == before
    assert answered(await move(second, "kim@EXAMPLE.com"))["email"] == "kim@EXAMPLE.com"
    assert await first_of(shop, "kim@example.com") == first
    answered(await move(first, "kim@park.example"))
    assert await first_of(shop, "kim@example.com") == second
    assert await first_of(shop, "kim@park.example") == first
    answered(await move(third, "third@park.example"))
    assert await first_of(shop, "third@park.example") == third
    assert await who_has(shop, "kim@example.com") == [second]
    answered(await move(second, "second@park.example"))
    assert await who_has(shop, "kim@example.com") == []
    assert await first_of(shop, "bo@example.com") == bo
    await books_are_good(shop)


async def test_erasing_one_leaves_the_others_of_the_address(shop: Shop) -> None:
    tenant = shop.merchant.tenant
    first = await shop.customer("kim@example.com")
    made = [await bought_nothing(shop) for _ in range(3)]
    assert await who_has(shop, "kim@example.com") == [first, *made]
    assert await erase_customer(shop.runtime, tenant, made[0]) == (1, [first, *made[1:]])
    assert await who_has(shop, "kim@example.com") == [first, *made[1:]]
    assert await erase_customer(shop.runtime, tenant, first) == (0, made[1:])
    assert await shop.customer("kim@example.com") == made[1]
    for customer_id in made[1:]:
        await erase_customer(shop.runtime, tenant, customer_id)
    assert await who_has(shop, "kim@example.com") == []
    assert "kim@example.com" not in (await dump(shop.runtime)).lower()
    await books_are_good(shop)


async def bought_nothing(shop: Shop) -> str:
    """Make an additional customer whose payment is over, and in nobody's way."""
    shop.clock.advance(seconds=1)
    session = await create_session(
        shop,
        item(await shop.product(0, pay_what_you_want=True), amount=0),
        customer={"email": "kim@example.com", "name": "Kim"},
        billing_address=ADDRESS,
        confirm=True,
        feature_flags=NEW,
    )
    payment = await shop.read(f"/payments/{session['payment_id']}")
    assert payment["status"] == "succeeded"
    customer_id: str = payment["customer"]["customer_id"]
    return customer_id


async def test_whoever_leaves_while_somebody_comes_leaves_a_first_behind(shop: Shop) -> None:
    """Of a few orders in which these can meet: the address of customers always has a first one."""
    product = await shop.product()

    async def move(customer_id: str, email: str) -> None:
        answered(await shop.client.patch(f"/customers/{customer_id}", json={"email": email}))

    for number in range(12):
        email = f"kim{number}@example.com"
        told = ToldDetails(email=email)
        first, second = await new_customer(shop, told), await new_customer(shop, told)
        session = await opened(shop, item(product), billing_address=ADDRESS, feature_flags=NEW)
        doings: list[Awaitable[object]] = [
            move(first, f"a{number}@example.com"),
            move(second, f"b{number}@example.com"),
            start_payment(shop.runtime, session, told),
            shop.create(order_request(item(product), customer={"email": email})),
        ]
        await asyncio.gather(*doings[number % 4 :], *doings[: number % 4])
        found = await who_has(shop, email)
        assert found and not {first, second} & set(found)
        assert await first_of(shop, email) in found
        assert await first_of(shop, f"a{number}@example.com") == first
        assert await first_of(shop, f"b{number}@example.com") == second
    await books_are_good(shop)


async def test_an_address_that_lost_its_first_customer_is_found(shop: Shop) -> None:
    known = await shop.customer("kim@example.com")
    async with shop.runtime.database.read() as read:
        await read.execute("UPDATE customers SET additional_id = customer_id")
        (found,) = [each for each in await audit_books(read, shop.clock.now()) if each.good is False]
    assert found.sentence.splitlines() == [
        "Customers (1): some addresses have no first one:",
        f"    {known}: no customer of its e-mail address is the first",
    ]


async def test_codes_count_a_new_customer_as_one_who_never_bought(shop: Shop) -> None:
    codes = {"ONCE": "any", "WELCOME": "first_time"}
    for code, who in codes.items():
        await shop.percentage(code, 1000, per_customer_usage_limit=1, customer_eligibility=who)
    await shop.percentage("REGULAR", 1000, customer_eligibility="existing")
    product, asked = await shop.product(), {"billing_address": ADDRESS, "feature_flags": NEW}
    bought = await shop.purchase(product, customer={"email": "kim@example.com"}, discount_codes=["ONCE"])
    known = bought["customer"]["customer_id"]
    for code in codes:
        order = order_request(item(product), customer={"email": "kim@example.com"}, discount_codes=[code])
        assert (await shop.client.post("/payments", json=order)).status_code == 422
    for code in codes:
        session = await opened(shop, item(product), **asked, discount_codes=[code])
        made = (await start_payment(shop.runtime, session, KIM)).payment
        assert (made.discount, made.customer.customer_id != known) == (200, True)
    session = await opened(shop, item(product), **asked)
    with pytest.raises(Problem) as caught:
        await start_payment(shop.runtime, session, msgspec.structs.replace(KIM, discount_codes=["REGULAR"]))
    assert caught.value.code == "DISCOUNT_CUSTOMER_NOT_ELIGIBLE"


async def test_a_subscription_of_such_a_session_is_the_new_customers(club: Club, app: ASGIApp) -> None:
    first = await club.subscribe(customer={"email": "kim@example.com", "name": "Kim"})
    shop = Shop(club.runtime, app, club.clock, club.merchant)
    plan = first["product_id"]
    await shop.settings(multiple_subscriptions="false")
    plain = await opened(shop, item(plan), billing_address=ADDRESS)
    with pytest.raises(Problem) as caught:
        await start_payment(shop.runtime, plain, KIM)
    assert caught.value.code == "CUSTOMER_HAS_EXISTING_SUBSCRIPTION"
    session = await opened(shop, item(plan), billing_address=ADDRESS, feature_flags=NEW)
    payment = (await start_payment(shop.runtime, session, KIM)).payment
    known = first["customer"]["customer_id"]
    assert await who_has(shop, "kim@example.com") == [known, payment.customer.customer_id]
    shown = (await shop.read("/subscriptions", customer_id=payment.customer.customer_id))["items"]
    assert [(each["status"], each["product_id"]) for each in shown] == [("pending", plan)]
    mine = (await shop.read("/subscriptions", customer_id=known))["items"]
    assert [each["subscription_id"] for each in mine] == [first["subscription_id"]]


async def test_another_tenants_address_is_nobodys(shop: Shop, other_merchant: Merchant) -> None:
    other = Tenant(other_merchant.business_id, "test")
    made = await new_customer(shop)
    with pytest.raises(Problem) as caught:
        await erase_customer(shop.runtime, other, made)
    assert caught.value.code == "NOT_FOUND"
    assert (await other_merchant.client.get("/customers", params={"email": "kim@example.com"})).json() == {"items": []}
