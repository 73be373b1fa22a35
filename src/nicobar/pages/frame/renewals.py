"""What the pages say of subscriptions: what is due today, and what is renewed when."""

from collections.abc import Sequence
from typing import Final

from babel.units import format_unit

from nicobar.core.payments.payment import Payment
from nicobar.core.sessions.checkout_session import SessionRequest
from nicobar.core.subscriptions.calendar import Interval, Span
from nicobar.core.subscriptions.renewal import Renewal
from nicobar.pages.frame.view import RenewalView, amount_text, day_text
from nicobar.pages.texts.texts import Reader

_NAMES: Final[dict[Interval, str]] = {"Day": "day", "Week": "week", "Month": "month", "Year": "year"}


def renewal_views(
    renewals: Sequence[Renewal], payment: Payment, session: SessionRequest | None, seller: str, reader: Reader
) -> list[RenewalView]:
    """Return what is said of each subscription that a payment starts; `session` is the one that it is made of.

    Where the order has other lines, too, each has its name. A session may not want a charge on demand to be called so.
    """
    named = len(payment.lines) > 1
    tagged = session is None or session.customization.show_on_demand_tag
    return [
        RenewalView(
            each.name if named else None,
            [] if each.on_demand and not tagged else _sentences(each, seller, reader),
            renews=not each.ends,
        )
        for each in renewals
    ]


def _sentences(renewal: Renewal, seller: str, reader: Reader) -> list[str]:
    texts, locale = reader.texts, reader.locale
    if renewal.on_demand:
        return [texts("renewal.on_demand", seller=seller)]
    date, cycle = day_text(renewal.at, locale), cycle_text(renewal.cycle, reader)
    if renewal.ends:
        return [texts("renewal.once", date=date)]
    amount = amount_text(renewal.amount, renewal.currency, locale)
    kind = "next"
    if renewal.in_trial:
        kind = "paid_trial" if renewal.paid_trial else "trial"
    said = [texts(f"renewal.{kind}", amount=amount, cycle=cycle, date=date)]
    if renewal.later_amount is not None:
        later = amount_text(renewal.later_amount, renewal.currency, locale)
        said.append(texts("renewal.later", amount=later, cycle=cycle))
    return said


def cycle_text(cycle: Span, reader: Reader) -> str:
    """Return how often something is charged, such as `every month` or `every 3 months`."""
    name = _NAMES[cycle.interval]
    if cycle.count == 1:
        return reader.texts(f"renewal.{name}")
    period = format_unit(cycle.count, f"duration-{name}", length="long", locale=reader.locale)
    return reader.texts("renewal.cycle", period=period)
