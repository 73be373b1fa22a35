"""What belongs to a payment: discounts, disputes, refunds, charges of subscriptions and its processor, in one query."""

from typing import Any, Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import AppliedDiscount
from nicobar.core.disputes.dispute import Dispute
from nicobar.core.payments.payment import Payment
from nicobar.core.refunds.refund import Refund
from nicobar.core.subscriptions.charge_record import ChargeRecord
from nicobar.storage.database import Read, Record
from nicobar.storage.discounts.applied_discounts import APPLIED_DISCOUNTS, discounts_of_row
from nicobar.storage.disputes.disputes import DISPUTES_OF_PAYMENT
from nicobar.storage.payments.attempts import PROCESSOR_OF_PAYMENT
from nicobar.storage.payments.payments import LINES, PAYMENT_COLUMNS, WITH_CUSTOMER, payment_of_row
from nicobar.storage.refunds.refunds import REFUNDS_OF_PAYMENT
from nicobar.storage.subscriptions.charges import CHARGES_OF_PAYMENT

_BELONGINGS: Final = f"""
{APPLIED_DISCOUNTS},
(SELECT json_agg(o) FROM ({DISPUTES_OF_PAYMENT}) o) AS disputes,
(SELECT json_agg(o) FROM ({REFUNDS_OF_PAYMENT}) o) AS refunds,
(SELECT json_agg(o) FROM ({CHARGES_OF_PAYMENT}) o) AS charges,
({PROCESSOR_OF_PAYMENT}) AS processor
"""

_LOAD: Final = f"SELECT {_BELONGINGS}"
_WITH_PAYMENT: Final = f"""
SELECT {PAYMENT_COLUMNS}, {LINES}, {_BELONGINGS} {WITH_CUSTOMER}
WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = $3
"""


class Belongings(NamedTuple):
    """What belongs to a payment, all as of one moment, each list in the order in which it came to be."""

    discounts: list[AppliedDiscount]
    disputes: list[Dispute]
    refunds: list[Refund]
    """Without their lines."""
    charges: list[ChargeRecord]
    """What it charges subscriptions for."""
    processor: str | None
    """Where it was paid or last tried; None before anybody tried."""


async def load_belongings(read: Read, tenant: Tenant, payment_id: str) -> Belongings:
    """Return what belongs to a payment."""
    return _belongings(await read.fetchrow(_LOAD, tenant.business_id, tenant.mode, payment_id))


async def get_payment_with_belongings(read: Read, tenant: Tenant, payment_id: str) -> tuple[Payment, Belongings] | None:
    """Return a payment with its lines and what belongs to it."""
    row = await read.fetchrow(_WITH_PAYMENT, tenant.business_id, tenant.mode, payment_id)
    return None if row is None else (payment_of_row(row), _belongings(row))


def _belongings(row: Record | None) -> Belongings:
    assert row is not None  # noqa: S101 - a query of aggregates has a row
    refunds: list[dict[str, Any]] = [refund | {"lines": []} for refund in row["refunds"] or []]
    return Belongings(
        discounts_of_row(row),
        msgspec.convert(row["disputes"] or [], list[Dispute]),
        msgspec.convert(refunds, list[Refund]),
        msgspec.convert(row["charges"] or [], list[ChargeRecord]),
        row["processor"],
    )
