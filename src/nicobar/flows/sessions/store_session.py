"""Store a new session, together with those that are created side by side."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.flows.payments.store_payment import AT_MOST
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database
from nicobar.storage.gathering import Gatherings
from nicobar.storage.retries.kept_answers import AnswerToKeep
from nicobar.storage.sessions.sessions import NewSession, insert_sessions

_CREATIONS: Final = Gatherings[NewSession, None](AT_MOST)


async def store_session(runtime: Runtime, session: CheckoutSession, kept: AnswerToKeep | None) -> None:
    """Store a session, and the answer to its request, in a commit that others may share.

    One that cannot be stored spoils no other. Raises UniqueViolation when another request with the same idempotency key
    was faster.
    """
    store = partial(_store, runtime.database.shared)
    await _CREATIONS.of(runtime.database).ask(None, NewSession(session, kept), store)
    if runtime.first_commit is not None:
        runtime.first_commit.written = kept is not None


async def _store(database: Database, new: list[NewSession]) -> Sequence[None]:
    async with database.statement() as tx:
        await insert_sessions(tx, new)
    return [None] * len(new)
