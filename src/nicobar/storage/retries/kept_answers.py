"""Answers that are kept for requests that come again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from nicobar.core.retries.fingerprint import Fingerprint, KeptAnswer
from nicobar.storage.database import Read, Tx

PRIMARY_KEY: Final = "kept_answers_pkey"
"""The constraint that refuses a second request with the same idempotency key."""

_COLUMNS: Final = "business_id, mode, request, answer_id, content, object_id, status, sealed, given, expires_at"

_INSERT: Final = f"INSERT INTO kept_answers ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"

_OF_REQUEST: Final = "business_id = $1 AND mode = $2 AND request = $3"
_FOUND: Final = "answer_id, content, object_id, status, sealed"

_FIND: Final = f"SELECT {_FOUND}, expires_at FROM kept_answers WHERE {_OF_REQUEST} AND answer_id = ''"

_DELETE: Final = f"DELETE FROM kept_answers WHERE {_OF_REQUEST} AND answer_id = '' AND expires_at <= $4"

_QUEUE_UP: Final = "SELECT pg_advisory_xact_lock(('x' || encode(substring($1::bytea FOR 8), 'hex'))::bit(64)::bigint)"

_CLAIM: Final = f"""
UPDATE kept_answers SET given = given || $5::smallint
WHERE {_OF_REQUEST} AND answer_id = (
    SELECT max(answer_id) FROM kept_answers
    WHERE {_OF_REQUEST} AND content IS NULL AND expires_at > $4 AND $5 <> ALL (given))
RETURNING {_FOUND}
"""

_COMPLETE: Final = f"""
UPDATE kept_answers SET status = $5, sealed = $6 WHERE {_OF_REQUEST} AND answer_id = $4
"""

_PURGE: Final = """
DELETE FROM kept_answers WHERE (business_id, mode, request, answer_id) IN (
    SELECT business_id, mode, request, answer_id FROM kept_answers WHERE expires_at <= $1
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


GIVEN_ANSWER: Final = """
fingerprint text, answer_id text, content text, object_id text, answer_status smallint, sealed text,
retries smallint[], kept_until timestamptz
"""
"""The fields of a `RowWithAnswer`, as PostgreSQL reads them out of JSON."""


class RowWithAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A row that a statement reads, and the answer to keep that comes with it; without one every field is None."""

    fingerprint: bytes | None = None
    answer_id: str | None = None
    content: bytes | None = None
    object_id: str | None = None
    answer_status: int | None = None
    sealed: bytes | None = None
    retries: Sequence[int] | None = None
    kept_until: datetime | None = None


class AnswerToKeep(NamedTuple):
    """A row to write."""

    fingerprint: Fingerprint
    answer: KeptAnswer
    expires_at: datetime

    def given(self) -> dict[str, Any]:
        """Return the fields of a `RowWithAnswer`."""
        return dict(zip(RowWithAnswer.__struct_fields__, self.values(), strict=True))

    def values(self) -> list[Any]:
        """Return the columns from `request` on, after those of the tenant."""
        answer, retry = self.answer, self.fingerprint.retry
        return [
            self.fingerprint.request,
            answer.answer_id,
            answer.content,
            answer.object_id,
            answer.status,
            answer.sealed,
            [retry] if retry else [],
            self.expires_at,
        ]


def keep_given(source: str, foreseen: str = "true") -> str:
    """Return the part of a statement that writes the answers which come with its rows.

    `source` has the tenant and `GIVEN_ANSWER`. Where `foreseen` does not hold, the answer is not the one that was
    foreseen, and is stored later.
    """
    return f"""kept AS (
    INSERT INTO kept_answers ({_COLUMNS})
    SELECT business_id, mode, decode(fingerprint, 'base64'), answer_id, decode(content, 'base64'), object_id,
           CASE WHEN {foreseen} THEN answer_status END, CASE WHEN {foreseen} THEN decode(sealed, 'base64') END,
           retries, kept_until
    FROM {source} WHERE fingerprint IS NOT NULL
)"""


async def insert_answer(tx: Tx, row: AnswerToKeep) -> None:
    """Keep that a request was carried out. Raises UniqueViolation of `PRIMARY_KEY`."""
    tenant = row.fingerprint.tenant
    await tx.execute(_INSERT, tenant.business_id, tenant.mode, *row.values())


async def find_answer(read: Read, request: Fingerprint) -> tuple[KeptAnswer, datetime] | None:
    """Return what is known of a request with this idempotency key, and when that ends, even if it has ended."""
    row = await read.fetchrow(_FIND, *_of(request))
    return None if row is None else (_answer(row), row["expires_at"])


async def delete_expired_answer(tx: Tx, request: Fingerprint, now: datetime) -> None:
    """Forget a request with an idempotency key that has expired, so that the key can be used again."""
    await tx.execute(_DELETE, *_of(request), now)


async def claim_answer(tx: Tx, request: Fingerprint, now: datetime) -> KeptAnswer | None:
    """Return the newest answer to these bytes that no request with this count of retries has got; then this has.

    Those who claim the same answers queue up: two lost answers are given to two.
    """
    await tx.execute(_QUEUE_UP, request.request)
    row = await tx.fetchrow(_CLAIM, *_of(request), now, request.retry)
    return None if row is None else _answer(row)


async def complete_answer(tx: Tx, request: Fingerprint, answer_id: str, status: int, sealed: bytes) -> None:
    """Store the answer of a request that is kept already."""
    await tx.execute(_COMPLETE, *_of(request), answer_id, status, sealed)


async def purge_answers(tx: Tx, now: datetime, limit: int) -> int:
    """Delete at most `limit` rows that have expired, the oldest first, and return how many there were."""
    deleted: str = await tx.execute(_PURGE, now, limit)
    return int(deleted.rpartition(" ")[2])


def _of(request: Fingerprint) -> tuple[str, str, bytes]:
    return request.tenant.business_id, request.tenant.mode, request.request


def _answer(row: Any) -> KeptAnswer:
    return msgspec.convert(dict(row), KeptAnswer)
