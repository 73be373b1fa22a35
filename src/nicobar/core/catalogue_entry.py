"""One row of the catalogue of problems."""

from typing import NamedTuple


class CatalogueEntry(NamedTuple):
    """One row of the catalogue."""

    status: int
    """HTTP status that the edge answers with, unless the problem names another."""
    sentence: str
    """Default message; `{name}` places are filled from the problem's keyword arguments."""
    when: str
    """When it is raised, for `docs/errors.md`."""
