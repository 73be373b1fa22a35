"""The discount codes of an order on the payment page: those that it has, and the field for one more."""

from collections.abc import Mapping

import msgspec

from nicobar.core.payments.payment import Payment


class DiscountView(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of the codes."""

    action: str
    token: str
    codes: list[str]
    """In the order in which they were applied; each can be removed."""
    value: str
    """What was typed and refused."""
    error: str | None
    locked: bool
    """Whether the seller has fixed the codes."""


def discount_view(
    payment: Payment, *, action: str, token: str, errors: Mapping[str, str], shown: Mapping[str, str]
) -> DiscountView:
    """Return the view; errors and typed text belong to the field `code`."""
    return DiscountView(
        action=action,
        token=token,
        codes=payment.options.discount_codes,
        value=shown.get("code", ""),
        error=errors.get("code"),
        locked="discount" in payment.options.locked,
    )
