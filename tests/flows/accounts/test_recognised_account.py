"""The same account at Stripe with other keys, removed and set again, or without its keys: nothing is lost."""

import asyncio
import base64
from datetime import timedelta
from typing import Any

import pytest

from at_stripe import LocalStripe, connect, keys_of, runtime_at_stripe
from flows.accounts.stripe_sales import (
    accounts_of,
    again,
    charge,
    lose_answers,
    named,
    reference_of,
    sell,
    wait,
    wrong,
)
from flows.payments.paying import as_read
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Declined, NeedsAction, Succeeded, Unknown
from nicobar.core.payments.saved_method import SavedChoice
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import NewRefund
from nicobar.flows.accounts.remove_processor_account import remove_processor_account
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.payments.abandon_attempt import abandon_attempt
from nicobar.flows.payments.ask_about_attempt import SILENCE, ask_about_attempt
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.refund_duplicate_charge import refund_duplicate_charge
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.refunds.resolve_refund import resolve_refund
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.accounts import Accounts
from nicobar.processors.base import MethodInput
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.storage.accounts.account_uses import account_uses
from nicobar.storage.accounts.processor_accounts import close_account, hold_account, known_accounts
from nicobar.storage.database import Database
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.first_attempts import FirstAttempt, begin_first_attempts
from nicobar.storage.payments.payment_moves import begin_attempt
from nicobar.vault import Keys, Vault
from orders import attempts_of, dump, order, place, reload

__all__ = ["runtime_at_stripe"]


@pytest.mark.parametrize("check", [True, False])
async def test_the_same_account_with_other_keys_goes_on(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, clock: FakeClock, check: bool
) -> None:
    """Stripe says whose keys they are; where it is not asked, the publishable key says so."""
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold, waiting = await sell(runtime, tenant, localstripe), await charge(runtime, tenant)
    keys = keys_of(localstripe)
    rolled = StripeAccount(
        f"{keys.secret_key}rolled",
        keys.publishable_key if not check else f"{keys.publishable_key}rolled",
        keys.signing_secret,
        localstripe.base,
    )
    assert await set_processor_account(runtime, tenant, rolled, check=check) is None
    wait(clock)
    assert await accounts_of(runtime, tenant) == [(named(localstripe), True, True)]
    assert (await again(runtime, sold)).status == "succeeded"
    localstripe.pay(await reference_of(runtime, waiting))
    await resolve_attempt(runtime, tenant, waiting.payment_id, came_back=True)
    assert (await reload(runtime, waiting)).status == "succeeded"
    made = await refund_payment(runtime, tenant, NewRefund(sold.payment_id))
    assert made.refund.status == "succeeded"
    assert await wrong(runtime) == []


async def test_an_account_that_was_set_before_ids_were_stored_is_recognised_while_its_keys_work(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe)
    charging = keys_of(localstripe).publishable_key
    assert await accounts_of(runtime, tenant) == [(charging, True, True)]
    waiting = await charge(runtime, tenant)
    assert await connect(runtime, tenant, localstripe, 2, check=True) is None
    wait(clock)
    assert await accounts_of(runtime, tenant) == [(charging, True, True)]
    replaced = await connect(runtime, tenant, other_localstripe, 3, check=True)
    assert replaced is not None and replaced.account_id == named(localstripe)
    wait(clock)
    localstripe.pay(await reference_of(runtime, waiting))
    await resolve_attempt(runtime, tenant, waiting.payment_id, came_back=True)
    assert (await reload(runtime, waiting)).status == "succeeded"


