"""Ids: ordered by their moment, and random otherwise."""

from datetime import UTC, datetime, timedelta

import pytest

from nicobar.core.ids import ALPHABET, ID_BYTES, is_object_id, lowest_id, object_id

MOMENT = datetime(2026, 11, 30, 12, 30, 45, 678_901, tzinfo=UTC)


def test_an_id_holds_its_millisecond_and_84_random_bits() -> None:
    ids = [object_id("pay", MOMENT, bytes([byte]) * ID_BYTES) for byte in range(256)]
    assert ids[0] == lowest_id("pay", MOMENT) == "pay_P7gQuii--------------"
    assert [each[11:] for each in ids] == [character * ID_BYTES for character in ALPHABET * 4]
    assert {each[:11] for each in ids} == {"pay_P7gQuii"}
    assert all(is_object_id(each, "pay") for each in ids)


@pytest.mark.parametrize("step", [timedelta(milliseconds=1), timedelta(seconds=5), timedelta(days=400)])
def test_later_ids_sort_after_earlier_ones(step: timedelta) -> None:
    latest, bound = object_id("pay", MOMENT, b"\xff" * ID_BYTES), lowest_id("pay", MOMENT + step)
    assert latest < bound < object_id("pay", MOMENT + step, b"\x01" * ID_BYTES)


def test_ids_of_one_millisecond_begin_alike() -> None:
    assert lowest_id("evt", MOMENT) == lowest_id("evt", MOMENT - timedelta(microseconds=901))
    assert lowest_id("evt", MOMENT) != lowest_id("evt", MOMENT - timedelta(microseconds=902))


@pytest.mark.parametrize("length", [0, ID_BYTES - 1, ID_BYTES + 1])
def test_too_little_randomness_makes_no_id(length: int) -> None:
    with pytest.raises(ValueError, match="an id needs 14 random bytes"):
        object_id("pay", MOMENT, bytes(length))
