"""The country of an order of nothing: it is asked for where the merchant has not told it, and never guessed."""

import pytest

from api.sessions.opening import create_session
from api.subscriptions.subscribing import Club
from nicobar.flows.business.change_setting import change_setting
from orders import token_in
from pages.session.filling import errors_of, fields_of, send
from shop import Shop, item

CONTACT = {"email": "kim@example.com", "customer_name": "Kim"}


@pytest.mark.parametrize("single_page", [False, True])
@pytest.mark.parametrize("told", [True, False])
async def test_a_free_order_asks_for_a_contact_and_the_country_alone(shop: Shop, told: bool, single_page: bool) -> None:
    await shop.percentage("FREE", 10_000)
    known = {"billing_address": {"country": "FR"}} if told else {}
    flags = {"single_page": single_page}
    created = await create_session(
        shop, item(await shop.product(2000)), discount_codes=["FREE"], feature_flags=flags, **known
    )
    page = await shop.browser.get(created["checkout_url"])
    asked = {name for name in fields_of(page) if not name.startswith(("shown_", "chosen_", "code_"))}
    assert asked == {"email", "customer_name", "phone", "code"} | (set() if told else {"country"})
    country = {}
    if not told:
        page = await send(shop.browser, page, **CONTACT, country="XX")
        assert (page.status_code, list(errors_of(page))) == (422, ["country"])
        assert (await shop.read("/payments"))["items"] == []
        country = {"country": "FR"}
    onward = await send(shop.browser, page, **CONTACT, **country)
    assert onward.status_code == 303
    if not single_page:
        token = token_in((await shop.browser.get(onward.headers["location"])).text)
        await shop.browser.post(onward.headers["location"], data={"token": token})
    (paid,) = (await shop.read("/payments"))["items"]
    whole = await shop.read(f"/payments/{paid['payment_id']}")
    assert (whole["status"], whole["total_amount"], whole["billing"]["country"]) == ("succeeded", 0, "FR")


async def test_a_trial_without_a_card_is_taxed_where_its_customer_is(club: Club, shop: Shop) -> None:
    """The seller's own country would be wrong, and its tax with it."""
    for name, value in (("tax", "table"), ("seller_country", "DE")):
        await change_setting(club.runtime, club.merchant.tenant, name, value)
    await shop.taxes("country,name,standard_percent\nDE,VAT,19\nAT,VAT,20\n")
    plan = await club.product(trial_period_days=14, trial_payment_method_optional=True)
    created = await create_session(shop, {"product_id": plan, "quantity": 1})
    page = await shop.browser.get(created["checkout_url"])
    assert "country" in fields_of(page) and "street" not in fields_of(page)
    onward = await send(shop.browser, page, **CONTACT, country="AT")
    token = token_in((await shop.browser.get(onward.headers["location"])).text)
    await shop.browser.post(onward.headers["location"], data={"token": token})
    (own,) = (await club.call("GET", "/subscriptions"))["items"]
    assert (own["status"], own["billing"]["country"]) == ("active", "AT")
    changed = {"type": "new", "return_url": "https://shop.example/"}
    made = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", changed)
    await club.pay(made)
    await club.work(days=15)
    last = (await club.payments(own["subscription_id"]))[-1]
    assert (last["total_amount"], last["tax"]) == (3600, 600)
