"""Take discount codes over from the older open payments of the same customer."""

from collections.abc import Sequence
from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.paying import is_payable
from nicobar.flows.discounts.drop_codes import drop_codes
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import Holding
from nicobar.storage.payments.attempts import live_attempt
from nicobar.storage.payments.payments import lock_idle_payment


async def take_over_codes(tx: Tx, tenant: Tenant, holdings: Sequence[Holding], at: datetime) -> None:
    """Take the codes from payments that hold them and that nobody is paying, and have those shown again.

    The caller holds all discounts of `holdings`. A payment that somebody works on at this moment keeps its codes: it is
    not waited for, because locks are taken in another order there.
    """
    of_payments: dict[str, list[str]] = {}
    for holding in holdings:
        of_payments.setdefault(holding.payment_id, []).append(holding.discount_id)
    for payment_id, discount_ids in sorted(of_payments.items()):
        payment = await lock_idle_payment(tx, tenant, payment_id)
        if payment is None or not is_payable(payment, at) or await live_attempt(tx, tenant, payment_id) is not None:
            continue
        await drop_codes(tx, payment, discount_ids, at)
