"""What is asked all the time reads no table as a whole, whether PostgreSQL has statistics or none, few rows or many.

The statements of the hot path and of every filter of the lists are explained on an empty database and on a large one,
before and after ANALYZE, as they are planned once for all values and for those that they were run with. A plan is
refused that reads a large table without an index, or everything of a seller in order to sort it, to look for one row or
to find the rows that it changes.
"""

import itertools
import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

import pytest_asyncio

from harness import PUBLIC_URL, START, VAULT, Databases, FakeClock, make_merchant
from nicobar.app import create_app
from nicobar.core.business.tenant import Tenant
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.belongings.hosted_page import find_hosted_pages
from nicobar.storage.customers.customers import CustomerFilters, list_customers
from nicobar.storage.database import Read
from nicobar.storage.events.events import EventFilter, list_events
from nicobar.storage.payments.payments import PaymentFilters, find_payment_by_link, list_payments
from nicobar.storage.refunds.refunds import RefundFilters, list_refunds
from nicobar.storage.subscriptions.subscriptions import SubscriptionFilters, list_subscriptions
from orders import card, with_processors
from storage.plans.explained import Heard, Listening, Plan, never_analysed, nodes, plans_of

ROWS: Final = (0, 100, 2_000, 20_000, 50_000)
"""How many each large table has, one number after the other: what PostgreSQL takes for best depends on it."""

LARGE: Final = {
    "customers",
    "payments",
    "payment_lines",
    "attempts",
    "refunds",
    "disputes",
    "subscriptions",
    "subscription_charges",
    "events",
    "kept_answers",
    "products",
}

TENANT: Final = {"business_id", "mode"}

DATES: Final[dict[str, datetime]] = {"created_at_gte": START, "created_at_lte": START}

FILTERS: Final[dict[str, list[dict[str, Any]]]] = {
    "payments": [
        {},
        DATES,
        {"status": "failed"},
        {"currency": "EUR"},
        {"customer_id": "cus_1"},
        {"product_id": "pdt_1"},
        {"brand_id": "brn_1"},
        {"subscription_id": "sub_1"},
    ],
    "refunds": [{}, DATES, {"status": "failed"}, {"customer_id": "cus_1"}],
    "customers": [{}, DATES, {"email": "ana@example.com"}, {"name": "Ana"}],
    "subscriptions": [
        {},
        DATES,
        {"status": "past_due"},
        {"customer_id": "cus_1"},
        {"product_id": "pdt_1"},
        {"brand_id": "brn_1"},
        {"cancel_at_next_billing_date": True},
    ],
    "events": [{}, DATES, {"types": ("payment.failed", "payment.succeeded")}, {"object_id": "pay_1"}],
}
"""Each filter of each list alone."""

# As PostgreSQL writes them itself, for what is written on the hot path.
FOREIGN_KEYS: Final = [
    ("customers", "business_id = $1 AND mode = $2 AND customer_id = $3"),
    ("payments", "business_id = $1 AND mode = $2 AND payment_id = $3"),
]

# A row each of what the path does not leave.
SEED: Final = """
SET session_replication_role = replica;
INSERT INTO refunds (business_id, mode, refund_id, payment_id, attempt_id, status, amount, tax, currency,
    settlement_amount, settlement_tax, settlement_currency, is_partial, metadata, created_at, updated_at, resolved_at)
VALUES ('{business}', 'test', 'ref_x', 'pay_x', 'att_x', 'succeeded', 1, 0, 'USD', 1, 0, 'USD', false, '{{}}', now(),
    now(), now());
INSERT INTO disputes (business_id, mode, dispute_id, payment_id, attempt_id, processor, reference, amount, currency,
    stage, status, money_out, created_at, updated_at, asked_at)
VALUES ('{business}', 'test', 'dp_x', 'pay_x', 'att_x', 'simulator', 'x', 1, 'USD', 'dispute', 'dispute_opened', true,
    now(), now(), now());
INSERT INTO subscriptions (business_id, mode, subscription_id, brand_id, customer_id, product_id, status, created_at,
    updated_at, next_billing_date, cancel_at_next_billing_date, first_payment_id, credit, details, due_at)
VALUES ('{business}', 'test', 'sub_x', '{business}', 'cus_x', 'pdt_x', 'active', now(), now(), now(), false, 'pay_x', 0,
    '{{}}', now());
INSERT INTO subscription_charges (business_id, mode, payment_id, position, subscription_id, retry_attempt, factor,
    state, created_at)
VALUES ('{business}', 'test', 'pay_x', 0, 'sub_x', 0, '1', 'paid', now());
RESET session_replication_role;
"""

