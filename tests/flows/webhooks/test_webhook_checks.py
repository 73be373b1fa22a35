"""What doctor and the audit say about webhooks, and a change of the encryption key."""

import base64
from datetime import timedelta

import pytest
import pytest_asyncio

from due_work import run_due
from harness import START, VAULT_KEYS, FakeClock, Merchant
from nicobar.core.webhooks.endpoint import sealed_place
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.open_listener import open_listener
from nicobar.flows.webhooks.reseal_endpoints import reseal_endpoints
from nicobar.flows.webhooks.rotate_secret import rotate_secret
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.program.books_audit import audit_books
from nicobar.program.configuration import Configuration
from nicobar.program.doctor import Examined, check_secrets, check_webhooks
from nicobar.program.finding import Finding
from nicobar.storage.inspection import database_facts
from nicobar.storage.webhooks.endpoints import all_endpoints
from nicobar.vault import Keys, Vault, VaultError
from orders import card, order, place, with_processors
from receiver import answer, endpoint_at, receiving, secret_of

SUBJECT = "Events on their way to webhooks"


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    return with_processors(runtime)


async def paid(runtime: Runtime, merchant: Merchant) -> None:
    payment = await place(runtime, order(runtime, merchant.tenant))
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card())


async def examined(runtime: Runtime, configuration: Configuration | None = None) -> Finding:
    async with runtime.database.read() as read:
        facts = await database_facts(read)
        return await check_webhooks(Examined(configuration or Configuration(), "here", read, facts, timedelta(0)))


async def audited(runtime: Runtime) -> Finding:
    async with runtime.database.read() as read:
        findings = await audit_books(read, runtime.clock.now(), START)
    (found,) = [finding for finding in findings if finding.sentence.startswith(SUBJECT)]
    return found


async def test_doctor_counts_endpoints_and_names_those_that_were_given_up(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    assert (await examined(runtime)).text() == "✓ 0 webhook endpoints of 0 enabled."
    async with receiving(answer(500)) as receiver:
        endpoint = await endpoint_at(runtime, merchant.tenant, receiver.url)
        await endpoint_at(runtime, merchant.tenant, receiver.url, disabled=True)
        assert (await examined(runtime)).text() == "✓ 1 webhook endpoint of 2 enabled."
        allowed = await examined(runtime, Configuration(allow_private_webhooks=True))
        assert allowed.sentence.endswith("They may lead into the own network (NICOBAR_ALLOW_PRIVATE_WEBHOOKS).")
        for _ in range(2):
            await paid(runtime, merchant)
            await run_due(runtime)
            clock.advance(days=5)
    given_up = await examined(runtime)
    assert given_up.good is False
    assert given_up.sentence == (
        "Webhook endpoints were disabled, because nothing had arrived there for five days:\n"
        f"    {endpoint.endpoint_id} (test): {receiver.url}, on 2026-03-19"
    )


async def test_the_audit_names_what_nobody_sends(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    endpoint = await endpoint_at(runtime, merchant.tenant, "http://127.0.0.1:1/")
    await paid(runtime, merchant)
    clock.advance(minutes=10)
    found = await audited(runtime)
    assert (found.good, found.sentence) == (True, f"{SUBJECT} (1): none is due for longer than 10 minutes.")
    clock.advance(microseconds=1)
    found = await audited(runtime)
    assert found.good is False
    assert f"due at {endpoint.endpoint_id} since 2026-03-14 15:09:26 UTC" in found.sentence
    async with runtime.database.read() as read:
        await read.execute("DELETE FROM webhook_endpoints")
    found = await audited(runtime)
    assert found.good is False
    assert f"waits for {endpoint.endpoint_id}, which does not exist" in found.sentence


async def test_a_new_encryption_key_replaces_the_old_one(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    endpoint = await endpoint_at(runtime, merchant.tenant, "http://127.0.0.1:1/", headers={"x-shop": "7"})
    old = secret_of(runtime, endpoint)
    new = await rotate_secret(runtime, merchant.tenant, endpoint.endpoint_id)
    fresh = base64.b64encode(bytes(range(50, 82))).decode()
    both = Keys.parse(f"{fresh},{base64.b64encode(bytes(range(32))).decode()}")
    assert (
        await reseal_endpoints(runtime._replace(webhooks=Webhooks(Vault(both, None), clock, allow_private=True))) == 1
    )
    async with runtime.database.read() as read:
        (stored,) = await all_endpoints(read)
    renewed = Webhooks(Vault(Keys.parse(fresh), None), clock, allow_private=True)
    assert stored.previous_secret is not None
    assert renewed.open(stored.place, stored.secret) == new
    assert renewed.open(stored.place, stored.previous_secret) == old
    assert renewed.open_headers(stored.place, stored.headers) == {"x-shop": "7"}
    with pytest.raises(VaultError):
        Webhooks(Vault(VAULT_KEYS, None), clock, allow_private=True).open(stored.place, stored.secret)
    with pytest.raises(VaultError):  # moved to another place
        renewed.open(sealed_place(merchant.live_tenant, endpoint.endpoint_id, endpoint.url), stored.secret)
    with pytest.raises(VaultError):  # sent to another address
        renewed.open(sealed_place(merchant.tenant, endpoint.endpoint_id, "https://evil.example/"), stored.secret)


async def test_doctor_tries_the_secrets_that_sign_webhooks(runtime: Runtime, merchant: Merchant) -> None:
    """Those of endpoints and that of `nicobar listen`, which no endpoint has."""

    async def tried() -> Finding:
        async with runtime.database.read() as read:
            facts = await database_facts(read)
            configuration = Configuration(encryption_keys=VAULT_KEYS)
            return await check_secrets(Examined(configuration, "here", read, facts, timedelta(0)))

    accounts = "✓ The keys of 0 accounts at payment processors can be decrypted."
    assert (await tried()).text() == accounts
    await open_listener(runtime, merchant.tenant, "http://127.0.0.1:1/")
    assert (await tried()).text() == f"{accounts} So can the secrets that sign webhooks (1)."
    endpoint = await endpoint_at(runtime, merchant.tenant, "http://127.0.0.1:1/")
    assert (await tried()).text() == f"{accounts} So can the secrets that sign webhooks (2)."
    for change in (
        "UPDATE webhook_listeners SET secret = set_byte(secret, 30, get_byte(secret, 30) # 1)",
        f"UPDATE webhook_endpoints SET url = 'https://evil.example/' WHERE endpoint_id = '{endpoint.endpoint_id}'",
    ):
        async with runtime.database.read() as read:
            before = [tuple(row) for row in await read.fetch("SELECT business_id, secret FROM webhook_listeners")]
            await read.execute(change)
        found = await tried()
        assert (found.good, found.sentence) == (
            False,
            "A secret of this database was changed, or moved from its place. It signs webhooks.",
        )
        async with runtime.database.read() as read:
            await read.executemany("UPDATE webhook_listeners SET secret = $2 WHERE business_id = $1", before)
