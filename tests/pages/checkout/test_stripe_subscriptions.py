"""Subscriptions through Stripe: cards that are kept without a charge, and charges when their owner is not there."""

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from api.subscriptions.subscribing import Club, open_club
from at_stripe import LocalStripe, connect, runtime_at_stripe
from harness import PUBLIC_URL, FakeClock, Merchant
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from orders import token_of
from pages.checkout.test_stripe_page import data_of
from pages.portal.portals import enter

__all__ = ["runtime_at_stripe"]

ASKS_ITS_OWNER = "4000002500003155"


@pytest_asyncio.fixture
async def club(merchant: Merchant, app: ASGIApp, runtime: Runtime, clock: FakeClock, localstripe: LocalStripe) -> Club:
    await connect(runtime, merchant.tenant, localstripe)
    clock.advance(seconds=10)
    return open_club(merchant, app, runtime, clock)


async def keep_card(club: Club, localstripe: LocalStripe, link: str, number: str = "4242424242424242") -> str:
    """Choose a card on the page of a payment of nothing and type it at Stripe; return the receipt's text."""
    path = "/" + link.rpartition("/")[2]
    form = {"token": token_of(await club.browser.get(path)), "method": "card"}
    chosen = await club.browser.post(path, data=form)
    assert chosen.headers["location"] == f"{PUBLIC_URL}{path}/stripe"
    page = await club.browser.get(chosen.headers["location"])
    assert (data_of(page, "keeps"), data_of(page, "return")) == ("yes", f"{PUBLIC_URL}{path}")
    assert "Use this card" in page.text
    reference = data_of(page, "secret").partition("_secret_")[0]
    localstripe.keep(reference, number)
    return (await club.browser.get(path)).text


async def test_a_trial_keeps_a_card_that_is_charged_when_it_ends(club: Club, localstripe: LocalStripe) -> None:
    before = len(localstripe.intents())
    made = await club.request(await club.product(trial_period_days=14))
    assert made["payment_method_required"] is True
    assert "Order complete" in await keep_card(club, localstripe, made["payment_link"])
    own = await club.read(made["subscription_id"])
    assert (own["status"], own["has_payment_method"]) == ("active", True)
    assert len(localstripe.intents()) == before, "nothing was charged"

    await club.work(days=14)
    start, renewal = await club.payments(made["subscription_id"])
    assert (start["total_amount"], start["status"], start["payment_method"]) == (0, "succeeded", "card")
    assert (renewal["total_amount"], renewal["status"], renewal["charge_type"]) == (3000, "succeeded", "renewal")
    (charged,) = localstripe.intents()[: len(localstripe.intents()) - before]
    assert (charged["amount"], charged["status"]) == (3000, "succeeded")
    assert localstripe.ordered(str(charged["id"]))["off_session"] == "true"
    await club.books_agree()


async def test_a_bank_that_wants_its_customer_declines_softly_until_the_customer_confirms(
    club: Club, localstripe: LocalStripe
) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "renewal_retry_days", "1")
    club.clock.advance(seconds=10)
    made = await club.request(await club.product(trial_period_days=14))
    await keep_card(club, localstripe, made["payment_link"])
    own = made["subscription_id"]
    link = (await club.call("POST", f"/subscriptions/{own}/update-payment-method", {"type": "new"}))["payment_link"]
    path = "/" + link.rpartition("/")[2]
    chosen = await club.browser.post(path, data={"token": token_of(await club.browser.get(path)), "method": "card"})
    reference = data_of(await club.browser.get(chosen.headers["location"]), "secret").partition("_secret_")[0]
    # The customer confirms to the bank: localstripe succeeds when it is asked once more.
    localstripe.keep(reference, ASKS_ITS_OWNER)
    assert localstripe.setup(reference)["status"] == "requires_action"
    localstripe.post(f"setup_intents/{reference}/confirm")
    assert "Order complete" in (await club.browser.get(path)).text

    await club.work(days=14)
    await club.work(hours=12)
    payments = await club.payments(own)
    failed = [each for each in payments if each["charge_type"] == "renewal"]
    assert [(each["status"], each["error_code"], each["retry_attempt"]) for each in failed] == [
        ("failed", "AUTHENTICATION_REQUIRED", 0),
        ("failed", "AUTHENTICATION_REQUIRED", 1),
    ]
    assert (await club.read(own))["status"] == "on_hold"

    club.clock.advance(seconds=1)
    again = await club.call("POST", f"/subscriptions/{own}/update-payment-method", {"type": "new"})
    path = "/" + again["payment_link"].rpartition("/")[2]
    chosen = await club.browser.post(path, data={"token": token_of(await club.browser.get(path)), "method": "card"})
    page = await club.browser.get(chosen.headers["location"])
    assert "Pay $30.00" in page.text and "data-keeps" not in page.text
    localstripe.pay(data_of(page, "secret").partition("_secret_")[0])
    assert "Payment received" in (await club.browser.get(path)).text
    assert (await club.read(own))["status"] == "active"
    paid = (await club.payments(own))[-1]
    assert (paid["status"], paid["total_amount"], paid["charge_type"]) == ("succeeded", 3000, "renewal")
    await club.books_agree()


