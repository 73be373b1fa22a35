"""Every state of the payment page, and how a browser gets there."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
from playwright.async_api import Frame, Page, Route

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.payments.payment import Payment
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.customers.prove_customer import prove_customer
from nicobar.flows.runtime import Runtime
from orders import line, order, pay, place, token_of
from pages.browsing import unfold_order
from pages.paying import choose, payment_for
from pages.pictured import pictured_lines, pictured_seller

Visit = Callable[["Site", Page], Awaitable[None]]


class Site:
    """A running server, and what brings its pages into their states."""

    def __init__(self, runtime: Runtime, tenant: Tenant, clock: FakeClock, client: httpx.AsyncClient) -> None:
        self.runtime, self.tenant, self.clock, self.client = runtime, tenant, clock, client

    async def place(self, **changes: Any) -> Payment:
        self.clock.advance(seconds=1)
        return await place(self.runtime, order(self.runtime, self.tenant, **changes))

    def url(self, payment: Payment) -> str:
        return f"{self.runtime.public_url}/{payment.link_id}"

    async def dutch(self, **changes: Any) -> Payment:
        """Return a payment that can be paid in many ways."""
        billing = Address("NL", "Amsterdam", None, "Gracht 1", "1012 AB")
        return await self.place(billing=billing, currency="EUR", **changes)

    async def paid_by(self, number: str, **changes: Any) -> httpx.Response:
        """Send a card, and return the answer; `last` is the payment then."""
        self.last = await self.place(**changes)
        return await pay(self.client, f"/{self.last.link_id}", number=number, method="card")


async def payable(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.place()))


async def every_method(site: Site, page: Page) -> None:
    """The whole list of ways to pay, each with its form open."""
    await page.goto(site.url(await site.dutch()))
    await page.eval_on_selector_all("details", "all => all.forEach((fold) => { fold.open = true; })")
    await page.eval_on_selector_all(".method-panel", "all => all.forEach((part) => { part.style.display = 'block'; })")
    assert await page.locator(".method-panel:visible").count() > 5


async def no_method(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.dutch(options={"allowed_payment_method_types": ["eps"]})))
    assert await page.locator("[name=method]").count() == 0


async def long_order(site: Site, page: Page) -> None:
    note = "A description that a seller wrote at length. " * 8
    lines = [line(number, 1500, 300, 228, description=note, quantity=3) for number in range(9)]
    await page.goto(site.url(await site.place(lines=lines)))
    await unfold_order(page)
    await page.click(".more summary")


async def pictured(site: Site, page: Page) -> None:
    """As many pictures as are shown at once, none of which can be compressed, and a line without one."""
    await pictured_seller(site.runtime, site.tenant)
    lines = [*await pictured_lines(site.runtime, site.tenant, 6), line(6, 1500, 300, 228)]
    await page.goto(site.url(await site.place(lines=lines)))
    await pictures_shown(page.main_frame, 7)


async def pictured_receipt(site: Site, page: Page) -> None:
    lines = await pictured_lines(site.runtime, site.tenant, 5)
    await site.paid_by("4242424242424242", lines=lines)
    await page.goto(site.url(site.last))
    await pictures_shown(page.main_frame, 5)


async def pictured_overlay(site: Site, page: Page) -> None:
    await pictured_seller(site.runtime, site.tenant)
    lines = await pictured_lines(site.runtime, site.tenant, 5)
    await framed(site, page, "overlay", lines=lines)
    await pictures_shown(page.frames[1], 6)


async def pictures_shown(frame: Frame, count: int) -> None:
    """Wait until every picture has come, those that are loaded late included."""
    for image in await frame.query_selector_all("img"):
        await image.scroll_into_view_if_needed()
    await frame.wait_for_function("[...document.images].every((image) => image.naturalWidth > 0)")
    assert await frame.evaluate("document.images.length") == count


async def asked_for_details(site: Site, page: Page) -> None:
    payment = await site.place(billing=Address("US"), options={"require_phone_number": True})
    await page.goto(site.url(payment))
    await page.locator(".details-form button[type=submit]").evaluate("(button) => { button.form.noValidate = true; }")
    await page.click(".details-form button[type=submit]")
    await page.wait_for_selector("#detail-errors")


async def wrong_zipcode(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.dutch()))
    await page.click(".change > summary")
    await page.click(".details-form summary")
    await page.fill("#zipcode", "12")
    await page.click(".details-form button[type=submit]")
    await page.wait_for_selector("#zipcode-error")


async def wrong_code(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.place(options={"discount_codes": ["WELCOME10"]})))
    await unfold_order(page)
    await page.click("#discounts summary")
    await page.fill("#code", "NONSENSE")
    await page.press("#code", "Enter")
    await page.wait_for_selector("#code-error")


async def mistaken(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.place()))
    await page.eval_on_selector("form[data-pay]", "(form) => { form.noValidate = true; }")
    await page.fill("#number", "1")
    await page.press("#number", "Enter")
    await page.wait_for_selector("#errors")


async def mistaken_account(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.dutch()))
    await page.eval_on_selector_all("details", "all => all.forEach((fold) => { fold.open = true; })")
    await page.check("#method-sepa")
    await page.fill("#iban", "DE8937")
    await page.press("#iban", "Enter")
    await page.wait_for_selector("#errors")


async def overtaken(site: Site, page: Page) -> None:
    """The order was changed in another window before this one paid."""
    payment = await site.place()
    await page.goto(site.url(payment))
    token = token_of(await site.client.get(f"/{payment.link_id}"))
    changed = {"token": token, "country": "US", "state": "NY", "city": "Troy", "zipcode": "12180"}
    await site.client.post(f"/{payment.link_id}/details", data=changed)
    for field, text in {"number": "4242424242424242", "expiry": "0632", "cvc": "123", "name": "Ana Lima"}.items():
        await page.fill(f"#{field}", text)
    await page.press("#name", "Enter")
    await page.wait_for_selector("#stale")


async def saved_card_gone(site: Site, page: Page) -> None:
    """What a customer sees who has proved to be the one who saved the cards, and chose one that is gone meanwhile."""
    buyer = Buyer("cus_ana", "ana.lima@example.com", "Ana Lima", None, {})
    for number in ("4242424242424242", "5555555555554444"):
        payment = await site.place(customer=buyer, options={"show_saved_payment_methods": True})
        await pay(site.client, f"/{payment.link_id}", number=number, save="yes")
    payment = await site.place(customer=buyer, options={"show_saved_payment_methods": True})
    proof = (await prove_customer(site.runtime, site.tenant, buyer.customer_id)).proof
    await page.goto(f"{site.url(payment)}?proof={proof}")
    assert await page.locator("[name=saved]").count() >= 2
    await page.eval_on_selector_all("[name=saved]", "all => all.forEach((item) => { item.value = 'pm_gone'; })")
    await page.click(".saved button")
    await page.wait_for_selector("#saved-gone")
    await page.click(".other > summary")


async def declined(site: Site, page: Page) -> None:
    await site.paid_by("4000000000000002", options={"return_url": "https://shop.example/thanks"})
    await page.goto(site.url(site.last))


async def challenge(site: Site, page: Page) -> None:
    await page.goto((await site.paid_by("4000002500003155")).headers["location"])


async def ended_challenge(site: Site, page: Page) -> None:
    answer = await site.paid_by("4000002500003155")
    await site.client.post(answer.headers["location"], data={"answer": "confirm"})
    await page.goto(answer.headers["location"])


async def action(site: Site, page: Page) -> None:
    await site.paid_by("4000002500003155")
    await page.goto(site.url(site.last))


async def processing(site: Site, page: Page) -> None:
    payment = await site.place(options={"return_url": "https://shop.example/thanks"})
    token = token_of(await site.client.get(f"/{payment.link_id}"))
    await site.client.post(f"/{payment.link_id}", data={"token": token, "panel": "lose_answer"})
    site.clock.advance(seconds=30)
    await page.goto(site.url(payment))


async def redirected(site: Site, page: Page) -> None:
    """The page that stands in for a bank's or a wallet's, and the page that leads to it."""
    await page.goto(site.url(await site.dutch()))
    await page.check("#method-ideal")
    await page.click(".method:has(#method-ideal) button[type=submit]")
    await page.wait_for_url("**/simulator/pay/*")


async def continued(site: Site, page: Page) -> None:
    payment = await site.dutch()
    await choose(site.client, payment, "ideal")
    await page.goto(site.url(payment))
    await page.wait_for_selector("h1:has-text('iDEAL'), .lead:has-text('iDEAL')")


async def ended_decision(site: Site, page: Page) -> None:
    address = (await choose(site.client, await site.dutch(), "ideal")).headers["location"]
    site.clock.advance(minutes=15)
    await page.goto(address)
    assert await page.locator("form.choice").count() == 0


async def awaited_app(site: Site, page: Page) -> None:
    """A UPI ID, whose owner has to approve the payment."""
    payment = await payment_for(site.runtime, site.tenant, "upi_collect")
    await choose(site.client, payment, "upi_collect", upi_id="success@upi")
    await page.goto(site.url(payment))
    await page.wait_for_selector(".progress")


async def debited(site: Site, page: Page) -> None:
    payment = await payment_for(site.runtime, site.tenant, "sepa", options={"return_url": "https://shop.example/"})
    await choose(site.client, payment, "sepa", iban="DE89370400440532013000")
    await page.goto(site.url(payment))
    await page.wait_for_selector("dd:has-text('3000')")


async def cash_machine(site: Site, page: Page) -> None:
    await pending(site, page)
    await page.click(".back a")
    await page.wait_for_url("**/simulator/pay/*")


async def pending(site: Site, page: Page) -> None:
    """A code that is paid at a bank later."""
    lisbon = Address("PT", "Lisbon", None, "Rua 1", "1000-001")
    await page.goto(site.url(await site.place(billing=lisbon, currency="EUR")))
    await page.check("#method-multibanco")
    await page.click(".method:has(#method-multibanco) button[type=submit]")
    await page.wait_for_selector(".facts-code")


async def qr_code(site: Site, page: Page) -> None:
    mumbai = Address("IN", "Mumbai", "Maharashtra", "Road 1", "400001")
    await page.goto(site.url(await site.place(billing=mumbai, currency="INR")))
    await page.check("#method-upi_collect")
    await page.click(".method:has(#method-upi_collect) button[name]")
    await page.wait_for_url("**/simulator/qr/*")


async def receipt(site: Site, page: Page) -> None:
    await site.paid_by("4242424242424242", options={"return_url": "https://shop.example/thanks"})
    await page.goto(site.url(site.last))


async def expired(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.place(expires_on=site.clock.now() - timedelta(hours=1))))


async def cancelled(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.place(status="cancelled")))


async def unknown(site: Site, page: Page) -> None:
    await page.goto(f"{site.runtime.public_url}/AAAAAAAA")


async def unknown_challenge(site: Site, page: Page) -> None:
    await page.goto(f"{site.runtime.public_url}/simulator/challenge/sim_unknown")


async def unknown_decision(site: Site, page: Page) -> None:
    await page.goto(f"{site.runtime.public_url}/simulator/pay/sim_unknown")


async def live_without_processor(site: Site, page: Page) -> None:
    payment = await place(site.runtime, order(site.runtime, Tenant(site.tenant.business_id, "live")))
    await page.goto(site.url(payment))


async def free(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.place(lines=[line(0, 1500, 1500, 0)])))


async def free_receipt(site: Site, page: Page) -> None:
    await free(site, page)
    await page.click("#pay button")
    await page.wait_for_selector(".receipt")


async def panel_open(site: Site, page: Page) -> None:
    await page.goto(site.url(await site.place()))
    await page.click(".panel summary")


async def overlay(site: Site, page: Page) -> None:
    await framed(site, page, "overlay")


async def inline(site: Site, page: Page) -> None:
    await framed(site, page, "inline")


async def overlay_receipt(site: Site, page: Page) -> None:
    await framed(site, page, "overlay")
    frame = page.frames[1]
    for field, text in {"number": "4242424242424242", "expiry": "0632", "cvc": "123", "name": "Ana Lima"}.items():
        await frame.fill(f"#{field}", text)
    await frame.press("#name", "Enter")
    await frame.wait_for_selector(".receipt")


async def framed(site: Site, page: Page, kind: str, **changes: Any) -> None:
    """The page in a frame of its own origin, so that axe-core gets in, too."""
    await change_setting(site.runtime, site.tenant, "allowed_origins", site.runtime.public_url)
    site.clock.advance(seconds=5)
    source = f"{site.runtime.public_url}/{kind}/{(await site.place(**changes)).link_id}"
    frame = f'<iframe title="Payment" src="{source}" width="1100" height="760"></iframe>'
    shop = f'<!doctype html><html lang="en"><title>Shop</title><main><h1>Shop</h1>{frame}</main></html>'

    async def answer(route: Route) -> None:
        await route.fulfill(body=shop, content_type="text/html")

    await page.route("**/shop", answer)
    await page.goto(f"{site.runtime.public_url}/shop")
    await page.unroute("**/shop")
    assert len(page.frames) == 2
    assert await page.frames[1].locator("#pay").count() == 1


STATES: list[Visit] = [
    payable,
    every_method,
    no_method,
    long_order,
    pictured,
    asked_for_details,
    wrong_zipcode,
    wrong_code,
    mistaken,
    mistaken_account,
    overtaken,
    saved_card_gone,
    declined,
    challenge,
    ended_challenge,
    action,
    processing,
    redirected,
    continued,
    ended_decision,
    awaited_app,
    debited,
    pending,
    cash_machine,
    qr_code,
    receipt,
    pictured_receipt,
    expired,
    cancelled,
    unknown,
    unknown_challenge,
    unknown_decision,
    live_without_processor,
    free,
    free_receipt,
    panel_open,
    overlay,
    overlay_receipt,
    pictured_overlay,
    inline,
]
