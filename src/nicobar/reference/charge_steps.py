"""Which amounts the processors take, by their names: what cannot be charged is known when a price is made.

The smallest charges need no table of their own: those of `currencies.csv` are nowhere below what Stripe documents.
"""

from nicobar.reference.stripe import stripe_step


def charge_step(processor: str | None, currency: str) -> int:
    """Return the step of amounts that a processor takes, in minor units of `currency`; 1 takes every amount.

    `processor` is its name, None for one that is not known yet. The simulator takes all.
    Raises KeyError for an unknown currency.
    """
    return stripe_step(currency) if processor == "stripe" else 1
