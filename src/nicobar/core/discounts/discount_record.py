"""A discount as its merchant keeps it, and a discount as a payment used it.

What a code is worth in a cart is decided in `core.discounts`; here stands what may be stored of it, and whether its
limits still leave room for one more use.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from nicobar.core.discounts.discounts import (
    FULL_BPS,
    CurrencyOption,
    CustomerStanding,
    Eligibility,
    is_eligible,
    normalise_code,
)
from nicobar.core.fields import blank_to_none
from nicobar.core.problems import Problem

DiscountType = Literal["percentage", "flat"]
"""A share of the price, or a sum of money."""

RequestedType = Literal["percentage", "flat", "flat_per_unit"]
"""`flat_per_unit` existed once; it is understood, so that it can be refused by its own code."""

CODE_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""What random codes are made of: 32 signs, without those that people confuse (0 and O, 1 and I)."""

CODE_LENGTH: Final = 16
"""Characters of a random code (contract, "POST /discounts")."""

CODE_RANDOM_BITS: Final = CODE_LENGTH * 5
"""Random bits that `random_code` needs: five a character."""

_CODE: Final = re.compile(r"[A-Z0-9!$%&*+.@_-]{3,64}")
"""Codes stand in addresses and are typed by hand: no blanks, no slash, nothing beyond ASCII."""

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The database driver takes the very last microsecond of the year 9999 for infinity."""


class NewDiscount(msgspec.Struct, frozen=True, kw_only=True):
    """A discount to create."""

    type: RequestedType
    amount: int
    """As in `DiscountRecord`."""
    code: str | None = None
    """None or blank: a random one."""
    currency_options: tuple[CurrencyOption, ...] = ()
    customer_eligibility: Eligibility = "any"
    expires_at: datetime | None = None
    metadata: dict[str, Any] = {}
    name: str | None = None
    per_customer_usage_limit: int | None = None
    preserve_on_plan_change: bool = False
    restricted_to: Sequence[str] = ()
    """Product ids; empty means every product."""
    starts_at: datetime | None = None
    subscription_cycles: int | None = None
    usage_limit: int | None = None


class DiscountChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change about a discount; everything that is left out stays as it is."""

    type: RequestedType | UnsetType = UNSET
    amount: int | UnsetType = UNSET
    code: str | UnsetType = UNSET
    """A blank one keeps the code."""
    currency_options: tuple[CurrencyOption, ...] | UnsetType = UNSET
    customer_eligibility: Eligibility | UnsetType = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    """Replaces all pairs."""
    name: str | UnsetType | None = UNSET
    per_customer_usage_limit: int | UnsetType | None = UNSET
    preserve_on_plan_change: bool | UnsetType = UNSET
    restricted_to: Sequence[str] | UnsetType = UNSET
    starts_at: datetime | UnsetType | None = UNSET
    subscription_cycles: int | UnsetType | None = UNSET
    usage_limit: int | UnsetType | None = UNSET


class DiscountRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A discount with its code, as the merchant made it and as it was used so far."""

    business_id: str
    discount_id: str
    code: str
    """Trimmed and upper-cased."""
    name: str | None
    type: DiscountType
    amount: int
    """Percentage: basis points, 1 to 10000. Flat: as it was sent; the currency options hold the deduction."""
    currency_options: tuple[CurrencyOption, ...]
    restricted_to: tuple[str, ...]
    """Product ids, each once; empty means every product."""
    usage_limit: int | None
    per_customer_usage_limit: int | None
    starts_at: datetime | None
    expires_at: datetime | None
    customer_eligibility: Eligibility
    subscription_cycles: int | None
    """Stored and returned; a one-time payment has no cycles."""
    preserve_on_plan_change: bool
    """Stored and returned; a one-time payment has no plan."""
    metadata: dict[str, Any]
    times_used: int
    """Payments that succeeded with the code."""
    times_reserved: int
    """Open payments with the code; each will use it or give its use back."""
    created_at: datetime
    updated_at: datetime


class AppliedDiscount(msgspec.Struct, frozen=True, kw_only=True):
    """A discount on a payment: `code`, `type` and `amount` as the payment was created with, the rest as of now."""

    business_id: str
    discount_id: str
    position: int
    """From 0, in the order in which the codes were applied."""
    code: str
    name: str | None
    type: DiscountType
    amount: int
    deducted: int | None
    """What the code took off, in minor units of the payment's currency, without tax; None for a later charge of a
    subscription, which has no use of its own."""
    state: Literal["reserved", "redeemed", "released"] | None
    """What became of its use."""
    restricted_to: tuple[str, ...]
    usage_limit: int | None
    expires_at: datetime | None
    subscription_cycles: int | None
    preserve_on_plan_change: bool
    metadata: dict[str, Any]
    times_used: int
    created_at: datetime
    cycles_remaining: int | None
    """Charged cycles of the subscription for which the code still works; None for all, and for a one-time payment."""


class CodeUse(msgspec.Struct, frozen=True, gc=False):
    """One code that a payment is made or priced again with."""

    discount_id: str
    deducted: int
    """What it took off all lines together, in minor units of the payment's currency."""


class CodeLimits(msgspec.Struct, frozen=True, gc=False):
    """What decides whether a code can be used once more, as read under its lock."""

    discount_id: str
    deleted: bool
    code: str
    usage_limit: int | None
    per_customer_usage_limit: int | None
    customer_eligibility: Eligibility
    taken: int
    """Uses and reservations of everybody."""

    @property
    def depends_on_customer(self) -> bool:
        """Whether it matters what the customer has done before."""
        return self.per_customer_usage_limit is not None or self.customer_eligibility != "any"


