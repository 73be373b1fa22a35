"""Find out what a business allows of a price."""

from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import Price, PriceRules, RecurringPrice
from nicobar.core.money.fx import BASE, Rates
from nicobar.core.problems import Problem
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.reference import currencies

_LEAST: Final = 100
"""1 US dollar (contract, "Prices that make subscriptions")."""


async def load_price_rules(runtime: Runtime, tenant: Tenant, price: Price) -> PriceRules:
    """Return what `check_price` asks about this price. It may read the settings: not in a transaction."""
    policy = await load_policy(runtime, tenant)
    return PriceRules(_least_cycle(price, policy.rates), takes_parity=policy.settings.adaptive_pricing == "on")


def _least_cycle(price: Price, rates: Rates) -> int:
    """Return 1 US dollar in minor units of the price's currency, rounded up, at the exchange rate of now.

    It is 0 for a price that is no recurring one, and for a currency without an exchange rate.
    """
    if not isinstance(price, RecurringPrice):
        return 0
    if price.currency == BASE:
        return _LEAST
    try:
        conversion = rates.conversion(BASE, price.currency, currencies.exponents())
    except Problem:
        return 0
    return -(-_LEAST * conversion.numerator // conversion.denominator)
