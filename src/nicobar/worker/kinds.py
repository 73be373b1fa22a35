"""The kinds of work that is due: where the rows of each are, and the flow that works on one."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, NamedTuple

from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.payments.refund_duplicate_charge import refund_duplicate_charge
from nicobar.storage.due_work import NOTICES, RETURNS, DueRows

LONGEST_PAUSE: Final = timedelta(minutes=30)
"""The longest time between two tries."""


class Kind(NamedTuple):
    """One kind of work."""

    name: str
    """What the log calls it."""
    rows: DueRows
    handle: Callable[..., Awaitable[bool]]
    """Called with the runtime, the tenant and the row's key; False when it is not done and has to be tried again.

    Whoever returns True has ended the row. Handling is idempotent: a lease that ran out lets it run again.
    """


KINDS: Final[list[Kind]] = [
    Kind("handle_notice", NOTICES, handle_notice),
    Kind("refund_duplicate_charge", RETURNS, refund_duplicate_charge),
]
"""Every kind."""


def pause_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries that failed: 2, 4, 8 ... seconds, at most half an hour."""
    return min(timedelta(seconds=2 ** min(tries, 12)), LONGEST_PAUSE)
