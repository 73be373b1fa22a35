"""Cards, receipts and details in the portal."""

import html
from typing import Any

import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from orders import pay, token_in
from pages.portal.portals import PAGE, Visitor, enter, save_card, setting

GOOD_AGAIN = "5555555555554444"


async def subscribed(club: Club, number: str = "4242424242424242") -> tuple[Visitor, str, str, str]:
    """Return a subscriber in the portal, the subscription, its place and its customer."""
    own = await club.subscribe(number=number)
    customer_id = own["customer"]["customer_id"]
    visitor = await enter(club, customer_id)
    return visitor, own["subscription_id"], f"subscriptions/{own['subscription_id']}", customer_id


async def audited(club: Club, action: str) -> list[tuple[Any, ...]]:
    async with club.runtime.database.read() as read:
        rows = await read.fetch("SELECT actor, actor_name, object_ids, fields FROM audit_log WHERE action = $1", action)
    return [tuple(row) for row in rows]


async def test_a_saved_card_is_charged_from_now_on(club: Club) -> None:
    visitor, subscription_id, place, customer_id = await subscribed(club)
    other = await save_card(club, customer_id, GOOD_AGAIN)
    form = await visitor.get(f"{place}/card")
    assert "Mastercard ending in 4444" in form and "Visa ending in 4242" in form
    answer = await visitor.send(f"{place}/card", card=other)
    assert answer.headers["location"] == f"{visitor.home}?done=1"
    assert (await club.read(subscription_id))["payment_method_id"] == other
    assert len(await club.payments(subscription_id)) == 1
    assert "Charged to Mastercard ending in 4444" in await visitor.get()
    await club.work(days=31)
    paid = await club.payments(subscription_id)
    assert [(each["status"], each["card_last_four"]) for each in paid] == [("succeeded", "4242"), ("succeeded", "4444")]


async def test_a_card_that_cannot_pay_in_its_currency_is_not_offered(club: Club) -> None:
    visitor, subscription_id, place, customer_id = await subscribed(club)
    rupees = await club.product(currency="INR", price=50_000)
    customer = {"customer_id": customer_id}
    other = await club.subscribe(rupees, "6074825972083818", billing={"country": "IN"}, customer=customer)
    assert "RuPay" not in await visitor.get(f"{place}/card")
    assert "RuPay ending in 3818" in await visitor.get(f"subscriptions/{other['subscription_id']}/card")
    before = await club.read(subscription_id)
    answer = await visitor.send(f"{place}/card", status=422, card=other["payment_method_id"])
    assert "This saved card cannot be used any more." in answer.text
    assert await club.read(subscription_id) == before


async def test_another_card_is_entered_on_the_payment_page(club: Club) -> None:
    visitor, subscription_id, place, _ = await subscribed(club)
    before = await club.read(subscription_id)
    answer = await visitor.send(f"{place}/card", card="new")
    link = answer.headers["location"]
    assert len(link) == 9
    assert (await pay(club.browser, link, number=GOOD_AGAIN)).status_code == 303
    own = await club.read(subscription_id)
    assert own["payment_method_id"] not in (None, before["payment_method_id"])
    receipt = await club.browser.get(link, headers=PAGE)
    assert visitor.home in receipt.text  # the way back, without the secret
    assert "/open/" not in receipt.text


async def test_a_new_card_pays_what_is_owed(club: Club) -> None:
    visitor, subscription_id, place, customer_id = await subscribed(club, RENEWALS_FAIL)
    other = await save_card(club, customer_id, GOOD_AGAIN)
    await club.work(days=31)
    assert (await club.read(subscription_id))["status"] == "on_hold"
    visitor = await enter(club, customer_id)
    page = await visitor.get()
    assert "Payment overdue" in page and "Renews" not in page
    assert "What you owe will be charged at once." in await visitor.get(f"{place}/card")
    club.clock.advance(seconds=1)  # payments are in the order in which they were made
    await visitor.send(f"{place}/card", card=other)
    own = await club.read(subscription_id)
    assert (own["status"], own["payment_method_id"]) == ("active", other)
    assert [each["status"] for each in await club.payments(subscription_id)] == ["succeeded", "failed", "succeeded"]
    await club.books_agree()


@pytest.mark.parametrize("saved", [True, False])
async def test_who_left_the_page_for_what_is_owed_chooses_again(club: Club, *, saved: bool) -> None:
    _, subscription_id, place, customer_id = await subscribed(club, RENEWALS_FAIL)
    other = await save_card(club, customer_id, GOOD_AGAIN)
    await club.work(days=31)
    visitor = await enter(club, customer_id)
    left = (await visitor.send(f"{place}/card", card="new")).headers["location"]
    assert f"{place}/card" in await visitor.get()
    answer = await visitor.send(f"{place}/card", card=other if saved else "new")
    assert (await club.browser.get(left)).status_code == 410
    if not saved:
        await pay(club.browser, answer.headers["location"], number=GOOD_AGAIN)
    own = await club.read(subscription_id)
    assert (own["status"], own["payment_method_id"]) == ("active", other)
    await club.books_agree()


