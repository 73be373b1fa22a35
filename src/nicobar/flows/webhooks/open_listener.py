"""Begin to listen: the secret of a business's test events, and the place from which on they are forwarded."""

from typing import Final, NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.webhooks.endpoint import listener_place
from nicobar.core.webhooks.forwarding import forward_url
from nicobar.flows.runtime import Runtime
from nicobar.storage.webhooks.listeners import (
    events_after,
    get_listen_secret,
    insert_listen_secret,
    newest_event_number,
)
from nicobar.vault import VaultError

LATE_NUMBERS: Final = 1000
"""Numbers of events are drawn before they are committed: one can be committed after so many that are higher."""


class Listener(NamedTuple):
    """Where test events are forwarded to, signed with what, and which of them are not."""

    tenant: Tenant
    url: str
    secret: str
    """`whsec_...`, the same at each start."""
    after: int
    """Events up to this number are not forwarded."""
    known: frozenset[int]
    """Numbers beyond it of events that were there already."""


async def open_listener(runtime: Runtime, tenant: Tenant, url: str) -> Listener:
    """Return a listener for what is committed from now on; its secret is made on first need, and kept.

    Raises Problem INVALID_REQUEST_BODY and INVALID_REQUEST_PARAMETERS (the address), UNSUPPORTED_ACTION (live mode),
    and SERVICE_UNAVAILABLE (the server has no key, or another one, to encrypt the secret with).
    """
    webhooks = runtime.webhooks
    assert webhooks is not None  # noqa: S101 - only some tests go without
    if tenant.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail="Only events of test mode are forwarded; create an endpoint instead")
    checked, business_id = forward_url(url), tenant.business_id
    try:
        sealed = webhooks.seal(listener_place(business_id), webhooks.new_secret())
        async with runtime.database.transaction() as tx:
            await insert_listen_secret(tx, business_id, sealed, runtime.real_now())
            stored = await get_listen_secret(tx, business_id)
            after = max(0, await newest_event_number(tx, tenant) - LATE_NUMBERS)
            known = frozenset(await events_after(tx, tenant, after))
        assert stored is not None  # noqa: S101 - it was stored just now, or before
        return Listener(tenant, checked, webhooks.open(listener_place(business_id), stored), after, known)
    except VaultError as error:
        raise Problem("SERVICE_UNAVAILABLE", message=f"Webhooks need an encryption key: {error}") from error
