"""Store a new payment, together with those that are created side by side."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Final

from nicobar.core.customers.buyer import Buyer
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database
from nicobar.storage.gathering import Gatherings
from nicobar.storage.payments.payment_insertion import NewPayment, insert_payments

AT_MOST: Final = 8
"""Payments that are stored together."""

LANES: Final = 2
"""How many such groups are under way at once: with one, everybody would wait for the slowest of the group before."""

_CREATIONS: Final = Gatherings[NewPayment, Buyer](AT_MOST, LANES)


async def store_payment(runtime: Runtime, new: NewPayment) -> Buyer:
    """Store a payment in a commit that others may share, and return its customer as `insert_payments` does.

    What others in that commit cannot be stored for spoils nothing: then each is stored alone. Whoever stores the same
    customer gets what they would have got one after the other, in the order in which they came. Raises
    UniqueViolation when another request with the same idempotency key was faster.
    """
    buyer = await _CREATIONS.of(runtime.database).ask(None, new, partial(_store, runtime.database.shared))
    if runtime.first_commit is not None:
        runtime.first_commit.written = new.kept is not None
    return buyer


async def _store(database: Database, given: list[NewPayment]) -> Sequence[Buyer]:
    groups = _in_turn(given)
    if len(groups) == 1:
        async with database.statement() as tx:
            return await insert_payments(tx, given)
    buyers: dict[str, Buyer] = {}
    async with database.transaction() as tx:
        for group in groups:
            stored = await insert_payments(tx, group)
            buyers.update(zip((new.payment.payment_id for new in group), stored, strict=True))
    return [buyers[new.payment.payment_id] for new in given]


def _in_turn(given: Sequence[NewPayment]) -> list[list[NewPayment]]:
    """Return the payments in groups, in none of which a customer is stored twice: who comes later is in a later one."""
    groups: list[list[NewPayment]] = []
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    for new in given:
        turn = 0
        if new.customer is not None:
            key = (new.payment.business_id, new.payment.mode, new.customer.email_key)
            turn, seen[key] = seen[key], seen[key] + 1
        if turn == len(groups):
            groups.append([])
        groups[turn].append(new)
    return groups
