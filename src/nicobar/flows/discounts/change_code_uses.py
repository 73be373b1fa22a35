"""Exchange the uses of discount codes that an open payment holds."""

from collections.abc import Sequence
from datetime import datetime

from nicobar.core.discounts.discount_record import CodeUse
from nicobar.core.payments.payment import Payment
from nicobar.flows.discounts.lock_codes import lock_codes
from nicobar.flows.discounts.reserve_codes import reserve_codes
from nicobar.storage.database import Tx
from nicobar.storage.payments.repricing import give_back_uses, put_back_uses, take_out_uses


async def change_code_uses(tx: Tx, payment: Payment, uses: Sequence[CodeUse], at: datetime) -> None:
    """Make `uses` the reserved uses of codes of an open payment, whose row the caller holds.

    A code that the payment holds already keeps its use, with its new deduction: no counter moves, so its limit cannot
    refuse it. A code that is not among `uses` any more gives its use back, and a new one, which comes after those
    that are kept, takes one as `reserve_codes` does. One that deducts nothing holds none, unless it was held for the
    cycles of a subscription that the payment starts.

    Raises Problem like `reserve_codes`; the transaction must then roll back.
    """
    tenant, payment_id, until = payment.tenant, payment.payment_id, payment.expires_on
    customer_id = payment.customer.customer_id
    held = await take_out_uses(tx, tenant, payment_id)
    uses = [use for use in uses if use.deducted or (payment.options.starts and use.discount_id in held)]
    wanted = {use.discount_id for use in uses}
    dropped = [discount_id for discount_id in held if discount_id not in wanted]
    kept = [use for use in uses if use.discount_id in held]
    added = [use for use in uses if use.discount_id not in held]
    if dropped:  # all at once, in the one order of all locks: the new codes may have smaller ids
        await lock_codes(tx, tenant, [*dropped, *[use.discount_id for use in added]])
        await give_back_uses(tx, tenant, dropped)
    if kept:
        since = [held[use.discount_id] for use in kept]
        await put_back_uses(tx, tenant, payment_id, customer_id, kept, since, until, at)
    await reserve_codes(tx, tenant, payment_id, customer_id, added, until, at, first_position=len(kept))
