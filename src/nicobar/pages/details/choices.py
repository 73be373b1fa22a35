"""The entries of a list that one is chosen from."""

from collections.abc import Iterable

from markupsafe import Markup, escape


class Choices:
    """The entries, escaped once: there are 250 countries, and a template would take half of a page's time."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        """Take value and name of each entry in order; a value stands in the list once."""
        self._entries = {value: _entry(value, name) for value, name in named}

    def __contains__(self, value: str) -> bool:
        """Return whether an entry has this value."""
        return value in self._entries

    def html(self, chosen: str | None) -> Markup:
        """Return the entries as HTML, with one chosen; a value that none of them has becomes the last one."""
        entries = self._entries
        if chosen is not None:
            entry = entries.get(chosen) or _entry(chosen, chosen)
            entries = entries | {chosen: entry.replace(">", " selected>", 1)}
        return Markup("\n".join(entries.values()))  # noqa: S704 - of escaped texts


def _entry(value: str, name: str) -> str:
    return f'<option value="{escape(value)}">{escape(name)}</option>'
