"""What a business has decided, and which tax table, exchange rates and accounts hold: in memory, a few seconds old.

The hot path asks for the policy of every payment. It is read with one small query a tenant every `FRESH` seconds; the
other parts are read again only when that query says that they changed. A policy counts as old as the
moment at which its reading began, and none is used beyond `OLDEST`, which is therefore the longest time until a change
is in force, in this process and in every other one.
"""

from datetime import timedelta
from functools import cache
from typing import Final
from weakref import WeakKeyDictionary

from nicobar.core.business.business_settings import settings_from
from nicobar.core.business.tenant import Tenant
from nicobar.core.money.fx import Rates
from nicobar.core.money.rate_feed import rates_in_force
from nicobar.core.pricing.policy import Policy
from nicobar.core.tax.tax import TaxTable
from nicobar.flows.runtime import Runtime
from nicobar.reference.codes import codes
from nicobar.reference.rate_seed import seed
from nicobar.reference.shipped_tax import shipped_sheet
from nicobar.storage.accounts.processor_accounts import list_accounts
from nicobar.storage.business.policy import PolicyState, policy_state
from nicobar.storage.database import Database, Read
from nicobar.storage.freshness import Freshness
from nicobar.storage.rates.rates import newest_rates
from nicobar.storage.tax.tax_rates import newest_tax_table

FRESH: Final = timedelta(seconds=2)
"""How long a policy is used without asking."""

OLDEST: Final = timedelta(seconds=5)
"""How long it is used while somebody else is re-reading it."""

_MAXIMUM_REMEMBERED: Final = 1024


class _Shelf:
    """What is remembered for one tenant."""

    def __init__(self) -> None:
        self.policy: Policy | None = None
        self.state: PolicyState | None = None
        self.freshness = Freshness(FRESH, OLDEST)


_shelves: "WeakKeyDictionary[Database, dict[Tenant, _Shelf]]" = WeakKeyDictionary()
"""By database, because a process may work on several."""


async def load_policy(runtime: Runtime, tenant: Tenant) -> Policy:
    """Return the policy of a tenant, no older than 5 seconds.

    While one caller re-reads it, the others go on with the one they have, as long as that is not too old; so the
    database gets one question at a time. Raises DatabaseUnavailable.
    """
    shelf = _shelf(runtime.database.shared, tenant)
    freshness = shelf.freshness
    if shelf.policy is not None and freshness.suffices(runtime.clock.elapsed()):
        return shelf.policy
    async with freshness.reading():
        if shelf.policy is None or not freshness.is_fresh(runtime.clock.elapsed()):
            shelf.policy = await _read(runtime, tenant, shelf)
        return shelf.policy


def _shelf(database: Database, tenant: Tenant) -> _Shelf:
    shelves = _shelves.setdefault(database, {})
    shelf = shelves.get(tenant)
    if shelf is None:
        if len(shelves) >= _MAXIMUM_REMEMBERED:
            shelves.clear()
        shelf = shelves[tenant] = _Shelf()
    return shelf


async def _read(runtime: Runtime, tenant: Tenant, shelf: _Shelf) -> Policy:
    """Read what changed, and put it on the shelf."""
    began = runtime.clock.elapsed()
    before, known = shelf.policy, shelf.state
    async with runtime.database.snapshot() as read:
        state = await policy_state(read, tenant)
        settings, tax_table, rates, accounts = None, None, None, None
        if before is not None and known is not None:
            settings = before.settings if known.setting_texts == state.setting_texts else None
            same_table = (known.tax_table_number, known.tax_table_at) == (state.tax_table_number, state.tax_table_at)
            tax_table = before.tax_table if same_table else None
            same_rates = (known.rates_number, known.rates_at) == (state.rates_number, state.rates_at)
            rates = before.rates if same_rates else None
            accounts = before.accounts if known.account_numbers == state.account_numbers else None
        if settings is None:
            settings = settings_from(state.setting_texts, codes())
        if tax_table is None:
            tax_table = await _tax_table(read, tenant)
        if rates is None:
            rates = await _rates(read)
        if accounts is None:
            accounts = await list_accounts(read, tenant)
    shelf.state, shelf.freshness.read_at = state, began
    return Policy(settings, tax_table, rates, accounts)


async def _tax_table(read: Read, tenant: Tenant) -> TaxTable:
    stored = await newest_tax_table(read, tenant)
    return _shipped_table() if stored is None or stored.sheet is None else stored.sheet.table()


async def _rates(read: Read) -> Rates:
    stored = await newest_rates(read)
    return rates_in_force(seed(), {} if stored is None else stored.quotes)


@cache
def _shipped_table() -> TaxTable:
    return shipped_sheet().table()
