"""Accounts at processors: stored encrypted, in force within seconds, and never half readable."""

import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from at_stripe import KEYS, PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, LocalStripe, connect, with_accounts
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.accounts.remove_processor_account import remove_processor_account
from nicobar.flows.accounts.reseal_processor_accounts import reseal_processor_accounts
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.business.load_policy import OLDEST, load_policy
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.accounts import Accounts
from nicobar.processors.base import MethodInput
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.program.installation import InstallationError, check_secrets
from nicobar.vault import Keys, Vault
from orders import attempts_of, card, dump, order, place, reload

OTHER = Keys.parse(base64.b64encode(bytes(32)).decode())


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> AsyncIterator[Runtime]:
    async with with_accounts(runtime) as runtime:
        yield runtime


def with_keys(runtime: Runtime, keys: Keys) -> Runtime:
    """Return the runtime of another process, which has other keys."""
    return runtime._replace(accounts=Accounts(Vault(keys, None), runtime.clock))


async def names(runtime: Runtime, tenant: Tenant) -> list[str]:
    return list(find_processors(runtime, await load_policy(runtime, tenant)))


def account(secret_key: str = SECRET_KEY, base: str = "https://api.stripe.com") -> StripeAccount:
    return StripeAccount(secret_key, PUBLISHABLE_KEY, SIGNING_SECRET, base)


async def test_an_account_charges_within_seconds_and_the_simulator_stays_reachable(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, localstripe: LocalStripe, clock: FakeClock
) -> None:
    assert await names(runtime, merchant.tenant) == ["simulator"]
    await connect(runtime, merchant.tenant, localstripe)
    clock.advance(seconds=OLDEST.total_seconds())
    assert await names(runtime, merchant.tenant) == ["stripe", "simulator"]
    for tenant in (merchant.live_tenant, other_merchant.tenant):
        assert await names(runtime, tenant) == ["simulator"]


async def test_a_processor_is_made_once_for_each_change(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, clock: FakeClock
) -> None:
    async def current() -> object:
        clock.advance(seconds=OLDEST.total_seconds())
        return find_processors(runtime, await load_policy(runtime, merchant.tenant))["stripe"]

    await connect(runtime, merchant.tenant, localstripe)
    first = await current()
    assert await current() is first
    await connect(runtime, merchant.tenant, localstripe)
    second = await current()
    assert second is not first
    assert await current() is second


async def test_an_account_is_removed(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, clock: FakeClock
) -> None:
    await connect(runtime, merchant.tenant, localstripe)
    await remove_processor_account(runtime, merchant.tenant, "stripe")
    clock.advance(seconds=OLDEST.total_seconds())
    assert await names(runtime, merchant.tenant) == ["simulator"]
    assert SECRET_KEY not in await dump(runtime)
    with pytest.raises(Problem) as refused:
        await remove_processor_account(runtime, merchant.tenant, "stripe")
    assert refused.value.code == "NOT_FOUND"


async def test_an_account_with_payments_under_way_stays(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe
) -> None:
    await connect(runtime, merchant.tenant, localstripe)
    payment = await place(runtime, order(runtime, merchant.tenant))
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, MethodInput("credit"))
    with pytest.raises(Problem) as refused:
        await remove_processor_account(runtime, merchant.tenant, "stripe")
    assert refused.value.code == "UNSUPPORTED_ACTION"
    assert refused.value.message.startswith("Under way there: 1 test payment and 0 refunds. ")
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM processor_accounts") == 1


@pytest.mark.parametrize(
    ("changed", "mode", "words"),
    [
        (account("sk_live_abcdefghijkl"), "test", "The secret key is for live mode"),
        (account(), "live", "The secret key is for test mode"),
        (account("pk_test_abcdefghijkl"), "test", "The secret key is not one of Stripe's"),
        (account("sk_test_short"), "test", "The secret key is not one of Stripe's"),
        (account("sk_test_abcdefghijkl\n"), "test", "The secret key is not one of Stripe's"),
        (StripeAccount(SECRET_KEY, SECRET_KEY, SIGNING_SECRET), "test", "The publishable key is not one of Stripe's"),
        (StripeAccount(SECRET_KEY, "pk_live_abcdefghijkl", SIGNING_SECRET), "test", "The publishable key is for live"),
        (StripeAccount(SECRET_KEY, PUBLISHABLE_KEY, "secret"), "test", "The signing secret of the notices is not"),
        (account(base="http://api.stripe.com"), "test", "The address of the API has to start with https://"),
        (account(base="https://user:pass@api.stripe.com"), "test", "The address of the API has to start with https://"),
        (account(base="http://127.0.0.1@evil.example"), "test", "The address of the API has to start with https://"),
        (account(base="file:///etc/passwd"), "test", "The address of the API has to start with https://"),
    ],
)
async def test_keys_that_are_none_are_refused_without_being_repeated(
    changed: StripeAccount, mode: str, words: str, runtime: Runtime, merchant: Merchant
) -> None:
    tenant = merchant.live_tenant if mode == "live" else merchant.tenant
    with pytest.raises(Problem) as refused:
        await set_processor_account(runtime, tenant, changed, check=False)
    assert refused.value.code == "INVALID_REQUEST_PARAMETERS"
    assert refused.value.message.startswith(words)
    for secret in (changed.secret_key, changed.publishable_key, "pass"):
        assert secret.strip() not in refused.value.message
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM processor_accounts") == 0


