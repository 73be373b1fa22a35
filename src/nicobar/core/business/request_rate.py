"""How many requests somebody may make: so many in a second and so many in a minute."""

import re
from typing import Final, NamedTuple


class RequestRate(NamedTuple):
    """Two limits, both of which hold."""

    per_second: int
    per_minute: int

    @classmethod
    def parse(cls, text: str) -> "RequestRate | None":
        """Read a rate such as `500/5000`, a second's and a minute's; None for `off`. Raises ValueError."""
        if text.lower() == "off":
            return None
        found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text.strip())
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError("It takes off or two numbers, a second's and a minute's, such as 500/5000.")
        return cls(int(found[1]), int(found[2]))


DEFAULT_RATE: Final = RequestRate(500, 5000)
"""Tier 2 of the hosted service (contract, errors.md section 4)."""
