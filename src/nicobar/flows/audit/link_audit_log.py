"""Chain the entries of the audit log that are in no chain yet."""

from typing import Final

import structlog

from nicobar.audit_seal import Head
from nicobar.core.audit.entry import Link, link_message
from nicobar.flows.runtime import Runtime
from nicobar.storage.audit.audit_log import any_unlinked, has_link, insert_links, lock_chain, unlinked_entries

_AT_ONCE: Final = 500

_log = structlog.get_logger(__name__)


async def link_audit_log(runtime: Runtime) -> int:
    """Link up to 500 entries and return how many; note the end of the chain outside of the database, too.

    The end goes into the log, and into a file where there is a place for it. One that is noted there and is not in the
    chain is left alone, for `doctor` to find. Raises VaultError.
    """
    seal = runtime.audit_seal
    if seal is None or not seal.can_seal:
        return 0
    async with runtime.database.read() as read:
        if not await any_unlinked(read):
            return 0
    links: list[Link] = []
    noted = seal.head()
    async with runtime.database.transaction() as tx:
        last = await lock_chain(tx)
        is_whole = noted is None or await has_link(tx, noted.number, noted.tag)
        for entry in await unlinked_entries(tx, _AT_ONCE):
            number = 1 if last is None else last.number + 1
            tag = seal.seal(link_message(b"" if last is None else last.tag, number, entry))
            last = Link(number, entry.entry_id, tag)
            links.append(last)
        await insert_links(tx, links)
    if links and last is not None:
        _log.info("audit_log_linked", number=last.number, tag=last.tag.hex())
        if is_whole:
            seal.note_head(Head(last.number, last.tag))
        else:
            _log.error("audit_log_has_lost_its_end", noted=None if noted is None else noted.number)
    return len(links)
