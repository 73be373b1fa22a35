"""Sales through accounts at Stripe, for tests of what happens when a business takes another account."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import pytest

from at_stripe import LocalStripe
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.payments.payment import NeedsAction, Payment
from nicobar.core.payments.saved_method import SavedChoice
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import MethodInput
from nicobar.processors.stripe.stripe import Stripe
from nicobar.program.books_audit import audit_books
from orders import attempts_of, order, place, reload

MODES: Final[tuple[Mode, ...]] = ("test", "live")

IN_FORCE: Final = timedelta(seconds=6)
"""After that every server knows of another account."""


def tenant_of(merchant: Merchant, mode: Mode) -> Tenant:
    return Tenant(merchant.business_id, mode)


def named(localstripe: LocalStripe) -> str:
    """Return Stripe's id of the account that a localstripe is."""
    return f"acct_{localstripe.base.rpartition(':')[2]}"


def wait(clock: FakeClock, duration: timedelta = IN_FORCE) -> None:
    clock.advance(seconds=duration.total_seconds())


async def charge(runtime: Runtime, tenant: Tenant, **changes: Any) -> Payment:
    """Begin a payment by card, which waits in Stripe's fields."""
    payment = await place(runtime, order(runtime, tenant, **changes))
    confirmed = await confirm_payment(runtime, tenant, payment.payment_id, MethodInput("credit"), save=True)
    assert isinstance(confirmed.outcome, NeedsAction)
    return payment


async def reference_of(runtime: Runtime, payment: Payment) -> str:
    return str((await attempts_of(runtime, payment))[-1]["outcome"]["reference"])


async def sell(runtime: Runtime, tenant: Tenant, localstripe: LocalStripe, **changes: Any) -> Payment:
    """Sell by a card that is kept."""
    payment = await charge(runtime, tenant, **changes)
    localstripe.pay(await reference_of(runtime, payment))
    await resolve_attempt(runtime, tenant, payment.payment_id, came_back=True)
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method_id is None) == ("succeeded", False)
    return paid


async def again(runtime: Runtime, sold: Payment) -> Payment:
    """Begin another payment of the same customer, who pays with the saved card."""
    payment = await place(runtime, order(runtime, sold.tenant, customer=sold.customer))
    assert sold.payment_method_id is not None
    await confirm_payment(runtime, sold.tenant, payment.payment_id, SavedChoice(sold.payment_method_id))
    return await reload(runtime, payment)


async def accounts_of(runtime: Runtime, tenant: Tenant) -> list[tuple[str, bool, bool]]:
    """Return the accounts of a tenant: name, whether it charges, whether its keys are there."""
    query = """
        SELECT account, retired_at IS NULL AS charges, sealed IS NOT NULL AS has_keys FROM processor_accounts
        WHERE business_id = $1 AND mode = $2 ORDER BY charges DESC, retired_at DESC"""
    async with runtime.database.read() as read:
        rows = await read.fetch(query, tenant.business_id, tenant.mode)
    return [(row["account"], row["charges"], row["has_keys"]) for row in rows]


async def wrong(runtime: Runtime) -> Sequence[str]:
    """Return what the proof of the books finds wrong."""
    async with runtime.database.snapshot() as read:
        return [found.sentence for found in await audit_books(read, runtime.clock.now()) if not found.good]


def lose_answers(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let Stripe do what it is asked, and its answer be lost."""
    ask = getattr(Stripe, name)

    async def lost(self: Stripe, request: Any) -> None:
        await ask(self, request)
        raise TimeoutError

    monkeypatch.setattr(Stripe, name, lost)
