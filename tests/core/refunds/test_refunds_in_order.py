"""Which answer about a refund that has ended counts: the newest, and a word about the refund rather than the order."""

from datetime import timedelta

import pytest

from harness import START
from nicobar.core.refunds.refund import (
    Refund,
    RefundFailed,
    RefundOutcome,
    RefundStatus,
    RefundSucceeded,
    is_superseded,
    status_after,
)

SUCCEEDED, FAILED, REFUSED = RefundSucceeded("re_1"), RefundFailed("closed", "re_1"), RefundFailed("too many requests")


def refund(outcome: RefundOutcome | None, status: RefundStatus | None = None, *, dated: bool = True) -> Refund:
    """Return a refund of which this was heard at the start."""
    return Refund(
        refund_id="ref_1",
        payment_id="pay_1",
        attempt_id="att_1",
        status=status or ("pending" if outcome is None else status_after(outcome)),
        amount=100,
        tax=0,
        currency="EUR",
        settlement_amount=100,
        settlement_tax=0,
        settlement_currency="EUR",
        is_partial=False,
        reason=None,
        metadata={},
        outcome=outcome,
        asked_at=START if dated else None,
        network_reference=None,
        network_reference_type=None,
        network_reference_updated_at=None,
        created_at=START,
        resolved_at=None,
        lines=[],
    )


@pytest.mark.parametrize(
    ("known", "told", "earlier", "same", "later"),
    [
        (SUCCEEDED, FAILED, True, False, False),
        (SUCCEEDED, SUCCEEDED, True, False, False),
        (SUCCEEDED, REFUSED, True, True, True),
        (FAILED, SUCCEEDED, True, True, False),
        (FAILED, FAILED, True, False, False),
        (FAILED, REFUSED, True, False, False),
        (REFUSED, SUCCEEDED, False, False, False),
        (None, SUCCEEDED, False, False, False),
        (None, REFUSED, False, False, False),
    ],
)
def test_the_newest_word_about_the_refund_counts(
    known: RefundOutcome | None, told: RefundOutcome, *, earlier: bool, same: bool, later: bool
) -> None:
    moments = [START + timedelta(microseconds=shift) for shift in (-1, 0, 1)]
    assert [is_superseded(refund(known), told, moment) for moment in moments] == [earlier, same, later]


def test_what_was_heard_before_moments_were_kept_is_older_than_everything() -> None:
    assert not is_superseded(refund(SUCCEEDED, dated=False), FAILED, START - timedelta(days=1))
    assert is_superseded(refund(SUCCEEDED, dated=False), REFUSED, START)
    assert not is_superseded(refund(FAILED, dated=False), SUCCEEDED, START - timedelta(days=1))


def test_a_failure_that_was_contradicted_can_be_told_again() -> None:
    assert not is_superseded(refund(SUCCEEDED, "failed"), FAILED, START)
