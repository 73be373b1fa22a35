"""Changing an order and paying it: what was shown is what is charged, in every state and from every window."""

import asyncio
import gzip
import html
import re

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from orders import attempts_of, dump, order, pay, place, reload, token_of
from pages.changing import (
    BERLIN,
    can_pay,
    error_of,
    fields_of,
    link,
    nothing_changes,
    send_code,
    send_details,
    total_of,
)
from repricing import current
from shop import Shop

CARD = {"number": "4242 4242 4242 4242", "expiry": "06 / 32", "cvc": "123", "name": "Ana Lima"}
JSON = {"accept": "application/json"}


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(tax="table")
    await shop.percentage("TEN", 1000)
    return shop


@pytest.mark.parametrize("headers", [{}, JSON])
async def test_a_total_that_changed_in_another_window_is_shown_and_not_charged(
    shop: Shop, browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    payment = await link(shop)
    first_window = await browser.get(f"/{payment.link_id}")
    assert total_of(first_window) == "$23.80"
    await send_details(browser, payment, country="FR", update="yes")
    before = await dump(shop.runtime)
    form = CARD | {"token": token_of(first_window)}
    response = await browser.post(f"/{payment.link_id}", data=form, headers=headers)
    assert response.status_code == 409
    assert await nothing_changes(shop, before)
    if headers:
        assert response.json()["message"].endswith("The total is now $24.00. Please check it and pay again.")
        return
    assert "Your order has changed" in response.text and "The total is now $24.00." in response.text
    assert (total_of(response), can_pay(response), "4242 4242 4242 4242</" in response.text) == ("$24.00", True, False)
    again = await browser.post(f"/{payment.link_id}", data=CARD | {"token": token_of(response)})
    assert again.status_code == 303
    (attempt,) = await attempts_of(shop.runtime, payment)
    assert attempt["amount"] == 2400


async def test_a_changed_tax_id_and_a_changed_code_count_as_changes_too(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop)
    window = await browser.get(f"/{payment.link_id}")
    await send_code(browser, payment, code="TEN")
    assert (await browser.post(f"/{payment.link_id}", data=CARD | {"token": token_of(window)})).status_code == 409
    window = await browser.get(f"/{payment.link_id}")
    await send_details(browser, payment, tax_id="DE136695976")
    assert (await browser.post(f"/{payment.link_id}", data=CARD | {"token": token_of(window)})).status_code == 409
    assert await attempts_of(shop.runtime, payment) == []


async def test_a_change_may_come_from_a_page_that_is_not_the_newest(shop: Shop, browser: httpx.AsyncClient) -> None:
    """A change charges nothing, so it needs no fresh form; each changes its own part and leaves the others."""
    payment = await link(shop)
    old = fields_of((await browser.get(f"/{payment.link_id}")).text)
    await send_code(browser, payment, code="TEN")
    assert (await browser.post(f"/{payment.link_id}/details", data=old | {"country": "FR"})).status_code == 303
    changed = await current(shop, payment.payment_id)
    assert (changed.options.discount_codes, changed.billing.country) == (["TEN"], "FR")
    assert (changed.discount, changed.tax, changed.total_amount) == (200, 360, 2160)


async def test_parallel_changes_and_payments_charge_what_a_page_showed(shop: Shop, browser: httpx.AsyncClient) -> None:
    totals = {"DE": "$23.80", "FR": "$24.00", "GB": "$24.00", "US": "$20.00", "CH": "$21.62"}
    for number in range(5):
        payment = await link(shop, customer={"email": f"b{number}@example.com", "name": "Ben"})
        path = f"/{payment.link_id}"
        shown: dict[str, str] = {}

        async def window(country: str, path: str = path, shown: dict[str, str] = shown) -> None:
            page = await browser.get(path)
            changed = await browser.post(
                f"{path}/details", data=fields_of(page.text) | {"country": country, "update": "y"}
            )
            if changed.status_code != 200:
                return
            token = fields_of(changed.text)["token"]
            shown[token] = total_of(changed)
            await browser.post(path, data=CARD | {"token": token})

        await asyncio.gather(*[window(country) for country in totals])
        attempts = await attempts_of(shop.runtime, payment)
        paid = await current(shop, payment.payment_id)
        assert len(attempts) <= 1
        for attempt in attempts:
            assert f"${attempt['amount'] / 100:.2f}" == totals[paid.billing.country]
            assert f"${attempt['amount'] / 100:.2f}" in shown.values()
        assert (paid.status == "succeeded") is bool(attempts)


@pytest.mark.parametrize("part", ["details", "discount"])
async def test_a_form_must_be_ours_and_of_this_payment(shop: Shop, browser: httpx.AsyncClient, part: str) -> None:
    payment, other = await link(shop), await link(shop)
    form = BERLIN | {"country": "FR", "code": "TEN"}
    before = await dump(shop.runtime)
    for token in ("", "1.2", token_of(await browser.get(f"/{other.link_id}"))):
        response = await browser.post(f"/{payment.link_id}/{part}", data=form | {"token": token})
        assert response.status_code == 403
    token = token_of(await browser.get(f"/{payment.link_id}"))
    foreign = {"sec-fetch-site": "cross-site"}
    response = await browser.post(f"/{payment.link_id}/{part}", data=form | {"token": token}, headers=foreign)
    assert response.status_code == 403
    assert await nothing_changes(shop, before)


@pytest.mark.parametrize("part", ["details", "discount"])
async def test_the_address_of_a_form_leads_back_to_the_link(shop: Shop, browser: httpx.AsyncClient, part: str) -> None:
    payment = await link(shop)
    response = await browser.get(f"/{payment.link_id}/{part}?lang=de")
    assert (response.status_code, response.headers["location"]) == (303, f"/{payment.link_id}?lang=de")
    assert (await browser.get(f"/{payment.link_id}/other")).status_code == 404
    assert (await browser.post("/AAAAAAAA/details", data={"token": "x"})).status_code == 404


@pytest.mark.parametrize("part", ["details", "discount"])
@pytest.mark.parametrize("headers", [{}, JSON])
async def test_after_expiry_every_form_is_gone(
    shop: Shop, browser: httpx.AsyncClient, clock: FakeClock, part: str, headers: dict[str, str]
) -> None:
    payment = await link(shop)
    form = fields_of((await browser.get(f"/{payment.link_id}")).text) | {"country": "FR", "code": "TEN"}
    clock.advance(hours=24)
    before = await dump(shop.runtime)
    response = await browser.post(f"/{payment.link_id}/{part}", data=form, headers=headers)
    assert response.status_code == 410
    if headers:
        assert response.json() == {"code": "NOT_FOUND", "message": "This payment link has expired"}
    assert await nothing_changes(shop, before)


@pytest.mark.parametrize(
    ("status", "answer"),
    [("succeeded", 303), ("processing", 303), ("requires_customer_action", 303), ("cancelled", 410)],
)
async def test_what_is_paid_or_under_way_is_not_changed(
    runtime: Runtime, shop: Shop, browser: httpx.AsyncClient, status: str, answer: int
) -> None:
    payment = await place(runtime, order(runtime, shop.merchant.tenant, status=status))
    for part in ("details", "discount"):
        changed = await browser.post(f"/{payment.link_id}/{part}", data=BERLIN | {"token": "x", "code": "TEN"})
        assert changed.status_code == answer
        assert status == "cancelled" or changed.headers["location"] == f"/{payment.link_id}"
    assert await reload(runtime, payment) == payment


async def test_a_cancelled_payment_and_a_paid_one_say_so(
    runtime: Runtime, shop: Shop, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    cancelled = await place(runtime, order(runtime, shop.merchant.tenant, status="cancelled"))
    assert "This payment was cancelled" in (await browser.get(f"/{cancelled.link_id}")).text
    as_json = await browser.get(f"/{cancelled.link_id}", headers=JSON)
    assert (as_json.status_code, as_json.json()["message"]) == (410, "This payment was cancelled")
    payment = await link(shop)
    await pay(browser, f"/{payment.link_id}")
    assert "You do not need to pay again" not in (await browser.get(f"/{payment.link_id}")).text
    clock.advance(minutes=2)
    later = await browser.get(f"/{payment.link_id}")
    assert "Payment received" in later.text and "You do not need to pay again" in later.text
    clock.advance(days=3)
    assert (await browser.get(f"/{payment.link_id}")).status_code == 200, "a receipt does not expire"


@pytest.mark.parametrize(
    ("minutes", "moment", "seconds"),
    [
        ("1440", "March 15, 2026, 3:09\u202fPM UTC (Coordinated Universal Time)", 86400),
        ("15", "March 14, 2026, 3:24\u202fPM UTC (Coordinated Universal Time)", 900),
    ],
)
async def test_the_end_of_a_link_is_written_and_counted_down_to(
    shop: Shop, browser: httpx.AsyncClient, clock: FakeClock, minutes: str, moment: str, seconds: int
) -> None:
    await shop.settings(link_ttl_minutes=minutes)
    payment = await link(shop)
    assert (payment.expires_on - payment.created_at).total_seconds() == seconds
    page = await browser.get(f"/{payment.link_id}")
    assert f"You can pay until {moment}." in page.text
    assert f'data-countdown="{seconds}" data-text="Time left: {{time}}"' in page.text
    clock.advance(seconds=90.5)
    assert f'data-countdown="{seconds - 91}"' in (await browser.get(f"/{payment.link_id}")).text


async def test_a_declined_payment_can_still_be_changed(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop)
    await pay(browser, f"/{payment.link_id}", number="4000000000009995")
    assert (await send_code(browser, payment, code="TEN")).status_code == 303
    failed = await current(shop, payment.payment_id)
    assert (failed.status, failed.error_code, failed.total_amount) == ("failed", "INSUFFICIENT_FUNDS", 2142)
    shop.clock.advance(seconds=1)  # attempts are in the order of their moments
    await pay(browser, f"/{payment.link_id}")
    assert [attempt["amount"] for attempt in await attempts_of(shop.runtime, payment)] == [2380, 2142]


@pytest.mark.parametrize("language", ["en", "ja", "ar"])
async def test_the_page_with_everything_it_loads_is_small(
    shop: Shop, browser: httpx.AsyncClient, language: str
) -> None:
    payment = await link(shop, billing={"country": "US", "state": "NY"})
    page = await browser.get(f"/{payment.link_id}", headers={"accept-language": language})
    loaded = re.findall(r'(?:src|href)="([^"#]*?/static/[^"]+)"', page.text)
    assert {path.rpartition(".")[2] for path in loaded} == {"css", "js", "svg"}
    weights = [len(gzip.compress(page.content))]
    weights += [len(gzip.compress((await browser.get(path)).content)) for path in loaded]
    assert sum(weights) < 50 * 1024


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("phone", "12", "Check the phone number. With a country code it looks like +14155552671."),
        (
            "customer_name",
            "4242 4242 4242 4242",
            "This looks like a card number. Enter your card where the page asks for it.",
        ),
        ("zipcode", "1011", "Check the postal code: it does not fit the country."),
        ("city", "Ber\x07lin", "This holds the character U+0007 (4), which cannot be used."),
    ],
)
async def test_a_field_that_was_left_is_checked_and_nothing_is_stored(
    shop: Shop, browser: httpx.AsyncClient, field: str, text: str, sentence: str
) -> None:
    payment = await link(shop, customer={"email": "new@example.com"}, require_phone_number=True)
    before = await dump(shop.runtime)
    wrong = {"phone": "1", "zipcode": "x"}  # of other fields nothing is said: they were not left
    page = await send_details(browser, payment, **(wrong | {field: text, "check": field}))
    assert (page.status_code, error_of(page, field)) == (422, sentence)
    assert page.text.count('class="field-error"') == 1
    good = {"phone": "030 123456", "customer_name": "Ana Lima", "zipcode": "10115", "city": "Berlin"}
    page = await send_details(browser, payment, **{field: good[field], "check": field})
    assert (page.status_code, "field-error" in page.text) == (200, False)
    assert await nothing_changes(shop, before)


