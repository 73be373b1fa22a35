"""Another language on a form of the portal: what was typed is kept, and nothing is stored."""

import html
import re
from typing import Any

import httpx
import pytest

from api.subscriptions.subscribing import Club
from orders import dump
from pages.portal.portals import PAGE, Visitor, enter, save_card, setting, token_for

BERLIN = {"country": "DE", "street": "Torstr. 1", "zipcode": "10119", "city": "Berlin"}
CARD = "4242 4242 4242 4242"


async def member(club: Club) -> tuple[Visitor, str, str]:
    """Return a subscriber in the portal, the place of the subscription, and the customer's id."""
    own = await club.subscribe(billing=BERLIN)
    customer_id = own["customer"]["customer_id"]
    return await enter(club, customer_id), f"subscriptions/{own['subscription_id']}", customer_id


async def in_german(club: Club, visitor: Visitor, place: str, **typed: str) -> str:
    """Press the button of German, as a browser without a script does, and return the page that comes."""
    page = await visitor.get(place)
    button = re.search(r'<button [^>]*name="lang" value="de"[^>]*>', page)
    assert button is not None
    told = dict(re.findall(r'(\w+)="([^"]*)"', button[0]))
    assert (told["form"], told["formmethod"]) == ("portal-form", "post")
    assert 'id="portal-form"' in page and " formnovalidate" in button[0]
    before = await dump(club.runtime)
    fields = {"token": token_for(page, visitor.at(place)), "lang": "de"}
    answer = await visitor.client.post(html.unescape(told["formaction"]), data=fields | typed, headers=PAGE)
    assert answer.status_code == 200, answer.text
    assert '<html lang="de"' in answer.text and "field-error" not in answer.text
    assert await dump(club.runtime) == before
    return answer.text


def values_of(page: str) -> dict[str, str]:
    tags = re.findall(r'<input id="(\w+)"[^>]*? value="([^"]*)"', page)
    return {name: html.unescape(text) for name, text in tags}


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ({"customer_name": "Ana  Silva", "phone": "nope"}, {"customer_name": "Ana Silva", "phone": "nope"}),
        ({"customer_name": "", "phone": "+49 30 5550"}, {"customer_name": "", "phone": "+49 30 5550"}),
        ({"customer_name": CARD, "phone": CARD}, {"customer_name": "", "phone": ""}),
    ],
)
async def test_details(club: Club, typed: dict[str, str], shown: dict[str, str]) -> None:
    visitor, _, _ = await member(club)
    page = await in_german(club, visitor, "details", **typed)
    assert values_of(page) == shown and CARD not in page


async def test_an_address(club: Club) -> None:
    visitor, place, _ = await member(club)
    typed = {
        "customer_name": "Ana Silva",
        "shown_country": "DE",
        "country": "DE",
        "street": "Ringstr. 9",
        "zipcode": "wrong",
        "city": "",
        "tax_id": "DE1",
        "business_name": "Ana & Co",
    }
    page = await in_german(club, visitor, f"{place}/address", **typed)
    names = ("customer_name", "street", "zipcode", "city", "tax_id", "business_name")
    assert {name: values_of(page)[name] for name in names} == {name: typed[name] for name in names}
    moved = await in_german(club, visitor, f"{place}/address", **typed | {"country": "AT", "zipcode": "1010"})
    assert (values_of(moved)["street"], values_of(moved)["zipcode"]) == ("Ringstr. 9", "1010")
    assert '<option value="AT" selected>' in moved
    hidden = await in_german(club, visitor, f"{place}/address", **typed | {"street": CARD, "tax_id": CARD})
    assert CARD not in hidden


async def test_a_cancellation(club: Club) -> None:
    visitor, place, _ = await member(club)
    typed = {"when": "now", "reason": "unused", "comment": "Never <used>"}
    page = await in_german(club, visitor, f"{place}/cancel", **typed)
    assert re.search(r'value="now" required checked', page) and '<option value="unused" selected>' in page
    assert ">Never &lt;used&gt;</textarea>" in page
    assert CARD not in await in_german(club, visitor, f"{place}/cancel", **typed | {"comment": CARD})


async def test_the_choice_of_a_card(club: Club) -> None:
    visitor, place, customer_id = await member(club)
    other = await save_card(club, customer_id, "5555555555554444")
    for choice in (other, "new"):
        page = await in_german(club, visitor, f"{place}/card", card=choice)
        assert re.findall(r'name="card" value="([\w-]+)" required checked', page) == [choice]


async def test_what_is_switched_off_stays_so(club: Club) -> None:
    visitor, place, _ = await member(club)
    page = await visitor.get(f"{place}/cancel")
    token = token_for(page, visitor.at(f"{place}/cancel"))
    await setting(club, "portal_cancellation", "off")
    fields: dict[str, Any] = {"token": token, "lang": "de", "when": "now"}
    answer: httpx.Response = await visitor.client.post(visitor.at(f"{place}/cancel"), data=fields, headers=PAGE)
    assert answer.status_code == 403


async def test_pages_without_a_form_ask_for_themselves(club: Club) -> None:
    visitor, _, _ = await member(club)
    assert "formaction" not in await visitor.get()
