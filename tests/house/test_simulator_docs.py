"""docs/simulator.md documents every scenario, and every example in it works."""

import json
import re
from pathlib import Path

import pytest

from nicobar.core.simulator.simulated_scenario import METADATA_KEY, WORDS, read_scenario
from nicobar.processors.simulator.simulator import KEPT_FOR, NOTICE_WAIT_SECONDS
from nicobar.reference import cards, failures

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")

ROWS = re.findall(r'^\| `(\w+)` \| (.+) \| `("nicobar_scenario": ".+")` \|$', PAGE, re.MULTILINE)


def test_every_word_has_its_row() -> None:
    assert tuple(word for word, _, _ in ROWS) == WORDS


@pytest.mark.parametrize(("word", "meaning", "example"), ROWS, ids=[word for word, _, _ in ROWS])
def test_the_example_of_a_word_uses_it(word: str, meaning: str, example: str) -> None:
    scenario = json.loads(f"{{{example}}}")[METADATA_KEY]
    read_scenario(scenario, failures.CODES)
    assert word in [part.strip().partition(":")[0] for part in scenario.split(";")]
    assert len(meaning) > 20


def test_the_request_can_be_sent() -> None:
    (sent,) = re.findall(r"-d '(\{.*?\n  \})'\n", PAGE, re.DOTALL)
    read_scenario(json.loads(sent.replace("'\"$PRODUCT\"'", "pdt_1"))["metadata"][METADATA_KEY], failures.CODES)


def test_what_the_page_says_of_cards_and_times_holds() -> None:
    outcomes = {"pays,": "succeed", "lacks": "decline", "asks": "challenge", "pays and": "succeed_then_dispute"}
    for number, word in re.findall(r"`(4[\d ]{18})`\s+(pays,|lacks|asks|pays and)", PAGE):
        card = cards.by_number(number)
        assert card is not None
        assert card.outcome == outcomes.pop(word)
    assert outcomes == {}
    assert (NOTICE_WAIT_SECONDS, KEPT_FOR.days) == (10, 365)
