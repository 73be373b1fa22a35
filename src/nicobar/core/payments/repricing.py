"""What a customer may change about a payment before paying, and what the change makes of the payment."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from nicobar.core.customers.buyer import Address
from nicobar.core.payments.paying import revision
from nicobar.core.payments.payment import Payment, PaymentLine
from nicobar.core.payments.payment_request import cart_request
from nicobar.core.pricing.cart import CartRequest, RequestedItem, SellableProduct
from nicobar.core.pricing.pricing import Quote
from nicobar.core.tax.tax_id import CheckedTaxId

MAXIMUM_CODES: Final = 20
"""Discount codes of one payment, as in the contract's request."""

_MICROSECOND: Final = timedelta(microseconds=1)


class PaymentChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer changes; everything that is left out stays as it is."""

    billing: Address | UnsetType = UNSET
    tax_id: str | UnsetType | None = UNSET
    """As the customer typed it, to be checked again even if it is the same; None removes it."""
    business_name: str | UnsetType | None = UNSET
    """The name that belongs to the tax id; without one it is dropped."""
    add_code: str | None = None
    """A discount code in its normal form, put behind those that the payment has."""
    remove_code: str | None = None
    name: str = ""
    """Completes a customer whose name nobody knows, or corrects what was entered on this payment's page."""
    phone_number: str | None = None
    """The same for the phone number."""


def wanted(payment: Payment, change: PaymentChange) -> Payment:
    """Return the payment as the customer wants it, with its old amounts."""
    options = payment.options
    codes = [code for code in options.discount_codes if code != change.remove_code]
    if change.add_code is not None and change.add_code not in codes:
        codes.append(change.add_code)
    tax_id = options.tax_id if change.tax_id is UNSET else change.tax_id
    business_name = options.customer_business_name if change.business_name is UNSET else change.business_name
    return msgspec.structs.replace(
        payment,
        billing=payment.billing if change.billing is UNSET else change.billing,
        options=msgspec.structs.replace(
            options,
            discount_codes=codes,
            tax_id=tax_id,
            tax_id_register=options.tax_id_register if change.tax_id is UNSET else None,
            customer_business_name=business_name if tax_id is not None else None,
            told_on_page=sorted({*options.told_on_page, *completed_parts(payment, change)}),
        ),
    )


def completed_parts(payment: Payment, change: PaymentChange) -> list[str]:
    """Return what of the customer the change completes or corrects: `name`, `phone_number`."""
    buyer, told = payment.customer, payment.options.told_on_page
    parts = (("name", buyer.name, change.name), ("phone_number", buyer.phone_number, change.phone_number))
    return [part for part, old, new in parts if new and new != old and (not old or part in told)]


def shows_the_same(new: Payment, old: Payment) -> bool:
    """Return whether two states of a payment differ at most in who told what of its customer."""
    options = msgspec.structs.replace(new.options, told_on_page=old.options.told_on_page)
    return msgspec.structs.replace(new, options=options) == old


def request_again(payment: Payment) -> CartRequest:
    """Return the request that prices this payment's cart again, by today's prices and rates."""
    return cart_request(
        [RequestedItem(line.product_id, line.quantity, line.amount) for line in payment.lines],
        payment.billing,
        payment.options,
        customer_id=payment.customer.customer_id,
    )


def repriced(
    payment: Payment, quote: Quote, products: Mapping[str, SellableProduct], tax_id: CheckedTaxId | None
) -> Payment:
    """Return the payment with the amounts and lines of a quote, and with the tax id in its canonical form."""
    items = [RequestedItem(line.product_id, line.quantity, line.amount) for line in payment.lines]
    return msgspec.structs.replace(
        _with_amounts(payment, quote),
        lines=priced_lines(quote, items, products),
        options=msgspec.structs.replace(
            payment.options,
            tax_id=None if tax_id is None else tax_id.number,
            tax_id_register=None if tax_id is None else tax_id.register,
        ),
    )


def without_codes(payment: Payment, quote: Quote, dropped: Sequence[str]) -> Payment:
    """Return the payment with the amounts of a quote of the same cart that lacks the dropped codes."""
    lines = [
        msgspec.structs.replace(
            line, subtotal=priced.subtotal, discount=priced.discount, tax=priced.tax, total=priced.total
        )
        for line, priced in zip(payment.lines, quote.lines, strict=True)
    ]
    codes = [code for code in payment.options.discount_codes if code not in dropped]
    return msgspec.structs.replace(
        _with_amounts(payment, quote),
        lines=lines,
        options=msgspec.structs.replace(payment.options, discount_codes=codes),
    )


def _with_amounts(payment: Payment, quote: Quote) -> Payment:
    return msgspec.structs.replace(
        payment,
        currency=quote.currency,
        subtotal=quote.subtotal,
        discount=quote.discount,
        tax=quote.tax,
        total_amount=quote.total,
        settlement_currency=quote.settlement_currency,
        settlement_amount=quote.settlement_amount,
        settlement_tax=quote.settlement_tax,
    )


def priced_lines(
    quote: Quote, items: Sequence[RequestedItem], products: Mapping[str, SellableProduct]
) -> list[PaymentLine]:
    """Return the lines that a payment keeps of a quote, in the order of the request."""
    lines = []
    for position, (item, line, inputs) in enumerate(zip(items, quote.lines, quote.inputs.lines, strict=True)):
        product = products[item.product_id]
        lines.append(
            PaymentLine(
                position=position,
                product_id=item.product_id,
                name=product.name,
                description=product.description,
                quantity=item.quantity,
                amount=item.amount,
                unit_price=inputs.unit_price,
                tax_category=product.tax_category,
                tax_inclusive=inputs.tax_inclusive,
                subtotal=line.subtotal,
                discount=line.discount,
                tax=line.tax,
                total=line.total,
            )
        )
    return lines


def next_revision(payment: Payment, now: datetime) -> datetime:
    """Return the moment of a change: now, and later than every change before.

    Forms are tied to the moment of the payment's last change. Were two changes to share one (a clock that was set
    back can bring that about), a form that shows the old price could confirm the new one.
    """
    return max(now, revision(payment) + _MICROSECOND)
