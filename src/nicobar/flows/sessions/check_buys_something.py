"""Refuse a cart in which nothing is bought. No I/O."""

from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import SessionRequest


def check_buys_something(request: SessionRequest) -> None:
    """Refuse a cart whose lines are all of nothing. One without lines is refused where it is priced.

    Raises Problem PRODUCT_CART_EMTPY.
    """
    if request.items and not any(item.quantity for item in request.items):
        raise Problem("PRODUCT_CART_EMTPY", path="product_cart")
