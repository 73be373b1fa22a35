"""Numbers in sentences."""

import pytest

from nicobar.core.counted import counted


@pytest.mark.parametrize(
    ("count", "noun", "plural", "text"),
    [
        (0, "refund", None, "0 refunds"),
        (1, "refund", None, "1 refund"),
        (2, "refund", None, "2 refunds"),
        (1_200, "refund", None, "1,200 refunds"),
        (1, "country", "countries", "1 country"),
        (3, "country", "countries", "3 countries"),
    ],
)
def test_one_is_no_plural(count: int, noun: str, plural: str | None, text: str) -> None:
    assert counted(count, noun, plural) == text
