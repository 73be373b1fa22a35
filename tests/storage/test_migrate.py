"""Migrations: once, in order, and never on a schema that does not belong to this program."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
import pytest_asyncio

from harness import PUBLIC_URL, Databases, FakeClock
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.customers.customer import email_key
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.claim_due_work import claim_due_work
from nicobar.storage import migrate as module
from nicobar.storage.business.keys import list_keys
from nicobar.storage.business.settings import setting_texts
from nicobar.storage.database import Database
from nicobar.storage.due_work import NOTICES, RETURNS
from nicobar.storage.migrate import MigrationError, load_migrations, migrate


async def fresh(databases: Databases, name: str) -> Database:
    return Database(await databases.create(name), size=2)


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in load_migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


async def test_a_migrated_database_is_left_alone(databases: Databases) -> None:
    database = await fresh(databases, "migrated")
    assert await migrate(database) == []
    await database.close()


async def test_an_edited_migration_is_refused(databases: Databases) -> None:
    database = await fresh(databases, "edited")
    async with database.transaction() as tx:
        await tx.execute("UPDATE schema_migrations SET checksum = 'other' WHERE number = 1")
    with pytest.raises(MigrationError, match="0001_initial was changed after it ran"):
        await migrate(database)
    await database.close()


async def test_a_newer_schema_is_refused(databases: Databases) -> None:
    database = await fresh(databases, "newer")
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, 'later', 'x')")
    with pytest.raises(MigrationError, match="schema version 9999"):
        await migrate(database)
    await database.close()


@pytest_asyncio.fixture
async def of_schema_16(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A database as the program before `work_with_a_lease` has left it, with jobs in its queue."""
    maintenance = Database(databases.dsn("postgres"), size=1)
    async with maintenance.read() as read:
        await read.execute("CREATE DATABASE of_schema_16 TEMPLATE template0")
    database = Database(databases.dsn("of_schema_16"), size=1)
    with monkeypatch.context() as patch:
        known = load_migrations()
        (newer,) = (migration.number for migration in known if migration.name == "work_with_a_lease")
        patch.setattr(module, "load_migrations", lambda: [migration for migration in known if migration.number < newer])
        await migrate(database)
    async with database.read() as read:
        await read.execute("SET session_replication_role = replica")
        await read.execute((Path(__file__).parent / "dumps" / "0016_jobs.sql").read_text(encoding="utf-8"))
        await read.execute("RESET session_replication_role")
    yield database
    await database.close()
    async with maintenance.read() as read:
        await read.execute("DROP DATABASE of_schema_16")
    await maintenance.close()


async def test_jobs_of_the_queue_become_rows_that_are_due(of_schema_16: Database) -> None:
    database = of_schema_16
    before = datetime.now(UTC)
    assert (await migrate(database))[0].name == "work_with_a_lease"
    async with database.read() as read:
        notices = await read.fetch("SELECT notice_id, due_at, tries, handled_at FROM notices ORDER BY notice_id")
        attempts = await read.fetch("SELECT * FROM attempts WHERE is_surplus ORDER BY created_at")
        others = await read.fetch("SELECT return_due_at, return_tries FROM attempts WHERE NOT is_surplus")
        left = await read.fetchval(
            "SELECT count(*) FROM pg_class WHERE relname LIKE '%pgqueuer%' OR relname = 'waiting_jobs'"
        )
        types = await read.fetchval("SELECT count(*) FROM pg_type WHERE typname LIKE '%pgqueuer%'")
    found = {row["notice_id"]: (row["due_at"], row["tries"], row["handled_at"] is None) for row in notices}
    now = found["evt_held"][0]
    assert before <= now <= datetime.now(UTC)
    day = datetime(2026, 3, 14, tzinfo=UTC)
    assert found == {
        "evt_ended": (None, 0, False),
        "evt_waiting": (day.replace(hour=16), 3, True),
        "evt_picked": (day.replace(hour=15, minute=10, second=30), 1, True),
        "evt_held": (now, 4, True),
        "evt_again": (day.replace(hour=15, minute=30), 5, True),  # held, and queued once more since
        "evt_without": (now, 0, True),
    }
    assert [(row["return_due_at"], row["return_tries"], row["returned_at"] is None) for row in attempts] == [
        (None, 0, False),
        (day.replace(hour=17), 2, True),
        (now, 7, True),
    ]
    assert {tuple(row) for row in others} == {(None, 0)}
    assert (left, types) == (0, 0)
    assert await migrate(database) == []


async def test_what_was_carried_over_is_taken_once(of_schema_16: Database) -> None:
    """The new worker's first look, long after."""
    await migrate(of_schema_16)
    clock = FakeClock("migrated")
    clock.moment = datetime.now(UTC) + timedelta(days=1)
    runtime = Runtime(of_schema_16, clock, PUBLIC_URL)
    taken = [claim for _ in range(2) for claim in await claim_due_work(runtime, NOTICES, 10)]
    assert [(claim.key[1], claim.tries) for claim in taken] == [
        ("evt_picked", 2),
        ("evt_again", 6),
        ("evt_waiting", 4),
        ("evt_held", 5),
        ("evt_without", 1),
    ]
    assert [claim.tries for _ in range(2) for claim in await claim_due_work(runtime, RETURNS, 10)] == [3, 8]