async def test_a_card_that_is_declined_changes_nothing(club: Club) -> None:
    _, subscription_id, place, customer_id = await subscribed(club, RENEWALS_FAIL)
    await club.work(days=31)
    visitor = await enter(club, customer_id)
    own = await club.read(subscription_id)
    answer = await visitor.send(f"{place}/card", status=422, card=own["payment_method_id"])
    assert "The payment was declined." in answer.text
    after = await club.read(subscription_id)
    assert (after["status"], after["payment_method_id"]) == ("on_hold", own["payment_method_id"])


@pytest.mark.parametrize(
    ("scenario", "status", "place", "error"),
    [
        ("late_success:120", 303, "", ""),
        ("drop_after", 303, "", ""),
        ("decline:INSUFFICIENT_FUNDS", 422, None, "There is not enough money available for this payment."),
    ],
)
async def test_what_became_of_the_charge_is_said(
    club: Club, scenario: str, status: int, place: str | None, error: str
) -> None:
    """A charge whose end nobody knows yet is no change that has been made."""
    _, subscription_id, at, customer_id = await subscribed(club, RENEWALS_FAIL)
    other = await save_card(club, customer_id, GOOD_AGAIN)
    await club.work(days=31)
    await club.call("PATCH", f"/subscriptions/{subscription_id}", {"metadata": {"nicobar_scenario": scenario}})
    visitor = await enter(club, customer_id)
    answer = await visitor.send(f"{at}/card", status=status, card=other)
    assert answer.headers.get("location") == (None if place is None else visitor.at(place))
    assert error in html.unescape(answer.text)
    assert (await club.read(subscription_id))["status"] == "on_hold"


@pytest.mark.parametrize("card", ["", "pm_nothing", "of bo"])
async def test_a_card_of_somebody_else_is_not_charged(club: Club, card: str) -> None:
    visitor, subscription_id, place, _ = await subscribed(club)
    bo = await club.subscribe(customer={"email": "bo@example.com", "name": "Bo"})
    chosen = bo["payment_method_id"] if card == "of bo" else card
    before = await club.read(subscription_id)
    answer = await visitor.send(f"{place}/card", status=422, card=chosen)
    assert "cannot be used any more" in answer.text
    assert await club.read(subscription_id) == before


async def test_changing_the_card_can_be_switched_off(club: Club) -> None:
    visitor, subscription_id, place, customer_id = await subscribed(club)
    other = await save_card(club, customer_id, GOOD_AGAIN)
    token = token_in(await visitor.get(f"{place}/card"))
    await setting(club, "portal_payment_method", "false")
    assert f"{place}/card" not in await visitor.get()
    await visitor.get(f"{place}/card", status=403)
    answer = await visitor.client.post(visitor.at(f"{place}/card"), data={"token": token, "card": other}, headers=PAGE)
    assert answer.status_code == 403
    assert (await club.read(subscription_id))["payment_method_id"] != other


async def saved(club: Club, customer_id: str) -> list[str]:
    listed = await club.call("GET", f"/customers/{customer_id}/payment-methods")
    return [each["payment_method_id"] for each in listed["items"]]


async def test_a_card_is_removed_unless_a_subscription_needs_it(club: Club) -> None:
    visitor, subscription_id, _, customer_id = await subscribed(club)
    used = (await club.read(subscription_id))["payment_method_id"]
    other = await save_card(club, customer_id, GOOD_AGAIN)
    await visitor.send(f"cards/{other}/remove")
    assert await saved(club, customer_id) == [used]
    assert await audited(club, "payment_method.delete") == [("page", customer_id, [other, customer_id], [])]
    page = await visitor.get(f"cards/{used}/remove")
    assert "A subscription is charged to this card." in page and "<button class" not in page
    await visitor.get(f"cards/{other}/remove", status=404)


async def test_removing_cards_can_be_switched_off(club: Club) -> None:
    visitor, _, _, customer_id = await subscribed(club)
    other = await save_card(club, customer_id, GOOD_AGAIN)
    token = token_in(await visitor.get(f"cards/{other}/remove"))
    await setting(club, "portal_card_removal", "false")
    assert "/remove" not in await visitor.get()
    await visitor.get(f"cards/{other}/remove", status=403)
    answer = await visitor.client.post(visitor.at(f"cards/{other}/remove"), data={"token": token}, headers=PAGE)
    assert answer.status_code == 403
    assert other in await saved(club, customer_id)


async def test_receipts_and_refunds_are_seen(club: Club) -> None:
    visitor, subscription_id, _, customer_id = await subscribed(club)
    await club.work(days=31)
    visitor = await enter(club, customer_id)
    renewal = (await club.payments(subscription_id))[1]
    receipt = await visitor.get(f"payments/{renewal['payment_id']}")
    for text in ("Receipt", "$30.00", renewal["payment_id"], "Visa ending in 4242", "Back to your account"):
        assert text in receipt
    await club.call("POST", "/refunds", {"payment_id": renewal["payment_id"]})
    page = await visitor.get()
    assert page.count('<p class="quiet">Refunded</p>') == 1 and page.count('<p class="quiet">Paid</p>') == 1


