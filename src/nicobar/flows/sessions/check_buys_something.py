"""Refuse a cart in which nothing is bought. No I/O."""

from nicobar.core.problems import CATALOGUE, Problem
from nicobar.core.sessions.checkout_session import SessionRequest


def check_buys_something(request: SessionRequest) -> None:
    """Refuse a cart whose lines are all of nothing. One without lines is refused where it is priced.

    Raises Problem PRODUCT_CART_EMTPY.
    """
    if not request.items or any(item.quantity for item in request.items):
        return
    lines = ", ".join(f"product_cart[{index}]" for index in range(len(request.items)))
    which = lines if len(request.items) == 1 else f"one of {lines}"
    sentence = f"{CATALOGUE['PRODUCT_CART_EMTPY'].sentence}: the quantity of {which} must be at least 1"
    raise Problem("PRODUCT_CART_EMTPY", path="product_cart[0].quantity", message=sentence)
