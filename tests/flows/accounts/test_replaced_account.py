"""A business takes another account at Stripe: what was done with the first is asked of the first, and of no other.

`localstripe` is account A and `other_localstripe` account B. What moves money is done in both modes, next to
another business whose account stays as it is.
"""

from typing import Any

import pytest

from at_stripe import SIGNING_SECRET, LocalStripe, connect, keys_of, runtime_at_stripe, signed_notice
from flows.accounts.stripe_sales import (
    MODES,
    accounts_of,
    again,
    charge,
    lose_answers,
    named,
    reference_of,
    sell,
    tenant_of,
    wait,
    wrong,
)
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Mode
from nicobar.core.payments.saved_method import SavedChoice
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import NewRefund
from nicobar.flows.accounts.ask_for_fields import ask_for_fields
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.notices.receive_notice import receive_notice
from nicobar.flows.payments.abandon_attempt import abandon_attempt
from nicobar.flows.payments.ask_about_attempt import SILENCE
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.refund_duplicate_charge import refund_duplicate_charge
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.refunds.resolve_refund import resolve_refund
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import MethodInput
from nicobar.processors.stripe.stripe import Stripe
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.storage.payments.attempts import get_attempt
from orders import attempts_of, dump, order, place, reload

__all__ = ["runtime_at_stripe"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_charge_whose_answer_was_lost_is_asked_of_the_account_that_was_charged(
    runtime: Runtime,
    merchant: Merchant,
    other_merchant: Merchant,
    localstripe: LocalStripe,
    other_localstripe: LocalStripe,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
) -> None:
    tenant, other = tenant_of(merchant, mode), tenant_of(other_merchant, mode)
    await connect(runtime, tenant, localstripe, check=True)
    await connect(runtime, other, other_localstripe, check=True)
    sold = await sell(runtime, tenant, localstripe)
    with monkeypatch.context() as patch:
        lose_answers(patch, "charge")
        in_doubt = await again(runtime, sold)
    assert in_doubt.status == "processing"
    charged = localstripe.intents()[0]
    (attempt,) = await attempts_of(runtime, in_doubt)
    assert (charged["status"], attempt["account"]) == ("succeeded", named(localstripe))

    replaced = await connect(runtime, tenant, other_localstripe, 2, check=True)
    assert replaced is not None and replaced.account_id == named(localstripe)
    before = len(other_localstripe.intents())
    wait(clock, SILENCE)
    await resolve_attempt(runtime, tenant, in_doubt.payment_id)
    (attempt,) = await attempts_of(runtime, in_doubt)
    assert (await reload(runtime, in_doubt)).status == "succeeded"
    assert (attempt["outcome"]["type"], attempt["outcome"]["reference"]) == ("succeeded", charged["id"])
    assert len(other_localstripe.intents()) == before, "nobody else was asked to close it"
    assert await wrong(runtime) == []
    assert await accounts_of(runtime, other) == [(named(other_localstripe), True, True)]

    fresh = await charge(runtime, tenant)
    assert (await attempts_of(runtime, fresh))[0]["account"] == named(other_localstripe)
    assert other_localstripe.intents()[0]["id"] == await reference_of(runtime, fresh)


async def test_an_order_that_never_arrived_is_closed_at_its_account_and_a_challenge_is_abandoned_there(
    runtime: Runtime,
    merchant: Merchant,
    localstripe: LocalStripe,
    other_localstripe: LocalStripe,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)

    async def broken(self: Stripe, request: Any) -> None:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(Stripe, "charge", broken)
        lost = await place(runtime, order(runtime, tenant))
        await confirm_payment(runtime, tenant, lost.payment_id, MethodInput("credit"))
    waiting = await charge(runtime, tenant)
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    there, elsewhere = len(localstripe.intents()), len(other_localstripe.intents())
    wait(clock, SILENCE)

    await resolve_attempt(runtime, tenant, lost.payment_id)
    assert ((await reload(runtime, lost)).status, (await reload(runtime, lost)).error_code) == (
        "failed",
        "NETWORK_TIMEOUT",
    )
    assert localstripe.intents()[0]["status"] == "canceled"
    await abandon_attempt(runtime, tenant, waiting.payment_id)
    assert (await reload(runtime, waiting)).status == "requires_payment_method"
    assert localstripe.intent(await reference_of(runtime, waiting))["status"] == "canceled"
    assert (len(localstripe.intents()), len(other_localstripe.intents())) == (there + 1, elsewhere)


@pytest.mark.parametrize("mode", MODES)
async def test_a_refund_is_made_and_found_at_the_account_that_was_paid(
    runtime: Runtime,
    merchant: Merchant,
    localstripe: LocalStripe,
    other_localstripe: LocalStripe,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
) -> None:
    tenant = tenant_of(merchant, mode)
    await connect(runtime, tenant, localstripe, check=True)
    first, second = [await sell(runtime, tenant, localstripe) for _ in range(2)]
    with monkeypatch.context() as patch:
        lose_answers(patch, "refund")
        in_doubt = await refund_payment(runtime, tenant, NewRefund(first.payment_id))
    assert in_doubt.refund.status == "pending"

    await connect(runtime, tenant, other_localstripe, 2, check=True)
    wait(clock, SILENCE)
    await resolve_refund(runtime, tenant, in_doubt.refund.refund_id)
    assert (await reload(runtime, first)).refund_status == "full"
    made = await refund_payment(runtime, tenant, NewRefund(second.payment_id))
    assert (made.refund.status, (await reload(runtime, second)).refund_status) == ("succeeded", "full")
    for payment in (first, second):
        intent = localstripe.intent(await reference_of(runtime, payment))
        assert sum(charge["amount_refunded"] for charge in intent["charges"]["data"]) == 2400  # type: ignore[index]
    assert await wrong(runtime) == []


async def test_a_saved_card_is_not_charged_at_another_account_and_works_when_its_own_comes_back(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold = await sell(runtime, tenant, localstripe)
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    wait(clock)
    before = await dump(runtime)
    body = {
        "billing": {"country": "US"},
        "customer": {"customer_id": sold.customer.customer_id},
        "payment_method_id": sold.payment_method_id,
        "product_cart": [{"product_id": "pdt_none", "quantity": 1}],
    }
    product = await merchant.client.post(
        "/products",
        json={
            "name": "Solo Flight",
            "price": {"type": "one_time_price", "price": 2000, "currency": "USD"},
            "tax_category": "digital_products",
        },
    )
    body["product_cart"] = [{"product_id": product.json()["product_id"], "quantity": 1}]
    refused = await merchant.client.post("/payments", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "NO_ELIGIBLE_PAYMENT_METHODS")
    unpaid = await place(runtime, order(runtime, tenant, customer=sold.customer))
    with pytest.raises(Problem) as problem:
        await confirm_payment(runtime, tenant, unpaid.payment_id, SavedChoice(str(sold.payment_method_id)))
    assert problem.value.code == "NO_ELIGIBLE_PAYMENT_METHODS"
    assert (await reload(runtime, unpaid)).status == "requires_payment_method"
    assert await attempts_of(runtime, unpaid) == []
    assert sold.payment_method_id is not None and sold.payment_method_id in before

    replaced = await connect(runtime, tenant, localstripe, check=True)
    assert replaced is not None and replaced.account_id == named(other_localstripe)
    wait(clock)
    assert (await again(runtime, sold)).status == "succeeded"
    assert await accounts_of(runtime, tenant) == [
        (named(localstripe), True, True),
        (named(other_localstripe), False, True),
    ]


async def test_the_same_card_at_another_account_is_a_method_of_its_own(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    """A fingerprint that both accounts give it does not make one method of two, whose token would be lost."""
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold = await sell(runtime, tenant, localstripe)
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    wait(clock)
    new = await sell(runtime, tenant, other_localstripe, customer=sold.customer)
    assert new.payment_method_id != sold.payment_method_id
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT payment_method_id, account, fingerprint FROM saved_methods ORDER BY created_at")
    assert [(row["payment_method_id"], row["account"]) for row in rows] == [
        (sold.payment_method_id, named(localstripe)),
        (new.payment_method_id, named(other_localstripe)),
    ]


@pytest.mark.parametrize("mode", MODES)
async def test_a_notice_of_the_old_account_is_taken_and_asked_there(
    runtime: Runtime,
    merchant: Merchant,
    localstripe: LocalStripe,
    other_localstripe: LocalStripe,
    clock: FakeClock,
    mode: Mode,
) -> None:
    tenant = tenant_of(merchant, mode)
    await connect(runtime, tenant, localstripe, check=True)
    sold, waiting = await sell(runtime, tenant, localstripe), await charge(runtime, tenant)
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    wait(clock)

    intent = localstripe.pay(await reference_of(runtime, waiting))
    disputed = localstripe.dispute(await reference_of(runtime, sold), "needs_response")
    for type, subject in (("payment_intent.succeeded", intent), ("charge.dispute.created", {"id": disputed})):
        await receive_notice(runtime, tenant, "stripe", *signed_notice(type, subject))
    async with runtime.database.read() as read:
        notices = await read.fetch("SELECT notice_id, account FROM notices")
    assert [notice["account"] for notice in notices] == [named(localstripe)] * 2
    for notice in notices:
        assert await handle_notice(runtime, tenant, "stripe", notice["notice_id"])
    assert (await reload(runtime, waiting)).status == "succeeded"
    async with runtime.database.read() as read:
        dispute = await read.fetchrow("SELECT payment_id, reference, status FROM disputes")
    assert dispute is not None
    assert tuple(dispute.values()) == (sold.payment_id, disputed, "dispute_opened")
    assert await wrong(runtime) == []

    fresh = await charge(runtime, tenant)
    signed = keys_of(other_localstripe, mode, 2).signing_secret
    paid = other_localstripe.pay(await reference_of(runtime, fresh))
    await receive_notice(runtime, tenant, "stripe", *signed_notice("payment_intent.succeeded", paid, signed))
    with pytest.raises(Problem, match="signature"):
        await receive_notice(runtime, tenant, "stripe", *signed_notice("refund.updated", paid, "whsec_somebodyelse"))
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM notices WHERE account = $1", named(other_localstripe)) == 1


async def test_a_dispute_is_found_although_both_accounts_sign_with_one_secret(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold = await sell(runtime, tenant, localstripe)
    keys = keys_of(other_localstripe, number=2)
    mistaken = StripeAccount(keys.secret_key, keys.publishable_key, SIGNING_SECRET, other_localstripe.base)
    await set_processor_account(runtime, tenant, mistaken, check=True)
    wait(clock)
    disputed = localstripe.dispute(await reference_of(runtime, sold), "needs_response")
    for dispute_id in (disputed, "du_foreign"):
        await receive_notice(runtime, tenant, "stripe", *signed_notice("charge.dispute.created", {"id": dispute_id}))
    async with runtime.database.read() as read:
        notices = await read.fetch("SELECT notice_id, account FROM notices")
    assert [notice["account"] for notice in notices] == [named(other_localstripe)] * 2
    for notice in notices:
        assert await handle_notice(runtime, tenant, "stripe", notice["notice_id"])
    async with runtime.database.read() as read:
        assert [row["reference"] for row in await read.fetch("SELECT reference FROM disputes")] == [disputed]
    assert await wrong(runtime) == []


@pytest.mark.parametrize("shared", [True, False])
async def test_a_dispute_is_not_dropped_while_an_account_that_may_have_told_of_it_does_not_answer(
    runtime: Runtime,
    merchant: Merchant,
    localstripe: LocalStripe,
    other_localstripe: LocalStripe,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    shared: bool,
) -> None:
    """Where the secrets differ, the signature has told whose notice it is, and nobody waits for the other account."""
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold = await sell(runtime, tenant, localstripe)
    keys = keys_of(other_localstripe, number=2)
    secret = SIGNING_SECRET if shared else keys.signing_secret
    mistaken = StripeAccount(keys.secret_key, keys.publishable_key, secret, other_localstripe.base)
    await set_processor_account(runtime, tenant, mistaken, check=True)
    wait(clock)
    disputed = localstripe.dispute(await reference_of(runtime, sold), "needs_response")
    told_of = disputed if shared else "du_foreign"
    notice = signed_notice("charge.dispute.created", {"id": told_of}, secret)
    await receive_notice(runtime, tenant, "stripe", *notice)
    async with runtime.database.read() as read:
        notice_id = await read.fetchval("SELECT notice_id FROM notices")
    find_dispute = Stripe.find_dispute

    async def broken_at_the_first(self: Stripe, reference: str) -> Any:
        if self.account == named(localstripe):
            raise TimeoutError
        return await find_dispute(self, reference)

    with monkeypatch.context() as patch:
        patch.setattr(Stripe, "find_dispute", broken_at_the_first)
        assert await handle_notice(runtime, tenant, "stripe", notice_id) is not shared
    assert await handle_notice(runtime, tenant, "stripe", notice_id)
    async with runtime.database.read() as read:
        found = [row["reference"] for row in await read.fetch("SELECT reference FROM disputes")]
    assert found == ([disputed] if shared else [])


async def test_a_customer_in_the_fields_of_the_old_account_goes_on_there(
    runtime: Runtime, merchant: Merchant, localstripe: LocalStripe, other_localstripe: LocalStripe, clock: FakeClock
) -> None:
    """A server that has not noticed the change yet goes on charging the old account for some seconds, and says so."""
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    before = await charge(runtime, tenant)
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    meanwhile = await charge(runtime, tenant)
    wait(clock)
    for payment in (before, meanwhile):
        (stored,) = await attempts_of(runtime, payment)
        assert stored["account"] == named(localstripe)
        async with runtime.database.read() as read:
            attempt = await get_attempt(read, tenant, stored["attempt_id"])
        assert attempt is not None
        fields = await ask_for_fields(runtime, tenant, attempt)
        assert fields is not None and fields.publishable_key == keys_of(localstripe).publishable_key
        localstripe.pay(await reference_of(runtime, payment))
        await resolve_attempt(runtime, tenant, payment.payment_id, came_back=True)
        assert (await reload(runtime, payment)).status == "succeeded"
    assert await wrong(runtime) == []


async def test_a_duplicate_charge_goes_back_at_the_account_that_took_it(
    runtime: Runtime,
    merchant: Merchant,
    localstripe: LocalStripe,
    other_localstripe: LocalStripe,
    clock: FakeClock,
) -> None:
    tenant = merchant.tenant
    await connect(runtime, tenant, localstripe, check=True)
    sold = await sell(runtime, tenant, localstripe)
    (stored,) = await attempts_of(runtime, sold)
    async with runtime.database.statement() as tx:
        await tx.execute("UPDATE attempts SET is_surplus = true, return_due_at = $1", runtime.real_now())
    await connect(runtime, tenant, other_localstripe, 2, check=True)
    wait(clock)
    assert await refund_duplicate_charge(runtime, tenant, stored["attempt_id"])
    intent: Any = localstripe.intent(await reference_of(runtime, sold))
    assert [each["amount_refunded"] for each in intent["charges"]["data"]] == [2400]
    assert (await attempts_of(runtime, sold))[0]["returned_at"] == clock.now()
