"""Rows of one tenant can be kept apart from those of others: each of their keys holds the tenant.

What is looked up without knowing whose it is, is named here, and so is what belongs to no tenant, or to a whole
business in both modes. docs/scaling.md builds on it.
"""

import re
from pathlib import Path
from typing import Final

from nicobar.flows.runtime import Runtime

LOOK_UPS: Final = {
    "api_keys_key_hash": "a request has nothing but its key",
    "checkout_sessions_session_id_key": "a page has nothing but its address, likewise the next ones",
    "payments_link": "",
    "pictures_image_id": "",
    "portal_sessions_session_id_key": "",
    "processor_accounts_number_key": "an address at which a processor sends notices",
    "short_links_slug_key": "an address that a seller has chosen",
}
"""Unique keys without the tenant."""

OF_NO_TENANT: Final = {
    "audit_links",
    "audit_unlinked",
    "rate_snapshots",
    "request_shares",
    "schema_migrations",
}
"""Tables of the installation: one chain of the audit log, exchange rates, shares of request limits, migrations."""

OF_A_BUSINESS: Final = {"api_keys", "businesses", "test_clocks", "webhook_listeners"}
"""Tables with a key of the business alone, or of the key itself: few rows, which every process may keep a copy of."""

ELSEWHERE: Final = OF_NO_TENANT | OF_A_BUSINESS | {"audit_log"}
"""Tables whose keys are not those of a tenant: entries of the audit log are one chain, whoever they are about."""

OF_KEYS: Final = {"api_keys_key_hash"}
"""Look-ups in one of these tables."""

UNIQUE: Final = """
SELECT t.relname AS table_name, c.relname AS name, array_agg(a.attname::text) AS columns
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_attribute a ON a.attrelid = i.indexrelid
WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace
GROUP BY t.relname, c.relname
"""

FOREIGN: Final = """
SELECT t.relname AS table_name, r.relname AS target, array_agg(a.attname::text) AS columns
FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid
JOIN pg_class r ON r.oid = c.confrelid
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
WHERE c.contype = 'f' AND t.relnamespace = 'public'::regnamespace
GROUP BY t.relname, r.relname, c.conname
"""

TABLES: Final = """
SELECT c.relname AS table_name, array_agg(a.attname::text) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY c.relname
"""

TENANT: Final = {"business_id", "mode"}


async def test_every_table_of_a_tenant_has_its_columns(runtime: Runtime) -> None:
    async with runtime.database.read() as read:
        tables = {row["table_name"]: set(row["columns"]) for row in await read.fetch(TABLES)}
    assert len(tables) > 35
    without = {table for table, columns in tables.items() if not columns >= TENANT}
    assert without == OF_NO_TENANT | (OF_A_BUSINESS - {"api_keys"})


async def test_every_unique_key_of_a_tenant_holds_it(runtime: Runtime) -> None:
    async with runtime.database.read() as read:
        rows = await read.fetch(UNIQUE)
    assert len(rows) > 50
    without = [row for row in rows if not set(row["columns"]) >= TENANT]
    assert {row["name"] for row in without if row["table_name"] not in ELSEWHERE} == set(LOOK_UPS) - OF_KEYS
    assert {row["table_name"] for row in without} >= ELSEWHERE - {"request_shares"}


async def test_every_foreign_key_between_rows_of_a_tenant_holds_it(runtime: Runtime) -> None:
    async with runtime.database.read() as read:
        rows = await read.fetch(FOREIGN)
    assert len(rows) > 20
    without = [(row["table_name"], row["target"]) for row in rows if not set(row["columns"]) >= TENANT]
    assert {target for _, target in without} == {"businesses"}
    assert all("business_id" in row["columns"] for row in rows)


async def test_the_page_on_scaling_has_every_table_once(runtime: Runtime) -> None:
    """The statements of docs/scaling.md distribute each table of a tenant, and make reference tables of the others."""
    text = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
    distributed = re.findall(r"create_distributed_table\('(\w+)', 'business_id'", text)
    referenced = re.findall(r"create_reference_table\('(\w+)'\)", text)
    async with runtime.database.read() as read:
        tables = {row["table_name"]: set(row["columns"]) for row in await read.fetch(TABLES)}
    assert sorted(distributed) == sorted(
        set(tables) - OF_NO_TENANT - OF_A_BUSINESS - {"audit_log", "processor_accounts"}
    )
    assert sorted(referenced) == sorted(OF_A_BUSINESS | {"rate_snapshots", "processor_accounts"})
    assert all("business_id" in tables[table] for table in distributed)
    dropped = set(re.findall(r"DROP (?:CONSTRAINT|INDEX) (\w+)", text))
    assert dropped == {name for name in LOOK_UPS if not name.startswith(("api_keys", "processor_accounts"))}
