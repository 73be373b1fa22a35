"""A business, its primary brand and its keys: what is stored, and what a key opens."""

from datetime import timedelta

import pytest
from starlette.types import ASGIApp
from structlog.testing import capture_logs

from harness import FakeClock, client_for
from nicobar.api.auth import take_key_uses
from nicobar.core.business.tenant import ApiKey, Tenant, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.business.create_business import create_business
from nicobar.flows.business.create_key import create_key
from nicobar.flows.business.record_key_uses import record_key_uses
from nicobar.flows.business.revoke_key import revoke_key
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.businesses import first_business
from nicobar.storage.business.keys import StoredKey, find_key, list_keys
from nicobar.storage.catalog.brands import list_brands


async def test_a_business_has_its_primary_brand_in_both_modes(runtime: Runtime, clock: FakeClock) -> None:
    business_id = await create_business(runtime, "  Dodo Records ")
    assert business_id.startswith("bus_") and len(business_id) == 25
    async with runtime.database.read() as read:
        assert await first_business(read) == business_id
        assert await read.fetchval("SELECT name FROM businesses") == "Dodo Records"
        for mode in ("test", "live"):
            brands = await list_brands(read, Tenant(business_id, mode), include_archived=True)
            assert [(brand.brand_id, brand.name, brand.created_at) for brand in brands] == [
                (business_id, "Dodo Records", clock.now())
            ]


async def test_a_business_needs_a_name(runtime: Runtime) -> None:
    with pytest.raises(Problem) as caught:
        await create_business(runtime, " ")
    assert (caught.value.code, caught.value.message) == ("INVALID_REQUEST_PARAMETERS", "A business needs a name.")
    async with runtime.database.read() as read:
        assert await first_business(read) is None


async def test_a_key_is_stored_as_its_hash_alone(runtime: Runtime, clock: FakeClock) -> None:
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "live")
    key, text = await create_key(runtime, tenant, True)
    assert text.startswith("nicobar_live_") and len(text) == len("nicobar_live_") + 32
    assert key == ApiKey(key.key_id, tenant, text[-4:], True)
    async with runtime.database.read() as read:
        assert await find_key(read, secret_hash(text), clock.now()) == key
        assert await list_keys(read, tenant.business_id) == [StoredKey(key, "", clock.now(), None, None)]
        stored = await read.fetchval("SELECT api_keys::text FROM api_keys")
    assert text not in stored
    assert text[:-4] not in stored


async def test_a_key_needs_a_business(runtime: Runtime) -> None:
    with pytest.raises(Problem) as caught:
        await create_key(runtime, Tenant("bus_unknown", "test"), False)
    assert (caught.value.code, caught.value.message) == ("NOT_FOUND", "Business not found")
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM api_keys") == 0


async def test_a_revoked_key_opens_nothing_after_five_seconds(runtime: Runtime, app: ASGIApp, clock: FakeClock) -> None:
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "test")
    key, text = await create_key(runtime, tenant, False)
    _, other_text = await create_key(runtime, tenant, False)
    async with client_for(app, text) as client, client_for(app, other_text) as other:
        assert (await client.get("/locales")).status_code == 200
        revoked_at = clock.advance(minutes=1)
        assert (await client.get("/locales")).status_code == 200
        await revoke_key(runtime, tenant.business_id, key.key_id)
        clock.advance(seconds=5)
        assert (await client.get("/locales")).status_code == 401
        assert (await other.get("/locales")).status_code == 200
    async with runtime.database.read() as read:
        keys = {found.key.key_id: found.revoked_at for found in await list_keys(read, tenant.business_id)}
    assert keys.pop(key.key_id) == revoked_at
    assert list(keys.values()) == [None]


async def test_only_a_valid_key_of_the_business_can_be_revoked(runtime: Runtime) -> None:
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "test")
    stranger = await create_business(runtime, "Solitaire Books")
    key, _ = await create_key(runtime, tenant, False)
    for business_id, key_id in ((stranger, key.key_id), (tenant.business_id, "key_unknown")):
        with pytest.raises(Problem) as caught:
            await revoke_key(runtime, business_id, key_id)
        assert (caught.value.code, caught.value.message) == ("NOT_FOUND", "API key not found")
    await revoke_key(runtime, tenant.business_id, key.key_id)
    with pytest.raises(Problem):
        await revoke_key(runtime, tenant.business_id, key.key_id)


async def test_a_key_has_a_name_and_tells_when_it_was_used(runtime: Runtime, app: ASGIApp, clock: FakeClock) -> None:
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "live")
    key, text = await create_key(runtime, tenant, False, "The shop's server")
    unused, _ = await create_key(runtime, tenant, False)
    used_at = clock.advance(minutes=1)
    take_key_uses(runtime.database)  # those of other tests, which share the connections
    async with client_for(app, text) as client:
        assert (await client.get("/locales")).status_code == 200
    uses = take_key_uses(runtime.database)
    assert uses == {key.key_id: used_at}
    assert take_key_uses(runtime.database) == {}
    await record_key_uses(runtime, uses)
    await record_key_uses(runtime, {key.key_id: used_at - timedelta(minutes=5), "key_unknown": used_at})
    async with runtime.database.read() as read:
        found = {
            stored.key.key_id: (stored.name, stored.last_used_at)
            for stored in await list_keys(read, tenant.business_id)
        }
    assert found == {key.key_id: ("The shop's server", used_at), unused.key_id: ("", None)}


@pytest.mark.parametrize("name", ["x" * 101, "two\nlines"])
async def test_a_name_that_cannot_be_listed_is_refused(runtime: Runtime, name: str) -> None:
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "test")
    with pytest.raises(Problem) as caught:
        await create_key(runtime, tenant, False, name)
    assert (caught.value.code, caught.value.path) == ("INVALID_REQUEST_PARAMETERS", "name")
    async with runtime.database.read() as read:
        assert await list_keys(read, tenant.business_id) == []


async def test_the_log_tells_why_a_key_is_refused(runtime: Runtime, app: ASGIApp) -> None:
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "test")
    key, text = await create_key(runtime, tenant, True)
    revoked, revoked_text = await create_key(runtime, tenant, True)
    await revoke_key(runtime, tenant.business_id, revoked.key_id)
    refusals = [
        ({}, 401, {"reason": "there is no Authorization header"}),
        ({"authorization": "Basic abc"}, 401, {"reason": "the Authorization header has no Bearer key"}),
        ({"authorization": f"Bearer {'x' * 300}"}, 401, {"reason": "the Authorization header is too long"}),
        ({"authorization": "Bearer sk_live_secret"}, 401, {"reason": "no key like this was made here"}),
        ({"authorization": f"Bearer {revoked_text}"}, 401, {"reason": "the key is revoked", "key_id": revoked.key_id}),
        ({"authorization": f"Bearer {text}"}, 403, {"reason": "the key may only read", "key_id": key.key_id}),
    ]
    async with client_for(app) as client:
        for headers, status, told in refusals:
            with capture_logs() as logs:
                assert (await client.post("/products", json={}, headers=headers)).status_code == status
            (line,) = [line for line in logs if line["event"] == "key_refused"]
            assert line == {"event": "key_refused", "log_level": "warning"} | told
            assert not any(secret in str(logs) for secret in ("sk_live_secret", text, revoked_text))
