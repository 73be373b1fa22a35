"""The upgrade to one index for each condition: rows stay, addresses stay unique, and each list finds what it did."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from harness import Databases
from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Database
from nicobar.storage.migrate import migrate
from nicobar.storage.payments.payments import PaymentFilters, list_payments
from storage.older import left_before

TENANT = Tenant("bus_1", "test")

OLD_ROWS = """
INSERT INTO businesses (business_id, name, created_at) VALUES ('bus_1', 'A', now()), ('bus_2', 'B', now());
INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, metadata, created_at, updated_at) VALUES
    ('bus_1', 'test', 'cus_1', 'Ana@a.example', 'ana@a.example', 'Ana', '{}', now(), now()),
    ('bus_1', 'live', 'cus_1', 'Ana@a.example', 'ana@a.example', 'Ana', '{}', now(), now()),
    ('bus_2', 'test', 'cus_1', 'Ana@a.example', 'ana@a.example', 'Ana', '{}', now(), now());
"""

OLD_PAYMENT = """
INSERT INTO payments (business_id, mode, payment_id, brand_id, customer_id, status, currency, subtotal, discount, tax,
    total_amount, settlement_currency, settlement_amount, settlement_tax, billing, metadata, options, pricing, link_id,
    expires_on, client_secret_hash, created_at)
VALUES ($1, $2, $3, $4, 'cus_1', $5, $6, 1, 0, 0, 1, 'USD', 1, 0, '{"country": "US"}', '{}', '{"payment_link": true}',
    '{}', $1 || $2 || $3, now(), sha256('x'), now())
"""

PAYMENTS = [
    ("bus_1", "test", "pay_1", "bus_1", "cancelled", "USD"),
    ("bus_1", "test", "pay_2", "brn_2", "cancelled", "EUR"),
    ("bus_1", "test", "pay_3", "bus_1", "requires_payment_method", "EUR"),
    ("bus_1", "live", "pay_4", "brn_2", "cancelled", "EUR"),
    ("bus_2", "test", "pay_5", "brn_2", "cancelled", "EUR"),
]


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[Database]:
    """A database as the program before the migration has left it, with payments of three tenants."""
    async with left_before(databases, "one_index_for_each_condition") as database:
        async with database.read() as read:
            await read.execute(OLD_ROWS)
            await read.executemany(OLD_PAYMENT, PAYMENTS)
        yield database


async def test_rows_stay_and_lists_find_them(before: Database) -> None:
    payments = "SELECT json_agg(p) FROM payments p"
    customers = "SELECT json_agg(to_jsonb(c) - 'additional_id') FROM customers c"  # which came after it
    rows = f"SELECT ({payments})::text || ({customers})::text"
    async with before.read() as read:
        old = await read.fetchval(rows)
    await migrate(before)
    async with before.read() as read:
        assert await read.fetchval(rows) == old
        found = {
            name: [each.payment_id for each in await list_payments(read, TENANT, filters, 10, offset)]
            for name, filters, offset in (
                ("all", PaymentFilters(), 0),
                ("second", PaymentFilters(), 1),
                ("status", PaymentFilters(status="cancelled"), 0),
                ("currency", PaymentFilters(currency="EUR"), 0),
                ("customer", PaymentFilters(customer_id="cus_1"), 2),
                ("first brand", PaymentFilters(brand_id="bus_1"), 0),
                ("other brand", PaymentFilters(brand_id="brn_2"), 0),
                ("other tenant's brand", PaymentFilters(brand_id="bus_2"), 0),
            )
        }
    assert found == {
        "all": ["pay_3", "pay_2", "pay_1"],
        "second": ["pay_2", "pay_1"],
        "status": ["pay_2", "pay_1"],
        "currency": ["pay_3", "pay_2"],
        "customer": ["pay_1"],
        "first brand": ["pay_3", "pay_1"],
        "other brand": ["pay_2"],
        "other tenant's brand": [],
    }


async def test_an_address_still_belongs_to_one_customer_of_a_tenant(before: Database) -> None:
    await migrate(before)
    again = OLD_ROWS.partition(";")[2].replace("'cus_1'", "'cus_2'")
    async with before.read() as read:
        with pytest.raises(asyncpg.UniqueViolationError) as refused:
            await read.execute(again)
        assert refused.value.constraint_name == "customers_email"
        assert await read.fetchval("SELECT count(*) FROM customers") == 3
