"""Payments are stored, one or many in one statement: with their lines, new customers and the answers to keep."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.customers.customer import CustomerUpsert
from nicobar.core.payments.payment import Payment, PaymentLine, PaymentOptions
from nicobar.core.pricing.pricing import QuoteInputs
from nicobar.storage.customers.additional_customers import insert_additional_customer
from nicobar.storage.database import Tx
from nicobar.storage.retries.kept_answers import GIVEN_ANSWER, AnswerToKeep, RowWithAnswer, keep_given

# One statement, so one round trip and one commit, for however many payments; $1 is a JSON list of `_Row`. An answer
# that names another customer than its payment has got is not the one that was foreseen, and is stored later.
_STORE: Final = """
WITH given AS (
    SELECT * FROM json_to_recordset($1) AS g(
        business_id text, mode text, payment_id text, brand_id text, status text, currency text, subtotal bigint,
        discount bigint, tax bigint, total_amount bigint, settlement_currency text, settlement_amount bigint,
        settlement_tax bigint, billing json, metadata json, options json, link_id text, expires_on timestamptz,
        client_secret_hash text, created_at timestamptz, pricing json, lines json, customer_id text, new_id text,
        email_key text, email text, name text, phone_number text, {answer_fields})
), {buyers} payments AS (
    INSERT INTO payments (
        business_id, mode, payment_id, brand_id, status, currency, subtotal, discount, tax, total_amount,
        settlement_currency, settlement_amount, settlement_tax, billing, metadata, options, link_id, expires_on,
        client_secret_hash, created_at, pricing, customer_id)
    SELECT business_id, mode, payment_id, brand_id, status, currency, subtotal, discount, tax, total_amount,
           settlement_currency, settlement_amount, settlement_tax, billing, metadata, options, link_id, expires_on,
           decode(client_secret_hash, 'base64'), created_at, pricing, {customer_id}
    FROM {given}
), lines AS (
    INSERT INTO payment_lines (
        business_id, mode, payment_id, position, product_id, name, description, quantity, amount, unit_price,
        tax_category, tax_inclusive, subtotal, discount, tax, total)
    SELECT business_id, mode, payment_id, line.*
    FROM given CROSS JOIN json_to_recordset(given.lines) AS line(
        position smallint, product_id text, name text, description text, quantity integer, amount bigint,
        unit_price bigint, tax_category text, tax_inclusive boolean, subtotal bigint, discount bigint, tax bigint,
        total bigint)
), {kept}
SELECT {answer}
"""

# When a customer with this e-mail exists by now, it is the payment's and only gets what it lacked: a stored name or
# phone number is never overwritten. Whoever was to be completed and has left the address is not the payment's. They are
# written in the order of their keys, so that no two statements wait for one another.
_BUYERS: Final = """
buyers AS (
    INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, phone_number, metadata,
                           created_at, updated_at)
    SELECT business_id, mode, new_id, email, email_key, name, phone_number, '{}', created_at, created_at
    FROM given WHERE email_key IS NOT NULL ORDER BY business_id, mode, email_key
    ON CONFLICT (business_id, mode, email_key, additional_id) DO UPDATE SET
        name = CASE customers.name WHEN '' THEN excluded.name ELSE customers.name END,
        phone_number = coalesce(customers.phone_number, excluded.phone_number),
        updated_at = excluded.updated_at
    RETURNING business_id, mode, email_key, customer_id AS buyer_id, email, name, phone_number, metadata
),
"""

_WITH_KNOWN: Final = _STORE.format(
    buyers="",
    given="given",
    customer_id="customer_id",
    answer_fields=GIVEN_ANSWER,
    kept=keep_given("given"),
    answer="count(*) FROM given",
)
_BOUGHT: Final = (
    "given LEFT JOIN (SELECT business_id, mode, email_key, buyer_id FROM buyers) b USING (business_id, mode, email_key)"
)
_WITH_NEW: Final = _STORE.format(
    buyers=_BUYERS,
    given=_BOUGHT,
    customer_id="coalesce(buyer_id, customer_id)",
    answer_fields=GIVEN_ANSWER,
    kept=keep_given(_BOUGHT, "coalesce(buyer_id, customer_id) = customer_id"),
    answer="g.payment_id, b.buyer_id AS customer_id, b.email, b.name, b.phone_number, b.metadata"
    " FROM given g JOIN buyers b USING (business_id, mode, email_key)",
)


class NewPayment(NamedTuple):
    """A payment that is stored, and what is stored with it."""

    payment: Payment
    client_secret_hash: bytes
    pricing: QuoteInputs
    """What its amounts were computed from."""
    customer: CustomerUpsert | None = None
    """Its customer, if that has to be stored: somebody new, unless the address has one by now, or completed."""
    kept: AnswerToKeep | None = None
    """The answer to the request."""


class _Row(RowWithAnswer, frozen=True):
    """A payment as the statement reads it."""

    business_id: str
    mode: str
    payment_id: str
    brand_id: str
    status: str
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
    expires_on: datetime
    client_secret_hash: bytes
    created_at: datetime
    pricing: QuoteInputs
    lines: Sequence[PaymentLine]
    customer_id: str
    """Of the customer that it is expected to have."""
    new_id: str | None = None
    """Of a customer to store; None for one that is stored already, and so are the next four."""
    email_key: str | None = None
    email: str | None = None
    name: str | None = None
    phone_number: str | None = None


async def insert_payments(tx: Tx, new: Sequence[NewPayment]) -> list[Buyer]:
    """Store payments in one statement: all of them, or none. It refuses two that store the same customer.

    Return the customers that they belong to: one to be stored may be one that a simultaneous creation with the same
    e-mail made first. Raises UniqueViolation when another request with the same idempotency key was faster.
    """
    rows = [_row(one) for one in new]
    if all(one.customer is None for one in new):
        await tx.fetchval(_WITH_KNOWN, rows)
        return [one.payment.customer for one in new]
    stored = {
        row["payment_id"]: Buyer(row["customer_id"], row["email"], row["name"], row["phone_number"], row["metadata"])
        for row in await tx.fetch(_WITH_NEW, rows)
    }
    return [stored.get(one.payment.payment_id, one.payment.customer) for one in new]


async def insert_payment(
    tx: Tx, payment: Payment, client_secret_hash: bytes, pricing: QuoteInputs, customer: CustomerUpsert | None
) -> Buyer:
    """Store one payment, as `insert_payments` does, and before it the customer who is new in any case."""
    if customer is not None and customer.always_new:
        await insert_additional_customer(tx, payment.tenant, customer, payment.created_at)
        customer = None
    (buyer,) = await insert_payments(tx, [NewPayment(payment, client_secret_hash, pricing, customer)])
    return buyer


def _row(new: NewPayment) -> _Row:
    payment, customer, kept = new.payment, new.customer, new.kept
    return _Row(
        payment.business_id,
        payment.mode,
        payment.payment_id,
        payment.brand_id,
        payment.status,
        payment.currency,
        payment.subtotal,
        payment.discount,
        payment.tax,
        payment.total_amount,
        payment.settlement_currency,
        payment.settlement_amount,
        payment.settlement_tax,
        payment.billing,
        payment.metadata,
        payment.options,
        payment.link_id,
        payment.expires_on,
        new.client_secret_hash,
        payment.created_at,
        new.pricing,
        payment.lines,
        payment.customer.customer_id,
        *(_NOBODY if customer is None else _somebody(customer)),
        **({} if kept is None else kept.given()),
    )


_NOBODY: Final = (None, None, None, None, None)


def _somebody(customer: CustomerUpsert) -> tuple[str, str, str, str, str | None]:
    return customer.customer_id, customer.email_key, customer.email, customer.name, customer.phone_number
