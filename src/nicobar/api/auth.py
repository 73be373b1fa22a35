"""Bearer keys: who is calling, and may they write?

A key that was found is remembered for `REMEMBERED_SECONDS`, which is therefore the longest time that a revoked key
can still work. Keys are looked up by their hash; the key itself is neither stored nor logged.
"""

from time import monotonic
from typing import Final

from starlette.requests import Request

from nicobar.core.business.tenant import ApiKey, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import find_key

REMEMBERED_SECONDS: Final = 5.0
_MAXIMUM_REMEMBERED: Final = 1024

_SCHEME: Final = "bearer "


class KeyRing:
    """Finds the key of a request, in memory for a few seconds or in the database."""

    def __init__(self) -> None:
        self._remembered: dict[bytes, tuple[ApiKey, float]] = {}

    async def authorise(self, request: Request, runtime: Runtime, *, writes: bool) -> ApiKey:
        """Return the caller's key. Raises Problem UNAUTHORIZED: 401 without a valid key, 403 for a read-only key."""
        header = request.headers.get("authorization", "")
        if header[: len(_SCHEME)].lower() != _SCHEME or len(header) > 256:
            raise Problem("UNAUTHORIZED")
        key = await self._find(secret_hash(header[len(_SCHEME) :].strip()), runtime)
        if key is None:
            raise Problem("UNAUTHORIZED")
        request.state.key_id = key.key_id
        if writes and key.read_only:
            raise Problem("UNAUTHORIZED", status=403)
        return key

    async def _find(self, key_hash: bytes, runtime: Runtime) -> ApiKey | None:
        now = monotonic()
        if (found := self._remembered.get(key_hash)) is not None and now < found[1]:
            return found[0]
        async with runtime.database.read() as read:
            key = await find_key(read, key_hash)
        if key is None:
            self._remembered.pop(key_hash, None)
            return None
        if len(self._remembered) >= _MAXIMUM_REMEMBERED:
            self._remembered.clear()
        self._remembered[key_hash] = (key, now + REMEMBERED_SECONDS)
        return key
