"""What does the ledger cost? The rate of create + confirm with and without its statement, in the same run.

The flows run in this process on an embedded PostgreSQL (fsync on), without HTTP and with a processor that answers at
once, so that the ledger's share is as large as it can be. The two take turns in short blocks; the ratio of neighbours
is what matters. Where other work makes the rates jump, the processor time of this process and PostgreSQL says more. A
plain payment costs one statement more, a converted one also reads the rate that it was priced with.

    python bench/ledger.py                 forty pairs of blocks of half a second, for each kind of payment
    python bench/ledger.py --seconds 2 --pairs 20 --workers 4
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import msgspec
import psutil
import structlog

from nicobar.clock import SystemClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import NewProduct
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import Outcome, Succeeded
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.pricing.cart import RequestedItem
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.business.create_business import create_business
from nicobar.flows.catalog.create_product import create_product
from nicobar.flows.payments import record_payment_outcome
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.create_payment import create_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput, ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import open_embedded
from nicobar.storage.migrate import migrate
from nicobar.storage.simulator.simulator import SimulatorRecords

CARD = CardInput("4242424242424242", exp_month=6, exp_year=2040, cvc="123", holder_name="Ana Lima")


class Instant(Simulator):
    """Takes every charge at once and keeps no books of its own."""

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Say yes."""
        return Succeeded(request.attempt_id)


async def no_books(*_: object) -> None:
    """Stand in for `book_payment` where its cost is left out."""


class Shop(NamedTuple):
    """Where payments are made."""

    runtime: Runtime
    tenant: Tenant
    product_id: str
    postgres: psutil.Process


async def open_shop(dsn: str, postgres: psutil.Process) -> Shop:
    """Return a shop with the quick processor, adaptive pricing and its fees."""
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
    product = await create_product(runtime, tenant, msgspec.convert(body, NewProduct))
    return Shop(runtime, tenant, product.product_id, postgres)


def spent(postgres: psutil.Process) -> float:
    """Return the processor time that this process and PostgreSQL have taken so far, in seconds."""
    processes = [psutil.Process(), postgres, *postgres.children()]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


class Block(NamedTuple):
    """What came of a block."""

    rate: float
    """Payments per second."""
    cost: float
    """Milliseconds of processor time for one payment."""


async def block(shop: Shop, request: PaymentRequest, workers: int, seconds: float) -> Block:
    """Create and confirm for some seconds."""
    runtime, tenant = shop.runtime, shop.tenant
    started, before = time.perf_counter(), spent(shop.postgres)
    done = 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() - started < seconds:
            made = await create_payment(runtime, tenant, request)
            confirmed = await confirm_payment(runtime, tenant, made.payment.payment_id, CARD)
            assert isinstance(confirmed.outcome, Succeeded)
            done += 1

    await asyncio.gather(*(work() for _ in range(workers)))
    return Block(done / (time.perf_counter() - started), (spent(shop.postgres) - before) / done * 1000)


async def measure(dsn: str, postgres: psutil.Process, options: argparse.Namespace) -> None:
    """Let the two take turns and print what they make."""
    shop = await open_shop(dsn, postgres)
    for label, billing_currency in (("plain", "USD"), ("converted", "EUR")):
        request = PaymentRequest(
            items=[RequestedItem(shop.product_id, 1)],
            billing=Address("US"),
            customer=RequestedCustomer(email="ana@example.com", name="Ana"),
            billing_currency=billing_currency,
        )
        await block(shop, request, options.workers, 2)
        without: list[Block] = []
        with_books: list[Block] = []
        for pair in range(options.pairs):
            for blocks in (without, with_books) if pair % 2 else (with_books, without):
                unbooked = patch.object(record_payment_outcome, "book_payment", no_books)
                with nullcontext() if blocks is with_books else unbooked:
                    blocks.append(await block(shop, request, options.workers, options.seconds))
        rate = statistics.median(on.rate / off.rate for on, off in zip(with_books, without, strict=True))
        cost = statistics.median(on.cost / off.cost for on, off in zip(with_books, without, strict=True))
        rates = [statistics.median(one.rate for one in blocks) for blocks in (without, with_books)]
        costs = [statistics.median(one.cost for one in blocks) for blocks in (without, with_books)]
        print(f"{label}: a payment without the ledger, and with it")
        print(f"  {rates[0]:5.0f} /s  {rates[1]:5.0f} /s  {100 * (1 - rate):5.1f} % less")
        print(f"  {costs[0]:5.2f} ms {costs[1]:5.2f} ms {100 * (1 - 1 / cost):5.1f} % of the processor time")
    await shop.runtime.database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of one block")
    parser.add_argument("--pairs", type=int, default=40, help="blocks of each kind; the median ratio is printed")
    parser.add_argument("--workers", type=int, default=16, help="payments under way at the same time")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="nicobar-bench-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        with open_embedded(folder / "data") as postgres:
            postmaster = int((folder / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
            asyncio.run(measure(postgres.dsn, psutil.Process(postmaster), options))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
