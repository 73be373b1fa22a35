"""Keep the answer of a request that was carried out, where its first commit could not know it yet."""

import structlog

from nicobar.flows.runtime import FirstCommit, Runtime
from nicobar.storage.database import DatabaseUnavailable, UniqueViolation
from nicobar.storage.retries import kept_answers
from nicobar.vault import VaultError

_log = structlog.get_logger(__name__)


async def complete_answer(runtime: Runtime, first_commit: FirstCommit, body: bytes) -> None:
    """Store the answer, unless it is in the first commit already.

    A request with an idempotency key that committed nothing is kept, too; another one need not be. What was asked is
    done, so nothing that happens here may become the answer: without it, the request that comes again is told how the
    object is.
    """
    request = first_commit.request
    if first_commit.written and first_commit.kept_body == body:
        return
    if not first_commit.written and not request.is_keyed:
        return
    try:
        async with runtime.database.statement() as tx:
            if first_commit.written:
                sealed = first_commit.sealed(body)
                await kept_answers.complete_answer(tx, request, first_commit.answer_id, first_commit.status, sealed)
            else:
                first_commit.body = body
                await first_commit.write(tx)
    except UniqueViolation:
        _log.debug("answer_kept_by_another")
    except (DatabaseUnavailable, VaultError) as error:
        _log.error("answer_not_kept", why=str(error))
