"""The ladder: its length, its jitter, what a receiver may wish for, and when an endpoint is given up."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from harness import START
from nicobar.core.webhooks.retries import ATTEMPTS, PAUSES, RANDOM_BITS, is_given_up, next_attempt_at

MIDDLE = 1 << (RANDOM_BITS - 1)
"""Random bits that move nothing."""


def test_eight_tries_within_27_hours_35_minutes_and_5_seconds() -> None:
    moments, at = [START], START
    for made in range(1, ATTEMPTS):
        following = next_attempt_at(made, at, None, MIDDLE)
        assert following is not None
        at = following
        moments.append(at)
    assert [moment - START for moment in moments] == [
        timedelta(0),
        timedelta(seconds=5),
        timedelta(minutes=5, seconds=5),
        timedelta(minutes=35, seconds=5),
        timedelta(hours=2, minutes=35, seconds=5),
        timedelta(hours=7, minutes=35, seconds=5),
        timedelta(hours=17, minutes=35, seconds=5),
        timedelta(hours=27, minutes=35, seconds=5),
    ]
    assert next_attempt_at(8, at, None, MIDDLE) is None
    assert next_attempt_at(8, at, timedelta(minutes=1), MIDDLE) is None


@given(st.integers(1, ATTEMPTS - 1), st.integers(0, 2**64))
def test_the_jitter_is_at_most_a_tenth_and_leaves_the_second_try_alone(made: int, bits: int) -> None:
    at = next_attempt_at(made, START, None, bits)
    assert at is not None
    pause = at - START
    if made == 1:
        assert pause == timedelta(seconds=5)
    else:
        assert PAUSES[made - 1] * 9 // 10 <= pause <= PAUSES[made - 1] * 11 // 10


def test_the_jitter_reaches_both_ends() -> None:
    assert next_attempt_at(3, START, None, 0) == START + timedelta(minutes=27)
    most = next_attempt_at(3, START, None, (1 << RANDOM_BITS) - 1)
    assert most is not None
    assert timedelta(minutes=32, seconds=59) < most - START < timedelta(minutes=33)


def test_a_wish_makes_a_pause_longer_within_a_day_and_never_shorter() -> None:
    def after(made: int, **wish: float) -> timedelta:
        at = next_attempt_at(made, START, timedelta(**wish), MIDDLE)
        assert at is not None
        return at - START

    assert after(1, seconds=2) == timedelta(seconds=5)
    assert after(1, minutes=3) == timedelta(minutes=3)
    assert after(2, minutes=3) == timedelta(minutes=5)
    assert after(1, days=400) == timedelta(days=1)


def test_an_endpoint_is_given_up_after_five_days_of_failures() -> None:
    assert not is_given_up(None, START)
    assert not is_given_up(START, START + timedelta(days=5) - timedelta(microseconds=1))
    assert is_given_up(START, START + timedelta(days=5))
