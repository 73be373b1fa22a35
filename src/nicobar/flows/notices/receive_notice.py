"""Take a notice of a processor into the inbox, to be handled soon: nothing is decided while the processor waits."""

from collections.abc import Mapping

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import NoticeRefused, without_its_words
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
    processor = find_processors(runtime, await load_policy(runtime, tenant)).get(processor_name)
    if processor is None:
        raise Problem("NOT_FOUND", what="Processor")
    try:
        notice = without_its_words(processor, lambda: processor.read_notice(headers, body))
    except NoticeRefused as error:
        _log.warning("notice_refused", processor=processor_name, why=str(error))
        raise Problem("UNAUTHORIZED", message=f"This notice is not taken: {error}") from error
    if notice is None:
        return
    async with runtime.database.transaction() as tx:
        new = await insert_notice(
            tx, tenant, processor_name, notice.notice_id, notice.subject, notice.reference, runtime.now(tenant)
        )
        if new:
            runtime.database.announce_work(tx)