async def test_a_retired_account_that_was_set_unchecked_is_recognised_while_its_keys_work(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    tenant = merchant.tenant
    names = [keys_of(localstripe).publishable_key, keys_of(other_localstripe, number=2).publishable_key]
    await connect(runtime, tenant, localstripe)
    sold = await sell(runtime, tenant, localstripe)
    await connect(runtime, tenant, other_localstripe, 2)
    assert await accounts_of(runtime, tenant) == [(names[1], True, True), (names[0], False, True)]
    replaced = await connect(runtime, tenant, localstripe, 3, check=True)
    assert replaced is not None and replaced.account_id == named(other_localstripe)
    assert await accounts_of(runtime, tenant) == [(names[0], True, True), (names[1], False, True)]
    wait(clock)
    assert (await again(runtime, sold)).status == "succeeded"


async def test_an_account_that_was_set_unchecked_is_recognised_after_it_was_removed(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, clock: FakeClock
) -> None:
    """Its keys are the last that can tell whose they are; the publishable one may be another when it is set again."""
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe)
    sold, name = await sell(runtime, tenant, localstripe), keys_of(localstripe).publishable_key
    await remove_processor_account(runtime, tenant, "stripe")
    assert await accounts_of(runtime, tenant) == [(name, False, False)]
    await connect(runtime, tenant, localstripe, 2, check=True)
    wait(clock)
    assert await accounts_of(runtime, tenant) == [(name, True, True)]
    assert (await again(runtime, sold)).status == "succeeded"
    assert (await refund_payment(runtime, tenant, NewRefund(sold.payment_id))).refund.status == "succeeded"


