"""The 105 payment method types of the contract: where each can be used, from which amount, and how it behaves.

Which methods a buyer is offered is decided elsewhere; this module says what is true of a method on its own (contract:
payment methods, sections 1, 2 and 6).
"""

from collections.abc import Mapping
from functools import cache
from typing import Final, Literal

import msgspec

from nicobar.reference.table import Confidence, load, rows


class PaymentMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `payment_methods.csv`."""

    type: str
    """Value of `payment_method_type`."""
    name: str
    """Name that buyers know."""
    family: str
    """Value of `payment_method`."""
    offered: bool
    """True for the 25 methods that are documented and in service; the others are valid in lists, never shown."""
    recurring: bool
    """True when it can pay for a subscription."""
    refundable: bool
    partial_refund: bool
    """True when a part of a payment can be refunded; which ones is the contract's proposal."""
    asynchronous: bool
    """True when a submitted payment stays in processing until a later notice."""
    flow: Literal[
        "card_form", "wallet_sheet", "redirect", "qr", "app", "upi_id", "voucher", "transfer", "bank_account", "code",
        "phone",
    ]  # fmt: skip
    """What the buyer does: fills in a form, leaves for another page, scans, pays a reference, or types a code."""
    source: str
    """Keys of `SOURCES.md`, separated by spaces."""
    confidence: Confidence
    countries: frozenset[str] | None = None
    """Billing countries, alpha-2; None means every accepted country."""
    excluded_countries: frozenset[str] = frozenset()
    """Billing countries taken out of `countries`."""
    currencies: frozenset[str] | None = None
    """Charge currencies; None means every chargeable currency."""
    currency_countries: Mapping[str, frozenset[str]] = {}
    """Where a currency is limited to some of the countries: currency -> countries. Empty: all combinations work."""
    minimum_minor: int | None = None
    """Smallest amount in minor units of `minimum_currency`; None means the smallest charge of the currency."""
    minimum_currency: str | None = None
    """Currency of the minimum; for a charge in another one it has to be converted."""
    confirmation: str = ""
    """How long an asynchronous payment usually takes, in words; empty when unknown or at once."""
    note: str = ""

    def accepts(self, country: str, currency: str) -> bool:
        """Return whether a billing country can pay a charge currency with this method."""
        if country in self.excluded_countries or (self.countries is not None and country not in self.countries):
            return False
        if self.currencies is not None and currency not in self.currencies:
            return False
        return not self.currency_countries or country in self.currency_countries.get(currency, frozenset())


class PublishedInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `test_non_card.csv`: a published input of test mode with its outcome."""

    type: str
    """Payment method type."""
    value: str
    """What the buyer enters: a UPI ID, `routing/account`, an e-mail address, an IBAN, or a choice on the test page."""
    outcome: Literal["succeed", "decline", "succeed_then_dispute", "processing_forever", "unpaid"]
    """`unpaid` leaves the payment where it was, waiting for a payment method."""
    delay_seconds: int
    """Seconds from the submission to the outcome, during which the payment is processing; 0 means at once."""
    source: str
    confidence: Confidence
    """Of the outcome together with its error code."""
    error_code: str | None = None
    """Failure code of a decline."""
    note: str = ""


def _load_methods() -> tuple[PaymentMethod, ...]:
    found: list[dict[str, object]] = []
    for cells in rows("payment_methods.csv"):
        row: dict[str, object] = {**cells}
        for column in ("countries", "excluded_countries", "currencies"):
            cell = row.pop(column, "*")
            if cell != "*":
                row[column] = str(cell).split()
        if "currency_countries" in cells:
            pairs = (pair.split(":") for pair in cells["currency_countries"].split())
            row["currency_countries"] = {currency: countries.split(",") for currency, countries in pairs}
        found.append(row)
    return msgspec.convert(found, tuple[PaymentMethod, ...], strict=False)


ALL: Final[tuple[PaymentMethod, ...]] = _load_methods()
"""The methods in the contract's order."""

_BY_TYPE: Final = {method.type: method for method in ALL}


def get(method_type: str) -> PaymentMethod:
    """Return the method of a type. Raises KeyError for another type."""
    return _BY_TYPE[method_type]


@cache
def offered() -> tuple[PaymentMethod, ...]:
    """Return the methods in service, in the contract's order."""
    return tuple(method for method in ALL if method.offered)


@cache
def published_inputs() -> tuple[PublishedInput, ...]:
    """Return the published inputs of test mode for methods other than cards."""
    return load("test_non_card.csv", PublishedInput)


def published_input(method_type: str, value: str) -> PublishedInput | None:
    """Return the published input of a method, None when the value is not published. Case and spaces do not matter."""
    wanted = "".join(value.split()).casefold()
    for known in published_inputs():
        if known.type == method_type and known.value.casefold() == wanted:
            return known
    return None
