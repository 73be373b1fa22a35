"""The audit log: what is kept of a change, that nothing can be changed in it, and that a change is found."""

from pathlib import Path

import asyncpg
import pytest

from harness import FakeClock, Merchant
from nicobar.audit_seal import AuditSeal, Head
from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.audit.examine_audit_log import examine_audit_log
from nicobar.flows.audit.link_audit_log import link_audit_log
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.business.create_key import create_key
from nicobar.flows.business.revoke_key import revoke_key
from nicobar.flows.runtime import Runtime
from nicobar.storage.audit.audit_log import list_audit_entries
from nicobar.storage.business.keys import find_key
from nicobar.vault import Keys, VaultError

PRODUCT = {
    "name": "A record of Zacharias",
    "price": {"type": "one_time_price", "currency": "USD", "price": 1000, "discount": 0},
    "tax_category": "digital_products",
}


@pytest.fixture
def seal(tmp_path: Path) -> AuditSeal:
    return AuditSeal(None, tmp_path / "audit.key", tmp_path / "audit.head")


@pytest.fixture
def sealed(runtime: Runtime, seal: AuditSeal) -> Runtime:
    return runtime._replace(audit_seal=seal)


async def entries(runtime: Runtime) -> list[tuple[str, str | None, str | None, list[str], list[str]]]:
    """Return the entries, the oldest first."""
    async with runtime.database.read() as read:
        found = await list_audit_entries(read, action=None, about=None, since=None, limit=100)
    return [(one.action, one.actor_name, one.address, one.object_ids, one.fields) for one in reversed(found)]


async def faults(runtime: Runtime, seal: AuditSeal) -> list[str]:
    async with runtime.database.read() as read:
        return (await examine_audit_log(read, seal)).faults


