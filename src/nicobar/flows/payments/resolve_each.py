"""Query several objects at once, so that one which cannot be resolved keeps no other one waiting."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import DatabaseUnavailable

_log = structlog.get_logger(__name__)


async def resolve_each(
    due: Sequence[tuple[Tenant, str]],
    resolve: Callable[[Tenant, str], Awaitable[object]],
    trouble: str,
    key: str,
) -> int:
    """Call `resolve` for everything that is due, all at the same time, and return how many there were.

    One that fails, because of a bug or of a row that somebody changed, becomes the log line `trouble` with its id under
    `key`. Raises DatabaseUnavailable.
    """
    asked = (resolve(tenant, object_id) for tenant, object_id in due)
    for (_, object_id), answer in zip(due, await asyncio.gather(*asked, return_exceptions=True), strict=True):
        if isinstance(answer, Exception) and not isinstance(answer, DatabaseUnavailable):
            _log.error(trouble, exc_info=answer, **{key: object_id})
        elif isinstance(answer, BaseException):
            raise answer
    return len(due)