@pytest.mark.parametrize("start", [{"on_demand": {"mandate_only": True}}, {"trial_period_days": 14}])
async def test_a_declined_card_starts_nothing_and_another_one_does(
    club: Club, localstripe: LocalStripe, start: dict[str, object]
) -> None:
    made = await club.request(await club.product(), **start)
    page = await keep_card(club, localstripe, made["payment_link"], "4000000000000002")
    assert "Your payment was not made" in page
    assert (await club.read(made["subscription_id"]))["status"] == "pending"
    assert "Order complete" in await keep_card(club, localstripe, made["payment_link"])
    assert (await club.read(made["subscription_id"]))["status"] == "active"


async def test_a_new_card_takes_the_place_of_the_old_one(club: Club, localstripe: LocalStripe) -> None:
    made = await club.request(await club.product(trial_period_days=14))
    await keep_card(club, localstripe, made["payment_link"])
    own = await club.read(made["subscription_id"])
    new = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    assert "Order complete" in await keep_card(club, localstripe, new["payment_link"], "5555555555554444")
    changed = await club.read(own["subscription_id"])
    assert changed["payment_method_id"] not in (None, own["payment_method_id"])
    assert (await club.told())[-3:] == [
        "payment.succeeded",
        "subscription.update_payment_method",
        "subscription.updated",
    ]


async def test_a_renewal_is_not_charged_at_another_account_and_goes_on_when_its_own_comes_back(
    club: Club, localstripe: LocalStripe, other_localstripe: LocalStripe
) -> None:
    made = await club.request(await club.product(trial_period_days=14))
    await keep_card(club, localstripe, made["payment_link"])
    own = await club.read(made["subscription_id"])
    there, elsewhere = len(localstripe.intents()), len(other_localstripe.intents())
    await connect(club.runtime, club.merchant.tenant, other_localstripe, 2, check=True)
    await club.work(days=14)
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    assert (await club.told())[-1] == "subscription.on_hold"
    assert (len(localstripe.intents()), len(other_localstripe.intents())) == (there, elsewhere)
    path, kept = f"/subscriptions/{own['subscription_id']}/update-payment-method", own["payment_method_id"]
    refused = await club.call("POST", path, {"type": "existing", "payment_method_id": kept}, 422)
    assert refused["code"] == "NO_ELIGIBLE_PAYMENT_METHODS"
    trial = {"trial_period_days": 14, "payment_method_id": kept, "payment_link": False}
    customer = {"customer": {"customer_id": own["customer"]["customer_id"]}}
    before = await club.counted("subscriptions")
    body = {"billing": {"country": "US"}, "product_id": own["product_id"], "quantity": 1}
    refused = await club.call("POST", "/subscriptions", body | customer | trial, 422)
    assert refused["code"] == "NO_ELIGIBLE_PAYMENT_METHODS"
    assert await club.counted("subscriptions") == before

    await connect(club.runtime, club.merchant.tenant, localstripe, check=True)
    club.clock.advance(seconds=10)
    await club.call("POST", path, {"type": "existing", "payment_method_id": kept})
    assert (await club.read(own["subscription_id"]))["status"] == "active"
    assert (len(localstripe.intents()), len(other_localstripe.intents())) == (there + 1, elsewhere)
    await club.books_agree()


async def test_an_active_subscription_takes_no_card_of_another_account(
    club: Club, localstripe: LocalStripe, other_localstripe: LocalStripe
) -> None:
    made = await club.request(await club.product(trial_period_days=14))
    await keep_card(club, localstripe, made["payment_link"])
    own = await club.read(made["subscription_id"])
    await connect(club.runtime, club.merchant.tenant, other_localstripe, 2, check=True)
    club.clock.advance(seconds=10)
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    body = {"type": "existing", "payment_method_id": own["payment_method_id"]}
    refused = await club.call("POST", path, body, 422)
    assert refused["code"] == "NO_ELIGIBLE_PAYMENT_METHODS"
    assert await club.read(own["subscription_id"]) == own
    visitor = await enter(club, own["customer"]["customer_id"])
    assert "4242" in await visitor.get("")
    assert "4242" not in await visitor.get(f"subscriptions/{own['subscription_id']}/card")

    new = await club.call("POST", path, {"type": "new"})
    assert "Order complete" in await keep_card(club, other_localstripe, new["payment_link"], "5555555555554444")
    card = await visitor.get(f"subscriptions/{own['subscription_id']}/card")
    assert "4444" in card and "4242" not in card
    await club.work(days=14)
    assert (await club.payments(own["subscription_id"]))[-1]["status"] == "succeeded"
    assert other_localstripe.intents()[0]["amount"] == 3000
