"""Check whether the prices of a business can take purchasing power parity."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import Price
from nicobar.core.problems import Problem
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime


async def check_parity(runtime: Runtime, tenant: Tenant, price: Price) -> None:
    """Refuse a price with purchasing power parity while adaptive pricing is off, without which it would do nothing.

    Raises Problem ppp_not_enabled_for_business (contract, "Purchasing power parity").
    """
    if price.purchasing_power_parity and (await load_policy(runtime, tenant)).settings.adaptive_pricing == "off":
        raise Problem("ppp_not_enabled_for_business", path="price.purchasing_power_parity")
