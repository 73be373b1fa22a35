"""The life of a payment: its statuses, what may follow what, and the outcomes a processor can report.

The status names are the contract's (eleven literals); `TRANSITIONS` is the one table of allowed moves. The guarded
UPDATE in storage takes the allowed origins from this table, so Python and SQL cannot disagree.
"""

from datetime import datetime
from typing import Any, Final, Literal, TypeVar

import msgspec

from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.payments.renewal_try import RenewalTry
from nicobar.core.payments.three_ds import ThreeDs
from nicobar.core.tax.tax_id import RegisterAnswer

PaymentStatus = Literal[
    "succeeded",
    "failed",
    "cancelled",
    "processing",
    "requires_customer_action",
    "requires_merchant_action",
    "requires_payment_method",
    "requires_confirmation",
    "requires_capture",
    "partially_captured",
    "partially_captured_and_capturable",
]

ChargeType = Literal["new", "renewal", "plan_change", "on_demand"]
"""What a payment charges a subscription for."""

TRANSITIONS: Final[dict[PaymentStatus, frozenset[PaymentStatus]]] = {
    "requires_payment_method": frozenset({"processing", "succeeded", "cancelled"}),
    "processing": frozenset({"requires_customer_action", "succeeded", "failed", "requires_payment_method"}),
    "requires_customer_action": frozenset({"processing", "succeeded", "failed", "requires_payment_method"}),
    "failed": frozenset({"processing", "succeeded"}),
    "succeeded": frozenset(),
    "cancelled": frozenset(),
    "requires_merchant_action": frozenset(),
    "requires_confirmation": frozenset(),
    "requires_capture": frozenset(),
    "partially_captured": frozenset(),
    "partially_captured_and_capturable": frozenset(),
}
"""From each status, the statuses that may follow (contract, "Life of the payment").

`requires_payment_method -> succeeded` is the free payment (total 0), which no processor sees. `failed -> processing`
is the customer's next try through the same link, and `failed -> succeeded` a processor that takes its no back: it has
the customer's money, so the payment is paid. The two ways back to `requires_payment_method` are for a customer
who left the page of a method before it charged anything (contract, test mode: Afterpay). Statuses without a row entry
are final or, for the last five (manual capture), never produced by this server.
"""

PAYABLE: Final[frozenset[PaymentStatus]] = frozenset({"requires_payment_method", "failed"})
"""Statuses in which a customer may start an attempt."""


def origins(target: PaymentStatus) -> list[PaymentStatus]:
    """Return the statuses from which `target` may be entered, sorted, for a guarded UPDATE."""
    return sorted(status for status, followers in TRANSITIONS.items() if target in followers)


class CardDetails(msgspec.Struct, frozen=True):
    """What may be kept of a card: never its number or security code."""

    last_four: str
    network: str
    """Lower case, for example `visa`."""
    funding: Literal["credit", "debit", "prepaid"]
    issuing_country: str | None
    """ISO 3166-1 alpha-2."""
    holder_name: str | None
    exp_month: str
    """Two digits."""
    exp_year: str
    """Four digits."""


def method_type(card: CardDetails) -> Literal["credit", "debit"]:
    """Return the contract's payment method type of a card: prepaid cards count as debit."""
    return "credit" if card.funding == "credit" else "debit"


class KeptCard(msgspec.Struct, frozen=True):
    """What a processor gives for a card that it keeps for later charges. Its text form shows nothing of it."""

    token: str
    """Opaque; the processor charges the card by it."""
    fingerprint: str
    """The same whenever the same card is kept."""

    def __repr__(self) -> str:
        """Show that a card is kept, and not how it is charged."""
        return "KeptCard(<hidden>)"


class Succeeded(msgspec.Struct, frozen=True, tag="succeeded", omit_defaults=True):
    """The processor said, in explicit words, that the money was taken."""

    reference: str
    """The processor's own id of the charge."""
    three_ds: ThreeDs | None = None
    """The authentication of the cardholder; None when none is reported."""
    kept: KeptCard | None = None
    """Filled when the charge was asked to keep the card. It goes to the saved methods and never into the attempt."""
    card: CardDetails | None = None
    """The card that paid, where only the processor learns it: it was typed into fields of the processor's own."""


