"""What the page says besides the form: another way to pay, the way back, a tax that waits, an error in the title."""

import html

import httpx
import pytest
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Address
from nicobar.flows.runtime import Runtime
from nicobar.pages.details.details import tax_may_grow
from nicobar.pages.texts.texts import load_texts
from orders import attempts_of, line, order, pay, place, reload, with_processors
from pages.changing import error_of, link, send_details
from shop import Shop

CHALLENGE, DECLINED = "4000002500003155", "4000000000000002"
SHOP = "https://shop.example/thanks"


@pytest.mark.parametrize("at_the_bank", [True, False])
async def test_who_does_not_get_on_with_the_bank_pays_in_another_way(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, at_the_bank: bool
) -> None:
    payment = await place(runtime, order(runtime, tenant, options={"return_url": SHOP}))
    bank = (await pay(browser, f"/{payment.link_id}", number=CHALLENGE)).headers["location"]
    for page in (await browser.get(bank), await browser.get(f"/{payment.link_id}")):
        assert "Pay another way" in page.text
        assert "Return to Dodo Records without paying" in page.text
        assert html.escape(f"{SHOP}?payment_id={payment.payment_id}&status=requires_customer_action") in page.text
    if at_the_bank:
        left = await browser.post(bank, data={"answer": "leave"})
    else:
        left = await browser.post(f"/{payment.link_id}/leave")
    assert (left.status_code, left.headers["location"].endswith(f"/{payment.link_id}")) == (303, True)
    assert (await browser.post(bank, data={"answer": "confirm"})).status_code == 303, "it is too late for that"
    assert (await reload(runtime, payment)).status == "requires_payment_method"
    await pay(browser, f"/{payment.link_id}")
    assert (await reload(runtime, payment)).status == "succeeded"
    assert len(await attempts_of(runtime, payment)) == 2


async def test_what_failed_says_that_it_can_still_be_paid_and_the_title_that_something_is_wrong(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    assert "<title>Pay Dodo Records</title>" in (await browser.get(f"/{payment.link_id}")).text
    await pay(browser, f"/{payment.link_id}", number=DECLINED)
    page = await browser.get(f"/{payment.link_id}")
    assert "You can still pay here: try again, or choose another way to pay." in page.text
    assert "<title>Error: Pay Dodo Records</title>" in page.text
    mistaken = await pay(browser, f"/{payment.link_id}", cvc="1")
    assert "<title>Error: Pay Dodo Records</title>" in mistaken.text


@pytest.mark.parametrize(
    ("tax", "billing", "inclusive", "waits"),
    [
        ("table", Address("US"), False, True),
        ("table", Address("US", "New York", "NY", None, "10118"), False, False),
        ("table", Address("US"), True, False),
        ("off", Address("US"), False, False),
    ],
)
async def test_a_total_that_may_still_grow_says_so(
    runtime: Runtime,
    app: ASGIApp,
    clock: FakeClock,
    merchant: Merchant,
    browser: httpx.AsyncClient,
    tax: str,
    billing: Address,
    inclusive: bool,
    waits: bool,
) -> None:
    shop = Shop(with_processors(runtime), app, clock, merchant)
    await shop.settings(tax=tax, seller_country="US")
    lines = [line(0, 2000, 0, 0, tax_inclusive=inclusive)]
    payment = await place(runtime, order(runtime, merchant.tenant, lines, billing=billing))
    page = await browser.get(f"/{payment.link_id}")
    assert ("<dt>Tax</dt><dd>after your address</dd>" in page.text) is waits
    assert ("Tax: after your address" in page.text) is waits


async def test_a_tax_that_is_foreseen_stands_without_the_note(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, browser: httpx.AsyncClient
) -> None:
    shop = Shop(with_processors(runtime), app, clock, merchant)
    await shop.settings(tax="table", seller_country="CA")
    payment = await place(runtime, order(runtime, merchant.tenant, [line(0, 2000, 0, 100)], billing=Address("CA")))
    page = await browser.get(f"/{payment.link_id}")
    assert tax_may_grow(payment)
    assert '<dt>Tax</dt><dd class="amount">$1.00</dd>' in page.text
    assert "after your address" not in page.text


def test_a_name_of_the_other_direction_is_isolated_in_every_language() -> None:
    arabic, latin = "متجر", "Dodo"
    assert load_texts("en")("page.pay_title", seller=arabic) == f"Pay \u2068{arabic}\u2069"
    assert load_texts("en")("page.pay_title", seller=latin) == "Pay Dodo"
    assert f"\u2068{latin}\u2069" in load_texts("ar")("page.pay_title", seller=latin)


async def test_a_card_number_among_the_details_is_called_one(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, browser: httpx.AsyncClient
) -> None:
    payment = await link(Shop(with_processors(runtime), app, clock, merchant))
    page = await send_details(browser, payment, street="4242\u200b4242 4242.4242")
    expected = "This looks like a card number. Enter your card where the page asks for it."
    assert error_of(page, "street") == expected
    assert "4242" not in page.text.replace("4242\u00a04242\u00a04242\u00a04242", "")
    unreadable = await send_details(browser, payment, city="Ber\x07lin")
    assert error_of(unreadable, "city") == "This holds the character U+0007 (4), which cannot be used."
