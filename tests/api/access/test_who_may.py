"""Every operation is asked by everybody who must not: each gets the refusal that is due, and nothing changes.

The table is that of the API itself, so a new operation is covered, or has no request in it and fails.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from api.access.one_of_everything import Asked, own_ids, requests
from api.retries.test_idempotency_keys import Stand, stand
from harness import FakeClock, Merchant, client_for
from nicobar.api.auth import REMEMBERED_FOR
from nicobar.app import OPERATIONS
from nicobar.core.business.tenant import SCOPES, ApiKey
from nicobar.flows.business.create_key import create_key
from nicobar.flows.business.revoke_key import revoke_key
from nicobar.flows.runtime import Runtime
from orders import dump

__all__ = ["stand"]

NO_KEY = "You are not authorised to perform this action: {reason}. Send an API key as `Authorization: Bearer KEY`"

UNKNOWN_SUBSCRIPTION = {"DELETE /subscriptions/{subscription_id}/change-plan/scheduled": (422, "NOT_FOUND")}
"""The one operation whose 404 means something else: that no change is scheduled."""


PREVIEWS = {
    "POST /checkouts/preview",
    "POST /refunds/preview",
    "POST /subscriptions/{subscription_id}/change-plan/preview",
}

PUBLIC = {"GET /checkout/supported_countries"}
"""What everybody may ask, with any key or none: it is the same for all."""


def closed(table: Iterable[str]) -> dict[str, tuple[int, str | None]]:
    """Return what every operation answers to somebody without a valid key."""
    return {name: (200, None) if name in PUBLIC else (401, "UNAUTHORIZED") for name in table}


@pytest.fixture
async def ids(runtime: Runtime, app: ASGIApp, stand: Stand) -> dict[str, str]:
    return await own_ids(runtime, app, stand)


async def send(client: httpx.AsyncClient, asked: Asked, **headers: str) -> httpx.Response:
    return await client.request(asked.method, asked.path, json=asked.body, headers=headers)


async def statuses(
    client: httpx.AsyncClient, table: dict[str, Asked], names: Iterable[str], **headers: str
) -> dict[str, tuple[int, Any]]:
    """Return what each operation answers: its status and the code of the refusal."""
    found = {}
    for name in names:
        answer = await send(client, table[name], **headers)
        refused = answer.status_code >= 400
        assert answer.headers.get("x-should-retry") == ("false" if refused else None), name
        found[name] = (answer.status_code, answer.json()["code"] if refused else None)
    return found


def naming(table: dict[str, Asked], ids: dict[str, str], names: dict[str, str]) -> list[str]:
    """Return the operations whose request names an object of its business."""
    own = {*ids.values(), *filter(None, names.values())}
    return [name for name, asked in table.items() if any(value in asked.words for value in own)]


def test_there_is_something_to_name_in_every_operation_but_these(ids: dict[str, str], stand: Stand) -> None:
    """What names nothing lists or makes what is the caller's own; it is written down, so that nothing slips through."""
    table = requests(stand, ids)
    assert len(table) == len(OPERATIONS)
    assert set(table) - set(naming(table, ids, stand.names)) == {
        "GET /payments",
        "GET /products",
        "GET /customers",
        "GET /brands",
        "GET /checkout/supported_countries",
        "GET /locales",
        "GET /discounts",
        "GET /disputes",
        "GET /balances/ledger",
        "GET /refunds",
        "GET /webhooks",
        "GET /events",
        "GET /products/short_links",
        "GET /subscriptions",
        "GET /addons",
        "GET /test/clock",
        "POST /addons",
        "POST /test/clock",
        "POST /products",
        "POST /customers",
        "POST /brands",
        "POST /discounts",
        "POST /webhooks",
        "POST /events/replay",
    }


async def test_the_owner_may_read_everything_that_is_asked_for(ids: dict[str, str], stand: Stand) -> None:
    """Or the refusals below would be about nothing."""
    table = requests(stand, ids)
    reading = [name for name in table if name.startswith("GET ")]
    assert await statuses(stand.shop.client, table, reading) == dict.fromkeys(reading, (200, None))


async def test_a_key_for_reading_reads_all_but_the_secret_of_a_webhook(
    runtime: Runtime, app: ASGIApp, stand: Stand, ids: dict[str, str]
) -> None:
    """Whoever has it can forge events, which is more than reading. The right to write another class is not enough."""
    table = requests(stand, ids)
    reading = [name for name in table if name.startswith("GET ")]
    expected: dict[str, tuple[int, str | None]] = dict.fromkeys(reading, (200, None))
    expected["GET /webhooks/{webhook_id}/secret"] = (403, "UNAUTHORIZED")
    assert await statuses(stand.shop.merchant.read_only_client, table, reading) == expected
    secret = table["GET /webhooks/{webhook_id}/secret"]
    for scope in SCOPES:
        _, text = await create_key(runtime, stand.shop.merchant.tenant, False, scopes=frozenset([scope]))
        async with client_for(app, text) as client:
            answer = await send(client, secret)
        if scope == "webhooks":
            assert (answer.status_code, answer.json()["secret"][:6]) == (200, "whsec_")
        else:
            message = "You are not authorised to perform this action: the key may not write webhooks"
            assert (answer.status_code, answer.json()) == (403, {"code": "UNAUTHORIZED", "message": message})


