"""The upgrade to accounts of attempts: what was there belongs to the account that is set, and to no other one."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from at_stripe import KEYS, PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, signed_notice, with_accounts
from harness import Databases, FakeClock
from nicobar.core.accounts.processor_account import ProcessorAccount
from nicobar.core.business.tenant import Tenant
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.business.load_policy import OLDEST, load_policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Notice, Processor
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.storage.accounts.account_uses import account_uses, left_without_keys
from nicobar.storage.accounts.processor_accounts import known_accounts
from nicobar.storage.database import Database
from nicobar.storage.migrate import migrate
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.saved_methods import get_method
from nicobar.vault import NONCE_BYTES, Vault
from orders import with_processors
from storage.older import left_before

OLD_ROWS = """
INSERT INTO businesses (business_id, name, created_at) VALUES ('bus_1', 'A', now()), ('bus_2', 'B', now());
INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, metadata, created_at, updated_at) VALUES
    ('bus_1', 'test', 'cus_1', 'ana@a.example', 'ana@a.example', 'Ana', '{}', now(), now());
INSERT INTO saved_methods (business_id, mode, payment_method_id, customer_id, processor, token, fingerprint, card,
    created_at, last_used_at)
VALUES ('bus_1', 'test', 'pm_1', 'cus_1', 'stripe', 'cus_x/pm_x', 'fp_1',
    '{"last_four": "4242", "network": "visa", "funding": "credit", "issuing_country": "US", "holder_name": "Ana",
      "exp_month": "12", "exp_year": "2032"}', now(), now());
INSERT INTO notices (business_id, mode, processor, notice_id, subject, reference, received_at, due_at)
VALUES ('bus_1', 'test', 'stripe', 'evt_1', 'dispute', 'du_1', now(), now());
"""
ATTEMPTS = """
INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, amount, currency, created_at, updated_at)
VALUES ('bus_1', 'test', 'att_1', 'pay_1', 'stripe', 2400, 'USD', now(), now()),
    ('bus_1', 'live', 'att_2', 'pay_2', 'stripe', 2400, 'USD', now(), now()),
    ('bus_2', 'test', 'att_3', 'pay_3', 'stripe', 2400, 'USD', now(), now()),
    ('bus_2', 'test', 'att_4', 'pay_4', 'simulator', 2400, 'USD', now(), now());
