"""The two lists that are the same for every business."""

from typing import get_args

import httpx
from dodopayments.types import CountryCode, Locale

from harness import Merchant
from nicobar.api.documentation.openapi import build_document
from nicobar.app import OPERATIONS

REFUSED = {
    *("AF", "AQ", "BY", "CD", "CF", "CU", "HT", "IR", "KP", "LY", "MD", "ML"),
    *("MM", "PS", "RU", "SD", "SO", "SS", "SY", "UA", "VE", "YE", "ZW"),
}
"""Valid codes that are missing from the documented answer (contract, "POST /payments", section 9)."""


async def test_the_226_supported_countries(merchant: Merchant) -> None:
    response = await merchant.read_only_client.get("/checkout/supported_countries")
    assert response.status_code == 200
    countries = response.json()
    assert len(countries) == len(set(countries)) == 226
    assert set(countries) == set(get_args(CountryCode)) - REFUSED


async def test_the_22_locales(merchant: Merchant) -> None:
    response = await merchant.read_only_client.get("/locales")
    assert response.status_code == 200
    locales = response.json()
    assert [locale["code"] for locale in locales] == list(get_args(Locale))
    by_code = {locale["code"]: locale for locale in locales}
    assert by_code["de"] == {"code": "de", "name": "German", "native_name": "Deutsch"}
    assert by_code["he"] == {"code": "he", "name": "Hebrew", "native_name": "עברית"}
    assert all(locale.keys() == {"code", "name", "native_name"} and all(locale.values()) for locale in locales)


async def test_the_countries_need_no_key_and_the_locales_do(app_client: httpx.AsyncClient, merchant: Merchant) -> None:
    for headers in ({}, {"authorization": "Bearer nobody's"}, {"authorization": f"Bearer {merchant.key}"}):
        response = await app_client.get("/checkout/supported_countries", headers=headers)
        assert (response.status_code, len(response.json())) == (200, 226)
    response = await app_client.get("/locales")
    assert (response.status_code, response.json()["code"]) == (401, "UNAUTHORIZED")


def test_the_document_says_that_the_countries_need_no_key() -> None:
    paths = build_document(OPERATIONS, "https://pay.example.com")["paths"]
    public = [path for path, methods in paths.items() if any(each.get("security") == [] for each in methods.values())]
    assert public == ["/checkout/supported_countries"]
    assert list(paths[public[0]]["get"]["responses"]) == ["200", "500", "503"]
