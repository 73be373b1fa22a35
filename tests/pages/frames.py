"""What the tests of framed pages share."""

import html
import json
from typing import Any

import httpx

from nicobar.core.business.tenant import Tenant
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime

SHOP = "https://shop.example"
HOST = "test.checkout.dodopayments.com"
"""The only host that the script opens in test mode; the browser of these tests finds our server there."""

GOOD = {"number": "4242 4242 4242 4242", "expiry": "06 / 32", "cvc": "123", "name": "Ana Lima"}


async def allow(runtime: Runtime, tenant: Tenant, origins: str) -> None:
    await change_setting(runtime, tenant, "allowed_origins", origins)


def told(page: httpx.Response) -> dict[str, Any]:
    """Return what the page tells the seller's page."""
    found: dict[str, Any] = json.loads(html.unescape(page.text.split('data-frame="')[1].split('"')[0]))
    return found


def names(events: list[list[Any]]) -> list[str]:
    return [name.removeprefix("checkout.") for name, _ in events]
