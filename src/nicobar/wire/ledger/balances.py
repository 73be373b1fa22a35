"""The wire types of the seller's account (contract, "Balances and payouts"), and how a line of it is rendered."""

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta

from nicobar.core.ledger.ledger import LineType, SellerLine
from nicobar.wire.codes import CurrencyCode
from nicobar.wire.common import ObjectId, PageQuery, ResponseBody

LedgerEventType = Literal[
    "payment",
    "refund",
    "refund_reversal",
    "dispute",
    "dispute_reversal",
    "tax",
    "tax_reversal",
    "payment_fees",
    "refund_fees",
    "refund_fees_reversal",
    "dispute_fees",
    "payout",
    "payout_fees",
    "payout_reversal",
    "payout_fees_reversal",
    "dodo_credits",
    "adjustment",
    "currency_conversion",
    "abandoned_cart_recovery_fee",
    "dunning_fees",
    "payment_retry_fee",
    "byop_fee",
    "ethoca_fees",
    "ethoca_fees_reversal",
    "visa_rdr_fee",
    "dispute_fees_reversal",
    "deflection_fees",
    "deflection_fees_reversal",
    "reserve_hold",
    "reserve_release",
    "moderation_fees",
    "dodo_fixed_fee",
    "interchange_fee",
    "scheme_fee",
    "opening_balance",
]
"""The contract's types. This server writes those of `core/ledger/ledger.py:LineType`; other filters find nothing."""


class LedgerQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /balances/ledger; dates are inclusive."""

    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None
    currency: CurrencyCode | None = None
    event_type: LedgerEventType | None = None
    limit: Annotated[int, Meta(ge=1, le=100, description="Lines on a page; goes before `page_size`")] | None = None
    reference_object_id: ObjectId | None = None


class BalanceLedgerEntry(ResponseBody, frozen=True, kw_only=True):
    """One line of the seller's account."""

    id: str
    business_id: str
    amount: int
    """Never negative: `is_credit` tells the direction."""
    is_credit: bool
    currency: str
    usd_equivalent_amount: int
    """US cents, at the mid rate that was in force when the line was written."""
    event_type: LedgerEventType
    created_at: datetime
    before_balance: int | None
    """What the seller was owed in this currency before the line; negative after refunds of what was paid out."""
    after_balance: int | None
    description: str | None
    payout_id: str | None
    """This server pays nobody out."""
    reference_object_id: str | None


_DESCRIPTIONS: Final[dict[LineType, str]] = {
    "payment": "Settlement of a payment, with its tax",
    "tax": "Tax set aside for the authorities",
    "refund": "Refund to the customer, with its tax",
    "refund_reversal": "Refund that came back, with its tax",
    "tax_reversal": "Tax that is no longer owed",
    "dispute": "Disputed amount taken by the bank, with its tax",
    "dispute_reversal": "Disputed amount returned by the bank, with its tax",
}


def render_line(business_id: str, line: SellerLine, usd_amount: int) -> BalanceLedgerEntry:
    """Return a line as the contract shows it; `usd_amount` has the sign of the line's amount."""
    return BalanceLedgerEntry(
        id=line.line_id,
        business_id=business_id,
        amount=abs(line.amount),
        is_credit=line.amount > 0,
        currency=line.currency,
        usd_equivalent_amount=abs(usd_amount),
        event_type=line.type,
        created_at=line.created_at,
        before_balance=line.before,
        after_balance=line.after,
        description=_DESCRIPTIONS[line.type],
        payout_id=None,
        reference_object_id=line.reference,
    )
