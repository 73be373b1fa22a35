"""The states and provinces of countries that tax by them, as their post delivers to them.

This is a list of addresses, not of taxes: the United States have territories and military addresses besides their
states.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import msgspec

from nicobar.core.tax.tax_place import plain
from nicobar.reference.table import Confidence, rows


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `states.csv`."""

    country: str
    """ISO 3166-1 alpha-2 code."""
    value: str
    """How an address has it."""
    code: str
    """Code of the post or of ISO 3166-2, without the country."""
    names: tuple[str, ...]
    """What people write; the first one is shown."""
    source: str
    confidence: Confidence


@cache
def all_states() -> tuple[State, ...]:
    """Return every row, in the order of the file."""
    return msgspec.convert(
        [{**cells, "names": cells["names"].split("; ")} for cells in rows("states.csv")], tuple[State, ...]
    )


@cache
def states() -> Mapping[str, tuple[State, ...]]:
    """Return the states by country; a country that is not there has no list."""
    found: dict[str, list[State]] = {}
    for state in all_states():
        found.setdefault(state.country, []).append(state)
    return MappingProxyType({country: tuple(listed) for country, listed in found.items()})


def find_state(country: str, text: str) -> State | None:
    """Return the state that a text means, as a name or a code with or without the country; None for an unknown one."""
    return _by_text().get((country, plain(text.strip().removeprefix(f"{country}-")))) if text.strip() else None


@cache
def _by_text() -> Mapping[tuple[str, str], State]:
    found: dict[tuple[str, str], State] = {}
    for state in all_states():
        for text in (state.code, state.value, *state.names):
            found.setdefault((state.country, plain(text)), state)
    return found
