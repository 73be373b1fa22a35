"""The patterns that texts of requests must match, and how a refusal says so."""

from typing import Final

NAME: Final = r"\A[A-Za-z0-9_-]+\Z"
UNIT_PRICE: Final = r"^[0-9]{1,5}([.][0-9]{1,12})?$(?!\n)"
DECIMAL: Final = r"^[0-9]{1,18}([.][0-9]{1,12})?$(?!\n)"

EXPECTED: Final = {
    NAME: "Expected `str` of letters from A to Z or a to z, digits, `_` and `-` alone",
    UNIT_PRICE: "Expected `str` with a number such as `12.5`: at most 5 digits, and 12 after the point",
    DECIMAL: "Expected `str` with a number such as `12.5`: at most 18 digits, and 12 after the point",
}
"""What is said of each: a pattern tells a program what it wants, and few people."""
