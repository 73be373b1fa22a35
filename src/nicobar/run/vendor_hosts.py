"""The hosts of the hosted service that applications have built in, as the contract's clients know them."""

from typing import Final

CHECKOUT_OF: Final = {
    "test.dodopayments.com": "test.checkout.dodopayments.com",
    "live.dodopayments.com": "checkout.dodopayments.com",
}
"""Host of the API to the host that its payment links lead to."""

REDIRECTED: Final = (*CHECKOUT_OF, *CHECKOUT_OF.values())
"""Hosts that lead here. The hooks and the browser refuse every other host of `DOMAINS`."""

DOMAINS: Final = ("dodopayments.com", "dodopayments.tech")
"""What nothing leaves for, with all hosts below."""


def is_vendors(host: str | None) -> bool:
    """Return whether a host is one of the hosted service's."""
    name = (host or "").lower().rstrip(".")
    return name in DOMAINS or name.endswith(tuple(f".{domain}" for domain in DOMAINS))
