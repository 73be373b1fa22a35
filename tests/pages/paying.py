"""Paying by methods other than cards on the hosted page, for tests."""

import re
from typing import Any

import httpx

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from orders import line, order, place, token_of

PLACES = {
    "AT": ("Vienna", None, "Ring 1", "1010"),
    "BR": ("Rio de Janeiro", "RJ", "Rua 1", "20040-002"),
    "CN": ("Shanghai", "Shanghai", "Road 1", "200000"),
    "DE": ("Berlin", None, "Allee 1", "10115"),
    "GB": ("London", None, "Road 1", "SW1A 1AA"),
    "IN": ("Mumbai", "Maharashtra", "Road 1", "400001"),
    "KR": ("Seoul", "Seoul", "Road 1", "04524"),
    "NL": ("Amsterdam", None, "Gracht 1", "1012 AB"),
    "PL": ("Warsaw", None, "Aleja 1", "00-001"),
    "PT": ("Lisbon", None, "Rua 1", "1000-001"),
    "US": ("New York", "NY", "350 Fifth Avenue", "10118"),
}
"""Complete addresses, so that the page asks for nothing but the payment: city, state, street, postal code."""

HOMES = {
    "ach": ("US", "USD"),
    "afterpay_clearpay": ("US", "USD"),
    "amazon_pay": ("US", "USD"),
    "apple_pay": ("US", "USD"),
    "bancontact_card": ("BE", "EUR"),
    "billie": ("GB", "GBP"),
    "blik": ("PL", "PLN"),
    "cashapp": ("US", "USD"),
    "crypto_currency": ("US", "USD"),
    "eps": ("AT", "EUR"),
    "google_pay": ("DE", "EUR"),
    "ideal": ("NL", "EUR"),
    "kakao_pay": ("KR", "KRW"),
    "klarna": ("US", "USD"),
    "multibanco": ("PT", "EUR"),
    "naver_pay": ("KR", "KRW"),
    "payco": ("KR", "KRW"),
    "pix": ("BR", "BRL"),
    "revolut_pay": ("GB", "GBP"),
    "satispay": ("IT", "EUR"),
    "sepa": ("DE", "EUR"),
    "upi_collect": ("IN", "INR"),
    "we_chat_pay": ("CN", "CNY"),
}
"""Where each method in service that is no card is offered."""


async def payment_in(
    runtime: Runtime, tenant: Tenant, country: str, currency: str, total: int = 9900, **changes: Any
) -> Payment:
    """Store an unpaid payment from a country, with everything that the page asks for."""
    city, state, street, zipcode = PLACES.get(country, ("City", "State", "Street 1", "1000"))
    lines = [line(0, total, 0, 0)]
    billing = Address(country, city, state, street, zipcode)
    return await place(runtime, order(runtime, tenant, lines, currency=currency, billing=billing, **changes))


async def payment_for(runtime: Runtime, tenant: Tenant, method: str, **changes: Any) -> Payment:
    """Store an unpaid payment that is offered a method."""
    country, currency = HOMES[method]
    if method == "billie":
        changes["options"] = {"tax_id": "GB980780684"} | changes.get("options", {})
    return await payment_in(runtime, tenant, country, currency, **changes)


async def choose(client: httpx.AsyncClient, payment: Payment, method: str, **fields: str) -> httpx.Response:
    """Open the page of a payment and send its form with this method."""
    token = token_of(await client.get(f"/{payment.link_id}"))
    return await client.post(f"/{payment.link_id}", data={"token": token, "method": method} | fields)


def offered_on(page: httpx.Response) -> list[str]:
    """Return the ways to pay that a page offers, in its order."""
    return re.findall(r'<input type="(?:radio|hidden)" name="method"[^>]* value="([^"]+)"', page.text)


def chosen_on(page: httpx.Response) -> str:
    """Return the way to pay that is chosen on a page."""
    chosen: list[str] = re.findall(r'<input type="radio" name="method" id="[^"]+" value="([^"]+)" checked', page.text)
    (only,) = chosen
    return only
