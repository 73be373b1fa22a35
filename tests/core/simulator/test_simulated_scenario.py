"""The words of a scenario: what each asks for, what is refused, and chance that repeats."""

from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from nicobar.core.problems import Problem
from nicobar.core.simulator.simulated_scenario import (
    METADATA_KEY,
    WORDS,
    RenewalDecline,
    SimulatedScenario,
    chance,
    read_scenario,
)
from nicobar.reference import failures


def read(text: object) -> SimulatedScenario:
    return read_scenario(text, failures.CODES)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


SAMPLES: dict[str, dict[str, Any]] = {
    "decline": {"decline": "GENERIC_DECLINE"},
    "decline:INSUFFICIENT_FUNDS": {"decline": "INSUFFICIENT_FUNDS"},
    "challenge": {"challenge": True},
    "latency:2.5": {"latency": seconds(2.5)},
    "latency:0.05": {"latency": timedelta(milliseconds=50)},
    "latency:60": {"latency": seconds(60)},
    "timeout_before": {"answer": "timeout_before"},
    "timeout_after": {"answer": "timeout_after"},
    "drop_before": {"answer": "drop_before"},
    "drop_after": {"answer": "drop_after"},
    "late_success:120": {"late": seconds(120)},
    "late_decline:2m": {"late": seconds(120), "decline": "GENERIC_DECLINE"},
    "late_decline:1.5h:LOST_CARD": {"late": seconds(5400), "decline": "LOST_CARD"},
    "notice_twice": {"notices": "twice"},
    "notice_first": {"notices": "first"},
    "notice_lost": {"notices": "lost"},
    "notice_late:90s": {"notice_late": seconds(90)},
    "notices_shuffled": {"notices": "shuffled"},
    "dispute_after:3d": {"dispute_after": timedelta(days=3)},
    "dispute_after:1h; dispute_whole": {"dispute_after": timedelta(hours=1), "dispute_whole": True},
    "dispute_after:90d; verdict:won:5d": {
        "dispute_after": timedelta(days=90),
        "verdict": "won",
        "verdict_after": timedelta(days=5),
    },
    "refund_pending:60": {"refund_pending": seconds(60)},
    "refund_fail": {"refund_fail": True},
    "refund_bounce:3d": {"refund_bounce": timedelta(days=3)},
    "refund_pending:60; refund_bounce:0": {"refund_pending": seconds(60), "refund_bounce": seconds(0)},
    "refund_drop_before": {"refund_answer": "drop_before"},
    "refund_drop_after": {"refund_answer": "drop_after"},
    "renewal_decline:2": {"renewal_decline": RenewalDecline(2, "GENERIC_DECLINE", 1)},
    "renewal_decline:1:LOST_CARD": {"renewal_decline": RenewalDecline(1, "LOST_CARD", 1)},
    "renewal_decline:10000:INSUFFICIENT_FUNDS:3": {"renewal_decline": RenewalDecline(10000, "INSUFFICIENT_FUNDS", 3)},
    "mandate_expires:12": {"mandate_renewals": 12},
    "card_replaced:3": {"card_replaced": 3},
    "seed:42": {"seed": 42},
    " decline : LOST_CARD ;notice_late: 5 ": {"decline": "LOST_CARD", "notice_late": seconds(5)},
    "notice_twice;notice_late:5": {"notices": "twice", "notice_late": seconds(5)},
}


@pytest.mark.parametrize("text", SAMPLES)
def test_each_word_asks_for_one_thing(text: str) -> None:
    assert read(text) == SimulatedScenario(**SAMPLES[text])


