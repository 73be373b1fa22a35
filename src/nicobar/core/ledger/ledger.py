"""The books: every movement of money is one entry whose postings sum to zero in each currency.

Amounts are minor units; positive is a debit, negative a credit. A payment in one currency lets the processor owe us
its total, and us owe the seller the earnings and the authorities the tax. A converted payment touches two currencies,
that of the charge and that of the settlement, and `conversion_clearing` bridges them: it holds what was taken in at
one end and given out at the other, so what it is worth at today's rates is what rates and roundings gained or lost.

Why these accounts, and why free payments have no entry: `docs/decisions/0013-the-ledger.md`.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

from nicobar.core.money.money import round_half_up
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.pricing import QuoteInputs

LedgerAccount = Literal[
    "processor_receivable", "conversion_clearing", "merchant_payable", "tax_payable", "fee_income", "reversal_loss"
]

ACCOUNTS: Final[dict[LedgerAccount, Literal["debit", "credit", "either"]]] = {
    "processor_receivable": "debit",
    "conversion_clearing": "either",
    "merchant_payable": "credit",
    "tax_payable": "credit",
    "fee_income": "credit",
    "reversal_loss": "debit",
}
"""The accounts with the side on which their balance normally stands.

`processor_receivable` is what processors owe us, in the currency of the charge; what a dispute takes away leaves it.
`merchant_payable` is the seller's earnings, `tax_payable` the tax that was collected for the authorities and
`fee_income` the fee of adaptive pricing, all in the settlement currency. `reversal_loss` is what was given back
although nothing was left of the payment, by a refund and a dispute for example: the seller's loss.
"""

EntryKind = Literal["payment", "refund", "refund_reversal", "dispute", "dispute_reversal"]
"""What an entry records. A `refund_reversal` undoes the entry of a refund that came back; `dispute` takes the disputed
money away, and `dispute_reversal` brings it back."""


LineType = Literal["payment", "tax", "refund", "refund_reversal", "tax_reversal", "dispute", "dispute_reversal"]
"""What a line of the seller's account is about, in the contract's words.

A movement of money is one line of its kind over the settlement with tax, and one over the tax within it, which is not
the seller's: `tax` where it is set aside, `tax_reversal` where it comes back. So the lines sum to the balance of
`merchant_payable`, and a `payment` line is what the payment itself calls its settlement amount.
"""


class Posting(msgspec.Struct, frozen=True):
    """One amount on one account."""

    account: LedgerAccount
    currency: str
    amount: int
    """Minor units: a debit is positive, a credit negative."""


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of money. It cannot be made unbalanced: ValueError then."""

    entry_id: str
    kind: EntryKind
    payment_id: str
    reference: str
    """The payment, refund or dispute that moved the money."""
    turn: int = 0
    """How often money of this kind moved for the reference before: an appeal turns a dispute round once more."""
    created_at: datetime
    currency: str
    """What the customer's side is in."""
    settlement_currency: str
    """What the seller's side is in."""
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        """Refuse postings that do not sum to zero in each currency, or that move nothing."""
        sums: dict[str, int] = {}
        for posting in self.postings:
            sums[posting.currency] = sums.get(posting.currency, 0) + posting.amount
        if any(sums.values()) or not self.postings or not all(posting.amount for posting in self.postings):
            raise ValueError(f"the entry about {self.reference} does not balance: {self.postings}")

    def amount(self, account: LedgerAccount, currency: str) -> int:
        """Return what was posted on an account in a currency: positive for a debit, 0 for nothing."""
        return sum(p.amount for p in self.postings if p.account == account and p.currency == currency)

    @property
    def received(self) -> int:
        """What came in, in minor units of `currency`; negative for what went out."""
        return self.amount("processor_receivable", self.currency)

    @property
    def gross(self) -> int:
        """The same in minor units of `settlement_currency`: what seller, authorities, fee and loss got of it."""
        return self.share - self.lost

    @property
    def share(self) -> int:
        """What of `gross` seller, authorities and fee got, or gave when it is negative."""
        parts: tuple[LedgerAccount, ...] = ("merchant_payable", "tax_payable", "fee_income")
        return -sum(self.amount(account, self.settlement_currency) for account in parts)

    @property
    def settlement(self) -> int:
        """What of `share` is the seller's and the authorities' together."""
        return self.tax - self.amount("merchant_payable", self.settlement_currency)

    @property
    def tax(self) -> int:
        """What of `share` is the authorities'."""
        return -self.amount("tax_payable", self.settlement_currency)

    @property
    def lost(self) -> int:
        """What was given back although nothing was left; negative when that came back."""
        return self.amount("reversal_loss", self.settlement_currency)


class SellerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the seller's account, with the balance around it. Amounts are minor units of `currency`."""

    line_id: str
    """The entry's id; the line about the tax adds `_tax` to it."""
    type: LineType
    amount: int
    """Positive is a credit to the seller."""
    currency: str
    reference: str
    """The payment, refund or dispute behind it."""
    created_at: datetime
    before: int
    """The seller's balance in this currency before the line; positive is what the seller is owed."""
    after: int


def payment_entry(entry_id: str, payment: Payment, pricing: QuoteInputs | None, at: datetime) -> LedgerEntry:
    """Return the entry of a payment that was paid; its total is above zero.

    The seller is credited the stored settlement, of which the settlement tax belongs to the authorities. The fee of
    adaptive pricing is what lies between that and the gross: the total, converted back at the mid rate that the
    payment was priced with and rounded half-up once (`money.md`, section 8). `pricing` is needed when the charge
    currency differs from the settlement currency; ValueError when it is missing then.
    """
    gross = payment.total_amount
    if payment.currency != payment.settlement_currency:
        rate = None if pricing is None else pricing.charge.settlement
        if rate is None:
            raise ValueError(f"{payment.payment_id} was converted, and its rate is not known")
        gross = round_half_up(gross * rate.denominator, rate.numerator)
    return LedgerEntry(
        entry_id=entry_id,
        kind="payment",
        payment_id=payment.payment_id,
        reference=payment.payment_id,
        created_at=at,
        currency=payment.currency,
        settlement_currency=payment.settlement_currency,
        postings=postings_of(
            payment.currency,
            payment.total_amount,
            payment.settlement_currency,
            gross,
            payment.settlement_amount,
            payment.settlement_tax,
        ),
    )


def postings_of(
    currency: str, amount: int, settlement_currency: str, gross: int, settlement: int, tax: int, loss: int = 0
) -> tuple[Posting, ...]:
    """Return the postings of money that came in; with negative amounts, of money that went out.

    `gross` is the amount in the settlement currency; what it has beyond the settlement is fee. `loss` is what of it
    was given back although nothing was left: a debit when positive, whichever way the rest goes.
    """
    postings = [Posting("processor_receivable", currency, amount)]
    if currency != settlement_currency:
        postings += [
            Posting("conversion_clearing", currency, -amount),
            Posting("conversion_clearing", settlement_currency, gross),
        ]
    postings += [
        Posting("merchant_payable", settlement_currency, tax - settlement),
        Posting("tax_payable", settlement_currency, -tax),
        Posting("fee_income", settlement_currency, settlement - gross - loss),
        Posting("reversal_loss", settlement_currency, loss),
    ]
    return tuple([posting for posting in postings if posting.amount])
