"""Take a notice of a processor into the inbox, to be handled soon: nothing is decided while the processor waits."""

from collections.abc import Mapping, Sequence

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Notice, NoticeRefused, Processor, without_its_words
from nicobar.storage.due_work import NOTICES
from nicobar.storage.notices.notices import insert_notice

_log = structlog.get_logger(__name__)


async def receive_notice(
    runtime: Runtime, tenant: Tenant, processor_name: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Check where a notice comes from and store it; the stored row is the work that is due.

    The same notice again, and one about an object that is not ours, change nothing. Raises Problem NOT_FOUND for a
    processor that the tenant does not have, and UNAUTHORIZED for a notice that cannot prove where it comes from;
    nothing is stored then.
    """
    account, notice = _read(await _senders(runtime, tenant, processor_name), headers, body)
    if notice is None:
        return
    async with runtime.database.transaction() as tx:
        new = await insert_notice(
            tx,
            tenant,
            processor_name,
            notice.notice_id,
            notice.subject,
            notice.reference,
            runtime.now(tenant),
            account,
        )
        if new:
            runtime.database.announce_work(tx, NOTICES.table)


async def _senders(runtime: Runtime, tenant: Tenant, processor_name: str) -> list[Processor]:
    """Return the accounts that may have sent a notice: the one that charges, then those that did before."""
    policy = await load_policy(runtime, tenant)
    accounts = [stored.account for stored in policy.accounts if stored.processor == processor_name] or [""]
    found = [find_processor_of(runtime, policy, processor_name, account) for account in accounts]
    return [processor for processor in found if processor is not None]


def _read(senders: Sequence[Processor], headers: Mapping[str, str], body: bytes) -> tuple[str, Notice | None]:
    """Return which account a notice is of, by its signature, and what it is about."""
    refusals = []
    for processor in senders:
        try:
            return processor.account, without_its_words(processor, lambda: processor.read_notice(headers, body))  # noqa: B023
        except NoticeRefused as error:
            refusals.append(str(error))
    if not refusals:
        raise Problem("NOT_FOUND", what="Processor")
    _log.warning("notice_refused", processor=senders[0].name, why=refusals[0])
    raise Problem("UNAUTHORIZED", message=f"This notice is not taken: {refusals[0]}")
