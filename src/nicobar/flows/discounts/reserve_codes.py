"""Take uses of discount codes for a payment, if their limits have room for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import CodeUse, check_room
from nicobar.core.discounts.discounts import CustomerStanding
from nicobar.core.problems import Problem
from nicobar.flows.discounts.lock_codes import lock_codes
from nicobar.flows.discounts.take_over_codes import take_over_codes
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import insert_uses, open_holdings, standing_of_customer

_OF_OWN_USES: Final = frozenset(
    {
        "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED",
        "DISCOUNT_CUSTOMER_NOT_ELIGIBLE",
        "DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED",
    }
)
"""Refusals that the customer's own open payments can be the reason of."""


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
    for_later: bool = False,
) -> None:
    """Take one use of each code for a payment that was stored or priced again in this transaction.

    `uses` are in the order in which the codes were applied, the first of them at `first_position`; one that deducts
    nothing is not taken, unless the codes are `for_later`: those of a trial. `customer_id` is the customer whom the
    payment was stored with, `reserved_until` the moment its link ends. A free payment that succeeds at once is
    reserved, too, and then redeemed in the same transaction, so that PostgreSQL checks its limit like any other.

    Where limits or the customer's own uses leave no room, what older open payments of the same customer hold is taken
    over, unless somebody is paying them: they lose the codes and are shown again.

    Call it late in the transaction: it keeps other payments from the codes until the commit, and from then on the
    transaction waits for no lock longer than `storage/discounts/redemptions.py:LOCK_TIMEOUT`.

    Raises Problem INVALID_DISCOUNT_CODE, DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED, DISCOUNT_CUSTOMER_NOT_ELIGIBLE or
    DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED for the first code that the customer cannot use, and
    DISCOUNT_CONCURRENT_REDEMPTION (503: a client may retry) when others held a code for too long. The transaction must
    then roll back.
    """
    taken = [use for use in uses if use.deducted or for_later]
    if not taken:
        return
    ids = [use.discount_id for use in taken]
    try:
        await _check(tx, tenant, payment_id, customer_id, ids, first_position)
    except Problem as problem:
        if problem.code not in _OF_OWN_USES:
            raise
        holdings = await open_holdings(tx, tenant, customer_id, payment_id)
        # Whose first purchase it is, is a matter of every code; a limit is one of the code itself.
        if problem.code != "DISCOUNT_CUSTOMER_NOT_ELIGIBLE":
            holdings = [holding for holding in holdings if holding.discount_id in ids]
        if not holdings:
            raise
        await lock_codes(tx, tenant, list({holding.discount_id for holding in holdings}))
        await take_over_codes(tx, tenant, holdings, at)
        await _check(tx, tenant, payment_id, customer_id, ids, first_position)
    await insert_uses(tx, tenant, payment_id, customer_id, taken, reserved_until, at, first_position)


async def _check(
    tx: Tx, tenant: Tenant, payment_id: str, customer_id: str, ids: Sequence[str], first_position: int
) -> None:
    """Check limits and eligibility under the locks of the discounts."""
    limits = await lock_codes(tx, tenant, ids)
    standing: dict[str, CustomerStanding] = {}
    if any(found.depends_on_customer for found in limits.values()):
        standing = await standing_of_customer(tx, tenant, ids, customer_id, payment_id)
    for position, discount_id in enumerate(ids, first_position):
        check_room(limits[discount_id], standing.get(discount_id, _UNKNOWN), f"discount_codes[{position}]")


_UNKNOWN: Final = CustomerStanding()
"""What is known of a customer on whom no code of the request depends."""
