"""Addresses as their post delivers to them: regions and territories on the page, their tax, and words for them."""

import html
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.tax.tax_id import RegisterAnswer
from nicobar.flows.runtime import Runtime
from nicobar.pages.details.address_parts import state_label
from nicobar.pages.texts.texts import LANGUAGES, load_texts
from nicobar.processors.tax import vies
from nicobar.reference import countries
from orders import pay
from pages.changing import BERLIN, can_pay, error_of, fields_of, link, send_details, total_of
from repricing import current
from shop import Shop

GERMAN = "DE136695976"


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(tax="table", seller_country="FR")
    return shop


@pytest.mark.parametrize(
    ("billing", "shown", "total"),
    [
        ({"country": "US", "state": "AE", "zipcode": "09012", "city": "APO"}, "AE", "$20.00"),
        ({"country": "US", "state": "Armed Forces Pacific", "zipcode": "96201", "city": "APO"}, "AP", "$20.00"),
        ({"country": "US", "state": "GU", "zipcode": "96910", "city": "Hagåtña"}, "GU", "$20.00"),
        ({"country": "US", "state": "Puerto Rico", "zipcode": "00901", "city": "San Juan"}, "PR", "$22.30"),
        ({"country": "US", "state": "Old Dominion", "zipcode": "75001", "city": "Addison"}, "Old Dominion", "$21.25"),
        ({"country": "CA", "state": "PQ", "zipcode": "H3Z 2Y7", "city": "Montréal"}, "QC", "$23.00"),
        ({"country": "ES", "state": "Islas Canarias", "zipcode": "35001", "city": "Las Palmas"}, None, "$20.00"),
        ({"country": "ES", "state": "GC", "zipcode": "35001", "city": "Las Palmas"}, "Las Palmas", "$20.00"),
        ({"country": "PT", "state": "Ilha da Madeira", "zipcode": "9000-064", "city": "Funchal"}, "Madeira", "$24.40"),
        ({"country": "IN", "state": "DL", "zipcode": "110 001", "city": "New Delhi"}, "DL", "$23.60"),
    ],
)
async def test_what_the_api_accepts_the_page_keeps_shows_and_can_pay(
    shop: Shop, browser: httpx.AsyncClient, billing: dict[str, str], shown: str | None, total: str
) -> None:
    payment = await link(shop, billing=billing | {"street": "1 Main St"})
    page = await browser.get(f"/{payment.link_id}")
    assert (total_of(page), can_pay(page)) == (total, True)
    assert fields_of(page.text)["state"] == (shown or billing["state"])
    assert (await send_details(browser, payment)).status_code == 303
    assert (await current(shop, payment.payment_id)).billing.state == billing["state"], "as it was written"
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    assert (await current(shop, payment.payment_id)).status == "succeeded"


@pytest.mark.parametrize(
    ("billing", "field"),
    [
        ({"country": "US", "state": "Old Dominion", "city": "X"}, "zipcode"),
        ({"country": "US", "state": "Old Dominion", "zipcode": "00000", "city": "X"}, "state"),
        ({"country": "ES", "state": "Canarias", "city": "X"}, "zipcode"),
        ({"country": "CY", "city": "Girne"}, "zipcode"),
    ],
)
async def test_what_leaves_the_tax_open_is_asked_for(
    shop: Shop, browser: httpx.AsyncClient, billing: dict[str, str], field: str
) -> None:
    payment = await link(shop, billing=billing)
    assert not can_pay(await browser.get(f"/{payment.link_id}"))
    refused = await send_details(browser, payment)
    assert (refused.status_code, f'id="{field}-error"' in refused.text) == (422, True)
    assert await current(shop, payment.payment_id) == payment


