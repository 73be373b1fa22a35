"""What an API key opens: scopes, expiry, rotation, and how often an address may guess."""

from datetime import timedelta

import httpx
import pytest
from starlette.types import ASGIApp

from harness import FakeClock, client_for
from nicobar.api.auth import GUESSES, SCOPE_OF
from nicobar.app import OPERATIONS
from nicobar.core.business.tenant import Mode, Scope, Tenant, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.business.create_business import create_business
from nicobar.flows.business.create_key import create_key
from nicobar.flows.business.revoke_key import revoke_key
from nicobar.flows.business.rotate_key import LONGEST_OVERLAP, rotate_key
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import find_key, list_keys


def unauthorized(detail: str) -> dict[str, str]:
    return {"code": "UNAUTHORIZED", "message": f"You are not authorised to perform this action: {detail}"}


PRODUCT: dict[str, object] = {
    "name": "A record",
    "price": {"type": "one_time_price", "currency": "USD", "price": 1000, "discount": 0},
    "tax_category": "digital_products",
}
WRITES: dict[Scope, tuple[str, dict[str, object]]] = {
    "payments": ("/payments", {}),
    "refunds": ("/refunds", {}),
    "customers": ("/customers", {}),
    "catalog": ("/products", PRODUCT),
}


def test_every_operation_that_changes_something_has_a_scope() -> None:
    words = {operation.path.split("/")[1] for operation in OPERATIONS if operation.method != "GET"}
    assert words <= set(SCOPE_OF)


@pytest.mark.parametrize("mode", ["test", "live"])
@pytest.mark.parametrize("scope", list(WRITES))
async def test_a_scope_lets_a_key_write_its_class_alone(
    runtime: Runtime, app: ASGIApp, scope: Scope, mode: Mode
) -> None:
    tenant = Tenant(await create_business(runtime, "Dodo Records"), mode)
    _, text = await create_key(runtime, tenant, False, scopes=frozenset([scope]))
    async with client_for(app, text) as client:
        for other, (path, body) in WRITES.items():
            response = await client.post(path, json=body)
            if other == scope:
                assert response.status_code not in (401, 403)
            else:
                assert (response.status_code, response.json()) == (403, unauthorized(f"the key may not write {other}"))
            assert response.headers.get("x-should-retry", "false") == "false"
        assert (await client.get("/products")).status_code == 200
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM products") == (1 if scope == "catalog" else 0)


@pytest.mark.parametrize(("read_only", "scopes"), [(True, frozenset(["refunds"])), (False, frozenset())])
async def test_scopes_that_contradict_the_key_are_refused(
    runtime: Runtime, tenant: Tenant, read_only: bool, scopes: frozenset[Scope]
) -> None:
    with pytest.raises(Problem) as caught:
        await create_key(runtime, tenant, read_only, scopes=scopes)
    assert (caught.value.code, caught.value.path) == ("INVALID_REQUEST_PARAMETERS", "scopes")
    async with runtime.database.read() as read:
        assert await list_keys(read, tenant.business_id) == []


async def test_an_expired_key_opens_nothing_from_its_moment_on(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, tenant: Tenant
) -> None:
    key, text = await create_key(runtime, tenant, False, expires_at=clock.now() + timedelta(seconds=2))
    async with client_for(app, text) as client:
        clock.advance(seconds=1.999999)
        assert (await client.get("/locales")).status_code == 200  # and it is remembered
        clock.advance(seconds=0.000001)
        response = await client.post("/products", json=PRODUCT)
        assert (response.status_code, response.json()) == (
            401,
            unauthorized("this API key is unknown, expired or revoked"),
        )
    async with runtime.database.read() as read:
        assert await find_key(read, secret_hash(text), clock.now()) is None
        assert await find_key(read, secret_hash(text), clock.now() - timedelta(seconds=1)) == key
        assert await read.fetchval("SELECT count(*) FROM products") == 0
    with pytest.raises(Problem) as caught:
        await create_key(runtime, tenant, False, expires_at=clock.now())
    assert caught.value.path == "expires_at"


async def test_rotation_lets_both_keys_work_for_the_overlap(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, tenant: Tenant
) -> None:
    life = timedelta(days=90)
    old, old_text = await create_key(
        runtime, tenant, False, "The shop", scopes=frozenset(["catalog"]), expires_at=clock.now() + life
    )
    rotated_at = clock.advance(days=80)
    new, new_text = await rotate_key(runtime, tenant.business_id, old.key_id, timedelta(hours=24))
    assert (new.tenant, new.read_only, new.scopes, new.expires_at) == (
        tenant,
        False,
        frozenset(["catalog"]),
        rotated_at + life,
    )
    assert new_text != old_text
    async with client_for(app, old_text) as before, client_for(app, new_text) as after:
        clock.advance(hours=23, minutes=59)
        assert [(await client.get("/locales")).status_code for client in (before, after)] == [200, 200]
        clock.advance(minutes=1)
        assert [(await client.get("/locales")).status_code for client in (before, after)] == [401, 200]
    async with runtime.database.read() as read:
        first, second = sorted(await list_keys(read, tenant.business_id), key=lambda stored: stored.created_at)
    assert (first.name, first.key.expires_at) == ("The shop", rotated_at + timedelta(hours=24))
    assert (second.name, second.key) == ("The shop", new)


async def test_only_a_valid_key_of_the_business_is_rotated(runtime: Runtime, tenant: Tenant) -> None:
    key, _ = await create_key(runtime, tenant, False)
    stranger = await create_business(runtime, "Solitaire Books")
    day = timedelta(days=1)
    for business_id, key_id, overlap, code in (
        (stranger, key.key_id, day, "NOT_FOUND"),
        (tenant.business_id, "key_unknown", day, "NOT_FOUND"),
        (tenant.business_id, key.key_id, -day, "INVALID_REQUEST_PARAMETERS"),
        (tenant.business_id, key.key_id, LONGEST_OVERLAP + day, "INVALID_REQUEST_PARAMETERS"),
    ):
        with pytest.raises(Problem) as caught:
            await rotate_key(runtime, business_id, key_id, overlap)
        assert caught.value.code == code
    await revoke_key(runtime, tenant.business_id, key.key_id)
    with pytest.raises(Problem):
        await rotate_key(runtime, tenant.business_id, key.key_id, day)
    async with runtime.database.read() as read:
        assert [stored.key.expires_at for stored in await list_keys(read, tenant.business_id)] == [None]


async def test_an_address_that_guesses_keys_has_to_wait_and_locks_nobody_out(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, tenant: Tenant
) -> None:
    _, text = await create_key(runtime, tenant, True)
    _, unmet = await create_key(runtime, tenant, True)
    async with client_for(app) as client:

        async def ask(key: str, address: str = "") -> httpx.Response:
            told = {"x-forwarded-for": address} if address else {}
            return await client.get("/locales", headers={"authorization": f"Bearer {key}", **told})

        assert (await ask(text)).status_code == 200
        clock.advance(seconds=10)
        assert {(await ask(f"guess-{number}")).status_code for number in range(GUESSES)} == {401}
        refused = await ask("one-more")
        assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
        assert refused.headers["retry-after"] == "1"
        assert (await ask(unmet)).status_code == 429
        assert (await ask(text)).status_code == 200
        assert (await ask("one-more", "203.0.113.9")).status_code == 401
        clock.correct(days=-3)  # a corrected clock changes nothing
        clock.advance(seconds=1)
        assert (await ask(unmet)).status_code == 200
