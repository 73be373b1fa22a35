"""The two lists that are the same for every business."""

from typing import get_args

import httpx
from dodopayments.types import CountryCode, Locale

from harness import Merchant

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


async def test_both_need_a_key(app_client: httpx.AsyncClient) -> None:
    for path in ("/checkout/supported_countries", "/locales"):
        response = await app_client.get(path)
        assert (response.status_code, response.json()["code"]) == (401, "UNAUTHORIZED")
