"""How many subscriptions does one worker renew in an hour?

Members join 32 days before today, so that the first renewal of each is due at once; then `nicobar worker` is started,
and the clock runs from its first renewal to its last. Each is a charge of the stored card by the simulator, with its
payment, its entry in the books and its events.

    python -m bench.renewals
    python -m bench.renewals --count 2000
"""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import psutil
import uvloop
from bench.server import cpu_seconds, postgres_seconds
from bench.webhooks import Worked, process

from nicobar.clock import SystemClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import NewProduct
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.subscriptions.subscription_request import RequestedPlan, SubscriptionRequest
from nicobar.flows.catalog.create_product import create_product
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.create_subscription import create_subscription
from nicobar.processors.base import CardInput
from nicobar.program.configuration import read_configuration
from nicobar.program.installation import open_runtime, own_business
from nicobar.program.logs import configure_logs
from nicobar.program.postgres import Postgres

AT_ONCE = 16
"""Members who join side by side."""

PLAN = {
    "name": "Club",
    "tax_category": "saas",
    "price": {
        "type": "recurring_price",
        "currency": "USD",
        "price": 3000,
        "payment_frequency_count": 1,
        "payment_frequency_interval": "Month",
        "subscription_period_count": 20,
        "subscription_period_interval": "Year",
    },
}
PAID = "SELECT count(*) FROM subscription_charges WHERE state = 'paid'"


class EarlierClock(SystemClock):
    """The system's clock, 32 days behind."""

    def now(self) -> datetime:
        return super().now() - timedelta(days=32)


async def join(runtime: Runtime, tenant: Tenant, product_id: str, count: int) -> None:
    """Let so many members subscribe and pay."""
    waiting = iter(range(count))

    async def members() -> None:
        for number in waiting:
            payment = PaymentRequest(
                items=[],
                billing=Address("US"),
                customer=RequestedCustomer(email=f"member{number}@example.com", name="Ana Lima"),
                payment_link=True,
            )
            asked = SubscriptionRequest(payment=payment, plans=[RequestedPlan(product_id=product_id, quantity=1)])
            made = await create_subscription(runtime, tenant, asked)
            card = CardInput("4242424242424242", 12, 2034, "123", "Ana Lima")
            await confirm_payment(runtime, tenant, made.payment.payment_id, card)

    await asyncio.gather(*(members() for _ in range(AT_ONCE)))


async def renew(runtime: Runtime, data: Path, count: int) -> Worked:
    """Let a worker renew them all, and return how fast it was."""
    with process("-m", "nicobar", "worker", "--data", str(data)) as worker:
        first = await paid(runtime, count + 1)
        began, before = time.perf_counter(), (_seconds(worker.pid), postgres_seconds(data))
        await paid(runtime, 2 * count)
        seconds = time.perf_counter() - began
        spent = _seconds(worker.pid) - before[0], postgres_seconds(data) - before[1]
    done = 2 * count - first
    return Worked(done / seconds, spent[0] / done * 1e6, spent[1] / done * 1e6)


async def paid(runtime: Runtime, count: int) -> int:
    """Wait until so many charges are paid, and return how many are."""
    async with asyncio.timeout(300), runtime.database.read() as read:
        while (found := int(await read.fetchval(PAID))) < count:
            await asyncio.sleep(0.05)
    return found


def _seconds(pid: int) -> float:
    return cpu_seconds([psutil.Process(pid)])


async def measure(data: Path, count: int) -> Worked:
    configure_logs("warning")
    configuration = read_configuration(os.environ, data=data)
    postgres = Postgres(configuration)
    try:
        async with open_runtime(postgres, configuration, configuration.port) as runtime:
            earlier = runtime._replace(clock=EarlierClock())
            tenant = Tenant(await own_business(runtime), "test")
            product = await create_product(earlier, tenant, msgspec.convert(PLAN, NewProduct))
            await join(earlier, tenant, product.product_id, count)
            return await renew(runtime, data, count)
    finally:
        postgres.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="subscriptions that are due")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="nicobar-bench-"))
    folder.chmod(0o711)
    os.environ["NICOBAR_KEY_FILE"] = str(folder / "key")
    try:
        worked = uvloop.run(measure(folder / "data", arguments.count))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(msgspec.json.encode(worked).decode() if arguments.json else worked.sentence("renewals"))


if __name__ == "__main__":
    main()