async def test_customers_of_a_domain_in_ascii_get_the_key_of_its_one_spelling(databases: Databases) -> None:
    """Migration 18: as they were stored before it, once alone, once next to the same person in the other spelling."""
    database = await fresh(databases, "spellings")
    (migration,) = [found for found in load_migrations() if found.name == "domains_in_one_spelling"]
    keys = [
        "ana@xn--bcher-kva.example",
        "bo@xn--bcher-kva.example",
        "bo@bücher.example",
        "li@mail.xn--r8jz45g.xn--zckzah",
        "ro@xn--fa-hia.example",
        "vi@xn--n3h.example",
        "xi@xn--99999.example",
        "zo@example.com",
    ]
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO businesses (business_id, name, created_at) VALUES ('bus_1', 'Shop', now())")
        for key in keys:
            await tx.execute(
                "INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, metadata, created_at,"
                " updated_at) VALUES ('bus_1', 'test', $1, $1, $1, '', '{}', now(), now())",
                key,
            )
        await tx.execute(migration.sql)
        rows = await tx.fetch("SELECT email, email_key FROM customers ORDER BY email")
    await database.close()
    found = {row["email"]: row["email_key"] for row in rows}
    assert all(email_key(address) == key for address, key in found.items() if address != "bo@xn--bcher-kva.example")
    assert found == {
        "ana@xn--bcher-kva.example": "ana@bücher.example",
        "bo@xn--bcher-kva.example": "bo@xn--bcher-kva.example",
        "bo@bücher.example": "bo@bücher.example",
        "li@mail.xn--r8jz45g.xn--zckzah": "li@mail.例え.テスト",
        "ro@xn--fa-hia.example": "ro@faß.example",
        "vi@xn--n3h.example": "vi@☃.example",
        "xi@xn--99999.example": "xi@xn--99999.example",
        "zo@example.com": "zo@example.com",
    }


async def test_the_database_of_another_program_is_named_and_left_alone(databases: Databases) -> None:
    database = await fresh(databases, "of_another")
    async with database.transaction() as tx:
        await tx.execute("DROP SCHEMA public, simulator CASCADE; CREATE SCHEMA public")
        await tx.execute(
            "CREATE TABLE orders (); CREATE VIEW posts AS SELECT 1; CREATE TABLE schema_migrations (version text)"
        )
    with pytest.raises(MigrationError) as caught:
        await migrate(database)
    assert str(caught.value).startswith(
        "This database belongs to another program: it has the tables orders, posts, schema_migrations. Give Nicobar"
    )
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 2
        await tx.execute("DROP VIEW posts; DROP TABLE orders, schema_migrations")
        await tx.execute("".join(f"CREATE TABLE t{number} ();" for number in range(7)))
    with pytest.raises(MigrationError, match=r"tables t0, t1, t2, t3, t4 and 2 more\. Give"):
        await migrate(database)
    async with database.transaction() as tx:
        await tx.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert [migration.number for migration in await migrate(database)] == [known.number for known in load_migrations()]
    await database.close()


async def test_a_postgres_that_is_too_old_is_named(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await fresh(databases, "old")
    monkeypatch.setattr("nicobar.storage.migrate.OLDEST_POSTGRES", 99)
    with pytest.raises(MigrationError, match="Nicobar needs PostgreSQL 99 or newer, and this is PostgreSQL 18"):
        await migrate(database)
    await database.close()


async def test_the_upgrade_to_shop_names_keeps_keys_and_names(databases: Databases) -> None:
    database = await fresh(databases, "named")
    async with database.transaction() as tx:
        await tx.execute("ALTER TABLE api_keys DROP COLUMN name, DROP COLUMN last_used_at")
        await tx.execute("DELETE FROM schema_migrations WHERE name = 'key_names_and_shop_name'")
        for business_id, name in (("bus_named", "Dodo Records"), ("bus_plain", "My business")):
            await tx.execute("INSERT INTO businesses VALUES ($1, $2, now())", business_id, name)
            for mode in ("test", "live"):
                await tx.execute(
                    "INSERT INTO brands (business_id, mode, brand_id, name, statement_descriptor, created_at,"
                    " updated_at) VALUES ($1, $2, $1, $3, 'X', now(), now())",
                    business_id,
                    mode,
                    name,
                )
        await tx.execute(
            "INSERT INTO api_keys VALUES ('key_1', 'bus_named', 'test', sha256('x'), 'abcd', false, now(), NULL)"
        )
    assert [migration.name for migration in await migrate(database)] == ["key_names_and_shop_name"]
    async with database.read() as read:
        assert [(stored.name, stored.last_used_at) for stored in await list_keys(read, "bus_named")] == [("", None)]
        for mode in get_args(Mode):
            assert await setting_texts(read, Tenant("bus_named", mode)) == {"business_name": "Dodo Records"}
            assert await setting_texts(read, Tenant("bus_plain", mode)) == {}
    await database.close()


async def test_events_are_numbered_in_their_order_and_sent_nowhere(of_schema_16: Database) -> None:
    """Those of before there were endpoints: two of one millisecond go by their ids, and only a replay sends them."""
    database = of_schema_16
    moment = datetime(2026, 3, 14, 15, tzinfo=UTC)
    async with database.read() as read:
        await read.execute("DELETE FROM events")
        for event_id, at in (("evt_b", moment), ("evt_a", moment), ("evt_0", moment + timedelta(seconds=1))):
            query = "INSERT INTO events VALUES ('bus_1', 'test', $1, 'payment.failed', 'pay_1', '{\"data\":{}}', $2)"
            await read.execute(query, event_id, at)
    await migrate(database)
    async with database.read() as read:
        rows = await read.fetch("SELECT event_id, payload::text AS payload FROM events ORDER BY number")
        assert [(row["event_id"], row["payload"]) for row in rows] == [
            ("evt_a", '{"data":{}}'),
            ("evt_b", '{"data":{}}'),
            ("evt_0", '{"data":{}}'),
        ]
        assert await read.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
        next_number = await read.fetchval("SELECT nextval('event_numbers') > (SELECT max(number) FROM events)")
        assert next_number is True
