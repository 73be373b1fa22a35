"""Bearer keys: who is calling, and may they write?

A key that was found is remembered for `REMEMBERED_FOR`, which is therefore the longest time that a revoked key can
still work; half of that after it was read, one request reads it again. Keys are looked up by their hash; the key itself
is neither stored nor logged.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

import structlog
from starlette.requests import Request

from nicobar.allowance import Allowance
from nicobar.api.rate_limits import RateLimits
from nicobar.core.audit.entry import Actor
from nicobar.core.business.tenant import ApiKey, Scope, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime, acting
from nicobar.storage.business.keys import StoredKey, find_stored_key
from nicobar.storage.database import Database
from nicobar.storage.freshness import Freshness

REMEMBERED_FOR: Final = timedelta(seconds=5)
_MAXIMUM_REMEMBERED: Final = 1024

HEADERS: Final = "nicobar.headers"
"""Where in the scope of a request the headers are that its answer gets in any case."""

GUESSES: Final = 100
"""Keys that were not made here, or open nothing any more, that one address may show in a minute."""

_SCHEME: Final = "bearer "

_LONGEST_HEADER: Final = 256
"""Characters of an Authorization header; a key needs 52."""

KEY_NOT_ACCEPTED: Final = "this API key is unknown, expired or revoked"
"""What a stranger is told of a key: not which of the three, and so not whether it exists."""

MAY_ONLY_READ: Final = "the key may only read"

SCOPE_OF: Final[dict[str, Scope]] = {
    "payments": "payments",
    "checkouts": "payments",
    "subscriptions": "payments",
    "refunds": "refunds",
    "customers": "customers",
    "products": "catalog",
    "addons": "catalog",
    "brands": "catalog",
    "discounts": "catalog",
    "webhooks": "webhooks",
    "events": "webhooks",
    "test": "payments",
}
"""What a key must be allowed to write for an operation that changes something or reveals a secret, by the first word of
its path."""

_log = structlog.get_logger("nicobar.auth")


class _Remembered:
    """What is remembered of a key that opened something."""

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.freshness = Freshness(REMEMBERED_FOR / 2, REMEMBERED_FOR)


class KeyRing:
    """Finds the key of a request, in memory for a few seconds or in the database, and counts its requests."""

    def __init__(self, limits: RateLimits | None = None) -> None:
        self._limits = limits
        self._remembered: dict[bytes, _Remembered] = {}
        self._met: OrderedDict[bytes, None] = OrderedDict()
        """Hashes of keys that opened something once: guesses of others at the same address do not lock them out."""
        self._guesses = Allowance(GUESSES, timedelta(minutes=1))

    async def authenticate(self, request: Request, runtime: Runtime, *, writes: bool) -> ApiKey:
        """Return the caller's key.

        Raises Problem UNAUTHORIZED: 401 without a valid key, 403 for one that may not write this; and
        TOO_MANY_REQUESTS when its address has shown too many keys that open nothing, or the key has made too many
        requests of the class: reads, or what scopes tell apart.
        """
        header = request.headers.get("authorization", "")
        shown = header[len(_SCHEME) :].strip()
        if header[: len(_SCHEME)].lower() != _SCHEME or not shown or len(header) > _LONGEST_HEADER:
            reason = _wrong_header(header)
            _log.warning("key_refused", reason=reason)
            raise Problem("UNAUTHORIZED", detail=f"{reason}. Send an API key as `Authorization: Bearer KEY`")
        key = await self._find(secret_hash(shown), runtime)
        request.state.key_id = key.key_id
        scope = SCOPE_OF[request.scope["path"].split("/", 2)[1]] if writes else None
        if scope is not None and not key.may_write(scope):
            reason = MAY_ONLY_READ if key.read_only else f"the key may not write {scope}"
            _log.warning("key_refused", reason=reason, key_id=key.key_id)
            raise Problem("UNAUTHORIZED", status=403, detail=reason)
        if self._limits is not None:
            await self._limits.admit(f"{key.key_id} {scope or 'read'}", request.scope.setdefault(HEADERS, []))
        _note_use(runtime, key)
        acting.set(Actor("key", key.key_id, acting.get().address))
        return key

    async def _find(self, key_hash: bytes, runtime: Runtime) -> ApiKey:
        """Return the key with this hash. Raises Problem UNAUTHORIZED and TOO_MANY_REQUESTS as `authenticate`."""
        found = self._remembered.get(key_hash)
        if found is None:
            return await self._read(key_hash, runtime)
        freshness = found.freshness
        if freshness.suffices(runtime.clock.elapsed()) and not found.key.has_expired(runtime.real_now()):
            return found.key
        async with freshness.reading():
            is_known = self._remembered.get(key_hash) is found and not found.key.has_expired(runtime.real_now())
            if is_known and freshness.is_fresh(runtime.clock.elapsed()):
                return found.key
            return await self._read(key_hash, runtime)

    async def _read(self, key_hash: bytes, runtime: Runtime) -> ApiKey:
        address, elapsed = acting.get().address, runtime.clock.elapsed()
        if address and key_hash not in self._met:
            self._guesses.check(address, elapsed)
        async with runtime.database.read() as read:
            stored = await find_stored_key(read, key_hash)
        if stored is None or not stored.is_valid(runtime.real_now()):
            self._remembered.pop(key_hash, None)
            self._met.pop(key_hash, None)
            self._guesses.spend(address, elapsed)
            raise _unauthorized(stored)
        self._remember(key_hash, stored.key, elapsed)
        return stored.key

    def _remember(self, key_hash: bytes, key: ApiKey, read_at: timedelta) -> None:
        found = self._remembered.get(key_hash)
        if found is None:
            if len(self._remembered) >= _MAXIMUM_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key_hash] = _Remembered(key)
        found.key, found.freshness.read_at = key, read_at
        self._met[key_hash] = None
        self._met.move_to_end(key_hash)
        if len(self._met) > _MAXIMUM_REMEMBERED:
            self._met.popitem(last=False)


_uses: "WeakKeyDictionary[Database, dict[str, datetime]]" = WeakKeyDictionary()
"""When keys were last used, by key id, until `take_key_uses`. By database, because a process may work on several."""


def take_key_uses(database: Database) -> dict[str, datetime]:
    """Return when keys were last used since the last call, by key id, and forget it."""
    return _uses.pop(database, {})


def _note_use(runtime: Runtime, key: ApiKey) -> None:
    _uses.setdefault(runtime.database, {})[key.key_id] = runtime.real_now()


def _unauthorized(stored: StoredKey | None) -> Problem:
    """Log which key was turned away and why, and return the refusal, the same for all."""
    if stored is None:
        _log.warning("key_refused", reason="no key like this was made here")
    else:
        reason = "the key has expired" if stored.revoked_at is None else "the key is revoked"
        _log.warning("key_refused", reason=reason, key_id=stored.key.key_id)
    return Problem("UNAUTHORIZED", detail=KEY_NOT_ACCEPTED)


def _wrong_header(header: str) -> str:
    """Return what is wrong with an Authorization header, and nothing of it: it may hold somebody's secret."""
    if not header:
        return "there is no Authorization header"
    return (
        "the Authorization header is too long"
        if len(header) > _LONGEST_HEADER
        else "the Authorization header has no Bearer key"
    )
