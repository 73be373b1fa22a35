"""The moves of disputes, and when the disputed money is away from the seller."""

from itertools import product

import pytest

from nicobar.core.disputes.dispute import (
    DISPUTE_STAGES,
    DISPUTE_TRANSITIONS,
    DisputeStage,
    DisputeStatus,
    dispute_origins,
    earlier_stages,
    is_money_out,
    later_stage,
)


def test_origins_are_the_table_read_backwards() -> None:
    for target in DISPUTE_TRANSITIONS:
        assert dispute_origins(target) == sorted(
            origin for origin, followers in DISPUTE_TRANSITIONS.items() if target in followers
        )
    assert dispute_origins("dispute_opened") == []
    assert dispute_origins("dispute_cancelled") == ["dispute_challenged", "dispute_opened"]
    assert dispute_origins("dispute_won") == ["dispute_challenged", "dispute_lost", "dispute_opened"]
    assert dispute_origins("dispute_lost") == ["dispute_challenged", "dispute_opened", "dispute_won"]


def test_stages_go_on() -> None:
    assert [earlier_stages(stage) for stage in DISPUTE_STAGES] == [
        (),
        ("pre_dispute",),
        ("pre_dispute", "dispute"),
    ]
    for first, second in product(DISPUTE_STAGES, DISPUTE_STAGES):
        assert later_stage(first, second) == (second if first in earlier_stages(second) else first)


@pytest.mark.parametrize(("stage", "status"), list(product(DISPUTE_STAGES, DISPUTE_TRANSITIONS)))
def test_when_the_money_is_out(stage: DisputeStage, status: DisputeStatus) -> None:
    back = {("pre_dispute", status) for status in ("dispute_opened", "dispute_expired", "dispute_challenged")}
    back |= {(stage, status) for stage in DISPUTE_STAGES for status in ("dispute_won", "dispute_cancelled")}
    assert is_money_out(stage, status) == ((stage, status) not in back)