@pytest.mark.parametrize(
    ("country", "zipcode", "kept", "total"),
    [
        ("ES", "GX11 1AA", "GX11 1AA", "$20.00"),
        ("DK", "fo-100", "FO-100", "$20.00"),
        ("CY", "99300", "99300", "$20.00"),
        ("FI", "AX-22100", "22100", "$25.10"),
        ("FR", "97801 cedex 9", "97801 CEDEX 9", "$21.70"),
        ("DE", "D-78266", "78266", "$21.62"),
    ],
)
async def test_codes_of_territories_are_taken_and_decide(
    shop: Shop, browser: httpx.AsyncClient, country: str, zipcode: str, kept: str, total: str
) -> None:
    payment = await link(shop, billing={"country": country, "city": "X", "state": "Madrid"})
    assert (await send_details(browser, payment, zipcode=zipcode)).status_code == 303
    assert (await current(shop, payment.payment_id)).billing.zipcode == kept
    page = await browser.get(f"/{payment.link_id}")
    assert (total_of(page), can_pay(page)) == (total, True)


async def test_a_list_is_offered_where_regions_are_taxed_by_themselves(shop: Shop, browser: httpx.AsyncClient) -> None:
    for country, size in (("US", 62), ("CA", 13), ("ES", 52), ("PT", 20)):
        payment = await link(shop, billing={"country": country})
        page = (await browser.get(f"/{payment.link_id}")).text
        assert page.partition('id="state"')[2].partition("</select>")[0].count("<option") == size + 1, country
    payment = await link(shop, billing={"country": "BR", "state": "SP"})
    assert '<input id="state"' in (await browser.get(f"/{payment.link_id}")).text


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_error_names_the_field_by_its_label(language: str) -> None:
    texts = load_texts(language)
    labels = {state_label(country, texts) for country in countries.ALL}
    for label in labels:
        assert label in texts("details.state_missing", field=label)


@pytest.mark.parametrize(
    ("country", "language", "sentence"),
    [
        ("US", "en", "Please fill in: State."),
        ("JP", "en", "Please fill in: Prefecture."),
        ("HK", "de", "Bitte ausfüllen: Gebiet."),
        ("CA", "fr", "Veuillez remplir ce champ : Province."),
        ("JP", "ja", "「都道府県」を入力または選択してください。"),
        ("AE", "es", "Complete este campo: Emirato."),
    ],
)
async def test_a_missing_region_is_named(
    shop: Shop, browser: httpx.AsyncClient, country: str, language: str, sentence: str
) -> None:
    payment = await link(shop, billing={"country": country})
    path = f"/{payment.link_id}?lang={language}"
    form = fields_of((await browser.get(path)).text)
    refused = await browser.post(f"/{payment.link_id}/details?lang={language}", data=form)
    assert html.unescape(error_of(refused, "state")) == sentence


async def test_a_silent_register_lowers_no_tax_and_can_be_asked_again(
    shop: Shop, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.settings(tax_id_check="vies")
    answers = ["unavailable", "unavailable", "valid"]

    async def ask(_prefix: str, _number: str, at: Any, **_more: Any) -> RegisterAnswer:
        return RegisterAnswer(answer=answers.pop(0), asked_at=at, detail="MS_UNAVAILABLE")  # type: ignore[arg-type]

    monkeypatch.setattr(vies, "ask_register", ask)
    payment = await link(shop, tax_id=GERMAN)
    assert (payment.options.tax_id, payment.total_amount) == (GERMAN, 2380)
    page = await browser.get(f"/{payment.link_id}")
    assert "This tax ID cannot be confirmed at this moment, so tax is charged." in page.text
    assert can_pay(page)
    assert (await send_details(browser, payment, **BERLIN)).status_code == 303
    assert (await current(shop, payment.payment_id)).total_amount == 2380
    assert (await send_details(browser, payment)).status_code == 303
    confirmed = await current(shop, payment.payment_id)
    assert (confirmed.total_amount, confirmed.options.tax_id) == (2000, GERMAN)
    page = await browser.get(f"/{payment.link_id}")
    assert "cannot be confirmed" not in page.text
    told = await shop.read(f"/payments/{payment.payment_id}/explain")
    assert (told["recomputed"], told["tax"]) == (True, 0)
    assert (await send_details(browser, payment)).status_code == 303
    assert answers == [], "a number that was confirmed is not asked about again"