@pytest.mark.parametrize("who", ["another business", "its live mode", "the other's live mode"])
async def test_what_is_not_yours_does_not_exist(
    runtime: Runtime, stand: Stand, ids: dict[str, str], other_merchant: Merchant, who: str
) -> None:
    table = requests(stand, ids)
    client = {
        "another business": other_merchant.client,
        "its live mode": stand.shop.merchant.live_client,
        "the other's live mode": other_merchant.live_client,
    }[who]
    before = await dump(runtime)
    named = naming(table, ids, stand.names)
    refused = dict.fromkeys(named, (404, "NOT_FOUND")) | UNKNOWN_SUBSCRIPTION
    assert await statuses(client, table, named) == refused
    assert await statuses(client, table, named, **{"idempotency-key": "k"}) == refused
    for name in set(table) - set(named):
        if name.startswith("GET "):
            answer = await send(client, table[name])
            assert answer.status_code == (422 if name == "GET /test/clock" and "live" in who else 200)
            assert [value for value in ids.values() if value in answer.text] == [], name
    assert await dump(runtime) == before


async def test_a_key_for_reading_sees_what_would_happen(
    runtime: Runtime, app: ASGIApp, stand: Stand, ids: dict[str, str]
) -> None:
    """A preview changes nothing, so whoever may read may ask for it, and so may a key that writes something else."""
    table = requests(stand, ids)
    assert {f"{each.method} {each.path}" for each in OPERATIONS if each.is_preview} == PREVIEWS
    before = await dump(runtime)
    expected = dict.fromkeys(PREVIEWS, (200, None))
    client = stand.shop.merchant.read_only_client
    assert await statuses(client, table, PREVIEWS) == expected
    assert await dump(runtime) == before
    _, text = await create_key(runtime, stand.shop.merchant.tenant, False, scopes=frozenset(["webhooks"]))
    async with client_for(app, text) as client:
        assert await statuses(client, table, PREVIEWS) == expected


async def test_a_key_for_reading_writes_nothing(runtime: Runtime, stand: Stand, ids: dict[str, str]) -> None:
    table = requests(stand, ids)
    writing = [name for name in table if not name.startswith("GET ") and name not in PREVIEWS]
    assert set(writing) >= {"POST /payments", "POST /refunds"}
    before = await dump(runtime)
    found = await statuses(stand.shop.merchant.read_only_client, table, writing)
    assert found == dict.fromkeys(writing, (403, "UNAUTHORIZED"))
    assert await dump(runtime) == before


async def made_invalid(runtime: Runtime, clock: FakeClock, merchant: Merchant, how: str) -> str:
    """Return the text of a key that worked and does not any more, or never did."""
    expires_at = clock.now() + timedelta(minutes=1) if how == "expired" else None
    key: ApiKey
    key, text = await create_key(runtime, merchant.tenant, False, expires_at=expires_at)
    if how == "revoked":
        await revoke_key(runtime, merchant.business_id, key.key_id)
    clock.advance(minutes=2)
    return text[:-1] + ("A" if text[-1] != "A" else "B") if how == "mistyped" else text


@pytest.mark.parametrize("how", ["revoked", "expired", "mistyped"])
async def test_a_key_that_is_not_valid_opens_nothing(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, stand: Stand, ids: dict[str, str], how: str
) -> None:
    table = requests(stand, ids)
    text = await made_invalid(runtime, clock, stand.shop.merchant, how)
    before = await dump(runtime)
    async with client_for(app, text) as client:
        for name in table:
            clock.advance(seconds=1)  # so many guesses a minute are allowed
            assert await statuses(client, table, [name]) == closed([name])
    assert await dump(runtime) == before


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic {key}", "{key}", "Bearer  x{key}", "Token {key}"])
async def test_without_a_key_nothing_opens(
    runtime: Runtime, stand: Stand, ids: dict[str, str], app_client: httpx.AsyncClient, header: str
) -> None:
    table = requests(stand, ids)
    before = await dump(runtime)
    headers = {"authorization": header.format(key=stand.shop.merchant.key)} if header else {}
    assert await statuses(app_client, table, table, **headers) == closed(table)
    reason = "the Authorization header has no Bearer key" if header else "there is no Authorization header"
    message = NO_KEY.format(reason=reason)
    if "x{key}" in header:
        message = "You are not authorised to perform this action: this API key is unknown, expired or revoked"
    assert (await send(app_client, table["GET /payments"], **headers)).json()["message"] == message
    assert await dump(runtime) == before


async def test_a_key_that_worked_a_moment_ago_opens_nothing_once_it_is_forgotten(
    runtime: Runtime,
    app: ASGIApp,
    clock: FakeClock,
    stand: Stand,
    ids: dict[str, str],
) -> None:
    table = requests(stand, ids)
    merchant = stand.shop.merchant
    key, text = await create_key(runtime, merchant.tenant, False)
    async with client_for(app, text) as client:
        assert (await send(client, table["GET /payments"])).status_code == 200
        await revoke_key(runtime, merchant.business_id, key.key_id)
        before = await dump(runtime)
        clock.advance(seconds=REMEMBERED_FOR.total_seconds())
        for name in table:
            clock.advance(seconds=1)
            assert await statuses(client, table, [name]) == closed([name])
    assert await dump(runtime) == before
