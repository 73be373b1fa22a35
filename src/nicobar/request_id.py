"""The id of the request that is being served, for every log line that is written meanwhile."""

from contextvars import ContextVar
from typing import Final

serving: Final[ContextVar[str | None]] = ContextVar("serving", default=None)
"""The request that this task works for; None outside one."""
