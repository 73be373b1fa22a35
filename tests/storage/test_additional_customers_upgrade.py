"""The upgrade to additional customers: whoever is there is the first of the address, and stays the only first one."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from harness import Databases
from nicobar.core.business.tenant import Tenant
from nicobar.storage.customers.additional_customers import addresses_without_first
from nicobar.storage.customers.customers import CustomerFilters, find_by_email, list_customers
from nicobar.storage.database import Database
from nicobar.storage.migrate import migrate
from storage.older import left_before

OLD_ROWS = """
INSERT INTO businesses (business_id, name, created_at) VALUES ('bus_1', 'A', now()), ('bus_2', 'B', now());
INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, metadata, created_at, updated_at) VALUES
    ('bus_1', 'test', 'cus_1', 'Ana@a.example', 'ana@a.example', 'Ana', '{}', now(), now()),
    ('bus_1', 'live', 'cus_2', 'Ana@a.example', 'ana@a.example', 'Ana', '{}', now(), now()),
    ('bus_2', 'test', 'cus_3', 'Ana@a.example', 'ana@a.example', 'Ana', '{}', now(), now());
"""
ADDITIONAL = """
INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, metadata, created_at, updated_at,
    additional_id)
VALUES ('bus_1', 'test', $1, 'Ana@a.example', 'ana@a.example', 'Ana', '{}', now(), now(), $2)
"""
WHO = {Tenant("bus_1", "test"): "cus_1", Tenant("bus_1", "live"): "cus_2", Tenant("bus_2", "test"): "cus_3"}


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[Database]:
    """A database as the program before the migration has left it, with one customer of each of three tenants."""
    async with left_before(databases, "additional_customers") as database:
        async with database.read() as read:
            await read.execute(OLD_ROWS)
        yield database


async def test_every_customer_is_the_first_of_the_address(before: Database) -> None:
    rows = "SELECT json_agg(to_jsonb(c) - 'additional_id' ORDER BY customer_id)::text FROM customers c"
    async with before.read() as read:
        old = await read.fetchval(rows)
    await migrate(before)
    async with before.read() as read:
        assert await read.fetchval(rows) == old
        for tenant, customer_id in WHO.items():
            found = await find_by_email(read, tenant, "ana@a.example")
            assert found is not None and found.customer_id == customer_id
        assert await addresses_without_first(read) == []


async def test_an_address_has_one_first_customer_and_any_number_beside(before: Database) -> None:
    await migrate(before)
    async with before.read() as read:
        for customer_id, additional_id, constraint in (
            ("cus_8", "", "customers_email"),
            ("cus_8", "cus_1", "customers_additional_id"),
            ("cus_1", "cus_1", "customers_pkey"),
        ):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
                await read.execute(ADDITIONAL, customer_id, additional_id)
            assert refused.value.constraint_name == constraint
        for customer_id in ("cus_8", "cus_9"):
            await read.execute(ADDITIONAL, customer_id, customer_id)
        for tenant, expected in zip(WHO, (["cus_9", "cus_8", "cus_1"], ["cus_2"], ["cus_3"]), strict=True):
            found = await list_customers(read, tenant, CustomerFilters(email="ANA@a.example"), 10, 0)
            assert [each.customer_id for each in found] == expected
        await read.execute("DELETE FROM customers WHERE customer_id = 'cus_1'")
        (found_wrong,) = await addresses_without_first(read)
        assert (found_wrong.mode, found_wrong.object_id) == ("test", "cus_8")
