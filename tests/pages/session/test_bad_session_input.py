"""Bytes that no browser sends, at the addresses of sessions and links: refused or dropped, and never a failure."""

import random
from collections.abc import Callable
from urllib.parse import quote

import pytest

from api.sessions.opening import create_session, session_rows
from pages.session.filling import fields_of
from proof import length
from shop import Shop, item

SEED = 12
PATHS = [
    "/buy/%ff",
    "/buy/pdt_%ff",
    "/buy/%00",
    "/session/%ff",
    "/session/%00",
    "/session/%ff/theme.css",
    "/buy/%F0%9F",
]

NASTY = [
    "\x00",
    "\ud7ff\u202e",
    "'; DROP TABLE",
    "<script>",
    "4242424242424242",
    "9" * 400,
    "é" * 300,
    "\u0661",
    "",
    " ",
]


@pytest.mark.parametrize("path", PATHS)
async def test_paths(shop: Shop, path: str) -> None:
    assert (await shop.browser.get(path)).status_code == 404


@pytest.mark.parametrize("query", ["email=%ff", "quantity=%00", "metadata_%ff=%fe", "city=%F0%9F", "&&==&", "a" * 4000])
async def test_queries_of_links(shop: Shop, query: str) -> None:
    product = await shop.product()
    assert (await shop.browser.get(f"/buy/{product}?{query}")).status_code == 303
    assert await session_rows(shop) == 1


@pytest.mark.proof
async def test_forms(shop: Shop, record_property: Callable[[str, object], None]) -> None:
    gift = await shop.product(500, pay_what_you_want=True)
    questions = [
        {"key": kind, "label": kind, "field_type": kind} for kind in ("text", "number", "email", "url", "date")
    ]
    rng = random.Random(SEED)  # noqa: S311 - forms want to repeat
    forms = length(400)
    record_property(f"forms of seed {SEED}", forms)
    for _ in range(forms):
        created = await create_session(shop, item(gift), custom_fields=questions)
        page = await shop.browser.get(created["checkout_url"])
        fields = {name: rng.choice([*NASTY, value]) for name, value in fields_of(page).items()}
        fields |= {
            "update": rng.choice(["", "yes"]),
            "remove": rng.choice(["", *NASTY]),
            "country": rng.choice(["DE", "US"]),
        }
        answer = await shop.browser.post(created["checkout_url"], data=fields)
        assert answer.status_code in (200, 303, 422), (answer.status_code, fields)
        assert "<script>" not in answer.text
    broken = b"&".join(f"{name}={quote('x')}%ff".encode() for name in ("email", "city"))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await shop.browser.post(created["checkout_url"], content=broken, headers=headers)).status_code == 400
