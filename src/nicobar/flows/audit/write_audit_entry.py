"""Keep who changed something, in the commit of the change."""

from collections.abc import Sequence

from nicobar.core.audit.entry import AuditEntry, entry_message
from nicobar.core.business.tenant import Tenant
from nicobar.core.proxies import told_client
from nicobar.flows.runtime import Runtime, acting
from nicobar.storage.audit.audit_log import insert_audit_entry
from nicobar.storage.database import Tx


async def write_audit_entry(
    runtime: Runtime, tx: Tx, tenant: Tenant | None, action: str, object_ids: Sequence[str], fields: Sequence[str] = ()
) -> None:
    """Add to the audit log what this transaction does; no tenant means the whole installation.

    `action` is the object and the verb, `fields` are names and never values. Raises VaultError when the key of the
    log cannot be read: then nothing is changed either.
    """
    actor, moment = acting.get(), runtime.real_now()
    entry = AuditEntry(
        entry_id=runtime.new_id("aud", moment),
        business_id=None if tenant is None else tenant.business_id,
        mode=None if tenant is None else tenant.mode,
        at=moment,
        actor=actor.kind,
        actor_name=actor.name,
        address=told_client(actor.address),
        action=action,
        object_ids=list(object_ids),
        fields=list(fields),
    )
    seal = runtime.audit_seal
    sealed = seal.seal(entry_message(entry)) if seal is not None and seal.can_seal else None
    await insert_audit_entry(tx, entry, sealed)
