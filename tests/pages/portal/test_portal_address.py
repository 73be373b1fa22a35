"""The billing address of a subscription in the portal."""

import html
import re
from typing import Any

import httpx
import pytest

from api.subscriptions.subscribing import Club
from nicobar.flows.business.change_setting import change_setting
from nicobar.pages.texts.texts import load_texts
from nicobar.reference import locales
from pages.portal.portals import Visitor, enter
from pages.session.filling import errors_of
from shop import Shop

BERLIN = {"country": "DE", "street": "Torstr. 1", "zipcode": "10119", "city": "Berlin", "state": None}
KNOWN = {"customer_name": "Ana Lima", "country": "DE", "shown_country": "DE"} | {
    name: text for name, text in BERLIN.items() if text and name != "country"
}
AUSTRIA = {"shown_country": "AT", "country": "AT", "street": "Ring 1", "zipcode": "1010", "city": "Wien"}


async def member(club: Club, **billing: str) -> tuple[Visitor, dict[str, Any], str]:
    """Return a customer with a subscription that bills to Berlin, and the place of its address in the portal."""
    own = await club.subscribe(billing=BERLIN | billing)
    visitor = await enter(club, own["customer"]["customer_id"])
    return visitor, own, f"subscriptions/{own['subscription_id']}/address"


def bill_of(subscription: dict[str, Any]) -> dict[str, Any]:
    names = ("billing", "tax_id", "customer_business_name")
    return {name: subscription[name] for name in names} | {"name": subscription["customer"]["name"]}


def values_of(page: httpx.Response) -> dict[str, str]:
    tags = re.findall(r'<input id="(\w+)"[^>]*? value="([^"]*)"', page.text)
    return {name: html.unescape(text) for name, text in tags}


async def test_an_address_is_changed(club: Club) -> None:
    visitor, own, place = await member(club)
    assert f'href="{visitor.at(place)}"' in await visitor.get()
    fields = KNOWN | {"customer_name": "Ana  Silva", "street": "Ringstr. 9", "zipcode": "50667", "city": "Köln"}
    answer = await visitor.send(place, status=303, **fields)
    assert answer.headers["location"] == f"{visitor.home}?done=1"
    after = await club.read(own["subscription_id"])
    assert bill_of(after) == {
        "billing": BERLIN | {"street": "Ringstr. 9", "zipcode": "50667", "city": "Köln"},
        "tax_id": None,
        "customer_business_name": None,
        "name": "Ana Silva",
    }
    assert "Ringstr. 9, 50667, Köln, Germany" in await visitor.get()
    customer = await club.call("GET", f"/customers/{own['customer']['customer_id']}")
    assert customer["name"] == "Ana Silva"


async def test_nothing_changed_changes_nothing(club: Club) -> None:
    visitor, own, place = await member(club)
    before = await club.read(own["subscription_id"])
    await visitor.send(place, status=303, **KNOWN | {"customer_name": before["customer"]["name"]})
    assert await club.read(own["subscription_id"]) == before


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"zipcode": "1"}, {"zipcode": "Check the postal code: it does not fit the country."}),
        ({"zipcode": ""}, {"zipcode": "Enter the postal code."}),
        ({"city": ""}, {"city": "Enter your city."}),
        ({"customer_name": ""}, {"customer_name": "Enter your full name."}),
        ({"street": "x" * 251}, {"street": "This can have at most 250 characters."}),
        ({"city": "B\x07"}, {"city": "This holds the character U+0007 (2), which cannot be used."}),
        ({"country": "QQ"}, {"country": "Choose your country."}),
        ({"tax_id": "DE1"}, {"tax_id": load_texts("en")("details.tax_id_invalid")}),
        ({"street": "4242 4242 4242 4242"}, {"street": load_texts("en")("details.card_number")}),
    ],
)
async def test_a_refused_address_changes_nothing(club: Club, fields: dict[str, str], errors: dict[str, str]) -> None:
    visitor, own, place = await member(club)
    before = await club.read(own["subscription_id"])
    refused = await visitor.send(place, status=422, **KNOWN | {"business_name": "Lima GmbH", "city": "Bonn"} | fields)
    assert errors_of(refused) == errors
    typed = {"city": "Bonn", "business_name": "Lima GmbH"} | fields
    if "4242" in fields.get("street", ""):
        typed["street"] = "Torstr. 1"
    shown = values_of(refused)
    assert {name: shown.get(name, text) for name, text in typed.items()} == typed
    assert "4242" not in refused.text
    assert await club.read(own["subscription_id"]) == before


