"""Begin the first attempt at a payment without its lock, in a commit that others may share.

It is for payments that move alone (`core/payments/paying.py:moves_alone`) and that nobody follows.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor
from nicobar.storage.database import Database, UniqueViolation
from nicobar.storage.gathering import Gatherings
from nicobar.storage.payments.first_attempts import FirstAttempt, begin_first_attempts
from nicobar.storage.payments.payments import VersionedPayment

AT_MOST: Final = 32
"""Attempts of one tenant that begin, or end, together. Many customers pay at once in large groups: with 48 of them
groups of six cost PostgreSQL half as much again."""

LANES: Final = 2
"""How many such groups of each kind are under way at once."""

_BEGINNINGS: Final = Gatherings[FirstAttempt, VersionedPayment | None](AT_MOST, LANES)


class BegunAttempt(NamedTuple):
    """An attempt that is committed, with its payment as it left it."""

    left: VersionedPayment
    attempt: Attempt


async def begin_first_attempt(
    runtime: Runtime,
    before: VersionedPayment,
    processor: Processor,
    attempt: Attempt,
    payment_method: str,
    payment_method_type: str,
) -> BegunAttempt | None:
    """Store an attempt, and move its payment to `processing`.

    None, and no change, when the payment or its customer has changed since it was read, when somebody works on it or on
    the account at the processor at this moment, or when it has a live attempt already. Its lock tells more then.
    """
    begun = msgspec.structs.replace(
        before.payment,
        status="processing",
        updated_at=attempt.created_at,
        payment_method=payment_method,
        payment_method_type=payment_method_type,
        card=attempt.card,
    )
    tenant, database = begun.tenant, runtime.database
    new = FirstAttempt(before, attempt, begun, not runtime.is_built_in(processor))
    try:
        left = await _BEGINNINGS.of(database).ask(tenant, new, partial(_begin, database.shared, tenant))
    except UniqueViolation as error:
        if error.constraint != "attempts_one_live":
            raise
        return None
    return None if left is None else BegunAttempt(left, attempt)


async def _begin(database: Database, tenant: Tenant, new: list[FirstAttempt]) -> Sequence[VersionedPayment | None]:
    async with database.statement() as tx:
        return await begin_first_attempts(tx, tenant, new)
