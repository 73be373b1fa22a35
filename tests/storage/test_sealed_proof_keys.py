"""The upgrade to encrypted keys of proofs: keys in clear are gone, and the next proof makes one that is encrypted."""

from collections.abc import AsyncIterator

import pytest_asyncio

from harness import PUBLIC_URL, START, VAULT, Databases, FakeClock
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.customers.customer_proof import LIFETIME, place_of_key, sign_proof
from nicobar.flows.customers.load_proof_key import load_proof_key
from nicobar.flows.customers.prove_customer import prove_customer
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.proof_keys import sealed_proof_key
from nicobar.storage.database import Database
from nicobar.storage.migrate import migrate
from storage.older import left_before

OLD_KEYS: dict[Mode, bytes] = {"test": bytes(range(32)), "live": bytes(range(32, 64))}


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[Database]:
    """A database as the program before `sealed_proof_keys` has left it, with a key and a customer in each mode."""
    async with left_before(databases, "sealed_proof_keys") as database:
        async with database.read() as read:
            await read.execute("INSERT INTO businesses (business_id, name, created_at) VALUES ('bus_1', 'A', now())")
            for mode, key in OLD_KEYS.items():
                await read.execute("INSERT INTO proof_keys VALUES ('bus_1', $1, $2, now())", mode, key)
                await read.execute(
                    "INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, metadata,"
                    " created_at, updated_at)"
                    " VALUES ('bus_1', $1, 'cus_1', 'a@b.example', 'a@b.example', 'A', '{}', now(), now())",
                    mode,
                )
        yield database


async def test_keys_in_clear_are_gone_and_the_next_proof_makes_encrypted_ones(
    before: Database, clock: FakeClock
) -> None:
    await migrate(before)
    runtime = Runtime(before, clock, PUBLIC_URL, vault=VAULT)
    async with before.read() as read:
        assert await read.fetchval("SELECT count(*) FROM proof_keys") == 0
        assert await read.fetchval("SELECT count(*) FROM customers") == 2
    for mode, old in OLD_KEYS.items():
        tenant = Tenant("bus_1", mode)
        async with before.read() as read:
            assert await load_proof_key(runtime, read, tenant) is None
        made = await prove_customer(runtime, tenant, "cus_1")
        async with before.read() as read:
            key, sealed = await load_proof_key(runtime, read, tenant), await sealed_proof_key(read, tenant)
        assert key is not None and sealed is not None
        assert (len(key), key in OLD_KEYS.values(), key in sealed) == (32, False, False)
        assert VAULT.open(sealed, place_of_key(tenant)) == key
        expires_on = (START + LIFETIME).replace(microsecond=0)
        assert made.proof == sign_proof(key, "link", tenant, "cus_1", expires_on)
        assert made.proof != sign_proof(old, "link", tenant, "cus_1", expires_on)
