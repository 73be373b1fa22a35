"""What does the ledger cost? The rate of create + confirm with and without its statement, in the same run.

The flows run in this process on an embedded PostgreSQL (fsync on), without HTTP and with a processor that answers at
once, so that the ledger's share is as large as it can be. The two take turns in short blocks; the ratio of neighbours
is what matters. A plain payment costs one statement more, a converted one also reads the rate that it was priced with.

    python bench/ledger.py                 twelve pairs of blocks of two seconds, for each kind of payment
    python bench/ledger.py --seconds 5 --pairs 20 --workers 4
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import msgspec
import structlog

from nicobar.clock import SystemClock
from nicobar.core.payment import Outcome, Succeeded
from nicobar.core.tenant import Tenant
from nicobar.flows import record_outcome
from nicobar.flows.change_setting import change_setting
from nicobar.flows.confirm_payment import confirm_payment
from nicobar.flows.create_business import create_business
from nicobar.flows.create_payment import create_payment
from nicobar.flows.create_product import create_product
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput, ChargeRequest
from nicobar.processors.simulator import Simulator
from nicobar.storage.database import Database
from nicobar.storage.embedded import open_embedded
from nicobar.storage.migrate import migrate
from nicobar.storage.simulator import SimulatorRecords
from nicobar.wire.payments import PaymentCreate
from nicobar.wire.products import ProductCreate

CARD = CardInput("4242424242424242", exp_month=6, exp_year=2040, cvc="123", holder_name="Ana Lima")


class Instant(Simulator):
    """Takes every charge at once and keeps no books of its own."""

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Say yes."""
        return Succeeded(request.attempt_id)


async def no_books(*_: object) -> None:
    """Stand in for `book_payment` where its cost is left out."""


async def open_shop(dsn: str) -> tuple[Runtime, Tenant, str]:
    """Return a runtime with the quick processor, a tenant with adaptive pricing and fees, and a product."""
    database, clock = Database(dsn, size=32), SystemClock()
    await migrate(database)
    url = "http://127.0.0.1:1"
    processor = Instant(clock, url, SimulatorRecords(database))
    runtime = Runtime(database, clock, url, {processor.name: processor})
    tenant = Tenant(await create_business(runtime, "Bench"), "test")
    await change_setting(runtime, tenant, "adaptive_pricing", "on")
    await change_setting(runtime, tenant, "adaptive_fees", "dodo")
    price = {"type": "one_time_price", "currency": "USD", "price": 1999}
    body = {"name": "Guide", "tax_category": "e_book", "price": price}
    product = await create_product(runtime, tenant, msgspec.convert(body, ProductCreate))
    return runtime, tenant, product.product_id


async def block(runtime: Runtime, tenant: Tenant, body: PaymentCreate, workers: int, seconds: float) -> float:
    """Create and confirm for some seconds and return the rate."""
    started = time.perf_counter()
    done = 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() - started < seconds:
            made = await create_payment(runtime, tenant, body)
            confirmed = await confirm_payment(runtime, tenant, made.payment_id, CARD)
            assert isinstance(confirmed.outcome, Succeeded)
            done += 1

    await asyncio.gather(*(work() for _ in range(workers)))
    return done / (time.perf_counter() - started)


async def measure(dsn: str, options: argparse.Namespace) -> None:
    """Let the two take turns and print what they make."""
    runtime, tenant, product_id = await open_shop(dsn)
    cart = [{"product_id": product_id, "quantity": 1}]
    booked = record_outcome.book_payment
    for label, billing_currency in (("plain", "USD"), ("converted", "EUR")):
        body = msgspec.convert(
            {
                "billing": {"country": "US"},
                "customer": {"email": "ana@example.com", "name": "Ana"},
                "product_cart": cart,
                "billing_currency": billing_currency,
            },
            PaymentCreate,
        )
        await block(runtime, tenant, body, options.workers, 2)
        rates: dict[bool, list[float]] = {True: [], False: []}
        for pair in range(options.pairs):
            for with_books in (True, False) if pair % 2 else (False, True):
                record_outcome.book_payment = booked if with_books else no_books
                rates[with_books].append(await block(runtime, tenant, body, options.workers, options.seconds))
        record_outcome.book_payment = booked
        ratio = statistics.median(on / off for on, off in zip(rates[True], rates[False], strict=True))
        on, off = statistics.median(rates[True]), statistics.median(rates[False])
        print(f"{label:10s} without {off:5.0f}/s   with {on:5.0f}/s   the ledger costs {100 * (1 - ratio):.1f} %")
    await runtime.database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one block")
    parser.add_argument("--pairs", type=int, default=12, help="blocks of each kind; the median ratio is printed")
    parser.add_argument("--workers", type=int, default=16, help="payments under way at the same time")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="nicobar-bench-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        with open_embedded(folder / "data") as postgres:
            asyncio.run(measure(postgres.dsn, options))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