class Declined(msgspec.Struct, frozen=True, tag="declined", omit_defaults=True):
    """The processor said no."""

    error_code: str
    """A unified failure code, for example `INSUFFICIENT_FUNDS`."""
    error_message: str
    """Headline and advice for the merchant."""
    reference: str | None = None
    three_ds: ThreeDs | None = None


class NeedsAction(msgspec.Struct, frozen=True, tag="needs_action", omit_defaults=True):
    """The customer has to do something first, for example a 3-D Secure challenge at `url`."""

    reference: str
    url: str
    three_ds: ThreeDs | None = None


class PendingDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the customer should know while a charge is pending."""

    account: str | None = None
    """The last four characters of the bank account that is debited."""
    entity: str | None = None
    """With `code`, what the customer pays by at a bank or a cash machine."""
    code: str | None = None
    pay_by: datetime | None = None
    """Until when the code can be paid."""
    url: str | None = None
    """A page of the processor about this charge, where it has one."""


class Pending(msgspec.Struct, frozen=True, tag="pending", omit_defaults=True):
    """The processor accepted the charge and will say later how it ended (bank debits, vouchers)."""

    reference: str
    details: PendingDetails | None = None


class Abandoned(msgspec.Struct, frozen=True, tag="abandoned"):
    """The customer left before anything was charged: the attempt has ended, and the payment waits for another one."""

    reference: str


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """Nobody knows what happened at the processor: a time-out or a broken answer. The resolver asks again."""

    why: str


Outcome = Succeeded | Declined | NeedsAction | Pending | Abandoned | Unknown
"""What a processor said about one attempt. Success and failure need explicit words from the processor."""


OutcomeT = TypeVar("OutcomeT", bound=Outcome)


def without_token(outcome: OutcomeT) -> OutcomeT:
    """Return what is stored with an attempt: all but the token of a card, which goes to the saved methods."""
    return msgspec.structs.replace(outcome, kept=None) if isinstance(outcome, Succeeded) else outcome


def status_after(outcome: Outcome) -> PaymentStatus:
    """Return the payment's status after `outcome`; in doubt a payment stays `processing`."""
    match outcome:
        case Succeeded():
            return "succeeded"
        case Declined():
            return "failed"
        case NeedsAction():
            return "requires_customer_action"
        case Abandoned():
            return "requires_payment_method"
        case Pending() | Unknown():
            return "processing"


class CustomFieldResponse(msgspec.Struct, frozen=True):
    """What a buyer answered to a question of the merchant's."""

    key: str
    value: str


class PaymentOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the creation asked for beyond the money, kept for the steps that need it."""

    payment_link: bool = False
    short_link: bool = False
    return_url: str | None = None
    redirect_immediately: bool = False
    require_phone_number: bool = False
    show_saved_payment_methods: bool = False
    force_3ds: bool | None = None
    allowed_payment_method_types: list[str] | None = None
    """None means every eligible type."""
    payment_method_id: str | None = None
    billing_currency: str | None = None
    adaptive_currency_fees_inclusive: bool | None = None
    discount_codes: list[str] = []
    tax_id: str | None = None
    tax_id_register: RegisterAnswer | None = None
    """What the European Union's register answered about the tax id, when it was asked."""
    customer_business_name: str | None = None
    charge_type: ChargeType | None = None
    """What it charges a subscription for; None for a payment that belongs to none."""
    updates_method: bool = False
    """Whether it was made only to keep another payment method for a subscription."""
    keeps_method: bool = False
    """Whether the card that pays is kept for later charges; a payment of nothing needs one, too."""
    told_on_page: list[str] = []
    """What of the customer was unknown and entered on the payment's page (`name`, `phone_number`). Only that can be
    corrected there until paying; what the merchant knew cannot."""
    checkout_session_id: str | None = None
    """The session that the payment was made of."""
    renewal: RenewalTry | None = None
    """Which renewal it is, for the simulator; None where no scenario asks."""
    custom_field_responses: list[CustomFieldResponse] | None = None
    starts: list[str] = []
    """The subscriptions that begin when it is paid."""
    locked: list[str] = []
    """What its buyer cannot change on the page: names of fields of the details, and `discount` for the codes."""
    minimal_address: bool = False
    """Whether the page asks for no more of an address than can decide the tax."""

    @property
    def charges_subscription(self) -> bool:
        """Whether the payment belongs to a subscription."""
        return self.charge_type is not None or self.updates_method


class PaymentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the cart as it was priced, in minor units of the payment's currency unless said otherwise."""

    position: int
    """From 0, in the order of the request."""
    product_id: str
    name: str
    description: str | None
    quantity: int
    amount: int | None
    """The request's pay-what-you-want amount for one unit, in the product's currency; None if there was none."""
    unit_price: int
    """Price of one unit before discounts, in the product's currency."""
    tax_category: str
    tax_inclusive: bool
    subtotal: int
    """Before discounts, without tax."""
    discount: int
    tax: int
    total: int
    """What the customer pays for this line: subtotal - discount + tax."""
    refund_reserved_amount: int = 0
    """What refunds hold of `total`, pending ones included."""
    refund_reserved_tax: int = 0
    """The tax in `refund_reserved_amount`."""
    refund_reserved_settlement_amount: int = 0
    """The same in the settlement currency."""
    refund_reserved_settlement_tax: int = 0


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time payment. Amounts are minor units of `currency`."""

    business_id: str
    mode: Mode
    payment_id: str
    brand_id: str
    customer: Buyer
    status: PaymentStatus
    currency: str
    subtotal: int
    discount: int
    tax: int
    total_amount: int
    settlement_currency: str
    settlement_amount: int
    settlement_tax: int
    billing: Address
    metadata: dict[str, Any]
    options: PaymentOptions
    link_id: str | None
    """The 8 characters of the payment link, if one was asked for."""
    expires_on: datetime
    """When the link stops working and an unpaid payment is cancelled."""
    payment_method: str | None
    """Family, for example `card`."""
    payment_method_type: str | None
    """For cards `credit` or `debit`, otherwise the contract's type."""
    card: CardDetails | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    updated_at: datetime | None
    lines: list[PaymentLine]
    payment_method_id: str | None = None
    """The saved method that was charged last, or that the card of this payment was saved as."""
    three_ds: ThreeDs | None = None
    """The cardholder's authentication in the last attempt."""
    refund_reserved_amount: int = 0
    """What refunds hold of `total_amount`, pending ones included."""
    refund_succeeded_amount: int = 0
    """What succeeded refunds have given back."""

    @property
    def refund_status(self) -> Literal["partial", "full"] | None:
        """How much succeeded refunds have given back; None for nothing."""
        if not self.refund_succeeded_amount:
            return None
        return "full" if self.refund_succeeded_amount == self.total_amount else "partial"

    @property
    def is_free(self) -> bool:
        """Whether nothing is due and no card is needed either, so that no processor sees the payment."""
        return self.total_amount == 0 and not self.options.keeps_method

    @property
    def tenant(self) -> Tenant:
        """Whose payment it is."""
        return Tenant(self.business_id, self.mode)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at charging a payment. Its id is the processor's idempotency key."""

    attempt_id: str
    payment_id: str
    processor: str
    account: str = ""
    """Which account of the processor it is made with; no other one is ever queried for it. Empty where the processor
    has one for all, and for what was made before accounts had names."""
    amount: int
    currency: str
    card: CardDetails | None
    outcome: Outcome | None
    """The last word of the processor; None while its first answer is awaited."""
    created_at: datetime
    resolved_at: datetime | None
    """When the end was known: succeeded or declined."""
    save_method: bool = False
    """Whether the customer agreed that the card is kept, should it pay."""
