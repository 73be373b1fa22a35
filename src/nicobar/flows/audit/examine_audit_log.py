"""Find what was changed in the audit log by somebody who is not this program."""

from collections.abc import Sequence
from typing import NamedTuple

from nicobar.audit_seal import AuditSeal
from nicobar.core.audit.entry import entry_message, link_message
from nicobar.storage.audit.audit_log import StoredEntry, whole_audit_log
from nicobar.storage.database import Read


class AuditResult(NamedTuple):
    """What became of the examination."""

    entries: int
    """How many entries there are."""
    unsealed: int
    """How many were written while there was no key."""
    faults: list[str]
    """Sentences about what is wrong."""


async def examine_audit_log(read: Read, seal: AuditSeal) -> AuditResult:
    """Prove every entry by its seal, their order by the links, and their end by what was noted outside.

    Raises VaultError when the key is not here.
    """
    stored = await whole_audit_log(read)
    faults = [*_wrong_entries(stored, seal), *_wrong_links(stored, seal), *_wrong_end(stored, seal)]
    unsealed = sum(one.entry is not None and one.seal is None for one in stored)
    return AuditResult(sum(one.entry is not None for one in stored), unsealed, faults)


def _wrong_entries(stored: Sequence[StoredEntry], seal: AuditSeal) -> list[str]:
    """Name entries that were edited, deleted, inserted, or kept out of the chain."""
    faults = []
    sealed = sorted(one.entry_id for one in stored if one.entry is not None and one.seal is not None)
    for one in stored:
        if one.entry is None:
            faults.append(f"The entry {one.entry_id} was deleted.")
        elif one.seal is None:
            if sealed and one.entry_id > sealed[0]:
                faults.append(f"The entry {one.entry_id} was inserted without the key.")
        elif not seal.is_genuine(entry_message(one.entry), one.seal):
            faults.append(f"The entry {one.entry_id} was edited or inserted.")
        if one.entry is not None and one.link is None and not one.waits:
            faults.append(f"The entry {one.entry_id} was taken out of the chain, or inserted.")
    return faults


def _wrong_links(stored: Sequence[StoredEntry], seal: AuditSeal) -> list[str]:
    """Name the first link that does not fit, if there is one; an entry that is missing is named elsewhere."""
    before = b""
    for number, one in enumerate((one for one in stored if one.link is not None), 1):
        assert one.link is not None  # noqa: S101 - those without were left out
        if one.link.number != number:
            return [f"The chain has no link {number}."]
        if one.entry is not None and not seal.is_genuine(link_message(before, number, one.entry), one.link.tag):
            return [f"The chain does not fit at link {number}."]
        before = one.link.tag
    return []


def _wrong_end(stored: Sequence[StoredEntry], seal: AuditSeal) -> list[str]:
    """Check that the chain has what was noted as its end, outside of the database."""
    head = seal.head()
    if head is None or any(one.link is not None and (one.link.number, one.link.tag) == head for one in stored):
        return []
    return [f"The end of the log is missing: it was noted at link {head.number}."]
