"""Secrets and card numbers, put where they belong and everywhere else: nobody finds them again.

Looked for in the log, whose tracebacks have local variables, in the database and in what refusals say.
"""

import logging
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from typing import Any
from urllib.parse import quote

import pytest
from starlette.types import ASGIApp

from api.access.one_of_everything import Asked, own_ids, requests
from api.retries.test_idempotency_keys import Stand, stand
from at_stripe import with_accounts
from harness import FakeClock, Merchant, client_for
from nicobar.app import create_app
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.runtime import Runtime
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.storage.database import Database
from orders import dump
from pages.frame.test_secrecy import Log, log

__all__ = ["log", "stand"]

CARD = "4000000320000021"
GUESSED = "nicobar_live_MarkedKeyThatNobodyMade0123456789abcdef0"
STRIPE = StripeAccount("sk_test_MarkedSecretKey1234", "pk_test_Published1234", "whsec_MarkedSecretOfItsNotices")
HEADERS = ["accept", "authorization", "content-type", "cookie", "idempotency-key", "origin", "referer", "user-agent"]
HEADERS += ["x-forwarded-for"]
HOOK_HEADER = "Bearer MarkedSecretOfTheReceiver"


@pytest.fixture
async def secrets(runtime: Runtime, stand: Stand, other_merchant: Merchant) -> dict[str, str]:
    """Secrets that are in use, by what they are: each was made or set, and does its work."""
    client, names = stand.shop.client, stand.names
    created = await stand.shop.purchase(names["product"])
    endpoint = names["endpoint"]
    headers = {"headers": {"authorization": HOOK_HEADER}}
    assert (await client.patch(f"/webhooks/{endpoint}/headers", json=headers)).status_code == 200
    async with with_accounts(runtime) as connected:
        await set_processor_account(connected, other_merchant.tenant, STRIPE, check=False)
    proof = await client.post(f"/customers/{names['customer']}/proof")
    portal = await client.post(f"/customers/{names['customer']}/customer-portal/session")
    return {
        "API key": stand.shop.merchant.key,
        "live key": stand.shop.merchant.live_key,
        "guessed key": GUESSED,
        "client secret": created["client_secret"],
        "link": created["payment_link"].rpartition("/")[2],
        "webhook secret": (await stand.shop.read(f"/webhooks/{endpoint}/secret"))["secret"],
        "webhook header": HOOK_HEADER,
        "proof": proof.json()["proof"],
        "portal": portal.json()["link"].rpartition("/")[2],
        "card": CARD,
        "processor's key": STRIPE.secret_key,
        "processor's notices": STRIPE.signing_secret,
    }


@pytest.fixture(autouse=True)
def only_the_server_logs() -> Iterator[None]:
    """Keep the client of the tests from logging the addresses that it asks."""
    logger = logging.getLogger("httpx")
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(logging.NOTSET)


def found_in(text: str, secrets: Mapping[str, str]) -> set[str]:
    return {name for name, secret in secrets.items() if secret in text}


def misplaced(asked: Asked, secret: str) -> Iterator[dict[str, Any]]:
    """Yield requests that have the secret where it has no business, as arguments of httpx."""
    parts = asked.path.strip("/").split("/")
    for index in range(1, len(parts) + 1):
        path = "/".join(["", *parts[:index], quote(secret, safe=""), *parts[index + 1 :]])
        yield {"url": path, "json": asked.body}
    yield {"url": f"/{quote(secret)}{asked.path}", "json": asked.body}
    yield {"url": asked.path, "params": {"page_size": secret, secret: "x"}}
    for name in HEADERS:
        yield {"url": asked.path, "content": b"{", "headers": {name: secret}}
    yield {"url": asked.path, "headers": {"authorization": f"Bearer {secret}x"}}
    for body in (f'{{"{secret}": ', f'"{secret}"', f'["{secret}"]', secret, f'{{"{secret}": "{secret}"}}'):
        yield {"url": asked.path, "content": body.encode(), "headers": {"content-type": "application/json"}}
    for name in (name for name in asked.body or () if name != "metadata"):  # which holds whatever its merchant wants
        for wrong in ({secret: secret}, [secret], {name: {secret: [secret]}}):
            yield {"url": asked.path, "json": asked.body | {name: wrong}}


