"""What each line of a payment is in the settlement currency."""

from nicobar.core.payments.payment import Payment
from nicobar.core.payments.settlement import is_converted, settlement_shares
from nicobar.core.pricing.pricing import recompute
from nicobar.storage.database import Read
from nicobar.storage.payments.payments import get_pricing


async def load_settled_lines(read: Read, payment: Payment) -> list[tuple[int, int]]:
    """Return each line's total and tax in the settlement currency.

    Where nothing was converted they are the line's own. Otherwise the payment is priced again from what was stored
    with it. Raises RuntimeError for a payment that is not stored: a bug of ours.
    """
    if not is_converted(payment):
        return [(line.total, line.tax) for line in payment.lines]
    pricing = await get_pricing(read, payment.tenant, payment.payment_id)
    if pricing is None:
        raise RuntimeError(f"{payment.payment_id} is not stored")
    return list(zip(*settlement_shares(recompute(pricing)), strict=True))
