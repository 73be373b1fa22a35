"""What an import of exchange rates says that it changes."""

from datetime import date

from nicobar.core.money.fx import Rates, usd_rate
from nicobar.core.money.rate_feed import rate_changes

EARLY, LATE = date(2026, 10, 30), date(2026, 11, 27)


def rates(day: date, **units: str) -> Rates:
    return Rates({code: usd_rate(text, day, "example") for code, text in units.items()})


def test_what_moved_is_named_with_its_percentage_of_the_old_rate() -> None:
    before = rates(EARLY, EUR="0.92", JPY="150", GBP="0.79", KWD="0.3")
    after = rates(LATE, EUR="0.93", JPY="149.25", GBP="0.79", KWD="0.3", CHF="0.88")
    assert rate_changes(before, after) == [
        "CHF: new, 0.88",
        "EUR: 0.92 -> 0.93 (+1.09 %)",
        "JPY: 150 -> 149.25 (-0.5 %)",
    ]


def test_another_day_alone_changes_no_price() -> None:
    assert rate_changes(rates(EARLY, EUR="0.92"), rates(LATE, EUR="0.92")) == []
