"""docs/proof.md tells of every test that draws at random."""

import re

from proof import NOT_YET, PAGE, ROW, drawing_tests


def test_the_page_has_every_test_that_draws_at_random_and_none_that_failed() -> None:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(drawing_tests()) >= 10
    assert {(file, test) for file, test, *_ in rows} == drawing_tests(), "run make prove"
    assert [row for row in rows if "failed" in row[3]] == []


def test_the_page_says_when_each_ran_and_at_which_commit() -> None:
    for file, test, _, done, when in ROW.findall(PAGE.read_text(encoding="utf-8")):
        if done != NOT_YET:
            assert re.fullmatch(r"\d{4}-\d\d-\d\d at [0-9a-f]{12}", when), f"commit first, then prove {file}::{test}"
