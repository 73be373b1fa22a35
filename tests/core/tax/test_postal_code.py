"""Postal codes as people type them."""

import re

import pytest

from nicobar.core.tax.postal_code import written_code
from nicobar.reference import countries


@pytest.mark.parametrize(
    ("country", "typed", "written"),
    [
        ("US", "950141234", "95014-1234"),
        ("US", "ae 09012", "09012"),
        ("US", "９５０１４", "95014"),
        ("US", "950", None),
        ("IN", "110 001", "110001"),
        ("IN", "११०००१", "110001"),
        ("JP", "〒１５０－０００１", "150-0001"),
        ("JP", "1500001", "150-0001"),
        ("SA", "١١٥٦٤", "11564"),
        ("PL", "00950", "00-950"),
        ("PT", "1000 001", "1000-001"),
        ("CA", "k1a-0b1", "K1A 0B1"),
        ("GB", "sw1a1aa", "SW1A 1AA"),
        ("GB", "m11ae", "M1 1AE"),
        ("NL", "1234ab", "1234 AB"),
        ("GR", "63086", "630 86"),
        ("LU", "L-1111", "1111"),
        ("DE", "D-10115", "10115"),
        ("DE", "1011", None),
        ("MC", "MC-98000", "98000"),
        ("FR", "75 001", "75001"),
        ("FR", "75321 cedex 7", "75321 CEDEX 7"),
        ("IE", "a65f4e2", "A65 F4E2"),
        ("AD", "ad500", "AD500"),
        ("LV", "1010", "LV-1010"),
        ("KY", "KY11234", "KY1-1234"),
        ("BR", "01310100", "01310-100"),
        ("PA", "  0801  x ", "0801 X"),
    ],
)
def test_codes_get_the_form_of_their_country(country: str, typed: str, written: str | None) -> None:
    pattern = countries.get(country).postal_code_pattern
    assert written_code(country, typed, None if pattern is None else re.compile(pattern, re.ASCII)) == written


def _pattern(country: str) -> re.Pattern[str] | None:
    pattern = countries.get(country).postal_code_pattern
    return None if pattern is None else re.compile(pattern)


@pytest.mark.parametrize(
    ("country", "typed", "normal"),
    [
        ("GB", "sw1a1aa", "SW1A 1AA"),
        ("GB", "SW1A\u00a0\u00a01AA", "SW1A 1AA"),
        ("NL", "1012ab", "1012 AB"),
        ("NL", "NL-1012 AB", "1012 AB"),
        ("PL", "00001", "00-001"),
        ("PT", "1000 001", "1000-001"),
        ("BR", "20040002", "20040-002"),
        ("CA", "k1a-0b1", "K1A 0B1"),
        ("US", "101180001", "10118-0001"),
        ("US", "10118", "10118"),
        ("SE", "11455", "114 55"),
        ("JP", "\u3012\uff11\uff10\uff10\u2212\uff10\uff10\uff10\uff11", "100-0001"),
        ("DE", "D-10115", "10115"),
        ("FR", "75 001", "75001"),
        ("FR", "F-75001", "75001"),
        ("LV", "1010", "LV-1010"),
        ("KY", "ky11001", "KY1-1001"),
        ("IE", "a65f4e2", "A65 F4E2"),
        ("IN", "400 001", "400001"),
        ("ES", "\u0662\u0668\u0660\u0660\u0661", "28001"),
        ("AE", " any thing ", "ANY THING"),
        ("DE", "1011", None),
        ("GB", "10115", None),
    ],
)
def test_postal_codes_get_the_form_of_their_country(country: str, typed: str, normal: str | None) -> None:
    assert written_code(country, typed, _pattern(country)) == normal


def test_the_form_of_a_country_is_the_end_of_it() -> None:
    """What is stored is not changed once more when it comes back from the form."""
    for country, typed in (("GB", "SW1A 1AA"), ("PL", "00-001"), ("LV", "LV-1010"), ("PE", "LIMA 12"), ("AI", "2640")):
        assert written_code(country, typed, _pattern(country)) == typed
