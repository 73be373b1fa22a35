"""Names under which callers try to set how much money moves, and which no field has: refused, where others are ignored.

Whoever sends `amount` to POST /refunds means a part, and without `items` everything goes back; a payment with `coupon`
would cost the whole price. A body type lists such names in `instead`, with what to send. Names are compared without
case and underscores, and one that is a letter away from one in the list is taken for a slip of the pen.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from nicobar.core.problems import Problem
from nicobar.wire.common import RequestBody

_SHORTEST: Final = 5
"""Characters of a listed name that others can be near to: many words are a letter away from a shorter one."""

_LONGEST: Final = 40
"""Characters of a name that is looked at: comparing takes time, and no field is called so."""


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def names(listed: str, use: str) -> dict[str, str]:
    """Return each of the names, which stand between spaces, with the sentence about what to send instead."""
    return dict.fromkeys(map(_plain, listed.split()), use)


CART_PRICE: Final = names(
    "amount total total_amount subtotal price unit_price unit_amount product_price",
    "Products have their own prices; a pay-what-you-want product takes product_cart[].amount.",
)
"""For bodies with a cart."""

LINE_PRICE: Final = names(
    "price total total_amount unit_price unit_amount product_price suggested_price currency",
    "Products have their own prices, in their own currency; a pay-what-you-want product takes amount.",
) | names(
    "discount discounts discount_bps discount_amount discount_code discount_codes coupon",
    "Codes belong to the whole cart, in discount_codes.",
)
"""For lines of a cart."""

CURRENCY: Final = names("currency billing_currency charge_currency", "Send billing_currency.")

CODES: Final = names(
    "discount discounts discount_amount discount_bps discount_code discount_codes discount_id discount_ids coupon "
    "coupons coupon_code coupon_codes coupon_id promo promo_code promotion promotion_code voucher voucher_code",
    "Send discount_codes, a list of codes.",
)

TRIAL: Final = names(
    "trial trial_days trial_period trial_period_days trial_end trial_ends_at", "Send trial_period_days."
)


def refuse_misnamed(sent: Any, body: Any, path: str = "") -> None:
    """Refuse names of a body's `instead`, in all objects of it; null and blank texts count as not sent.

    `sent` is the JSON, and `body` what it was decoded into. Raises Problem INVALID_REQUEST_BODY with the JSON path.
    """
    if isinstance(body, list):
        for index, (each, decoded) in enumerate(zip(sent, body, strict=True)):
            refuse_misnamed(each, decoded, f"{path}[{index}]")
    elif isinstance(body, RequestBody):
        fields = body.__struct_fields__
        for name, value in sent.items():
            where = f"{path}.{name}".removeprefix(".")
            if name not in fields:
                _check(name, value, type(body), where)
            elif isinstance(value, list | dict):
                refuse_misnamed(value, getattr(body, name), where)


def _check(name: str, value: Any, kind: type[RequestBody], where: str) -> None:
    if value is None or (isinstance(value, str) and not value.strip()) or len(name) > _LONGEST:
        return
    plain, near = _plain(name), _near(kind)
    use = kind.instead.get(plain) or next((near[each] for each in (plain, *_shortened(plain)) if each in near), None)
    if use is not None:
        detail = f"There is no such field, and without it more money could move than you mean. {use}"
        raise Problem("INVALID_REQUEST_BODY", path=where, detail=detail)


@cache
def _near(kind: type[RequestBody]) -> Mapping[str, str]:
    """Return the listed names, and each without one letter.

    Two names are a letter away from each other, or have two letters the other way round, when they are the same with at
    most one letter left out of each. So a name is looked up as often as it has letters, whatever the list.
    """
    listed = {name: use for name, use in kind.instead.items() if len(name) >= _SHORTEST}
    return {short: use for name, use in listed.items() for short in _shortened(name)} | listed


def _shortened(name: str) -> list[str]:
    return [name[:index] + name[index + 1 :] for index in range(len(name))]