async def test_keys_that_stripe_does_not_take_are_not_stored(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe
) -> None:
    await set_processor_account(runtime, merchant.tenant, account(base=localstripe.base), check=True)
    for key, base, words in (
        ("rk_test_localstripetakesnone", localstripe.base, "Stripe does not take the secret key"),
        (SECRET_KEY, "http://127.0.0.1:9", "Stripe cannot be reached from here"),
    ):
        with pytest.raises(Problem, match=words):
            await set_processor_account(runtime, merchant.tenant, account(key, base), check=True)
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT api_base FROM processor_accounts") == localstripe.base


async def test_another_key_opens_nothing_and_nobody_else_charges_instead(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe
) -> None:
    await connect(runtime, merchant.tenant, localstripe)
    other = with_keys(runtime, OTHER)
    assert await names(other, merchant.tenant) == []
    payment = await place(runtime, order(runtime, merchant.tenant))
    with pytest.raises(Problem) as refused:
        await confirm_payment(other, merchant.tenant, payment.payment_id, card())
    assert refused.value.code == "UNSUPPORTED_ACTION"
    assert (await reload(runtime, payment)).status == "requires_payment_method"
    assert await attempts_of(runtime, payment) == []
    with pytest.raises(InstallationError, match="encrypted with another key than the one that is in use here"):
        await check_secrets(other)
    await check_secrets(runtime)


async def test_secrets_do_not_open_in_another_place(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, localstripe: LocalStripe
) -> None:
    await connect(runtime, merchant.tenant, localstripe)
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE processor_accounts SET business_id = $1", other_merchant.business_id)
    assert await names(runtime, other_merchant.tenant) == []
    with pytest.raises(InstallationError, match="changed, or moved from its place"):
        await check_secrets(runtime)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("publishable_key", "pk_test_somebodyelses"),
        ("api_base", "https://collector.example"),
        ("api_base", None),
        ("mode", "live"),
        ("processor", "stripe2"),
        ("sealed", b"\x01" + bytes(100)),
    ],
)
async def test_one_changed_value_makes_an_account_unusable(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, column: str, value: object
) -> None:
    """Every column that decides where its secrets and the money go."""
    await connect(runtime, merchant.tenant, localstripe)
    async with runtime.database.transaction() as tx:
        await tx.execute(
            f"UPDATE processor_accounts SET number = nextval('processor_account_numbers'), {column} = $1", value
        )
    mode: Mode = "live" if column == "mode" else "test"
    assert await names(runtime, Tenant(merchant.business_id, mode)) == []
    with pytest.raises(InstallationError, match=r"changed, or moved from its place|encrypted with another key"):
        await check_secrets(runtime)


async def test_the_key_is_changed(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, clock: FakeClock
) -> None:
    await connect(runtime, merchant.tenant, localstripe)
    both = with_keys(runtime, Keys((OTHER.newest, KEYS.newest)))
    await check_secrets(both)
    assert await reseal_processor_accounts(both) == 1
    clock.advance(seconds=OLDEST.total_seconds())
    await check_secrets(with_keys(runtime, OTHER))
    assert await names(with_keys(runtime, OTHER), merchant.tenant) == ["stripe", "simulator"]
    with pytest.raises(InstallationError):
        await check_secrets(with_keys(runtime, KEYS))


def test_no_text_form_shows_a_key(runtime: Runtime) -> None:
    for thing in (account(), KEYS, runtime.accounts, Vault(KEYS, None), runtime):
        for text in (repr(thing), str(thing)):
            assert SECRET_KEY not in text and SIGNING_SECRET not in text and repr(KEYS.newest) not in text


async def test_two_payments_of_two_sellers_go_to_their_own_accounts(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, localstripe: LocalStripe
) -> None:
    await connect(runtime, merchant.tenant, localstripe)
    stored: list[Payment] = []
    for tenant, how in ((merchant.tenant, MethodInput("credit")), (other_merchant.tenant, card())):
        payment = await place(runtime, order(runtime, tenant))
        await confirm_payment(runtime, tenant, payment.payment_id, how)
        stored.append(payment)
    found = [(await attempts_of(runtime, payment))[0]["processor"] for payment in stored]
    assert found == ["stripe", "simulator"]
