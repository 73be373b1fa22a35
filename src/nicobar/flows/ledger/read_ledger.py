"""Read the seller's account with its worth in dollars, and leave marks where adding up took long."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.ledger.ledger import SellerLine
from nicobar.core.money.fx import BASE
from nicobar.core.money.money import round_half_up
from nicobar.core.money.rate_feed import rates_in_force
from nicobar.flows.runtime import Runtime
from nicobar.reference import currencies
from nicobar.reference.rate_seed import seed
from nicobar.storage.database import Read
from nicobar.storage.ledger.seller_account import MARK_EVERY, LineFilters, list_lines, mark_balances
from nicobar.storage.rates.rates import quotes_at
from nicobar.storage.test_clocks import get_clock

COMPLETE_AFTER: Final = timedelta(minutes=10)
"""After this time no transaction can still add an entry: each of its few statements ends within 30 seconds."""

LONG: Final = 10 * MARK_EVERY
"""Entries that are added up for one page without a mark being missed."""


async def read_ledger(
    runtime: Runtime, tenant: Tenant, filters: LineFilters, limit: int, offset: int
) -> list[tuple[SellerLine, int]]:
    """Return a page of lines, newest first, each with its amount in US cents, rounded half-up.

    It is converted at the mid rate that was in force when the line was written.
    """
    async with runtime.database.snapshot() as read:
        lines, unmarked = await list_lines(read, tenant, filters, limit, offset)
        cents = await _in_dollars(read, lines)
    long = [currency for currency, entries in unmarked.items() if entries > LONG]
    until = await _complete_until(runtime, tenant) if long else None
    if until is not None:
        for currency in long:
            async with runtime.database.statement() as tx:
                await mark_balances(tx, tenant, currency, until)
    return list(zip(lines, cents, strict=True))


async def _complete_until(runtime: Runtime, tenant: Tenant) -> datetime | None:
    """Return before which moment no transaction can still add an entry.

    Just after a test clock was moved, what others had begun may be dated before the move: then it is as before.
    """
    if tenant.mode == "test":
        async with runtime.database.read() as read:
            clock = await get_clock(read, tenant.business_id)
        if clock.moved_at is not None and runtime.real_now() - clock.moved_at < COMPLETE_AFTER:
            return clock.complete_until
    return runtime.now(tenant) - COMPLETE_AFTER


async def _in_dollars(read: Read, lines: Sequence[SellerLine]) -> list[int]:
    """Return the lines' amounts in US cents."""
    foreign = sorted({line.created_at for line in lines if line.currency != BASE})
    quotes = await quotes_at(read, foreign) if foreign else {}
    rates = {id(snapshot): rates_in_force(seed(), snapshot) for snapshot in quotes.values()}
    exponents = currencies.exponents()
    cents = []
    for line in lines:
        if line.currency == BASE:
            cents.append(line.amount)
            continue
        rate = rates[id(quotes[line.created_at])].conversion(line.currency, BASE, exponents)
        cents.append(round_half_up(line.amount * rate.numerator, rate.denominator))
    return cents
