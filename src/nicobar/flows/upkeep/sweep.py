"""The regular round over what time has changed. The server runs it every few seconds."""

from nicobar.flows.audit.link_audit_log import link_audit_log
from nicobar.flows.discounts.release_discounts import release_discounts
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.payments.resolve_attempts_due import resolve_attempts_due
from nicobar.flows.refunds.resolve_refunds_due import resolve_refunds_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.analyze_tables import analyze_tables
from nicobar.flows.upkeep.purge_answers import purge_answers
from nicobar.flows.upkeep.purge_pictures import purge_pictures
from nicobar.flows.upkeep.purge_portal_sessions import purge_portal_sessions
from nicobar.flows.upkeep.purge_request_shares import purge_request_shares
from nicobar.flows.upkeep.purge_sessions import purge_sessions
from nicobar.flows.upkeep.purge_simulated_charges import purge_simulated_charges
from nicobar.flows.webhooks.purge_deliveries import purge_deliveries


async def sweep(runtime: Runtime) -> None:
    """Resolve attempts and refunds in doubt, end expired payments, give back the codes that they held, and clear away.

    The simulator of test mode sends its notices in the same round. Any number of processes may run it at the same time.
    """
    await resolve_attempts_due(runtime, runtime.real_now())
    await resolve_refunds_due(runtime, runtime.real_now())
    await expire_payments(runtime)
    await release_discounts(runtime)
    await purge_answers(runtime)
    await purge_pictures(runtime)
    await purge_sessions(runtime)
    await purge_portal_sessions(runtime)
    await purge_simulated_charges(runtime)
    await purge_deliveries(runtime)
    await purge_request_shares(runtime)
    await deliver_simulated_notices(runtime)
    await link_audit_log(runtime)
    await analyze_tables(runtime)
