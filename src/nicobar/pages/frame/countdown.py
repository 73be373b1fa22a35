"""Until when a payment link works. The server writes the moment in UTC; the script in the customer's own time.

In the last hour the script counts down alongside it.
"""

from datetime import UTC, datetime

import msgspec

from nicobar.core.payments.payment import Payment
from nicobar.pages.frame.view import date_text
from nicobar.pages.texts.texts import Reader


class CountdownView(msgspec.Struct, frozen=True):
    """The end of a link."""

    moment: str
    iso: str
    """The same for machines, ISO 8601."""
    seconds: int
    """How long it is until then. The script counts from here, because the customer's clock may be wrong."""


def countdown_view(payment: Payment, now: datetime, reader: Reader) -> CountdownView:
    """Return the view of a link that works."""
    moment = date_text(payment.expires_on.astimezone(UTC), reader.locale)
    return CountdownView(
        moment, payment.expires_on.isoformat(), max(0, int((payment.expires_on - now).total_seconds()))
    )