async def test_a_card_number_is_not_shown_again(club: Club) -> None:
    visitor, own, place = await member(club)
    before = await club.read(own["subscription_id"])
    for fields in ({"tax_id": "4242-4242-4242-4242"}, {"tax_id": "4242424242424242", "city": ""}):
        refused = await visitor.send(place, status=422, **KNOWN | fields)
        assert "4242" not in refused.text and values_of(refused)["tax_id"] == ""
    assert await club.read(own["subscription_id"]) == before


async def test_another_country_asks_for_its_fields_first(club: Club) -> None:
    visitor, own, place = await member(club)
    await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"tax_id": "DE136695976"})
    before = await club.read(own["subscription_id"])
    asked = await visitor.send(place, status=200, **KNOWN | {"country": "US", "tax_id": "DE136695976"})
    assert "Nothing has been saved yet." in asked.text
    assert '<input type="hidden" name="shown_country" value="US">' in asked.text
    assert 'name="state"' in asked.text and values_of(asked)["tax_id"] == ""
    assert await club.read(own["subscription_id"]) == before
    fields = {"customer_name": "Ana Lima", "shown_country": "US", "country": "US", "street": "1 Main St", "state": "CA"}
    refused = await visitor.send(place, status=422, **fields, city="Oakland")
    assert errors_of(refused) == {"zipcode": "Enter the ZIP code."}
    assert await club.read(own["subscription_id"]) == before
    await visitor.send(place, status=303, **fields, city="Oakland", zipcode="94601")
    after = await club.read(own["subscription_id"])
    address = {"country": "US", "street": "1 Main St", "city": "Oakland", "state": "CA", "zipcode": "94601"}
    assert (after["billing"], after["tax_id"], after["currency"]) == (address, None, before["currency"])


async def test_a_country_that_is_not_sold_to_is_refused(club: Club) -> None:
    visitor, own, place = await member(club)
    before = await club.read(own["subscription_id"])
    await setting(club, "blocked_countries", "AT")
    for fields in (KNOWN | {"country": "AT"}, KNOWN | AUSTRIA):
        refused = await visitor.send(place, status=422, **fields)
        assert errors_of(refused) == {"country": "Bills cannot go to this country: Austria."}
    assert await club.read(own["subscription_id"]) == before


async def test_the_next_renewal_bears_the_tax_of_the_new_address(club: Club, shop: Shop) -> None:
    await shop.settings(tax="table")
    await shop.taxes("country,name,standard_percent\nDE,VAT,19\nAT,VAT,20\n")
    visitor, own, place = await member(club)
    await visitor.send(place, status=303, **KNOWN | AUSTRIA)
    await club.work(days=31)
    payments = (await club.call("GET", f"/payments?subscription_id={own['subscription_id']}"))["items"]
    assert [(each["total_amount"], each["status"]) for each in payments] == [(3600, "succeeded"), (3570, "succeeded")]


async def test_it_can_be_switched_off(club: Club) -> None:
    visitor, own, place = await member(club)
    before = await club.read(own["subscription_id"])
    await visitor.get(place)
    await setting(club, "portal_details", "false")
    assert "/address" not in await visitor.get()
    assert "This is not possible" in await visitor.get(place, status=403)
    assert await club.read(own["subscription_id"]) == before


async def test_it_is_asked_again_when_the_form_arrives(club: Club) -> None:
    """What was switched off, or has ended, after the form was shown is not changed any more."""
    visitor, own, place = await member(club)
    page = await visitor.get(place)
    token = re.search(r'name="token" value="(\w+)"', page)
    assert token is not None
    await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"status": "cancelled"})
    before = await club.read(own["subscription_id"])
    fields = KNOWN | {"token": token[1], "city": "Bonn"}
    answer = await visitor.client.post(visitor.at(place), data=fields, headers={"accept": "text/html"})
    assert (answer.status_code, await club.read(own["subscription_id"])) == (403, before)


async def test_the_address_of_somebody_else_is_not_found(club: Club) -> None:
    visitor, _, _ = await member(club)
    customer = await club.call("POST", "/customers", {"email": "bo@example.com", "name": "Bo"})
    other = await club.subscribe(customer={"customer_id": customer["customer_id"]})
    await visitor.get(f"subscriptions/{other['subscription_id']}/address", status=404)


@pytest.mark.parametrize("code", [locale.code for locale in locales.ALL])
async def test_it_speaks_every_language(club: Club, code: str) -> None:
    visitor, _, place = await member(club)
    texts = load_texts(code)
    page = html.unescape(await visitor.get(f"{place}?lang={code}"))
    assert texts("details.billing") in page and texts("details.street") in page
    home = await visitor.client.get(visitor.home, params={"lang": code})
    assert texts("portal.change_address") in html.unescape(home.text)


async def setting(club: Club, name: str, value: str) -> None:
    await change_setting(club.runtime, club.merchant.tenant, name, value)
    club.clock.advance(seconds=6)
