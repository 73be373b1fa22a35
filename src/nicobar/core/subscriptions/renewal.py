"""What a subscription will cost after its first payment, as its buyer is told before they agree."""

from datetime import datetime

import msgspec

from nicobar.core.pricing.quote import Quote
from nicobar.core.subscriptions.calendar import Span


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What comes after a first payment. Amounts are minor units of `currency`, with the tax of today."""

    name: str
    currency: str
    quote: Quote
    """The next charge, with the codes that still work then."""
    later_amount: int | None
    """One cycle when codes have come to their end; None where they never do, and where that is the same."""
    cycle: Span
    at: datetime
    """When the next charge is due: the end of the first period, or of the trial."""
    in_trial: bool
    paid_trial: bool
    on_demand: bool
    ends: bool
    """Whether the term is over then, so that there is no charge."""

    @property
    def amount(self) -> int:
        """What the next charge comes to."""
        return self.quote.total
