"""Requests that come again get the answer that they got, or would have got, and nothing is done twice.

Every writing operation passes here. A request is recognised by its `Idempotency-Key`, or, when an SDK says that it
tries again, by its bytes. Decision 0025 has the rules.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import structlog
from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.business.tenant import ApiKey, Tenant
from nicobar.core.problems import Problem
from nicobar.core.retries.fingerprint import (
    Fingerprint,
    KeptAnswer,
    checked_key,
    keyed,
    place_of_answer,
    retry_count,
    unkeyed,
)
from nicobar.flows.retries.complete_answer import complete_answer
from nicobar.flows.retries.open_first_commit import open_first_commit
from nicobar.flows.retries.recall_answer import recall_answer
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import UniqueViolation
from nicobar.storage.retries.kept_answers import PRIMARY_KEY
from nicobar.vault import VaultError

_log = structlog.get_logger(__name__)

LONGEST_WAIT: Final = 20.0
"""Seconds that a retry without a key waits for the request before it: an SDK tries twice and then gives up."""

TRY_AGAIN_MS: Final = 1000
"""Milliseconds after which a request is told to ask again for one that is still running."""

_NAMES: Final = ("customer_id", "email", "payment_id")
"""Fields of a body that name a customer, or something that has one."""


class Work(NamedTuple):
    """What is done for a request, if it has not been done yet."""

    status: int
    """The HTTP status of a success."""
    carry_out: Callable[[Runtime], Awaitable[bytes]]
    """Return the body of the answer."""
    as_it_is: Callable[[KeptAnswer], Awaitable[bytes | None]]
    """Return the body that tells how the object is now; None for a request that has no such answer."""


def fingerprint(request: Request, key: ApiKey, raw: bytes, body: Any) -> Fingerprint | None:
    """Return what a writing request is recognised by; None for one that is none of two: keyed, or a POST about someone.

    `raw` are the bytes of `body`. Raises Problem INVALID_REQUEST_PARAMETERS for a malformed key.
    """
    path: str = request.scope["path"]
    query: bytes = request.scope["query_string"]
    idempotency_key = checked_key(request.headers.getlist("idempotency-key"))
    if idempotency_key is not None:
        return keyed(key.tenant, request.method, path, idempotency_key, query, raw)
    if request.method != "POST" or not (request.path_params or _names_somebody(body)):
        return None
    return unkeyed(key, path, query, raw, retry_count(request.headers.get("x-stainless-retry-count")))


def _names_somebody(body: Any) -> bool:
    """Return whether a body names its customer: one without may be the same for every buyer."""
    about = (body, getattr(body, "customer", None))
    return any(isinstance(getattr(thing, name, None), str) for thing in about for name in _NAMES)


class Retries:
    """Knows which requests are running in this process, and what was answered to those that were carried out."""

    def __init__(self) -> None:
        self._running: dict[tuple[Tenant, bytes], list[asyncio.Event]] = {}

    async def response(self, runtime: Runtime, request: Fingerprint, work: Work) -> Response:
        """Carry the request out, or answer as it was answered.

        Raises Problem IDEMPOTENCY_KEY_REUSED, IDEMPOTENT_REQUEST_RUNNING, IDEMPOTENT_ANSWER_LOST, and what the
        request is refused with.
        """
        first_commit = await open_first_commit(runtime, request, work.status)
        if first_commit is None:
            return respond(await work.carry_out(runtime), work.status)
        if request.retry:
            await self._wait(request)
        if request.may_be_known and (again := await self._again(runtime, request, work)) is not None:
            return again
        if request.is_keyed and self._is_running(request):
            raise _running()
        with self._run(request):
            try:
                body = await work.carry_out(runtime.for_request(first_commit))
            except Problem:
                # It may be refused because of what it has done itself: the code is used, the payment refunded.
                if not request.may_be_known or first_commit.written:
                    raise
                again = await self._again(runtime, request, work)
                if again is None:
                    raise
                return again
            except UniqueViolation as violation:
                again = await self._again(runtime, request, work) if violation.constraint == PRIMARY_KEY else None
                if again is None:
                    raise
                return again
            await complete_answer(runtime, first_commit, body)
        return respond(body, work.status)

    async def _again(self, runtime: Runtime, request: Fingerprint, work: Work) -> Response | None:
        """Return the answer of a request that was carried out before; None for one that was not."""
        kept = await recall_answer(runtime, request)
        if kept is None:
            return None
        if kept.content != request.content:
            raise Problem("IDEMPOTENCY_KEY_REUSED")
        if kept.sealed is not None and kept.status is not None:
            try:
                assert runtime.vault is not None  # noqa: S101 - nothing would be kept without it
                body = runtime.vault.open(kept.sealed, place_of_answer(request, kept.answer_id))
                return respond(body, kept.status, replayed=True)
            except VaultError as error:
                _log.error("kept_answer_unreadable", why=str(error))
        elif request.is_keyed and self._is_running(request):
            raise _running()
        told = await work.as_it_is(kept)
        if told is None:
            raise Problem("IDEMPOTENT_ANSWER_LOST", object_id=kept.object_id or "none")
        return respond(told, work.status, replayed=True)

    async def _wait(self, request: Fingerprint) -> None:
        """Wait until no request with these bytes is running: it is the one that the client has given up."""
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                while running := self._running.get(_key(request)):
                    await running[0].wait()
        except TimeoutError:
            raise _running() from None

    def _is_running(self, request: Fingerprint) -> bool:
        return _key(request) in self._running

    @contextmanager
    def _run(self, request: Fingerprint) -> Iterator[None]:
        ended, key = asyncio.Event(), _key(request)
        self._running.setdefault(key, []).append(ended)
        try:
            yield
        finally:
            others = [event for event in self._running.pop(key) if event is not ended]
            if others:
                self._running[key] = others
            ended.set()


def respond(body: bytes, status: int, *, replayed: bool = False) -> Response:
    """Return an answer; an operation that answers nothing has an empty body."""
    headers = {"idempotent-replayed": "true"} if replayed else None
    return Response(body, status, headers, "application/json") if body else Response(None, status, headers)


def _key(request: Fingerprint) -> tuple[Tenant, bytes]:
    return request.tenant, request.request


def _running() -> Problem:
    return Problem("IDEMPOTENT_REQUEST_RUNNING", retry_after_ms=TRY_AGAIN_MS)
