"""The link to the customer portal, as merchants ask for it."""

import re
from datetime import timedelta

import pytest
from dodopayments import AsyncDodoPayments
from starlette.types import ASGIApp

from harness import START, FakeClock, Merchant
from nicobar.core.business.tenant import secret_hash
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from saved_cards import Shop, counted, open_shop

LINK = re.compile(r"http://pay\.test/portal/(cps_[A-Za-z0-9_-]{21})/open/([A-Za-z0-9]{43})")


@pytest.fixture
async def shop(merchant: Merchant, app: ASGIApp) -> Shop:
    return await open_shop(merchant, app)


def path_of(shop: Shop) -> str:
    return f"/customers/{shop.customer_id}/customer-portal/session"


async def test_a_link_is_told_once_and_only_its_hash_is_kept(shop: Shop, runtime: Runtime) -> None:
    answer = await shop.merchant.client.post(path_of(shop))
    assert answer.status_code == 200 and list(answer.json()) == ["link"]
    found = LINK.fullmatch(answer.json()["link"])
    assert found is not None
    async with runtime.database.read() as read:
        (row,) = await read.fetch("SELECT * FROM portal_sessions")
    assert dict(row) == {
        "business_id": shop.merchant.business_id,
        "mode": "test",
        "session_id": found[1],
        "customer_id": shop.customer_id,
        "secret_hash": secret_hash(found[2]),
        "return_url": None,
        "created_at": START,
        "expires_at": START + timedelta(hours=24),
    }


@pytest.mark.parametrize("send_email", ["true", "false"])
@pytest.mark.parametrize("return_url", ["https://shop.example/account?tab=plan", "myapp://account"])
async def test_the_parameters_of_the_contract_are_taken(
    shop: Shop, runtime: Runtime, send_email: str, return_url: str
) -> None:
    query = {"send_email": send_email, "return_url": return_url}
    assert (await shop.merchant.client.post(path_of(shop), params=query)).status_code == 200
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT return_url FROM portal_sessions") == query["return_url"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"return_url": "javascript:alert(1)"}, 422, "INVALID_QUERY_PARAMS"),
        ({"return_url": "/account"}, 422, "INVALID_QUERY_PARAMS"),
        ({"return_url": "intent://account"}, 422, "INVALID_QUERY_PARAMS"),
        ({"return_url": "https://shop.example/" + "a" * 2048}, 422, "INVALID_QUERY_PARAMS"),
        ({"send_email": "perhaps"}, 422, "INVALID_QUERY_PARAMS"),
    ],
)
async def test_what_is_refused_makes_no_session(
    shop: Shop, runtime: Runtime, query: dict[str, str], status: int, code: str
) -> None:
    answer = await shop.merchant.client.post(path_of(shop), params=query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await counted(runtime, "portal_sessions") == 0


async def test_nobody_opens_the_portal_of_another_business(
    shop: Shop, other_merchant: Merchant, runtime: Runtime
) -> None:
    for client in (other_merchant.client, shop.merchant.live_client):
        answer = await client.post(path_of(shop))
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert (await shop.merchant.read_only_client.post(path_of(shop))).status_code == 403
    assert await counted(runtime, "portal_sessions") == 0


async def test_a_session_that_has_ended_is_swept_away(shop: Shop, runtime: Runtime, clock: FakeClock) -> None:
    await shop.merchant.client.post(path_of(shop))
    clock.advance(hours=23, minutes=59)
    await sweep(runtime)
    assert await counted(runtime, "portal_sessions") == 1
    clock.advance(minutes=1)
    await sweep(runtime)
    assert await counted(runtime, "portal_sessions") == 0


async def test_the_official_sdk_opens_it(shop: Shop, sdk: AsyncDodoPayments) -> None:
    made = await sdk.customers.customer_portal.create(
        shop.customer_id, send_email=True, return_url="https://shop.example/"
    )
    assert LINK.fullmatch(made.link) is not None
