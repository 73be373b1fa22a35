"""Store a new payment, together with those that are created side by side."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from nicobar.core.customers.buyer import Buyer
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database
from nicobar.storage.gathering import Gatherings
from nicobar.storage.payments.payment_insertion import NewPayment, insert_payments

AT_MOST: Final = 64
"""Payments that are stored together at most."""

_CREATIONS: Final = Gatherings[NewPayment, Buyer](AT_MOST)


async def store_payment(runtime: Runtime, new: NewPayment) -> Buyer:
    """Store a payment in a commit that others of its mode may share, and return its customer as `insert_payments` does.

    Live mode waits for no rows of test mode, which are held while one is emptied.

    One that cannot be stored spoils no other: then each is stored alone, in the order in which they came, and so are
    those that store the same customer. Raises UniqueViolation when another request with the same idempotency key was
    faster.
    """
    buyer = await _CREATIONS.of(runtime.database).ask(new.payment.mode, new, partial(_store, runtime.database.shared))
    if runtime.first_commit is not None:
        runtime.first_commit.written = new.kept is not None
    return buyer


async def _store(database: Database, new: list[NewPayment]) -> Sequence[Buyer]:
    async with database.statement() as tx:
        return await insert_payments(tx, new)
