"""What pgbench writes is what the server writes: the yardstick of `make bench` is no shorter and no longer."""

import json
from typing import Any

import httpx
from bench.by_hand import NEW, by_hand, columns, pattern, pgbench, psql
from bench.growth import grow

from harness import Merchant
from nicobar.flows.runtime import Runtime

TABLES = ("payments", "payment_lines", "kept_answers")


async def order_of(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return what the benchmark asks for, by a customer who is known."""
    price = {"type": "one_time_price", "currency": "USD", "price": 1001}
    product = {"name": "Guide", "description": "Birds", "tax_category": "e_book", "price": price}
    product_id = (await client.post("/products", json=product)).json()["product_id"]
    customer = (await client.post("/customers", json={"email": "ana@example.com", "name": "Ana"})).json()
    return {
        "customer": {"customer_id": customer["customer_id"]},
        "product_cart": [{"product_id": product_id, "quantity": quantity} for quantity in (1, 2, 3)],
        "metadata": {"order": "17"},
        "billing": {"country": "US"},
        "payment_link": True,
    }


async def create(client: httpx.AsyncClient, order: dict[str, Any]) -> str:
    """Create a payment; return its id."""
    answer = await client.post("/payments", json=order)
    assert answer.status_code == 200, answer.text
    payment_id: str = answer.json()["payment_id"]
    return payment_id


def more(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return how many rows have come to each table."""
    return {table: count - before.get(table, 0) for table, count in after.items() if count != before.get(table)}


def counts(dsn: str) -> dict[str, int]:
    """Return how many rows each table has, but for empty ones."""
    tables = psql(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").splitlines()
    found = {table: int(psql(dsn, f"SELECT count(*) FROM {table}")) for table in tables}
    return {table: count for table, count in found.items() if count}


def sizes(dsn: str, table: str, payment_id: str) -> list[dict[str, int]]:
    """Return the bytes of each column of a payment's rows."""
    key = "object_id" if table == "kept_answers" else "payment_id"
    fields = ", ".join(f"'{column}', pg_column_size({column})" for column in columns(dsn, table))
    order = "position" if table == "payment_lines" else key
    query = f"SELECT json_agg(json_build_object({fields}) ORDER BY {order}) FROM {table} WHERE {key} = '{payment_id}'"
    found: list[dict[str, int]] = json.loads(psql(dsn, query))
    return found


async def test_pgbench_writes_the_rows_and_bytes_of_the_request(runtime: Runtime, merchant: Merchant) -> None:
    dsn = runtime.database.dsn
    order = await order_of(merchant.client)
    first, before = await create(merchant.client, order), counts(dsn)
    payment_id = await create(merchant.client, order)
    assert more(before, counts(dsn)) == {"payments": 1, "payment_lines": 3, "kept_answers": 1}
    before = counts(dsn)
    pgbench(dsn, by_hand(dsn, payment_id), 1, "-t", "2")
    assert more(before, counts(dsn)) == {"payments": 2, "payment_lines": 6, "kept_answers": 2}
    others = f"payment_id NOT IN ('{first}', '{payment_id}')"
    copy_id = psql(dsn, f"SELECT min(payment_id) FROM payments WHERE {others}")
    written, pattern_rows = pattern(dsn, copy_id), pattern(dsn, payment_id)
    for table in TABLES:
        assert len(written[table]) == len(pattern_rows[table]) == (3 if table == "payment_lines" else 1)
        for one, other in zip(written[table], pattern_rows[table], strict=True):
            different = {column for column in one if one[column] != other[column]}
            assert different == set(NEW[table]), table
        assert sizes(dsn, table, copy_id) == sizes(dsn, table, payment_id)


async def test_payments_grow_by_copies_that_can_be_read_and_leave_the_books_alone(
    runtime: Runtime, merchant: Merchant
) -> None:
    payment_id = await create(merchant.client, await order_of(merchant.client))
    told: list[str] = []
    grow(runtime.database.dsn, payment_id, 40, told.append)
    ids = grow(runtime.database.dsn, payment_id, 60, told.append)
    assert told == ["  40 payments", "  60 payments"]
    assert len(set(ids)) == len(ids) == 60
    answer = (await merchant.client.get("/payments", params={"page_size": 100})).json()["items"]
    assert [each["payment_id"] for each in answer] == sorted([payment_id, *ids], reverse=True)
    assert [each["status"] for each in answer].count("cancelled") == 54
    assert [each["status"] for each in answer].count("failed") == 3
    customers = {each["customer"]["customer_id"] for each in answer}
    assert len(customers) == 7
    for each in (ids[0], ids[-1]):
        assert (await merchant.client.get(f"/payments/{each}")).json()["total_amount"] == 6006
