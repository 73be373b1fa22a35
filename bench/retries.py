"""What does it cost to keep the answer of each POST /payments for a request that comes again?

Two applications in one process, on one embedded PostgreSQL (fsync on), take turns: one keeps answers, one does not.
What counts is the CPU time for each payment, of this process (its client is in it, too) and of PostgreSQL.

    python bench/retries.py
    python bench/retries.py --rounds 40 --payments 500
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx
import psutil
import structlog
from starlette.types import ASGIApp

from nicobar.app import create_app
from nicobar.clock import SystemClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.business.create_business import create_business
from nicobar.flows.business.create_key import create_key
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import open_embedded
from nicobar.storage.migrate import migrate
from nicobar.vault import Keys, Vault


def client_of(app: ASGIApp, key: str) -> httpx.AsyncClient:
    """Return a client that calls the application in this process."""
    headers = {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench.test", headers=headers)


async def make_goods(client: httpx.AsyncClient) -> dict[str, object]:
    """Return the body of an order of three lines by a known customer."""
    price = {"type": "one_time_price", "currency": "USD", "price": 1001}
    product = (await client.post("/products", json={"name": "Guide", "tax_category": "e_book", "price": price})).json()
    customer = (await client.post("/customers", json={"email": "ana@example.com", "name": "Ana"})).json()
    return {
        "billing": {"country": "US"},
        "customer": {"customer_id": customer["customer_id"]},
        "product_cart": [{"product_id": product["product_id"], "quantity": quantity} for quantity in (1, 2, 3)],
        "metadata": {"order": "17"},
        "payment_link": True,
    }


async def spend(client: httpx.AsyncClient, body: dict[str, object], payments: int, pid: int) -> tuple[float, float]:
    """Make payments one after the other; return the microseconds of CPU of this process and of PostgreSQL for each."""

    def postgres() -> float:
        processes = [psutil.Process(pid), *psutil.Process(pid).children()]
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    ours, theirs = time.process_time(), postgres()
    for _ in range(payments):
        assert (await client.post("/payments", json=body)).status_code == 200
    return (time.process_time() - ours) / payments * 1e6, (postgres() - theirs) / payments * 1e6


async def measure(dsn: str, pid: int, rounds: int, payments: int) -> None:
    """Let the two take turns and print the medians."""
    database, clock = Database(dsn), SystemClock()
    await migrate(database)
    bare = Runtime(database, clock, "http://bench.test")
    business_id = await create_business(bare, "Bench")
    _, key = await create_key(bare, Tenant(business_id, "test"), read_only=False)
    keeping = bare._replace(vault=Vault(Keys((clock.random_bytes(32),)), None))
    async with client_of(create_app(bare), key) as without, client_of(create_app(keeping), key) as with_answers:
        body = await make_goods(without)
        spent: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
        for _ in range(rounds + 1):
            spent["without"].append(await spend(without, body, payments, pid))
            spent["with"].append(await spend(with_answers, body, payments, pid))
    print("answers   server us  postgres us")
    for name, rows in spent.items():
        server, postgres = (statistics.median(column) for column in zip(*rows[1:], strict=True))
        print(f"{name:8s} {server:10.0f} {postgres:12.0f}")
    pairs = zip(spent["without"][1:], spent["with"][1:], strict=True)
    server, postgres = (
        statistics.median(column) for column in zip(*((b[0] - a[0], b[1] - a[1]) for a, b in pairs), strict=True)
    )
    print(f"{'more':8s} {server:10.0f} {postgres:12.0f}")
    await database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="pairs of measurements, of which medians are printed")
    parser.add_argument("--payments", type=int, default=300, help="payments in one measurement")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(prefix="nicobar-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        with open_embedded(Path(folder) / "data") as postgres:
            pid = int((Path(folder) / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
            asyncio.run(measure(postgres.dsn, pid, options.rounds, options.payments))


if __name__ == "__main__":
    main()
