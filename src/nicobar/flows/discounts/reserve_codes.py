"""Take uses of discount codes for a payment, if their limits have room for them."""

from collections.abc import Sequence
from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import CodeUse, check_room
from nicobar.flows.discounts.lock_codes import lock_codes
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import insert_uses, uses_of_customer


async def reserve_codes(
    tx: Tx,
    tenant: Tenant,
    payment_id: str,
    customer_id: str,
    uses: Sequence[CodeUse],
    reserved_until: datetime,
    at: datetime,
    *,
    first_position: int = 0,
) -> None:
    """Take one use of each code for a payment that was stored or priced again in this transaction.

    `uses` are in the order in which the codes were applied, the first of them at `first_position`. `customer_id` is the
    customer whom the payment was stored with, `reserved_until` the moment its link ends. A free payment that succeeds
    at once is reserved, too, and then redeemed in the same transaction, so that PostgreSQL checks its limit like any
    other.

    Call it late in the transaction: it keeps other payments from the codes until the commit, and from then on the
    transaction waits for no lock longer than `storage/discounts/redemptions.py:LOCK_TIMEOUT`.

    Raises Problem INVALID_DISCOUNT_CODE, DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED or
    DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED for the first code that has no use left, and
    DISCOUNT_CONCURRENT_REDEMPTION (503: a client may retry) when others held a code for too long. The transaction must
    then roll back.
    """
    if not uses:
        return
    ids = [use.discount_id for use in uses]
    limits = await lock_codes(tx, tenant, ids)
    own_uses: dict[str, int] = {}
    if any(found.per_customer_usage_limit is not None for found in limits.values()):
        own_uses = await uses_of_customer(tx, tenant, ids, customer_id)
    for position, discount_id in enumerate(ids, first_position):
        check_room(limits[discount_id], own_uses.get(discount_id, 0), f"discount_codes[{position}]")
    await insert_uses(tx, tenant, payment_id, customer_id, uses, reserved_until, at, first_position)
