"""Find out what a cycle of a subscription costs at least."""

from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import Price, RecurringPrice
from nicobar.core.money.fx import BASE
from nicobar.core.problems import Problem
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.reference import currencies

_LEAST: Final = 100
"""1 US dollar (contract, "Prices that make subscriptions")."""


async def find_least_cycle(runtime: Runtime, tenant: Tenant, price: Price) -> int:
    """Return 1 US dollar in minor units of the price's currency, rounded up, at the exchange rate of now.

    It is 0 for a price that is no recurring one, and for a currency without an exchange rate.
    """
    if not isinstance(price, RecurringPrice):
        return 0
    if price.currency == BASE:
        return _LEAST
    rates = (await load_policy(runtime, tenant)).rates
    try:
        conversion = rates.conversion(BASE, price.currency, currencies.exponents())
    except Problem:
        return 0
    return -(-_LEAST * conversion.numerator // conversion.denominator)