async def test_an_account_is_removed_when_nothing_is_under_way_and_goes_on_when_it_is_set_again(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold, waiting = await sell(runtime, tenant, localstripe), await charge(runtime, tenant)
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    async with runtime.database.read() as read:
        (_, retired) = await known_accounts(read, tenant)
        uses = await account_uses(read, retired)
    assert (uses.open_attempts, uses.pending_refunds, uses.returns, uses.paid, uses.saved_methods) == (1, 0, 0, 1, 1)
    before = await dump(runtime)
    with pytest.raises(Problem) as refused:
        await remove_processor_account(runtime, tenant, "stripe", named(localstripe))
    assert refused.value.code == "UNSUPPORTED_ACTION"
    assert refused.value.message.startswith("Under way there: 1 test payment and 0 refunds. ")
    assert await dump(runtime) == before
    with pytest.raises(Problem, match="There is no account acct_none at stripe for test payments"):
        await remove_processor_account(runtime, tenant, "stripe", "acct_none")

    wait(clock)
    await abandon_attempt(runtime, tenant, waiting.payment_id)
    await remove_processor_account(runtime, tenant, "stripe", named(localstripe))
    wait(clock)
    assert await accounts_of(runtime, tenant) == [
        (named(other_localstripe), True, True),
        (named(localstripe), False, False),
    ]
    with pytest.raises(Problem) as refused:
        await refund_payment(runtime, tenant, NewRefund(sold.payment_id))
    assert (refused.value.code, named(localstripe) in refused.value.message) == ("UNSUPPORTED_ACTION", True)
    assert (await reload(runtime, sold)).refund_reserved_amount == 0

    await connect(runtime, tenant, localstripe, 4, check=True)
    wait(clock)
    assert (await refund_payment(runtime, tenant, NewRefund(sold.payment_id))).refund.status == "succeeded"


async def test_nothing_begins_at_an_account_that_a_server_does_not_know_to_be_removed(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    """Its policy is some seconds old, and of what it began there no account could tell the end."""
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold = await sell(runtime, tenant, localstripe)
    unpaid = await place(runtime, order(runtime, tenant, customer=sold.customer))
    ordered = len(localstripe.intents())
    await remove_processor_account(runtime, tenant, "stripe")
    before = await dump(runtime)
    seen, saved = await as_read(runtime, unpaid), SavedChoice(str(sold.payment_method_id))
    for instrument, known in ((MethodInput("credit"), None), (MethodInput("credit"), seen), (saved, seen)):
        with pytest.raises(Problem, match="The account at stripe for test payments is not configured any more") as told:
            await confirm_payment(runtime, tenant, unpaid.payment_id, instrument, known=known)
        assert told.value.code == "UNSUPPORTED_ACTION"
    with pytest.raises(Problem, match="The account at stripe for test payments is not configured any more"):
        await refund_payment(runtime, tenant, NewRefund(sold.payment_id))
    assert (await dump(runtime), len(localstripe.intents())) == (before, ordered)

    await connect(runtime, tenant, localstripe, check=True)
    wait(clock)
    assert (await again(runtime, sold)).status == "succeeded"
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    await remove_processor_account(runtime, tenant, "stripe", named(localstripe))
    with pytest.raises(Problem, match="is not configured any more"):
        await refund_payment(runtime, tenant, NewRefund(sold.payment_id))
    assert (await reload(runtime, sold)).refund_reserved_amount == 0


async def test_the_account_that_charges_is_not_removed_in_place_of_a_retired_one(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe
) -> None:
    """`--account` names retired ones; two are known as one when Stripe told whose keys they are too late."""
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    with pytest.raises(Problem) as refused:
        await remove_processor_account(runtime, merchant.live_tenant, "stripe")
    assert refused.value.message == "There is no account at stripe for live payments."
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE processor_accounts SET account_id = 'acct_one'")
    await remove_processor_account(runtime, tenant, "stripe", "acct_one")
    assert await accounts_of(runtime, tenant) == [
        (named(other_localstripe), True, True),
        (named(localstripe), False, False),
    ]
    await connect(runtime, tenant, localstripe, 3, check=True)
    await remove_processor_account(runtime, tenant, "stripe")
    with pytest.raises(Problem) as refused:
        await remove_processor_account(runtime, tenant, "stripe")
    assert (refused.value.code, refused.value.message) == (
        "NOT_FOUND",
        "No account at stripe charges test payments now. Those that did are removed by name: acct_one.",
    )


async def test_keys_that_cannot_be_decrypted_are_forgotten_with_their_account_and_that_is_told(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    other = Accounts(Vault(Keys.parse(base64.b64encode(bytes(32)).decode()), None), runtime.clock)
    elsewhere = runtime._replace(accounts=other)
    forgotten = await connect(elsewhere, tenant, other_localstripe, 2, check=True)
    await other.close()
    assert forgotten is not None and (forgotten.known_as, forgotten.sealed) == (named(localstripe), None)
    assert await accounts_of(runtime, tenant) == [
        (named(other_localstripe), True, True),
        (named(localstripe), False, False),
    ]


@pytest.mark.parametrize("way", ["locked", "unlocked"])
async def test_a_removal_waits_for_what_begins_at_the_account_and_is_refused_then(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    payment = await place(runtime, order(runtime, tenant))
    held, go_on = asyncio.Event(), asyncio.Event()

    async def begin_slowly(*args: Any, **named: Any) -> None:
        held.set()
        await go_on.wait()
        await begin_attempt(*args, **named)

    async def commit_slowly(database: Database, tenant: Tenant, new: list[FirstAttempt]) -> Any:
        async with database.transaction() as tx:
            begun = await begin_first_attempts(tx, tenant, new)
            held.set()
            await go_on.wait()
        return begun

    monkeypatch.setattr("nicobar.flows.payments.confirm_payment.begin_attempt", begin_slowly)
    monkeypatch.setattr("nicobar.flows.payments.begin_first_attempt._begin", commit_slowly)
    known = await as_read(runtime, payment) if way == "unlocked" else None
    paying = asyncio.create_task(
        confirm_payment(runtime, tenant, payment.payment_id, MethodInput("credit"), known=known)
    )
    await held.wait()
    removing = asyncio.create_task(remove_processor_account(runtime, tenant, "stripe"))
    async with runtime.database.read() as read:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity"
        while not await read.fetchval(f"{waiting} WHERE datname = current_database())"):
            await asyncio.sleep(0.01)
    assert not removing.done()
    go_on.set()
    with pytest.raises(Problem, match="Under way there: 1 test payment and 0 refunds"):
        await removing
    assert isinstance((await paying).outcome, NeedsAction)
    assert await accounts_of(runtime, tenant) == [(named(localstripe), True, True)]


async def test_those_who_begin_at_an_account_do_not_wait_for_each_other(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    async with runtime.database.transaction() as tx:
        assert await hold_account(tx, tenant, "stripe", named(localstripe))
        assert not await hold_account(tx, merchant.live_tenant, "stripe", named(localstripe))
        await charge(runtime, tenant)
        payment = await place(runtime, order(runtime, tenant))
        known = await as_read(runtime, payment)
        monkeypatch.delattr("nicobar.flows.payments.confirm_payment._begin_locked")
        paid = await confirm_payment(runtime, tenant, payment.payment_id, MethodInput("credit"), known=known)
    assert isinstance(paid.outcome, NeedsAction)


async def test_who_begins_while_the_account_is_being_removed_waits_for_the_end_of_that(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    payment = await place(runtime, order(runtime, tenant))
    known = await as_read(runtime, payment)
    async with runtime.database.read() as read:
        (stored,) = await known_accounts(read, tenant)
    async with runtime.database.transaction() as tx:
        await close_account(tx, stored)
        pay = confirm_payment(runtime, tenant, payment.payment_id, MethodInput("credit"), known=known)
        paying = asyncio.create_task(pay)
        await asyncio.sleep(0.1)
        assert (paying.done(), await attempts_of(runtime, payment)) == (False, [])
    assert isinstance((await paying).outcome, NeedsAction)
    assert len(await attempts_of(runtime, payment)) == 1


async def test_nothing_is_decided_about_a_charge_of_an_account_whose_keys_are_gone(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    """The command refuses that; a restored backup or a hand may bring it about, and doctor says so."""
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    waiting = await charge(runtime, tenant)
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    async with runtime.database.transaction() as tx:
        await tx.execute(
            "UPDATE processor_accounts SET sealed = NULL, number = nextval('processor_account_numbers')"
            " WHERE retired_at IS NOT NULL"
        )
    wait(clock, SILENCE + timedelta(days=2))
    (stored,) = await attempts_of(runtime, waiting)
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, tenant, stored["attempt_id"])
    assert attempt is not None
    assert await ask_about_attempt(runtime, tenant, attempt) == Unknown("processor not configured")
    await abandon_attempt(runtime, tenant, waiting.payment_id)
    assert (await reload(runtime, waiting)).status == "requires_customer_action"
    found = "\n".join(await wrong(runtime))
    assert f"{attempt.attempt_id}: its end is not known, and it is at an account whose keys are not there" in found

    localstripe.pay(await reference_of(runtime, waiting))
    await connect(runtime, tenant, localstripe, check=True)
    wait(clock)
    assert isinstance(await ask_about_attempt(runtime, tenant, attempt), Succeeded)
    assert (await reload(runtime, waiting)).status == "succeeded"
    assert not isinstance(attempt.outcome, Declined)


async def test_a_refund_and_a_charge_to_give_back_without_keys_are_found_and_stay(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold = await sell(runtime, tenant, localstripe)
    with monkeypatch.context() as patch:
        lose_answers(patch, "refund")
        in_doubt = await refund_payment(runtime, tenant, NewRefund(sold.payment_id))
    with pytest.raises(Problem, match="Under way there: 0 test payments and 1 refund"):
        await remove_processor_account(runtime, tenant, "stripe")
    async with runtime.database.transaction() as tx:
        await tx.execute(
            "UPDATE processor_accounts SET sealed = NULL, retired_at = now(),"
            " number = nextval('processor_account_numbers')"
        )
        await tx.execute("UPDATE attempts SET is_surplus = true, return_due_at = $1", runtime.real_now())
    wait(clock, SILENCE)
    found = await resolve_refund(runtime, tenant, in_doubt.refund.refund_id)
    assert found == Unknown("processor not configured")
    (attempt,) = await attempts_of(runtime, sold)
    assert not await refund_duplicate_charge(runtime, tenant, attempt["attempt_id"])
    said = "\n".join(await wrong(runtime))
    for wanted in (
        "Accounts at processors (0): some are needed, and their keys are not there:",
        f"{in_doubt.refund.refund_id}: it is pending at an account whose keys are not there",
        f"{attempt['attempt_id']}: its charge has to go back, and is at an account whose keys are not there",
    ):
        assert wanted in said
