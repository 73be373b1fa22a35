"""The payment of a session: one, made of what was asked for and told, and none after the deadline."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from api.sessions.opening import ADDRESS, ANA, create_session
from api.subscriptions.subscribing import PRICE
from harness import FakeClock
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import CustomFieldResponse
from nicobar.core.payments.payment_request import CreatedPayment
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import CheckoutSession, state_of
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.flows.sessions.draft_payment import draft_payment
from nicobar.flows.sessions.start_payment import start_payment
from nicobar.flows.upkeep.sweep import sweep
from nicobar.storage.sessions.sessions import find_session
from orders import dump, pay, token_of
from proof import length
from shop import EXAMPLE_RATES, Shop, item

TOLD = ToldDetails(email="kim@example.com", name="Kim Park", billing=Address("DE", zipcode="10119"))


async def opened(shop: Shop, *items: dict[str, Any], **fields: Any) -> CheckoutSession:
    """Create a session and return it as it is stored."""
    return await stored(shop, (await create_session(shop, *items, **fields))["session_id"])


async def stored(shop: Shop, session_id: str) -> CheckoutSession:
    async with shop.runtime.database.read() as read:
        session = await find_session(read, session_id)
    assert session is not None
    return session


async def test_all_that_was_asked_and_told_comes_to_the_payment(shop: Shop) -> None:
    gift, book = await shop.product(500, pay_what_you_want=True), await shop.product(2000)
    session = await opened(shop, item(gift), item(book, 2), metadata={"order": 17}, discount_codes=[])
    told = ToldDetails(
        email="kim@example.com",
        name="Kim Park",
        phone_number="+4930555010",
        billing=Address(**ADDRESS),
        tax_id="DE136695976",
        business_name="Park GmbH",
        amounts={0: 900, 1: 1},
        responses=[CustomFieldResponse("size", "M")],
    )
    created = await start_payment(shop.runtime, session, told)
    payment = await shop.read(f"/payments/{created.payment.payment_id}")
    assert payment["total_amount"] == 900 + 2 * 2000
    assert (payment["metadata"], payment["billing"]) == ({"order": 17}, ADDRESS)
    assert payment["customer"]["email"] == "kim@example.com"
    assert (payment["customer"]["name"], payment["customer"]["phone_number"]) == ("Kim Park", "+4930555010")
    assert payment["custom_field_responses"] == [{"key": "size", "value": "M"}]
    assert payment["checkout_session_id"] == session.session_id
    assert (created.payment.options.tax_id, created.payment.options.customer_business_name) == (
        "DE136695976",
        "Park GmbH",
    )
    assert created.payment.expires_on == session.expires_at


async def test_what_a_session_has_its_buyer_cannot_change(shop: Shop) -> None:
    gift = await shop.product(500, pay_what_you_want=True)
    fixed = await opened(shop, item(gift, amount=700), customer=ANA, billing_address={"country": "DE", "city": "Bonn"})
    told = ToldDetails(
        email="kim@example.com", name="Kim", billing=Address("US", city="Paris", zipcode="10119"), amounts={0: 500}
    )
    payment = (await start_payment(shop.runtime, fixed, told)).payment
    assert (payment.customer.email, payment.customer.name) == ("ana@example.com", "Ana Lima")
    assert payment.billing == Address("DE", city="Bonn", zipcode="10119")
    assert payment.total_amount == 700
    names = ("name", "email", "country", "city")
    flags = {f"allow_customer_editing_{name}": True for name in names}
    free = await opened(
        shop, item(gift), customer=ANA, billing_address={"country": "DE", "city": "Bonn"}, feature_flags=flags
    )
    payment = (await start_payment(shop.runtime, free, told)).payment
    assert (payment.customer.email, payment.customer.name) == ("kim@example.com", "Kim")
    assert payment.billing == Address("US", city="Paris", zipcode="10119")
    closed = {f"allow_customer_editing_{name}": False for name in ("state", "tax_id")} | {"allow_tax_id": False}
    closed |= {"allow_discount_code": False, "allow_phone_number_collection": False, "allow_currency_selection": False}
    await shop.percentage("TEN", 1000)
    session = await opened(shop, item(await shop.product()), feature_flags=closed)
    told = ToldDetails(
        email="bo@example.com",
        billing=Address("DE", state="BE"),
        tax_id="DE136695976",
        phone_number="+4930555010",
        discount_codes=["TEN"],
        billing_currency="GBP",
    )
    payment = (await start_payment(shop.runtime, session, told)).payment
    assert (payment.options.tax_id, payment.options.discount_codes, payment.options.billing_currency) == (
        None,
        [],
        None,
    )
    assert (payment.customer.phone_number, payment.billing.state) == (None, None)


async def test_many_at_once_make_one_payment(shop: Shop) -> None:
    discount_id = await shop.percentage("TEN", 1000)
    session = await opened(shop, item(await shop.product()), discount_codes=["TEN"])
    buyers = [ToldDetails(email=f"buyer{n}@example.com", billing=Address("DE")) for n in range(8)]
    ended = await asyncio.gather(
        *(start_payment(shop.runtime, session, told) for told in buyers), return_exceptions=True
    )
    (made,) = [one for one in ended if isinstance(one, CreatedPayment)]
    assert [one.code for one in ended if isinstance(one, Problem)] == ["CHECKOUT_SESSION_CONSUMED"] * 7
    status = await shop.read(f"/checkouts/{session.session_id}")
    assert status["payment_id"] == made.payment.payment_id
    assert [one["payment_id"] for one in (await shop.read("/payments"))["items"]] == [made.payment.payment_id]
    assert len((await shop.read("/customers"))["items"]) == 1
    assert await shop.uses(discount_id) == (0, 1)


async def test_an_expired_session_never_charges(shop: Shop, clock: FakeClock) -> None:
    product = await shop.product()
    late, paid_late = await opened(shop, item(product)), await opened(shop, item(product))
    started = (await start_payment(shop.runtime, paid_late, TOLD)).payment
    link = f"http://pay.test/{started.link_id}"
    clock.advance(hours=23, minutes=59, seconds=59)
    page = await shop.browser.get(link)
    clock.advance(seconds=1)
    before = await dump(shop.runtime)
    with pytest.raises(Problem) as caught:
        await start_payment(shop.runtime, late, TOLD)
    assert caught.value.code == "CHECKOUT_SESSION_CONSUMED"
    token = token_of(page)
    fields = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Kim Park", "token": token}
    assert (await shop.browser.post(link, data=fields)).status_code == 410
    assert await dump(shop.runtime) == before
    await sweep(shop.runtime)
    status = await shop.read(f"/checkouts/{paid_late.session_id}")
    assert status["payment_status"] == "cancelled"
    assert state_of(status["payment_status"], paid_late.expires_at, clock.now()) == "expired"


async def test_the_states_of_a_session(shop: Shop, clock: FakeClock) -> None:
    session = await opened(shop, item(await shop.product()))
    end, now = session.expires_at, clock.now()
    assert (state_of(None, end, now), state_of(None, end, end)) == ("open", "expired")
    started = (await start_payment(shop.runtime, session, TOLD)).payment
    assert state_of(started.status, end, now) == "in_payment"
    link = f"http://pay.test/{started.link_id}"
    await pay(shop.browser, link, number="4000000000000002")
    status = await shop.read(f"/checkouts/{session.session_id}")
    assert (status["payment_status"], state_of("failed", end, now), state_of("failed", end, end)) == (
        "failed",
        "in_payment",
        "expired",
    )
    await pay(shop.browser, link)
    status = await shop.read(f"/checkouts/{session.session_id}")
    assert (status["payment_status"], state_of("succeeded", end, end)) == ("succeeded", "consumed")
    assert (state_of("processing", end, end), state_of("requires_customer_action", end, end)) == ("in_payment",) * 2
    with pytest.raises(Problem) as caught:
        await start_payment(shop.runtime, session, TOLD)
    assert caught.value.code == "CHECKOUT_SESSION_CONSUMED"


async def test_the_catalogue_of_today_until_there_is_a_payment(shop: Shop) -> None:
    product, other = await shop.product(2000), await shop.product(900)
    session, gone = await opened(shop, item(product)), await opened(shop, item(other))
    price = {"type": "one_time_price", "currency": "USD", "price": 2500}
    assert (await shop.client.patch(f"/products/{product}", json={"price": price})).status_code == 200
    assert (await start_payment(shop.runtime, session, TOLD)).payment.total_amount == 2500
    assert (await shop.client.delete(f"/products/{other}")).status_code == 200
    before = await dump(shop.runtime)
    for attempt in (draft_payment, start_payment):
        with pytest.raises(Problem) as caught:
            await attempt(shop.runtime, gone, TOLD)
        assert caught.value.code == "PRODUCT_IS_DELETED"
    assert await dump(shop.runtime) == before


SEED = 20_261_129
CODES = ("TEN", "FLAT", "EUROS")
PLACES = (
    Address("DE", zipcode="10119"),
    Address("US", state="NY", zipcode="10118"),
    Address("IN", state="MH", zipcode="400001"),
    Address("JP", zipcode="100-0001"),
    Address("GB", zipcode="SW1A 1AA"),
)


async def plan_of(shop: Shop, **price: Any) -> str:
    body = {"name": "Club", "tax_category": "saas", "price": PRICE | price}
    made: str = (await shop.client.post("/products", json=body)).json()["product_id"]
    return made


@pytest.mark.proof
async def test_preview_session_and_payment_have_one_total(
    shop: Shop, record_property: Callable[[str, object], None]
) -> None:
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", tax="table", seller_country="DE", adaptive_fees="dodo")
    gift = await shop.product(500, pay_what_you_want=True)
    products = [await shop.product(1999), await shop.product(4990, "EUR", tax_inclusive=True), await shop.product(333)]
    plans = [await plan_of(shop), await plan_of(shop, price=999, trial_period_days=7, trial_amount=199)]
    await shop.percentage("TEN", 1000)
    await shop.flat("FLAT", 300)
    await shop.percentage("EUROS", 2500, restricted_to=[products[1]])
    rng = random.Random(SEED)  # noqa: S311 - carts want to repeat
    carts = length(1000)
    record_property(f"carts of seed {SEED}", carts)
    priced = 0
    for number in range(carts):
        lines = [item(rng.choice(products), rng.choice((1, 1, 2, 7))) for _ in range(rng.choice((1, 1, 2, 3)))]
        amount = rng.randrange(500, 9000)
        subscribed = [item(plan) for plan in rng.sample(plans, rng.choice((0, 0, 1, 2)))]
        lines = [*subscribed, *lines]
        if rng.random() < 0.3:
            lines.append(item(gift))
        place, codes = rng.choice(PLACES), rng.sample(CODES, rng.choice((0, 0, 1, 2)))
        if "EUROS" in codes and products[1] not in {line["product_id"] for line in lines}:
            codes.remove("EUROS")
        known = {"billing_address": {"country": place.country}} if rng.random() < 0.5 else {}
        asked = {"product_cart": lines} | known | ({"discount_codes": codes} if codes else {})
        made = await shop.client.post("/checkouts", json=asked)
        if made.status_code != 200:  # a code leaves too little to charge: the preview says so, too
            refused = await shop.client.post("/checkouts/preview", json=asked)
            assert (refused.status_code, refused.json()) == (made.status_code, made.json()), asked
            with_trial = any(line["product_id"] == plans[1] for line in subscribed)  # a paid one, which takes no codes
            expected = {"TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"}
            if with_trial and codes:
                expected = {"UNSUPPORTED_ACTION", "DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT"}
            assert made.json()["code"] in expected, asked
            continue
        session = await stored(shop, made.json()["session_id"])
        amounts = {len(lines) - 1: amount} if lines[-1]["product_id"] == gift else {}
        told = ToldDetails(email=f"b{number}@example.com", billing=place, amounts=amounts)
        if amounts:
            lines[-1] = item(gift, amount=amount)
        address = {"country": place.country, "state": place.state, "zipcode": place.zipcode}
        body = {"product_cart": lines, "billing_address": address} | ({"discount_codes": codes} if codes else {})
        preview = (await shop.client.post("/checkouts/preview", json=body)).json()
        order = {"billing": address, "customer": {"email": f"d{number}@example.com"}} | body
        direct = preview if subscribed else (await shop.client.post("/payments", json=order)).json()
        try:
            drafted = (await draft_payment(shop.runtime, session, told)).payment
            payment = (await start_payment(shop.runtime, session, told)).payment
        except Problem as problem:  # too little for this place: all of them say so
            assert (problem.code, preview["code"], direct["code"]) == ("TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT",) * 3
            continue
        priced += 1
        totals = {(one.total_amount, one.tax, one.currency) for one in (drafted, payment)}
        assert totals == {(preview["total_price"], preview["total_tax"], preview["currency"])}, body
        assert subscribed or direct["total_amount"] == payment.total_amount
    assert priced > carts * 0.7