def random_code(random_bits: int) -> str:
    """Return a code of 16 characters from `CODE_RANDOM_BITS` random bits; surplus bits are ignored."""
    shifts = range(0, CODE_RANDOM_BITS, 5)
    return "".join([CODE_ALPHABET[random_bits >> shift & 31] for shift in shifts])


def checked_type(requested: RequestedType) -> DiscountType:
    """Return the type. Raises Problem UNSUPPORTED_DISCOUNT_TYPE for `flat_per_unit`."""
    if requested == "flat_per_unit":
        raise Problem("UNSUPPORTED_DISCOUNT_TYPE", path="type")
    return requested


def checked_code(text: str | None) -> str | None:
    """Return the code as it is stored; None for null and blanks. Raises Problem INVALID_REQUEST_BODY."""
    if blank_to_none(text) is None:
        return None
    code = normalise_code(text or "")
    if _CODE.fullmatch(code) is None:
        detail = "A code has 3 to 64 characters: letters A-Z, digits and ! $ % & * + . @ _ -"
        raise Problem("INVALID_REQUEST_BODY", path="code", detail=detail)
    return code


def checked_moment(moment: datetime | None, path: str) -> datetime | None:
    """Return the moment in UTC; one without an offset is taken as UTC.

    Raises Problem INVALID_REQUEST_BODY for one outside the years 1970 to 9999.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not _EARLIEST <= moment <= _LATEST:
        raise Problem("INVALID_REQUEST_BODY", path=path, detail="It must lie in the years 1970 to 9999.")
    return moment.astimezone(UTC)


def check_record(record: DiscountRecord) -> None:
    """Refuse a discount whose fields contradict each other (contract, "Discounts" and "Discount codes").

    Raises Problem INVALID_PERCENTAGE, INVALID_REQUEST_PARAMETERS or DISCOUNT_CURRENCY_OPTION_INVALID.
    """
    if record.type == "percentage" and record.amount > FULL_BPS:
        raise Problem("INVALID_PERCENTAGE", path="amount")
    if record.starts_at is not None and record.expires_at is not None and record.starts_at >= record.expires_at:
        detail = "starts_at must be before expires_at."
        raise Problem("INVALID_REQUEST_PARAMETERS", path="starts_at", detail=detail)
    total, own = record.usage_limit, record.per_customer_usage_limit
    if total is not None and own is not None and own > total:
        detail = f"A customer cannot use the code {own} times when usage_limit is {total}."
        raise Problem("INVALID_REQUEST_PARAMETERS", path="per_customer_usage_limit", detail=detail)
    _check_options(record.type, record.currency_options)


def _check_options(kind: DiscountType, options: Sequence[CurrencyOption]) -> None:
    currencies = [option.currency for option in options]
    for index, currency in enumerate(currencies):
        if currency in currencies[:index]:
            raise _wrong_option("Duplicate currency options are not allowed", f"[{index}].currency")
    if sum(option.is_default for option in options) > 1:
        raise _wrong_option("Only one currency option may be marked as default")
    if kind == "percentage":
        return
    # A single row counts as the default.
    if not options or (len(options) > 1 and not any(option.is_default for option in options)):
        raise Problem("DISCOUNT_CURRENCY_OPTION_INVALID", path="currency_options")
    for index, option in enumerate(options):
        if option.max_amount_possible is None:
            raise _wrong_option(
                "A flat discount takes off this amount; it is required", f"[{index}].max_amount_possible"
            )


def _wrong_option(message: str, where: str = "") -> Problem:
    return Problem("DISCOUNT_CURRENCY_OPTION_INVALID", message=message, path=f"currency_options{where}")


def check_new_limit(record: DiscountRecord, limit: int | None) -> None:
    """Refuse to lower the usage limit of a discount below its uses.

    Uses that are only reserved do not count here: a merchant can stop a code at once, and what open payments were
    promised stays promised. Raises Problem DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED.
    """
    if limit is not None and limit != record.usage_limit and limit < record.times_used:
        message = f"Usage limit cannot be less than times_used, which is {record.times_used}"
        raise Problem("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED", message=message, path="usage_limit")


def check_room(limits: CodeLimits, standing: CustomerStanding, path: str, *, agreed: bool = False) -> None:
    """Refuse a use for which a code has no room left, or by a customer whom it is not for.

    `path` names the request's field for the message. `agreed` says that the payment had a use before: then it does not
    matter that the code was deleted meanwhile.

    Raises Problem INVALID_DISCOUNT_CODE (the code was deleted meanwhile), DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED,
    DISCOUNT_CUSTOMER_NOT_ELIGIBLE or DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED.
    """
    if limits.deleted and not agreed:
        raise Problem("INVALID_DISCOUNT_CODE", code=limits.code, path=path)
    if limits.usage_limit is not None and limits.taken >= limits.usage_limit:
        raise Problem("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED", path=path)
    if not is_eligible(limits.customer_eligibility, standing):
        raise Problem("DISCOUNT_CUSTOMER_NOT_ELIGIBLE", path=path)
    own = limits.per_customer_usage_limit
    if own is not None and standing.customer_uses >= own:
        raise Problem("DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED", path=path)