async def test_a_secret_in_the_wrong_place_is_not_found_again(
    runtime: Runtime, app: ASGIApp, stand: Stand, secrets: dict[str, str], clock: FakeClock, log: Log
) -> None:
    table = requests(stand, await own_ids(runtime, app, stand))
    texts = cycle(secrets.values())
    refused = 0
    for operation, asked in table.items():
        kinds = len([*misplaced(asked, "")])
        for kind in range(kinds):
            for secret in islice(texts, 3):
                clock.advance(seconds=1)
                arguments = [*misplaced(asked, secret)][kind]
                answer = await stand.shop.client.request(asked.method, **arguments)
                assert answer.status_code < 500, (operation, arguments)
                if answer.status_code >= 400:
                    assert found_in(answer.text, secrets) == set(), (operation, arguments)
                    refused += 1
    assert refused > 2000
    assert found_in(log.text, secrets) == set()
    assert found_in(await dump(runtime), secrets) == {"link"}, "the database finds a payment by its link"


async def test_what_is_right_leaves_no_trace_either(
    runtime: Runtime, app: ASGIApp, stand: Stand, secrets: dict[str, str], log: Log
) -> None:
    """Every operation, as it is meant to be used; only those that are there to tell a secret tell it."""
    table = requests(stand, await own_ids(runtime, app, stand))
    told: dict[str, set[str]] = {}
    for operation, asked in sorted(table.items(), key=lambda row: row[1].method == "DELETE"):
        answer = await stand.shop.client.request(
            asked.method, asked.path, json=asked.body, headers={"idempotency-key": f"key-{len(told)}"}
        )
        if found := found_in(answer.text, secrets):
            told[operation] = found
    assert told == {
        "POST /customers/{customer_id}/proof": {"proof"},
        "GET /webhooks/{webhook_id}/secret": {"webhook secret"},
    }
    assert found_in(log.text, secrets) == set()
    assert found_in(await dump(runtime), secrets) == {"link"}


@pytest.mark.parametrize("away", [False, True])
async def test_pages_tell_nothing_of_what_came_to_the_wrong_place(
    runtime: Runtime, stand: Stand, secrets: dict[str, str], log: Log, away: bool
) -> None:
    served = runtime._replace(database=Database("postgresql://nobody@127.0.0.1:1/nothing")) if away else runtime
    link = f"/{secrets['link']}"
    pages = [f"{link}{part}" for part in ("", "/details", "/discount", "/stripe", "/qr.svg")]
    pages += [f"/overlay{link}", "/docs", "/health", "/ready", "/nothing", "/simulator/challenge/x", "/images/x"]
    pages += ["/processors/stripe/notices/x/test"]
    secrets = {name: secret for name, secret in secrets.items() if name != "link"}
    async with client_for(create_app(served)) as browser:
        for page in pages:
            for secret in secrets.values():
                for accept in ("text/html", "application/json"):
                    told = {"accept": accept, "user-agent": secret, "x-secret": secret}
                    answers = [
                        await browser.get(page, params={"email": secret, secret: "x"}, headers=told),
                        await browser.get(f"{page}/{quote(secret, safe='')}", headers=told),
                        await browser.post(
                            page, data={"token": secret, "code": secret, "street": secret}, headers=told
                        ),
                        await browser.post(page, content=secret.encode(), headers=told),
                    ]
                    for answer in answers:
                        assert answer.status_code < 500 or away
                        answer.headers.pop("location", None)  # sends the query on to where it was meant to go
                        assert found_in(f"{answer.text} {answer.headers}", secrets) == set(), (page, secret)
    assert found_in(log.text, secrets) == set()
    assert link not in log.text
    assert found_in(await dump(runtime), secrets) == set()
