"""The entries of a list that one is chosen from."""

from collections.abc import Iterable
from functools import lru_cache

import msgspec
from markupsafe import Markup, escape


class Choice(msgspec.Struct, frozen=True):
    """One entry of a list."""

    value: str
    name: str
    chosen: bool


def options(choices: Iterable[Choice]) -> Markup:
    """Return the entries of a list as HTML. There are 250 countries: a template would take half of a page's time."""
    return Markup("\n".join([_option(choice) for choice in choices]))  # noqa: S704 - of escaped texts


@lru_cache(maxsize=8192)
def _option(choice: Choice) -> str:
    selected = " selected" if choice.chosen else ""
    return f'<option value="{escape(choice.value)}"{selected}>{escape(choice.name)}</option>'
