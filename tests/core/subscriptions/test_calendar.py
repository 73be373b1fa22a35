from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.subscriptions.plans import moment
from nicobar.core.subscriptions.calendar import Interval, Span, after, first_after


@pytest.mark.parametrize(
    ("anchor", "span", "dates"),
    [
        ("2026-01-31T10:00:00", Span(1, "Month"), ["2026-02-28", "2026-03-31", "2026-04-30"]),
        ("2028-02-29T10:00:00", Span(1, "Year"), ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        ("2026-11-30T10:00:00", Span(3, "Month"), ["2027-02-28", "2027-05-30"]),
        ("2027-11-30T10:00:00", Span(3, "Month"), ["2028-02-29", "2028-05-30"]),
        ("2026-03-29T10:00:00", Span(2, "Week"), ["2026-04-12", "2026-04-26"]),
        ("2026-12-31T10:00:00", Span(10, "Day"), ["2027-01-10", "2027-01-20"]),
    ],
)
def test_dates_follow_from_the_anchor(anchor: str, span: Span, dates: list[str]) -> None:
    """The contract's examples: month ends and leap years."""
    found = [after(moment(anchor), span, number) for number in range(1, len(dates) + 1)]
    assert found == [moment(f"{day}T10:00:00") for day in dates]


def test_the_first_date_after_a_moment() -> None:
    anchor, monthly = moment("2026-01-31T00:00:00"), Span(1, "Month")
    assert first_after(anchor, monthly, 1, moment("2026-03-01T00:00:00")) == 2
    assert first_after(anchor, monthly, 1, moment("2026-03-31T00:00:00")) == 3  # the date itself has passed
    assert first_after(anchor, monthly, 5, anchor) == 5


@given(
    st.datetimes(
        min_value=moment("2024-01-01T00:00:00").replace(tzinfo=None),
        max_value=moment("2040-01-01T00:00:00").replace(tzinfo=None),
    ),
    st.integers(1, 24),
    st.sampled_from(["Day", "Week", "Month", "Year"]),
)
def test_dates_rise_and_keep_the_time_of_day(at: object, count: int, interval: Interval) -> None:
    anchor = moment(str(at))
    dates = [after(anchor, Span(count, interval), number) for number in range(12)]
    assert dates == sorted(set(dates)) and dates[0] == anchor
    assert {each.time() for each in dates} == {anchor.time()}
    if interval in ("Month", "Year"):
        # A month that has the anchor's day gets it, whatever came before; others get their last day.
        assert all(each.day == anchor.day or (each + timedelta(days=1)).day == 1 for each in dates)
        assert all(each.day <= anchor.day for each in dates)
