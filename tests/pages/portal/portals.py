"""A customer in the portal, as a browser without scripts is."""

import re
from dataclasses import dataclass
from typing import Any

import httpx

from api.subscriptions.subscribing import Club
from harness import PUBLIC_URL, Merchant
from nicobar.flows.business.change_setting import change_setting
from orders import pay
from saved_cards import CONSENT

PAGE = {"accept": "text/html", "accept-language": "en-US"}


@dataclass
class Visitor:
    """One customer with an open portal. The client keeps the cookie, as a browser does."""

    client: httpx.AsyncClient
    home: str
    """The address of the portal, without the secret."""
    link: str
    """The path that opens it."""

    async def get(self, place: str = "", status: int = 200) -> str:
        """Return a page of the portal."""
        answer = await self.client.get(self.at(place), headers=PAGE)
        assert answer.status_code == status, answer.text
        return answer.text

    def at(self, place: str) -> str:
        return f"{self.home}/{place}" if place else self.home

    async def send(self, place: str, page: str | None = None, status: int = 303, **fields: str) -> httpx.Response:
        """Send the form of a place with the token from the page that has it, the place itself unless it is named."""
        token = token_for(await self.get(place if page is None else page), self.at(place))
        answer = await self.client.post(self.at(place), data={"token": token, **fields}, headers=PAGE)
        assert answer.status_code == status, answer.text
        return answer


def token_for(page: str, action: str) -> str:
    """Return the token of the form on a page that posts to this address."""
    token = r'[^>]*>\s*<input type="hidden" name="token" value="(\w+)">'
    found = re.search(rf'action="{re.escape(action)}"{token}', page)
    assert found is not None, f"no form for {action}"
    return found[1]


async def link_of(merchant: Merchant, customer_id: str, **query: str) -> str:
    """Ask for a portal and return its path."""
    answer = await merchant.client.post(f"/customers/{customer_id}/customer-portal/session", params=query)
    assert answer.status_code == 200, answer.text
    link: str = answer.json()["link"]
    assert link.startswith(f"{PUBLIC_URL}/portal/")
    return link.removeprefix(PUBLIC_URL)


async def enter(club: Club, customer_id: str, **query: str) -> Visitor:
    """Open the portal of a customer with a browser of its own."""
    link = await link_of(club.merchant, customer_id, **query)
    client = httpx.AsyncClient(transport=club.browser._transport, base_url=PUBLIC_URL)
    answer = await client.get(link, headers=PAGE)
    assert answer.status_code == 303, answer.text
    return Visitor(client, answer.headers["location"], link)


async def save_card(club: Club, customer_id: str, number: str = "4242424242424242") -> str:
    """Let the customer buy something and save the card; return its id."""
    price = {"type": "one_time_price", "currency": "USD", "price": 2400}
    product = {"name": "Field Guide", "tax_category": "e_book", "price": price}
    made = await club.call("POST", "/products", product)
    order: dict[str, Any] = {
        "billing": {"country": "US"},
        "customer": {"customer_id": customer_id},
        "product_cart": [{"product_id": made["product_id"], "quantity": 1}],
        "payment_link": True,
    }
    payment = await club.call("POST", "/payments", order)
    club.clock.advance(seconds=1)
    path = "/" + payment["payment_link"].rpartition("/")[2]
    answer = await pay(club.browser, path, number=number, **CONSENT)
    assert answer.status_code == 303, answer.text
    listed = await club.call("GET", f"/customers/{customer_id}/payment-methods")
    saved: str = listed["items"][0]["payment_method_id"]
    return saved


async def setting(club: Club, name: str, value: str) -> None:
    """Change a setting, and wait until it is in force."""
    await change_setting(club.runtime, club.merchant.tenant, name, value)
    club.clock.advance(seconds=6)
