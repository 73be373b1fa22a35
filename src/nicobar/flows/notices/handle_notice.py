"""Follow a notice up: ask the processor about what it names, and record the answer."""

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Unknown
from nicobar.flows.disputes.ask_about_dispute import ask_about_dispute
from nicobar.flows.payments.ask_about_attempt import ask_about_attempt
from nicobar.flows.refunds.resolve_refund import resolve_refund
from nicobar.flows.runtime import Runtime
from nicobar.storage.notices.notices import StoredNotice, get_notice, mark_handled
from nicobar.storage.payments.attempts import get_attempt

_log = structlog.get_logger(__name__)


async def handle_notice(runtime: Runtime, tenant: Tenant, processor: str, notice_id: str) -> bool:
    """Handle a notice, once; False when the processor could not answer, and it has to be tried again."""
    async with runtime.database.read() as read:
        notice = await get_notice(read, tenant, processor, notice_id)
    if notice is None or notice.handled_at is not None:
        return True
    if not await _ask(runtime, tenant, processor, notice):
        return False
    async with runtime.database.statement() as tx:
        await mark_handled(tx, tenant, processor, notice_id, runtime.now(tenant))
    return True


async def _ask(runtime: Runtime, tenant: Tenant, processor: str, notice: StoredNotice) -> bool:
    """Query the subject of a notice; return whether there was an answer."""
    if notice.subject == "dispute":
        return await ask_about_dispute(runtime, tenant, processor, notice.account, notice.reference)
    if notice.subject == "refund":
        return not isinstance(await resolve_refund(runtime, tenant, notice.reference, told_by=processor), Unknown)
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, tenant, notice.reference)
    if attempt is None or attempt.processor != processor:
        _log.warning("notice_about_nothing", processor=processor, subject=notice.subject, reference=notice.reference)
        return True
    return not isinstance(await ask_about_attempt(runtime, tenant, attempt), Unknown)
