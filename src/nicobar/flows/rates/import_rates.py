"""Take exchange rates that were read from a file or a feed."""

from nicobar.core.money.rate_feed import Taken, take_feed
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.processors.rates.rate_files import read_rates
from nicobar.reference.codes import codes
from nicobar.reference.rate_seed import seed
from nicobar.storage.rates.rates import insert_rates, lock_rates, newest_rates


async def import_rates(
    runtime: Runtime, data: bytes, origin: str, *, force: bool = False, fixed_too: bool = False, dry_run: bool = False
) -> Taken:
    """Read rates, store what of them can be believed as a new snapshot, and return what became of each.

    `origin` says where they come from. A rate that moved by more than 20 % or is older than the one in force is taken
    only with `force`, one that is fixed by law only with `fixed_too`; when nothing is new, nothing is stored, and with
    `dry_run` nothing in any case. Raises Problem INVALID_REQUEST_PARAMETERS for a file that cannot be read as a whole;
    nothing is stored then.
    """
    moment = runtime.real_now()
    feed = read_rates(data, origin, moment.date(), codes().currencies)
    async with runtime.database.transaction() as tx:
        await lock_rates(tx)
        stored = await newest_rates(tx)
        kept = {} if stored is None else stored.quotes
        taken = take_feed(seed(), kept, feed, moment.date(), force=force, fixed_too=fixed_too)
        if taken.changed and not dry_run:
            await insert_rates(tx, taken.quotes, origin, moment)
            await write_audit_entry(runtime, tx, None, "rates.import", [], ["rates"])
    return taken