def test_every_word_is_tried() -> None:
    tried = {part.partition(":")[0].strip() for text in SAMPLES for part in text.split(";")}
    assert tried | {"chaos"} == set(WORDS)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "'' is none of decline, challenge,"),
        ("declin", "'declin' is none of"),
        ("Decline", "'Decline' is none of"),
        ("notice_twice,refund_fail", "'notice_twice,refund_fail' is none of"),
        ("notice_twice;", "'' is none of"),
        ("x" * 400, f"'{'x' * 40}' is none of"),
        ("decline:NO_SUCH_CODE", "decline takes a failure code"),
        ("decline:insufficient_funds", "decline takes a failure code"),
        ("challenge:yes", "challenge takes no argument"),
        ("latency", "latency takes a time such as"),
        ("latency:-1", "latency takes a time such as"),
        ("latency:1.2345", "latency takes a time such as"),
        ("latency:1e3", "latency takes a time such as"),
        ("latency:١", "latency takes a time such as"),
        ("latency:60.001", "latency takes at most 60 seconds"),
        ("latency:9999999999", "latency takes a time such as"),
        ("late_success:91d", "late_success takes at most 7776000 seconds"),
        ("late_decline:60:NONE", "late_decline takes a failure code"),
        ("dispute_after:3 d", "dispute_after takes a time such as"),
        ("verdict:won:5d", "verdict needs dispute_after"),
        ("dispute_after:1;verdict:draw:5", "verdict takes one of won, lost,"),
        ("dispute_after:1;verdict:won", "verdict takes a time such as"),
        ("seed:-1;chaos", "seed takes a whole number from 0 to 2147483647"),
        ("seed:2147483648", "seed takes a whole number from 0 to 2147483647"),
        ("seed", "seed takes a whole number"),
        ("chaos:42", "chaos takes no argument"),
        ("renewal_decline", "renewal_decline takes a number from 1 to 10000"),
        ("renewal_decline:0", "renewal_decline takes a number from 1 to 10000"),
        ("renewal_decline:1:NONE", "renewal_decline takes a failure code"),
        ("renewal_decline:1:LOST_CARD:0", "renewal_decline takes a number from 1 to 10000"),
        ("renewal_decline:1:LOST_CARD:2:3", "renewal_decline takes a number, a failure code and a number of tries"),
        ("mandate_expires:10001", "mandate_expires takes a number from 1 to 10000"),
        ("mandate_expires:1d", "mandate_expires takes a whole number from 0 to"),
        ("card_replaced", "card_replaced takes a number from 1 to 10000"),
        ("decline;decline:LOST_CARD", "decline is there twice"),
        ("drop_after;timeout_after", "timeout_after contradicts another word"),
        ("late_success:5;decline", "decline contradicts another word"),
        ("late_success:5;late_decline:6", "late_decline contradicts another word"),
        ("notice_lost;notice_twice", "notice_twice contradicts another word"),
        ("refund_bounce:5; refund_fail", "refund_fail contradicts another word"),
        ("refund_bounce", "refund_bounce takes a time such as"),
        ("chaos;drop_after;timeout_after", "timeout_after contradicts another word"),
        (42, "It is not a text"),
        (True, "It is not a text"),
        (None, "It is not a text"),
    ],
)
def test_a_mistake_is_refused(text: object, detail: str) -> None:
    with pytest.raises(Problem) as refused:
        read(text)
    assert refused.value.code == "INVALID_REQUEST_BODY"
    assert refused.value.path == f"metadata.{METADATA_KEY}"
    assert detail in str(refused.value)


def test_chaos_is_the_same_for_the_same_seed() -> None:
    mixes = [read(f"seed:{seed};chaos") for seed in range(1000)]
    assert mixes == [read(f"chaos;seed:{seed}") for seed in range(1000)]
    assert len({msgspec.json.encode(mix) for mix in mixes}) > 900
    seen = Counter(name for mix in mixes for name in msgspec.to_builtins(mix))
    for name in ("decline", "late", "answer", "latency", "notices", "notice_late", "dispute_after", "refund_pending"):
        assert 30 < seen[name] < 600, name
    assert {mix.answer for mix in mixes} == {None, "drop_before", "drop_after"}
    assert {mix.notices for mix in mixes} == {None, "twice", "lost", "shuffled"}
    assert max(mix.latency for mix in mixes) < seconds(1)
    assert {mix.challenge for mix in mixes} == {False}


def test_a_word_beside_chaos_has_its_way() -> None:
    for seed in range(200):
        mixed = read(f"seed:{seed};chaos;decline:LOST_CARD;notice_lost")
        assert (mixed.decline, mixed.notices) == ("LOST_CARD", "lost")
        assert read(f"seed:{seed};chaos;late_success:7").decline is None


def test_chance_repeats_and_stays_within_its_bounds() -> None:
    drawn = [chance(seed, "what", 6) for seed in range(600)]
    assert drawn == [chance(seed, "what", 6) for seed in range(600)]
    assert set(drawn) == set(range(6))
    assert drawn != [chance(seed, "else", 6) for seed in range(600)]


def test_a_scenario_survives_being_stored() -> None:
    for text in (*SAMPLES, *(f"seed:{seed};chaos" for seed in range(50))):
        scenario = read(text)
        assert msgspec.json.decode(msgspec.json.encode(scenario), type=SimulatedScenario) == scenario
