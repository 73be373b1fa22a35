"""Lists that are read with an iterator instead of page numbers: `data`, `iterator`, `prev_iterator`, `done`."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

from nicobar.wire.common import ResponseBody

CursorItemT = TypeVar("CursorItemT")
RowT = TypeVar("RowT")

_BACK = "-"
"""What an iterator begins with that leads to newer objects."""


class CursorQuery(Struct, frozen=True, kw_only=True):
    """Paging by iterator."""

    limit: Annotated[int, Meta(ge=1, le=250)] = 50
    iterator: Annotated[str, Meta(max_length=65)] | None = None
    """The `iterator` or `prev_iterator` of another page."""

    @property
    def before(self) -> str | None:
        """The object that the page begins after, towards the older ones; None for the newest page and a way back."""
        return self.iterator if self.iterator and not self.iterator.startswith(_BACK) else None

    @property
    def after(self) -> str | None:
        """The object that the page ends before, on a way back to the newer ones."""
        return self.iterator[1:] if self.iterator and self.iterator.startswith(_BACK) else None


class CursorPage(ResponseBody, Generic[CursorItemT], frozen=True, kw_only=True):
    """A page of a list, newest first."""

    data: list[CursorItemT]
    iterator: str | None
    """Leads to the next page, of older objects; null on the last one."""
    prev_iterator: str | None
    """Leads to the page before this one; null on the first one."""
    done: bool
    """Whether this is the last page."""


def cursor_page(
    rows: Sequence[RowT], query: CursorQuery, key: Callable[[RowT], str], render: Callable[[RowT], CursorItemT]
) -> CursorPage[CursorItemT]:
    """Return a page of up to `query.limit` rows. `rows`, newest first, has one more where the list goes on."""
    more = len(rows) > query.limit
    shown = rows[-query.limit :] if query.after is not None else rows[: query.limit]
    newer = more if query.after is not None else query.before is not None
    older = query.after is not None or more
    return CursorPage(
        data=[render(row) for row in shown],
        iterator=key(shown[-1]) if shown and older else None,
        prev_iterator=_BACK + key(shown[0]) if shown and newer else None,
        done=not (shown and older),
    )
