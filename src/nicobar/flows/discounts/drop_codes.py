"""Take discount codes away from an open payment that nobody is paying, and price it without them."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from nicobar.core.discounts.discount_record import CodeUse
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import next_revision, without_codes
from nicobar.core.pricing.pricing import recompute
from nicobar.storage.database import Tx
from nicobar.storage.payments.payments import get_pricing
from nicobar.storage.payments.repricing import give_back_uses, put_back_uses, take_out_uses, update_price


async def drop_codes(tx: Tx, payment: Payment, discount_ids: Collection[str], at: datetime) -> Payment:
    """Store the payment at the price without these codes, from what it was priced with, and return it.

    The caller holds the payment's row and the discounts (`lock_codes`), has seen that the payment can be paid and that
    no attempt is live. A form that shows the old price cannot pay any more. What is left of its uses stays reserved.
    """
    inputs = await get_pricing(tx, payment.tenant, payment.payment_id)
    if inputs is None:
        raise RuntimeError(f"{payment.payment_id} is not stored")
    dropped_codes = [code.code for code in inputs.codes if code.discount_id in discount_ids]
    kept = tuple([code for code in inputs.codes if code.discount_id not in discount_ids])
    inputs = msgspec.structs.replace(inputs, codes=kept)
    quote = recompute(inputs)
    new = without_codes(payment, quote, dropped_codes)
    new = msgspec.structs.replace(new, updated_at=next_revision(payment, at))
    await update_price(tx, new, inputs)
    held = await take_out_uses(tx, payment.tenant, payment.payment_id)
    dropped = [discount_id for discount_id in held if discount_id in discount_ids]
    if dropped:
        await give_back_uses(tx, payment.tenant, dropped)
    uses = [use for use in quote.code_uses if use.discount_id in held]
    # A trial's payment is priced without the codes that it holds for the cycles of its subscription.
    later = held.keys() - {use.discount_id for use in uses} - set(dropped)
    uses += [CodeUse(discount_id, 0) for discount_id in held if discount_id in later]
    if uses:
        since = [held[use.discount_id] for use in uses]
        customer_id, until = payment.customer.customer_id, payment.expires_on
        await put_back_uses(tx, payment.tenant, payment.payment_id, customer_id, uses, since, until, at)
    return new
