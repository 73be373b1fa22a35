"""Links of a shop, and the two forms by which customers change them before paying."""

import html
import re
from typing import Any

import httpx

from nicobar.core.payments.payment import Payment
from orders import dump, token_of
from repricing import current
from shop import Shop, item, order_request

BERLIN: dict[str, Any] = {"country": "DE", "street": "Unter den Linden 1", "zipcode": "10117", "city": "Berlin"}
ANA: dict[str, Any] = {"email": "ana.lima@example.com", "name": "Ana Lima"}


async def link(shop: Shop, *items: dict[str, Any], **fields: Any) -> Payment:
    """Create a payment of 20.00 dollars for Ana in Berlin, or what `fields` say, with a link."""
    cart = items or (item(await shop.product(2000)),)
    request = order_request(*cart) | {"billing": BERLIN, "customer": ANA, "payment_link": True} | fields
    created = await shop.create(request)
    return await current(shop, created["payment_id"])


async def send_details(browser: httpx.AsyncClient, payment: Payment, **fields: str) -> httpx.Response:
    """Open the link and send the form of its details as a browser does: filled as it is shown, but for `fields`."""
    page = await browser.get(f"/{payment.link_id}")
    return await browser.post(f"/{payment.link_id}/details", data=fields_of(page.text) | fields)


async def send_code(browser: httpx.AsyncClient, payment: Payment, **fields: str) -> httpx.Response:
    token = token_of(await browser.get(f"/{payment.link_id}"))
    return await browser.post(f"/{payment.link_id}/discount", data={"token": token} | fields)


def fields_of(page: str) -> dict[str, str]:
    """Return what the form of the details holds."""
    form = page.partition('data-change="details"')[2].partition("</form>")[0]
    values: dict[str, str] = {}
    for tag in re.findall(r"<input\b[^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        values[attributes["name"]] = html.unescape(attributes.get("value", ""))
    for name, options in re.findall(r'<select id="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        values[name] = html.unescape(re.findall(r'value="([^"]*)" selected', options)[0])
    return values


def error_of(page: httpx.Response, field: str) -> str:
    """Return the error that is tied to a field."""
    found = re.search(rf'id="{field}-error"[^>]*>(.*?)</p>', page.text)
    assert found is not None, f"no error at {field}"
    tag = re.search(rf'<(?:input|select) id="{field}"[^>]*>', page.text)
    assert tag is not None and 'aria-invalid="true"' in tag[0] and f"{field}-error" in tag[0]
    return html.unescape(found[1])


def can_pay(page: httpx.Response) -> bool:
    """Return whether the page offers to pay by card."""
    return 'name="number"' in page.text


def total_of(page: httpx.Response) -> str:
    """Return the total that the order shows."""
    found = re.search(r'<div class="sum-total">.*?<span class="amount">([^<]*?)\s*<', page.text)
    assert found is not None
    return html.unescape(found[1])


async def nothing_changes(shop: Shop, before: str) -> bool:
    return await dump(shop.runtime) == before