async def test_what_is_not_paid_has_no_receipt_and_a_way_to_pay(club: Club) -> None:
    made = await club.request(await club.product())
    payment_id, link = made["payment_id"], made["payment_link"].rpartition("/")[2]
    visitor = await enter(club, made["customer"]["customer_id"])
    await visitor.get(f"payments/{payment_id}", status=404)
    page = await visitor.get()
    assert "Not paid yet" in page and f'href="/{link}"' in page and "Not started yet" in page
    club.clock.advance(hours=23)
    await club.work(hours=2)
    visitor = await enter(club, made["customer"]["customer_id"])
    assert f'href="/{link}"' not in await visitor.get()


async def test_payments_have_pages(club: Club) -> None:
    _, _, _, customer_id = await subscribed(club)
    for _ in range(10):
        await club.work(days=31)
    visitor = await enter(club, customer_id)
    page = await visitor.get()
    assert page.count(">Paid<") == 10 and f'href="{visitor.home}?page=1#payments"' in page
    older = (await visitor.client.get(visitor.home, params={"page": "1"}, headers=PAGE)).text
    assert older.count(">Paid<") == 1 and "Older payments" not in older
    for odd in ("-1", "x", "99999999999", "²"):
        assert (await visitor.client.get(visitor.home, params={"page": odd}, headers=PAGE)).text.count(">Paid<") == 10


async def test_details_are_changed(club: Club) -> None:
    visitor, subscription_id, _, customer_id = await subscribed(club)
    await visitor.send("details", customer_name=" Ana  Lima ", phone="+49 30 1234567")
    person = await club.call("GET", f"/customers/{customer_id}")
    assert (person["name"], person["phone_number"], person["email"]) == ("Ana Lima", "+49301234567", "ana@example.com")
    assert (await club.read(subscription_id))["customer"]["name"] == "Ana Lima"
    assert await audited(club, "customer.update") == [("page", customer_id, [customer_id], ["name", "phone_number"])]
    await visitor.send("details", customer_name="Ana Lima", phone="")
    assert (await club.call("GET", f"/customers/{customer_id}"))["phone_number"] is None


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"customer_name": " ", "phone": ""}, "Enter your full name."),
        ({"customer_name": "x" * 251, "phone": ""}, "at most 250 characters"),
        ({"customer_name": "4242 4242 4242 4242", "phone": ""}, "This looks like a card number."),
        ({"customer_name": "A\x07", "phone": ""}, "cannot be used"),
        ({"customer_name": "Ana", "phone": "12"}, "Check the phone number."),
        ({"customer_name": "Ana", "phone": "0" * 41}, "at most 40 characters"),
        ({"customer_name": "Ana", "phone": "4242 4242 4242 4242"}, "Check the phone number."),
    ],
)
async def test_details_that_cannot_be_used_change_nothing(club: Club, fields: dict[str, str], error: str) -> None:
    visitor, _, _, customer_id = await subscribed(club)
    before = await club.call("GET", f"/customers/{customer_id}")
    answer = await visitor.send("details", status=422, **fields)
    assert error in answer.text and "4242 4242 4242" not in answer.text
    assert await club.call("GET", f"/customers/{customer_id}") == before


async def test_details_can_be_switched_off(club: Club) -> None:
    visitor, _, _, customer_id = await subscribed(club)
    token = token_in(await visitor.get("details"))
    await setting(club, "portal_details", "false")
    await visitor.get("details", status=403)
    answer = await visitor.client.post(
        visitor.at("details"), data={"token": token, "customer_name": "Eve"}, headers=PAGE
    )
    assert answer.status_code == 403
    assert (await club.call("GET", f"/customers/{customer_id}"))["name"] == "Ana"


async def test_what_people_write_is_text_and_never_markup(club: Club) -> None:
    name = '<script>alert("x")</script>&"\''
    body = {"name": name, "tax_category": "saas", "price": {"type": "recurring_price", "currency": "USD", "price": 500}}
    body["price"] = body["price"] | {  # type: ignore[operator]
        "payment_frequency_count": 1,
        "payment_frequency_interval": "Month",
        "subscription_period_count": 1,
        "subscription_period_interval": "Year",
    }
    product = (await club.call("POST", "/products", body))["product_id"]
    own = await club.subscribe(product, customer={"email": "ana@example.com", "name": name})
    visitor = await enter(club, own["customer"]["customer_id"])
    place = f"subscriptions/{own['subscription_id']}"
    for page in (await visitor.get(), await visitor.get(f"{place}/cancel"), await visitor.get(f"{place}/card")):
        assert "<script>alert" not in page and "&lt;script&gt;" in page
    assert "<script>alert" not in await visitor.get("details")