async def test_a_change_by_a_key_is_kept_with_names_and_without_values(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    before = len(await entries(runtime))
    async with runtime.database.read() as read:
        key = await find_key(read, secret_hash(merchant.key), clock.now())
    assert key is not None
    key_id = key.key_id
    clock.advance(seconds=1)
    product_id = (await merchant.client.post("/products", json=PRODUCT)).json()["product_id"]
    clock.advance(seconds=1)
    change = {"name": "Another record", "description": "Quite a secret"}
    address = {"x-forwarded-for": "203.0.113.7"}
    await merchant.client.patch(f"/products/{product_id}", json=change, headers=address)
    clock.advance(seconds=1)
    assert (await merchant.client.patch(f"/products/{product_id}", json=change)).status_code == 200  # changes nothing
    assert (await merchant.client.patch("/products/pdt_unknown", json=change)).status_code == 404
    assert (await merchant.client.post("/customers", json={"email": "z@example.com", "name": "Z"})).status_code == 200
    clock.advance(seconds=1)
    assert (await merchant.client.delete(f"/products/{product_id}")).status_code == 200
    assert (await entries(runtime))[before:] == [
        ("product.create", key_id, "127.0.0.1", [product_id], []),
        ("product.update", key_id, "203.0.113.7", [product_id], ["name", "description"]),
        ("product.archive", key_id, "127.0.0.1", [product_id], ["archived_at"]),
    ]
    async with runtime.database.read() as read:
        text = await read.fetchval("SELECT string_agg(l::text, '') FROM audit_log l")
    assert not [word for word in ("Zacharias", "record", "secret", "example.com") if word in text]


async def test_each_mode_and_business_has_its_own_entries(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    for client in (merchant.live_client, other_merchant.client):
        assert (await client.post("/products", json=PRODUCT)).status_code == 200
    async with runtime.database.read() as read:
        found = await list_audit_entries(read, action="product.", about=None, since=None, limit=100)
    assert {(one.business_id, one.mode) for one in found} == {
        (merchant.business_id, "live"),
        (other_merchant.business_id, "test"),
    }


async def test_a_refused_change_leaves_no_entry(runtime: Runtime, tenant: Tenant) -> None:
    with pytest.raises(Problem):
        await change_setting(runtime, tenant, "payment_expiry_hours", "never")
    with pytest.raises(Problem):
        await revoke_key(runtime, tenant.business_id, "key_unknown")
    assert await entries(runtime) == []


@pytest.mark.parametrize("table", ["audit_log", "audit_links"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET entry_id = 'aud_x'", "DELETE FROM {}", "TRUNCATE {}"])
async def test_postgresql_refuses_to_change_the_log(
    sealed: Runtime, tenant: Tenant, table: str, statement: str
) -> None:
    await create_key(sealed, tenant, False)
    assert await link_audit_log(sealed) == 1
    async with sealed.database.read() as read:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=f"rows of {table} are only added"):
            await read.execute(statement.format(table))
        assert await read.fetchval(f"SELECT count(*) FROM {table}") == 1


async def test_the_sweep_chains_what_is_new_and_a_whole_log_has_no_faults(
    sealed: Runtime, seal: AuditSeal, tenant: Tenant, clock: FakeClock
) -> None:
    assert await link_audit_log(sealed) == 0
    for _ in range(3):
        await create_key(sealed, tenant, False)
        clock.advance(seconds=1)
    assert await faults(sealed, seal) == []  # what waits is no fault
    assert await link_audit_log(sealed) == 3
    await create_key(sealed, tenant, True)
    assert (await link_audit_log(sealed), await link_audit_log(sealed)) == (1, 0)
    async with sealed.database.read() as read:
        last = await read.fetchrow("SELECT number, tag FROM audit_links ORDER BY number DESC LIMIT 1")
        result = await examine_audit_log(read, seal)
    assert last is not None
    assert (result.entries, result.unsealed, result.faults) == (4, 0, [])
    assert seal.head() == Head(4, last["tag"])


_WAITS = "INSERT INTO audit_unlinked VALUES ('aud_zzz')"
_SECOND = "(SELECT entry_id FROM audit_links WHERE number = 2)"
_LAST = "(SELECT entry_id FROM audit_links WHERE number = 3)"
_DROP_SECOND = [f"DELETE FROM audit_log WHERE entry_id = {_SECOND}", "DELETE FROM audit_links WHERE number = 2"]
_DROP_LAST = [f"DELETE FROM audit_log WHERE entry_id = {_LAST}", "DELETE FROM audit_links WHERE number = 3"]
_COPY = (
    "INSERT INTO audit_log SELECT 'aud_zzz', business_id, mode, at, actor, actor_name, address, action, object_ids,"
    " fields, {} FROM audit_log LIMIT 1"
)


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        ([f"UPDATE audit_log SET actor_name = 'root' WHERE entry_id = {_SECOND}"], "was edited or inserted"),
        ([f"UPDATE audit_log SET at = at - interval '1 day' WHERE entry_id = {_LAST}"], "was edited or inserted"),
        ([f"DELETE FROM audit_log WHERE entry_id = {_SECOND}"], "was deleted"),
        (_DROP_SECOND, "no link 2"),
        (
            [
                *_DROP_SECOND,
                "UPDATE audit_links SET number = 2 WHERE number = 3",
            ],
            "does not fit at link 2",
        ),
        (_DROP_LAST, "end of the log"),
        ([_COPY.format("seal"), _WAITS], "aud_zzz was edited or inserted"),
        ([_COPY.format("NULL"), _WAITS], "aud_zzz was inserted without the key"),
        (["DELETE FROM audit_links WHERE number = 3"], "taken out of the chain"),
    ],
)  # fmt: skip
async def test_a_change_by_somebody_else_is_found(
    sealed: Runtime, seal: AuditSeal, tenant: Tenant, clock: FakeClock, statements: list[str], found: str
) -> None:
    for _ in range(3):
        await create_key(sealed, tenant, False)
        clock.advance(seconds=1)
    await link_audit_log(sealed)
    assert await faults(sealed, seal) == []
    async with sealed.database.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            await tx.execute(statement)
    assert [fault for fault in await faults(sealed, seal) if found in fault]
    for count in (1, 3, 2):
        for _ in range(count):
            clock.advance(seconds=1)
            await create_key(sealed, tenant, False)
        await link_audit_log(sealed)  # going on does not hide it
    assert [fault for fault in await faults(sealed, seal) if found in fault or "aud_zzz" in fault]


async def test_another_key_proves_nothing_and_an_older_one_goes_on_proving(
    sealed: Runtime, tenant: Tenant, tmp_path: Path, clock: FakeClock
) -> None:
    await create_key(sealed, tenant, False)
    old = (tmp_path / "audit.key").read_text().strip()
    new = "A" * 43 + "="
    stranger = AuditSeal(Keys.parse(new), None, None)
    async with sealed.database.read() as read:
        with pytest.raises(VaultError, match="NICOBAR_AUDIT_KEY"):
            await examine_audit_log(read, stranger)
    both = AuditSeal(Keys.parse(f"{new},{old}"), None, None)
    rotated = sealed._replace(audit_seal=both)
    clock.advance(seconds=1)
    await create_key(rotated, tenant, False)
    assert await link_audit_log(rotated) == 2
    assert await faults(rotated, both) == []


async def test_without_a_key_entries_are_kept_and_counted_as_unsealed(runtime: Runtime, tenant: Tenant) -> None:
    none = AuditSeal(None, None, None)
    await create_key(runtime._replace(audit_seal=none), tenant, False)
    assert await link_audit_log(runtime._replace(audit_seal=none)) == 0
    async with runtime.database.read() as read:
        result = await examine_audit_log(read, none)
    assert (result.entries, result.unsealed, result.faults) == (1, 1, [])
