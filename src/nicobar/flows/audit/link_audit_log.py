"""Chain the entries of the audit log that are in no chain yet."""

from typing import Final

import structlog

from nicobar.audit_seal import AuditSeal, Head
from nicobar.core.audit.entry import Link, link_message
from nicobar.flows.runtime import Runtime
from nicobar.storage.audit.audit_log import any_unlinked, insert_links, lock_chain, unlinked_entries

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
    async with runtime.database.transaction() as tx:
        first = last = await lock_chain(tx)
        for entry in await unlinked_entries(tx, _AT_ONCE):
            number = 1 if last is None else last.number + 1
            tag = seal.seal(link_message(b"" if last is None else last.tag, number, entry))
            last = Link(number, entry.entry_id, tag)
            links.append(last)
        await insert_links(tx, links)
    if links and last is not None:
        _note(seal, first, last)
    return len(links)


def _note(seal: AuditSeal, first: Link | None, last: Link) -> None:
    """Note the new end, unless the chain that was linked on to is not the one that was noted, or a newer one was."""
    _log.info("audit_log_linked", number=last.number, tag=last.tag.hex())
    noted = seal.head()
    before = 0 if first is None else first.number
    if noted is None or noted.number < before or (noted == (before, b"" if first is None else first.tag)):
        seal.note_head(Head(last.number, last.tag))
    elif noted.number == before:
        _log.error("audit_log_is_not_the_noted_one", noted=noted.number)
