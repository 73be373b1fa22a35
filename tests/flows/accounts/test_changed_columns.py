"""Columns that decide where secrets or money go: one value changed in the database is refused on use, or found.

The tables are the list. Besides them, where a refund goes is the reference of its charge
(`test_nothing_is_given_back_of_a_charge_that_is_not_the_attempts`), and kept answers, with client secrets in them,
are tied to their request (`test_answers_are_sealed_and_a_changed_one_is_not_given`).
"""

from typing import Final

import pytest

from at_stripe import PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, with_accounts
from disputing import Disputing, open_dispute
from due_work import run_due
from harness import FakeClock, Merchant
from nicobar.core.refunds.refund import NewRefund
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.customers.prove_customer import prove_customer
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.rotate_secret import rotate_secret
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.program.books_audit import audit_books
from nicobar.program.installation import InstallationError, check_secrets
from nicobar.vault import VaultError
from orders import order, paid, place, reload
from receiver import Receiver, endpoint_at, receiving

_FLIPPED = "set_byte({0}, 30, get_byte({0}, 30) # 1)"

ACCOUNTS: Final = {
    "api_base": "'https://evil.example'",
    "publishable_key": "'pk_test_somebodyelse0001'",
    "mode": "'live'",
    "business_id": "(SELECT min(business_id) FROM businesses b WHERE b.business_id <> processor_accounts.business_id)",
    "processor": "'other'",
    "account": "'acct_other'",
    "sealed": _FLIPPED.format("sealed"),
}
"""Columns of `processor_accounts`: whose secret keys they are, and where they are sent."""

ENDPOINTS: Final = {
    "url": "'http://127.0.0.1:{evil}/'",
    "secret": "(SELECT secret FROM webhook_endpoints o WHERE o.endpoint_id <> webhook_endpoints.endpoint_id)",
    "previous_secret": "(SELECT secret FROM webhook_endpoints o WHERE o.endpoint_id <> webhook_endpoints.endpoint_id)",
    "headers": "(SELECT headers FROM webhook_endpoints o WHERE o.endpoint_id <> webhook_endpoints.endpoint_id)",
}
"""Columns of `webhook_endpoints`: where events, their signatures and the merchant's headers are sent."""

PROOF_KEYS: Final = {"mode": "'live'", "sealed": _FLIPPED.format("sealed")}
"""Columns of `proof_keys`: what proves a customer to a page with saved cards."""

STATUSES: Final = {
    "payments": ("cancelled", "processing", "requires_customer_action", "requires_payment_method"),
    "refunds": ("pending", "failed"),
    "disputes": ("dispute_won", "dispute_lost", "dispute_cancelled", "dispute_accepted"),
}
"""Statuses that a hand sets, of a payment, refund and dispute that have another."""


async def change(runtime: Runtime, table: str, column: str, value: str, where: str) -> None:
    """Change a value by hand; foreign keys and triggers do not object."""
    async with runtime.database.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        done = await tx.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}")
    assert done == "UPDATE 1"


@pytest.mark.parametrize("column", ACCOUNTS)
async def test_keys_of_an_account_are_not_sent_where_a_hand_has_pointed(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, column: str
) -> None:
    assert other_merchant.business_id != merchant.business_id
    async with with_accounts(runtime) as connected:
        account = StripeAccount(SECRET_KEY, PUBLISHABLE_KEY, SIGNING_SECRET)
        await set_processor_account(connected, merchant.tenant, account, check=False)
        await check_secrets(connected)
    await change(runtime, "processor_accounts", column, ACCOUNTS[column], "true")
    async with with_accounts(runtime) as started_again:
        with pytest.raises(InstallationError, match="was changed, or moved from its place"):
            await check_secrets(started_again)


@pytest.mark.parametrize("column", ENDPOINTS)
async def test_nothing_is_sent_where_a_hand_has_pointed(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, column: str
) -> None:
    evil: Receiver
    async with receiving() as meant, receiving() as evil:
        tenant = merchant.tenant
        endpoint = await endpoint_at(runtime, tenant, meant.url, headers={"authorization": "Bearer of the shop"})
        await endpoint_at(runtime, tenant, evil.url, ["refund.succeeded"], headers={"x-other": "1"})
        await rotate_secret(runtime, tenant, endpoint.endpoint_id)
        await paid(runtime, tenant)
        value = ENDPOINTS[column].format(evil=evil.port)
        await change(runtime, "webhook_endpoints", column, value, f"endpoint_id = '{endpoint.endpoint_id}'")
        with pytest.raises(VaultError, match="was changed, or moved from its place"):
            await run_due(runtime)
        assert (meant.got, evil.got) == ([], [])


@pytest.mark.parametrize("column", PROOF_KEYS)
async def test_no_proof_is_signed_with_a_key_from_elsewhere(runtime: Runtime, merchant: Merchant, column: str) -> None:
    made = await merchant.client.post("/customers", json={"email": "ana@example.com", "name": "Ana"})
    customer_id = made.json()["customer_id"]
    await prove_customer(runtime, merchant.tenant, customer_id)
    tenant = merchant.live_tenant if column == "mode" else merchant.tenant
    await change(runtime, "proof_keys", column, PROOF_KEYS[column], "true")
    live = await merchant.live_client.post("/customers", json={"email": "ana@example.com", "name": "Ana"})
    with pytest.raises(VaultError, match="was changed, or moved from its place"):
        await prove_customer(
            runtime, tenant, live.json()["customer_id"] if tenant == merchant.live_tenant else customer_id
        )


@pytest.mark.parametrize(("table", "status"), [(table, status) for table in STATUSES for status in STATUSES[table]])
async def test_a_status_that_was_set_by_hand_is_found(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, table: str, status: str
) -> None:
    tenant = merchant.tenant
    processor = Disputing(runtime)
    bought = await paid(runtime, tenant)
    if table == "refunds":
        await refund_payment(runtime, tenant, NewRefund(bought.payment_id))
    if table == "disputes":
        await open_dispute(runtime, processor, bought)
    assert (await reload(runtime, bought)).status == "succeeded"
    assert await findings(runtime, clock) == []
    more = ", resolved_at = NULL" if status == "pending" else ""
    more += ", money_out = false" if status in ("dispute_won", "dispute_cancelled") else ""
    await change(runtime, table, "status", f"'{status}'{more}", f"payment_id = '{bought.payment_id}'")
    assert await findings(runtime, clock) != []


async def test_a_success_that_was_set_by_hand_is_found(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    unpaid = await place(runtime, order(runtime, merchant.tenant))
    assert await findings(runtime, clock) == []
    await change(runtime, "payments", "status", "'succeeded'", f"payment_id = '{unpaid.payment_id}'")
    assert len(await findings(runtime, clock)) > 1


async def findings(runtime: Runtime, clock: FakeClock) -> list[str]:
    async with runtime.database.read() as read:
        return [found.sentence for found in await audit_books(read, clock.now()) if not found.good]
