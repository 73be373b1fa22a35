"""Bring charges to their end whose program died while the clock stood: as it would have gone, at the same moment."""

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, Payment, Unknown
from nicobar.core.simulator.simulated_scenario import METADATA_KEY
from nicobar.flows.accounts.ask_processor import ask_processor
from nicobar.flows.payments.ask_about_attempt import ask_about_attempt
from nicobar.flows.payments.confirm_payment import CHARGE_TIMEOUT
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payments import get_payment, lock_payment
from nicobar.storage.payments.saved_methods import get_method
from nicobar.storage.test_mode.due_moments import unanswered_attempts

_log = structlog.get_logger(__name__)


async def finish_charges(runtime: Runtime, tenant: Tenant) -> None:
    """Ask the simulator about each, and order what it has never heard of again, under the same id.

    Only the simulator's charges of saved methods: what another processor was asked is its business, and is found out a
    minute later, as after every crash.
    """
    async with runtime.database.read() as read:
        attempt_ids = await unanswered_attempts(read, tenant.business_id)
    for attempt_id in attempt_ids:
        async with runtime.database.snapshot() as read:
            attempt = await get_attempt(read, tenant, attempt_id)
            payment = None if attempt is None else await get_payment(read, tenant, attempt.payment_id)
        if attempt is None or payment is None or attempt.processor != Simulator.name:
            continue
        if isinstance(await ask_about_attempt(runtime, tenant, attempt), Unknown):
            await _order_again(runtime, payment, attempt)


async def _order_again(runtime: Runtime, payment: Payment, attempt: Attempt) -> None:
    simulator, tenant = runtime.processors.get(Simulator.name), payment.tenant
    if simulator is None or payment.payment_method_id is None:
        return
    async with runtime.database.read() as read:
        method = await get_method(read, tenant, payment.customer.customer_id, payment.payment_method_id)
    if method is None:
        return
    request = ChargeRequest(
        attempt.attempt_id,
        attempt.amount,
        attempt.currency,
        method,
        runtime.public_url if payment.link_id is None else runtime.link_url(payment.link_id),
        keep_card=attempt.save_method,
        customer_present=False,
        force_3ds=payment.options.force_3ds,
        email=payment.customer.email,
        business_id=payment.business_id,
        payment_id=payment.payment_id,
        scenario=payment.metadata.get(METADATA_KEY),
        renewal=payment.options.renewal,
    )
    outcome = await ask_processor(
        simulator,
        lambda asked: asked.charge(request),
        CHARGE_TIMEOUT,
        "charge_in_doubt",
        attempt_id=attempt.attempt_id,
    )
    async with runtime.database.transaction() as tx:
        locked = await lock_payment(tx, tenant, payment.payment_id)
        stored = await get_attempt(tx, tenant, attempt.attempt_id)
        if locked is not None and stored is not None and stored.resolved_at is None:
            await record_payment_outcome(runtime, tx, locked, stored, outcome, runtime.now(tenant))
