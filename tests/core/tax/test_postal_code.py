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