# Copies of what the path has left, each a row of its own.
FILLING: Final = """
SET session_replication_role = replica;
{copies}
RESET session_replication_role;
"""
COPIED: Final = {
    "customers": {"customer_id": "'cus_' || i", "email": "'c' || i", "email_key": "'c' || i"},
    "payments": {"payment_id": "'pay_' || i", "customer_id": "'cus_' || i", "link_id": "'link' || i"},
    "payment_lines": {"payment_id": "'pay_' || i", "product_id": "'pdt_' || i % 1000"},
    "attempts": {"attempt_id": "'att_' || i", "payment_id": "'pay_' || i"},
    "products": {"product_id": "'pdt_' || i"},
    "events": {"event_id": "'evt_' || i", "object_id": "'pay_' || i", "number": "nextval('event_numbers')"},
    "refunds": {"refund_id": "'ref_' || i", "payment_id": "'pay_' || i"},
    "disputes": {"dispute_id": "'dp_' || i", "payment_id": "'pay_' || i", "reference": "i::text"},
    "subscriptions": {"subscription_id": "'sub_' || i", "customer_id": "'cus_' || i", "product_id": "'pdt_' || i"},
    "subscription_charges": {"payment_id": "'pay_' || i", "subscription_id": "'sub_' || i"},
    "kept_answers": {"request": "sha256(i::text::bytea)"},
}


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Listening]:
    async with never_analysed(databases, "nicobar_hot_plans") as database:
        yield database


async def run_the_path(runtime: Runtime) -> Tenant:
    """Do once what is asked all the time; return whose it was."""
    app = create_app(runtime)
    merchant = await make_merchant(runtime, app, "Dodo Records")
    price = {"type": "one_time_price", "currency": "USD", "price": 1900}
    product = {"name": "Guide", "tax_category": "e_book", "price": price}
    product_id = (await merchant.client.post("/products", json=product)).json()["product_id"]
    order = {
        "billing": {"country": "US"},
        "customer": {"email": "ana@example.com", "name": "Ana"},
        "product_cart": [{"product_id": product_id, "quantity": 1}],
        "payment_link": True,
    }
    made = (await merchant.client.post("/payments", json=order)).json()
    known = order | {"customer": {"customer_id": made["customer"]["customer_id"]}}
    assert (await merchant.client.post("/payments", json=known)).status_code == 200
    assert (await merchant.client.get(f"/payments/{made['payment_id']}")).status_code == 200
    assert (await merchant.client.post("/checkouts", json={"product_cart": order["product_cart"]})).status_code == 200
    link_id = made["payment_link"].rpartition("/")[2]
    for is_known in (True, False):  # without the payment's lock, and under it
        created = (await merchant.client.post("/payments", json=known)).json()
        async with runtime.database.read() as read:
            (found,) = await find_hosted_pages(read, [created["payment_link"].rpartition("/")[2]])
        assert found is not None
        as_read = found.versioned if is_known else None
        await confirm_payment(runtime, merchant.tenant, created["payment_id"], card(), known=as_read)
    assert (await merchant.client.get("/payments")).status_code == 200
    async with runtime.database.read() as read:
        assert await find_payment_by_link(read, link_id) is not None
        assert None not in await find_hosted_pages(read, [link_id, created["payment_link"].rpartition("/")[2]])
        for filters in FILTERS["payments"]:
            await list_payments(read, merchant.tenant, PaymentFilters(**filters), 10, 0)
        for filters in FILTERS["refunds"]:
            await list_refunds(read, merchant.tenant, RefundFilters(**filters), 10, 0)
        for filters in FILTERS["customers"]:
            await list_customers(read, merchant.tenant, CustomerFilters(**filters), 10, 0)
        for filters in FILTERS["subscriptions"]:
            await list_subscriptions(read, merchant.tenant, SubscriptionFilters(**filters), 10, 0)
        for filters in FILTERS["events"]:
            await list_events(read, merchant.tenant, EventFilter(**filters), 10, before=None, after=None)
    return merchant.tenant


async def fill(read: Read, tenant: Tenant, rows: range) -> None:
    """Copy what is there so often."""
    copies = []
    for table, new in COPIED.items():
        names = [
            row["attname"]
            for row in await read.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
                " AND NOT attisdropped AND attidentity = '' AND attgenerated = ''",
                table,
            )
        ]
        values = ", ".join(new.get(name, f"t.{name}") for name in names)
        copies.append(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM"
            f" (SELECT * FROM {table} WHERE business_id = '{tenant.business_id}' LIMIT 1) t,"
            f" generate_series({rows.start}, {rows.stop - 1}) i;"
        )
    await read.execute(FILLING.format(copies="\n".join(copies)))


