"""Bearer keys: who is calling, and may they write?

A key that was found is remembered for `REMEMBERED_SECONDS`, which is therefore the longest time that a revoked key
can still work. Keys are looked up by their hash; the key itself is neither stored nor logged.
"""

from datetime import datetime
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary

import structlog
from starlette.requests import Request

from nicobar.core.business.tenant import ApiKey, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import StoredKey, find_stored_key
from nicobar.storage.database import Database

REMEMBERED_SECONDS: Final = 5.0
_MAXIMUM_REMEMBERED: Final = 1024

_SCHEME: Final = "bearer "

_LONGEST_HEADER: Final = 256
"""Characters of an Authorization header; a key needs 52."""

_log = structlog.get_logger("nicobar.auth")


class KeyRing:
    """Finds the key of a request, in memory for a few seconds or in the database."""

    def __init__(self) -> None:
        self._remembered: dict[bytes, tuple[ApiKey, float]] = {}

    async def authenticate(self, request: Request, runtime: Runtime, *, writes: bool) -> ApiKey:
        """Return the caller's key. Raises Problem UNAUTHORIZED: 401 without a valid key, 403 for a read-only key."""
        header = request.headers.get("authorization", "")
        if header[: len(_SCHEME)].lower() != _SCHEME or len(header) > _LONGEST_HEADER:
            _log.warning("key_refused", reason=_wrong_header(header))
            raise Problem("UNAUTHORIZED")
        key = await self._find(secret_hash(header[len(_SCHEME) :].strip()), runtime)
        if writes and key.read_only:
            _log.warning("key_refused", reason="the key may only read", key_id=key.key_id)
            raise Problem("UNAUTHORIZED", status=403)
        _note_use(runtime, key)
        return key

    async def _find(self, key_hash: bytes, runtime: Runtime) -> ApiKey:
        now = monotonic()
        if (found := self._remembered.get(key_hash)) is not None and now < found[1]:
            return found[0]
        async with runtime.database.read() as read:
            stored = await find_stored_key(read, key_hash)
        if stored is None or stored.revoked_at is not None:
            self._remembered.pop(key_hash, None)
            raise _unauthorized(stored)
        if len(self._remembered) >= _MAXIMUM_REMEMBERED:
            self._remembered.clear()
        self._remembered[key_hash] = (stored.key, now + REMEMBERED_SECONDS)
        return stored.key


_uses: "WeakKeyDictionary[Database, dict[str, datetime]]" = WeakKeyDictionary()
"""When keys were last used, by key id, until `take_key_uses`. By database, because a process may work on several."""


def take_key_uses(database: Database) -> dict[str, datetime]:
    """Return when keys were last used since the last call, by key id, and forget it."""
    return _uses.pop(database, {})


def _note_use(runtime: Runtime, key: ApiKey) -> None:
    _uses.setdefault(runtime.database, {})[key.key_id] = runtime.real_now()


def _unauthorized(stored: StoredKey | None) -> Problem:
    """Log which key was turned away and why, which the answer does not tell, and return the refusal."""
    if stored is None:
        _log.warning("key_refused", reason="no key like this was made here")
    else:
        _log.warning("key_refused", reason="the key is revoked", key_id=stored.key.key_id)
    return Problem("UNAUTHORIZED")


def _wrong_header(header: str) -> str:
    """Return what is wrong with an Authorization header, and nothing of it: it may hold somebody's secret."""
    if not header:
        return "there is no Authorization header"
    return (
        "the Authorization header is too long"
        if len(header) > _LONGEST_HEADER
        else "the Authorization header has no Bearer key"
    )