def language_button(page: str, code: str) -> dict[str, str]:
    found = re.search(rf'<button type="submit" name="lang" value="{code}"[^>]*>', page)
    assert found is not None
    return {name: html.unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', found[0])}


async def test_another_language_keeps_the_details_that_were_typed(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop, customer={"email": "new@example.com"}, require_phone_number=True)
    page = await browser.get(f"/{payment.link_id}")
    button = language_button(page.text, "de")
    assert (button["form"], button["formmethod"]) == ("details-form", "post")
    assert button["formaction"] == f"/{payment.link_id}/details?lang=de"
    typed = {"customer_name": "Ana Lima", "phone": "12", "street": "Rue 1", "country": "FR", "lang": "de"}
    page = await browser.post(button["formaction"], data=fields_of(page.text) | typed)
    assert (page.status_code, '<html lang="de"' in page.text) == (422, True)
    assert error_of(page, "phone").startswith("Prüfen Sie die Telefonnummer.")
    kept = fields_of(page.text)
    assert (kept["customer_name"], kept["phone"], kept["street"], kept["country"]) == ("Ana Lima", "12", "Rue 1", "FR")
    assert f'action="/{payment.link_id}/details?lang=de"' in page.text, "the language stays"
    now = await current(shop, payment.payment_id)
    assert (now.customer.name, now.billing.country, now.status) == ("", "FR", "requires_payment_method")


async def test_another_language_keeps_the_payment_that_was_typed_but_for_the_number(
    shop: Shop, browser: httpx.AsyncClient
) -> None:
    payment = await link(shop)
    page = await browser.get(f"/{payment.link_id}?lang=en")
    button = language_button(page.text, "fr")
    assert (button["form"], button["formaction"]) == ("pay-form", f"/{payment.link_id}?lang=fr")
    before = await dump(shop.runtime)
    form = CARD | {"token": token_of(page), "method": "card", "lang": "fr"}
    page = await browser.post(button["formaction"], data=form)
    assert (page.status_code, '<html lang="fr"' in page.text, "field-error" in page.text) == (200, True, False)
    assert 'value="06 / 32"' in page.text and 'value="Ana Lima"' in page.text
    assert '4242 4242 4242 4242"' not in page.text and 'value="123"' not in page.text
    assert await nothing_changes(shop, before)
    page = await browser.post(button["formaction"], data=CARD | {"token": token_of(page), "number": "4"})
    assert page.status_code == 422, "without the button it is a payment"