SOUGHT: Final = re.compile(r"\b(?:customer|payment|refund|subscription|product|payment_method)_id = ")

Indexes = dict[str, list[str]]
"""The columns of each index."""


async def indexes_of(read: Read) -> Indexes:
    rows = await read.fetch(
        "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) AS columns FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'i' GROUP BY c.relname"
    )
    return {row["relname"]: row["columns"] for row in rows}


def leading(columns: list[str], named: set[str]) -> int:
    """Return how many columns at the beginning of an index are named."""
    return next((number for number, column in enumerate(columns) if column not in named), len(columns))


def faults(plan: Plan, indexes: Indexes) -> list[str]:
    """Return what of a plan reads a large table as a whole, or all of a seller's rows to sort them or find one."""
    found = []
    sorts = any("Sort" in node["Node Type"] for node in nodes(plan))
    joins = join_filters(plan)
    writes = any(node["Node Type"] == "ModifyTable" for node in nodes(plan))
    compared = {
        id(part)
        for node in nodes(plan)
        if {"Join Filter", "Hash Cond", "Merge Cond"} & node.keys()
        for side in node["Plans"]
        for part in (side, *side.get("Plans", []) * (side["Node Type"] in ("Hash", "Materialize", "Sort")))
    }
    for node in nodes(plan):
        table = node.get("Relation Name", "")
        if node["Node Type"] == "Seq Scan" and table in LARGE:
            found.append(f"reads {table} without an index")
        condition = node.get("Index Cond")
        if condition is None and node["Node Type"].startswith(("Index", "Bitmap Index")) and table in LARGE:
            found.append(f"reads all of {table} in the order of {node['Index Name']}")
        if condition is None:
            continue
        columns = indexes.get(node["Index Name"], [])
        named = {column for column in columns if re.search(rf"\b{column}\b", condition)}
        narrowed = set(columns[: leading(columns, named)]) - TENANT
        if named - TENANT - narrowed:
            found.append(f"skips columns of {node['Index Name']}: {condition}")
        if not narrowed and writes and id(node) in compared and table in LARGE | {""}:
            found.append(f"changes rows that it seeks among all that {node['Index Name']} has of a seller")
        if not narrowed and sorts:
            found.append(f"sorts what {node['Index Name']} has of a seller")
        sought = f"{node.get('Filter', '')} {joins.get(id(node), '')}"
        if not narrowed and SOUGHT.search(sought):
            found.append(f"looks through {node['Index Name']} for one row: {sought}")
    return found


def join_filters(plan: Plan) -> dict[int, str]:
    """Return, for each node that a nested loop reads once for each row, what it looks for among all that it gets."""
    return {
        id(below): node["Join Filter"]
        for node in nodes(plan)
        if node["Node Type"] == "Nested Loop" and "Join Filter" in node
        for below in nodes(node["Plans"][1])
    }


async def check(read: Read, statements: Heard, when: str) -> None:
    wrong, indexes = {}, await indexes_of(read)
    for query, values in statements.items():
        for plan in await plans_of(read, query, values):
            if found := faults(plan, indexes):
                wrong[" ".join(query.split())[-260:]] = found
    assert wrong == {}, when


async def test_no_statement_of_the_hot_path_or_of_a_list_reads_everything(
    database: Listening, clock: FakeClock
) -> None:
    runtime = with_processors(Runtime(database, clock, PUBLIC_URL, vault=VAULT))
    tenant = await run_the_path(runtime)
    statements = {
        query: values
        for query, values in database.heard.items()
        if re.search(rf"\b(?:{'|'.join(LARGE)})\b", query) and re.match(r"\s*(?:WITH|SELECT|UPDATE|INSERT)\b", query)
    }
    assert len(statements) > 30
    for table, condition in FOREIGN_KEYS:
        check_of_key = f"SELECT 1 FROM ONLY {table} x WHERE {condition} FOR KEY SHARE OF x"
        statements[check_of_key] = (tenant.business_id, tenant.mode, "x_1")
    async with database.read() as read:
        await check(read, statements, "on an empty database")
        await read.execute(SEED.format(business=tenant.business_id))
        for first, last in itertools.pairwise(ROWS):
            await fill(read, tenant, range(first, last))
            await check(read, statements, f"with {last} rows and no statistics")
        await read.execute("ANALYZE")
        await check(read, statements, "with many rows and statistics")
