"""Check what somebody wants to pay with before there is a payment, so that a slip of the pen makes none."""

from nicobar.core.business.tenant import Tenant
from nicobar.flows.accounts.find_charging_processor import find_charging_processor
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput, MethodInput, without_its_words


async def check_instrument(runtime: Runtime, tenant: Tenant, instrument: CardInput | MethodInput) -> None:
    """Ask the processor that would charge whether it can take the input. No network is used.

    Raises InputRefused when it cannot. Without a processor nothing is refused here: the payment's page says so.
    """
    processor = await find_charging_processor(runtime, tenant)
    if processor is None:
        return
    if isinstance(instrument, CardInput):
        card, at = instrument, runtime.now(tenant)
        without_its_words(processor, lambda: processor.describe(card, at))
    else:
        method = instrument
        without_its_words(processor, lambda: processor.check(method))
