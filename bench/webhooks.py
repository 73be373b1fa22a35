"""How many webhooks a second can a worker deliver, and what does an endpoint cost those who pay?

`python -m bench.webhooks drain` lets one worker drain a queue to a receiver on this computer, and prints the rate
and the processor time of each part. `python -m bench.webhooks cost` creates and confirms payments in rounds without
an endpoint, with one while the worker is elsewhere, and with one while it is in the same process, in turn. Processor
time tells more than the rate where something else runs. The database is the embedded PostgreSQL with fsync on. Figures
belong to the machine.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import msgspec
import psutil
import uvloop

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import NewProduct, OneTimePrice
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.pricing.cart import RequestedItem
from nicobar.core.webhooks.endpoint import NewEndpoint
from nicobar.flows.catalog.create_product import create_product
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.create_payment import create_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.create_endpoint import create_endpoint
from nicobar.flows.webhooks.delete_endpoint import delete_endpoint
from nicobar.processors.base import CardInput
from nicobar.program.configuration import read_configuration
from nicobar.program.installation import open_runtime, own_business
from nicobar.program.logs import configure_logs
from nicobar.program.postgres import Postgres
from nicobar.worker.worker import work

HERE = Path(__file__).resolve()
BUYERS = 16
"""Payments that are made side by side."""


class Worked(msgspec.Struct):
    """How fast a worker was."""

    rate: float
    """A second."""
    worker_us: float
    """Processor time of the worker for each, in microseconds."""
    postgres_us: float

    def sentence(self, what: str) -> str:
        """Say it, for a terminal."""
        spent = f"processor time for each: worker {self.worker_us:.0f} us, PostgreSQL {self.postgres_us:.0f} us"
        return f"{self.rate:.0f} {what} a second; {spent}"


class Taking(asyncio.Protocol):
    """Answers 204 to every request, and counts them."""

    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._rest = cast(asyncio.Transport, transport), b""

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while True:
            head, separator, body = self._rest.partition(b"\r\n\r\n")
            if not separator:
                return
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(body) < length:
                return
            self._rest = body[length:]
            Taking.taken += 1
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def receive() -> None:
    """Print the port, and then how many have come, whenever that has changed."""
    server = await asyncio.get_running_loop().create_server(Taking, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    told = 0
    while True:
        await asyncio.sleep(0.05)
        if Taking.taken != told:
            told = Taking.taken
            print(told, flush=True)


@contextmanager
def process(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program until the block ends; its last words are lost."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.terminate()
            running.communicate(timeout=30)


def read_line(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def processor_seconds(pid: int, *, children: bool = False) -> float:
    """Return the processor time that a process has used, with that of its children if wanted, dead ones included."""
    found = psutil.Process(pid)
    times = [found.cpu_times(), *(child.cpu_times() for child in found.children() if children)]
    dead = times[0].children_user + times[0].children_system if children else 0.0
    return sum(one.user + one.system for one in times) + dead


async def pay(runtime: Runtime, tenant: Tenant, product_id: str) -> None:
    request = PaymentRequest(
        items=[RequestedItem(product_id, 1)],
        billing=Address("US", "New York", "NY", "350 Fifth Avenue", "10118"),
        customer=RequestedCustomer(email="bench@example.com", name="Bench"),
        payment_link=True,
    )
    payment_id = (await create_payment(runtime, tenant, request)).payment.payment_id
    await confirm_payment(runtime, tenant, payment_id, CardInput("4242424242424242", 12, 2034, "123", "Bench"))


async def pay_many(runtime: Runtime, tenant: Tenant, product_id: str, *, count: int = 0, seconds: float = 0.0) -> float:
    """Pay this many times, or for that many seconds, and return payments a second."""
    began, made = time.perf_counter(), 0

    async def buy() -> None:
        nonlocal made
        while made < count if count else time.perf_counter() - began < seconds:
            made += 1
            await pay(runtime, tenant, product_id)

    await asyncio.gather(*(buy() for _ in range(BUYERS)))
    return made / (time.perf_counter() - began)


async def analyze(runtime: Runtime) -> None:
    """Do what autovacuum does within a minute, so that it does not happen in the middle of a round."""
    async with runtime.database.read() as read:
        await read.execute("ANALYZE")


async def drain(runtime: Runtime, tenant: Tenant, product_id: str, data: Path, count: int) -> Worked:
    with process(str(HERE), "receive") as receiver:
        url = f"http://127.0.0.1:{read_line(receiver)}/hook"
        await create_endpoint(runtime, tenant, NewEndpoint(url=url))
        await pay_many(runtime, tenant, product_id, count=count)
        postmaster = int((data / "postgres" / "postmaster.pid").read_text().split()[0])
        before = processor_seconds(postmaster, children=True)
        with process("-m", "nicobar", "worker", "--data", str(data)) as worker:
            first = await asyncio.to_thread(read_line, receiver)
            began, worked = time.perf_counter(), processor_seconds(worker.pid)
            taken = int(first)
            skipped = taken
            while taken < count:
                taken = int(await asyncio.to_thread(read_line, receiver))
            seconds = time.perf_counter() - began
            worker_seconds = processor_seconds(worker.pid) - worked
        database_seconds = processor_seconds(postmaster, children=True) - before
    sent = taken - skipped
    return Worked(sent / seconds, worker_seconds / sent * 1e6, database_seconds / sent * 1e6)


async def cost(runtime: Runtime, tenant: Tenant, product_id: str, data: Path, rounds: int, seconds: float) -> None:
    """Compare rounds without an endpoint, with one whose worker is on another computer, and with a worker right here.

    For the second nobody delivers; for the third the same process does, to a receiver on this computer.
    """
    postmaster = int((data / "postgres" / "postmaster.pid").read_text().split()[0])

    async def measured() -> tuple[float, float]:
        """Return payments a second, and the processor time of each payment, here and in PostgreSQL."""
        before = processor_seconds(os.getpid()) + processor_seconds(postmaster, children=True)
        began = time.perf_counter()
        rate = await pay_many(runtime, tenant, product_id, seconds=seconds)
        count = rate * (time.perf_counter() - began)
        used = processor_seconds(os.getpid()) + processor_seconds(postmaster, children=True) - before
        return rate, used / count

    async def measured_with(url: str) -> tuple[float, float]:
        endpoint = await create_endpoint(runtime, tenant, NewEndpoint(url=url))
        found = await measured()
        await delete_endpoint(runtime, tenant, endpoint.endpoint_id)
        return found

    async def measured_delivering(url: str) -> tuple[float, float]:
        worker = asyncio.create_task(work(runtime, Counter()))
        try:
            return await measured_with(url)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    await pay_many(runtime, tenant, product_id, seconds=2)
    await analyze(runtime)
    found: list[tuple[tuple[float, float], ...]] = []
    with process(str(HERE), "receive") as receiver:
        url = f"http://127.0.0.1:{read_line(receiver)}/hook"
        reading = asyncio.create_task(asyncio.to_thread(receiver.stdout.read))  # type: ignore[union-attr]
        for _ in range(rounds):
            found.append((await measured(), await measured_with("http://127.0.0.1:9/"), await measured_delivering(url)))
            kinds = zip(("without", "worker elsewhere", "worker here"), found[-1], strict=True)
            print("; ".join(f"{kind} {rate:.0f}/s, {used * 1e6:.0f} us" for kind, (rate, used) in kinds), flush=True)
    await reading
    for at, kind in ((1, "worker elsewhere"), (2, "worker here")):
        rate = statistics.median(one[at][0] / one[0][0] for one in found)
        used = statistics.median(one[at][1] / one[0][1] for one in found)
        print(f"{kind}: {rate:.3f} of the rate, {used:.3f} of the processor time (medians)")


async def measure(arguments: argparse.Namespace, data: Path) -> None:
    configure_logs("warning")
    configuration = read_configuration(os.environ, data=data)
    postgres = Postgres(configuration)
    try:
        async with open_runtime(postgres, configuration, configuration.port) as runtime:
            tenant = Tenant(await own_business(runtime), "test")
            new = NewProduct(name="Guide", price=OneTimePrice("USD", 1900), tax_category="e_book")
            product_id = (await create_product(runtime, tenant, new)).product_id
            if arguments.what == "drain":
                worked = await drain(runtime, tenant, product_id, data, arguments.count)
                print(msgspec.json.encode(worked).decode() if arguments.json else worked.sentence("deliveries"))
            else:
                await cost(runtime, tenant, product_id, data, arguments.rounds, arguments.seconds)
    finally:
        postgres.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["drain", "cost", "receive"])
    parser.add_argument("--count", type=int, default=3000, help="deliveries to drain")
    parser.add_argument("--json", action="store_true", help="print what drain found as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    if arguments.what == "receive":
        uvloop.run(receive())
        return
    folder = Path(tempfile.mkdtemp(prefix="nicobar-bench-"))
    folder.chmod(0o711)
    os.environ |= {"NICOBAR_ALLOW_PRIVATE_WEBHOOKS": "1", "NICOBAR_KEY_FILE": str(folder / "key")}
    try:
        uvloop.run(measure(arguments, folder / "data"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