"""
ACCOUNT = """
INSERT INTO processor_accounts (business_id, mode, processor, publishable_key, sealed, changed_at)
VALUES ('bus_1', 'test', 'stripe', $1, $2, now())
"""
TENANT = Tenant("bus_1", "test")


@pytest_asyncio.fixture
async def before(databases: Databases, clock: FakeClock) -> AsyncIterator[Database]:
    """A database as the program before the migration has left it.

    One tenant has an account; two others had one once, and removed it.
    """
    secrets = f'{{"secret_key":"{SECRET_KEY}","signing_secret":"{SIGNING_SECRET}"}}'
    place = "\0".join(("processor_accounts", "bus_1", "test", "stripe", PUBLISHABLE_KEY, ""))
    sealed = Vault(KEYS, None).seal(secrets.encode(), place, clock.random_bytes(NONCE_BYTES))
    async with left_before(databases, "accounts_of_attempts", size=4) as database:
        async with database.read() as read:
            await read.execute(OLD_ROWS)
            await read.execute(ACCOUNT, PUBLISHABLE_KEY, sealed)
            await read.execute("SET session_replication_role = replica")
            await read.execute(ATTEMPTS)
            await read.execute("RESET session_replication_role")
        yield database


@pytest_asyncio.fixture
async def upgraded(before: Database, runtime: Runtime) -> AsyncIterator[Runtime]:
    await migrate(before)
    async with with_accounts(with_processors(runtime._replace(database=before))) as own:
        yield own


async def asked_about(runtime: Runtime, tenant: Tenant, attempt_id: str) -> Processor | None:
    """Return who can be queried for an attempt."""
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, tenant, attempt_id)
    assert attempt is not None
    assert attempt.account == ""
    return find_processor_of(runtime, await load_policy(runtime, tenant), attempt.processor, attempt.account)


def is_the_old_one(processor: Processor | None) -> bool:
    """Return whether a processor has the keys of before: it takes a notice that is signed for them."""
    assert processor is not None
    headers, body = signed_notice("charge.dispute.created", {"id": "du_1"})
    found = processor.read_notice(headers, body)
    return isinstance(found, Notice) and (found.subject, found.reference) == ("dispute", "du_1")


async def test_what_was_there_belongs_to_the_account_that_is_set(upgraded: Runtime, clock: FakeClock) -> None:
    assert is_the_old_one(await asked_about(upgraded, TENANT, "att_1"))
    (account,) = await known(upgraded)
    assert (account.account, account.account_id, account.retired_at) == ("", None, None)
    async with upgraded.database.read() as read:
        method = await get_method(read, TENANT, "cus_1", "pm_1")
        assert method is not None and (method.account, method.token) == ("", "cus_x/pm_x")
        assert await read.fetchval("SELECT account FROM notices") == ""
        uses = await account_uses(read, account)
    assert (uses.open_attempts, uses.saved_methods, uses.paid, uses.under_way) == (1, 1, 0, 1)

    other = StripeAccount(SECRET_KEY, f"{PUBLISHABLE_KEY}other", f"{SIGNING_SECRET}other")
    await set_processor_account(upgraded, TENANT, other, check=False)
    clock.advance(seconds=OLDEST.total_seconds())
    assert is_the_old_one(await asked_about(upgraded, TENANT, "att_1"))
    new, old = await known(upgraded)
    assert (new.account, old.account, old.retired_at) == (other.publishable_key, "", clock.now() - OLDEST)

    again = StripeAccount(f"{SECRET_KEY}rolled", PUBLISHABLE_KEY, SIGNING_SECRET)
    await set_processor_account(upgraded, TENANT, again, check=False)
    assert [each.account for each in await known(upgraded)] == ["", other.publishable_key]


async def known(runtime: Runtime) -> list[ProcessorAccount]:
    async with runtime.database.read() as read:
        return await known_accounts(read, TENANT)


async def test_where_no_account_is_set_nobody_is_asked_and_that_is_found(upgraded: Runtime, clock: FakeClock) -> None:
    orphans = {"att_2": Tenant("bus_1", "live"), "att_3": Tenant("bus_2", "test")}
    for _ in range(2):
        for attempt_id, tenant in orphans.items():
            assert await asked_about(upgraded, tenant, attempt_id) is None
        async with upgraded.database.read() as read:
            assert [each.object_id for each in await left_without_keys(read, ["stripe"])] == list(orphans)
        # A new account is not taken for the one that is not known.
        for tenant in orphans.values():
            secret, publishable = (key.replace("_test_", f"_{tenant.mode}_") for key in (SECRET_KEY, PUBLISHABLE_KEY))
            keys = StripeAccount(secret, publishable, SIGNING_SECRET)
            await set_processor_account(upgraded, tenant, keys, check=False)
        clock.advance(seconds=OLDEST.total_seconds())
    simulated = await asked_about(upgraded, Tenant("bus_2", "test"), "att_4")
    assert simulated is not None and simulated.name == "simulator"


async def test_one_account_charges_and_none_charges_without_keys(upgraded: Runtime) -> None:
    more = """
        INSERT INTO processor_accounts (business_id, mode, processor, account, publishable_key, sealed, changed_at)
        VALUES ('bus_1', 'test', 'stripe', 'acct_2', 'pk', $1, now())"""
    async with upgraded.database.read() as read:
        with pytest.raises(asyncpg.UniqueViolationError, match="processor_accounts_current"):
            await read.execute(more, bytes(40))
        with pytest.raises(asyncpg.CheckViolationError, match="processor_accounts_keys"):
            await read.execute("UPDATE processor_accounts SET sealed = NULL")
