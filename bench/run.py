"""How fast is POST /payments, compared with what PostgreSQL itself can do with the same writes, in the same run?

For 1, 16 and 64 connections the server (embedded PostgreSQL, fsync on) takes a cart of three lines as fast as it can,
and then `pgbench` writes the same rows by hand: one payment and three lines in one transaction, prepared statements,
on the same cluster. The ratio of the two rates is what matters; absolute figures belong to the machine.

    python bench/run.py                 three rounds of five seconds each
    python bench/run.py --seconds 10 --rounds 5 --connections 16

With `--sessions` POST /checkouts takes turns with POST /payments instead, for the same cart of the same customer.

    python bench/run.py --sessions --rounds 7
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from nicobar.storage.embedded.embedded import binary, open_embedded

HERE = Path(__file__).resolve().parent
NICOBAR = [sys.executable, "-m", "nicobar"]

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")

# The same rows as the server writes, by hand. Ids grow with time, as ours do; pgbench fills :client_id and :r.
BY_HAND = """
\\set r random(1000000000, 9000000000000000000)
BEGIN;
INSERT INTO payments (business_id, mode, payment_id, brand_id, status, currency, subtotal, discount, tax,
  total_amount, settlement_currency, settlement_amount, settlement_tax, billing, metadata, options, pricing, link_id,
  expires_on, client_secret_hash, created_at, customer_id)
VALUES ('{business}', 'test', 'pay_' || extract(epoch FROM now())::bigint || '_' || :client_id::text || :r::text,
  '{business}', 'requires_payment_method', 'USD', 6006, 0, 0, 6006, 'USD', 6006, 0,
  '{{"country": "US", "city": null, "state": null, "street": null, "zipcode": null}}', '{{"order": "17"}}',
  '{{"payment_link": true}}', '{pricing}', right(:r::text, 12) || :client_id::text, now() + interval '1 day',
  sha256('secret'), now(), '{customer}');
INSERT INTO payment_lines (business_id, mode, payment_id, position, product_id, name, description, quantity, amount,
  unit_price, tax_category, tax_inclusive, subtotal, discount, tax, total)
SELECT '{business}', 'test', 'pay_' || extract(epoch FROM now())::bigint || '_' || :client_id::text || :r::text, line.*
FROM (VALUES
  (0, '{product}', 'Guide', 'Birds', 1, NULL::bigint, 1001, 'e_book', false, 1001, 0, 0, 1001),
  (1, '{product}', 'Guide', 'Birds', 2, NULL::bigint, 1001, 'e_book', false, 2002, 0, 0, 2002),
  (2, '{product}', 'Guide', 'Birds', 3, NULL::bigint, 1001, 'e_book', false, 3003, 0, 0, 3003)) AS line;
COMMIT;
"""


class Server:
    """A server process on a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = (data.parent / f"{data.name}.log").open("wb")

    def start(self) -> float:
        """Start it and return the seconds until its health check answered."""
        started = time.perf_counter()
        command = [*NICOBAR, "serve", "--port", "0", "--data", str(self.data)]
        unlimited = os.environ | {"NICOBAR_RATE_LIMIT": "off"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=unlimited)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := ADDRESS.search(line):
                self.port = int(found[1])
                break
        else:
            raise SystemExit(f"the server did not start: {Path(self.log.name).read_text()}")
        call(self.port, "GET", "/health", None, "")
        return time.perf_counter() - started

    def stop(self) -> None:
        """Stop it as Ctrl-C would."""
        self.process.terminate()
        self.process.wait(30)


def call(port: int, method: str, path: str, body: Any, key: str) -> Any:
    """Send one request and return the decoded answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the user and system time that the processes have taken so far."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def postgres_seconds(data: Path) -> float:
    """Return the processor time of the embedded PostgreSQL so far: of what runs, and of what has ended."""
    postmaster = psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().split()[0]))
    ended = postmaster.cpu_times()
    return cpu_seconds([postmaster, *postmaster.children()]) + ended.children_user + ended.children_system


def load(port: int, request: str, connections: int, seconds: float) -> dict[str, float]:
    """Run the load client in a process of its own."""
    job = json.dumps({"port": port, "request": request, "connections": connections, "seconds": seconds})
    result = subprocess.run(
        [sys.executable, str(HERE / "load.py")], input=job, capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(result.stdout)
    assert figures["failures"] == 0, "the server refused requests of the benchmark"
    return figures


def pgbench(dsn: str, script: Path, connections: int, seconds: float) -> float:
    """Return pgbench's transactions per second."""
    threads = str(min(connections, os.cpu_count() or 1))
    command = [str(binary("pgbench")), "--no-vacuum", "--protocol=prepared", "-f", str(script)]
    command += ["-c", str(connections), "-j", threads, "-T", str(max(1, round(seconds))), dsn]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", result.stdout)
    assert found is not None, result.stdout + result.stderr
    return float(found[1])


class Prepared(NamedTuple):
    """What a measurement is made with."""

    payment: str
    """The HTTP request for a payment."""
    session: str
    """The HTTP request for a session of the same order."""
    by_hand: dict[str, str]
    """What pgbench writes."""


def prepare(server: Server, dsn: str) -> Prepared:
    """Make a key, a product, a customer, a payment and a session."""
    command = [*NICOBAR, "keys", "create", "--data", str(server.data)]
    key = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    price = {"type": "one_time_price", "currency": "USD", "price": 1001}
    product = call(
        server.port,
        "POST",
        "/products",
        {"name": "Guide", "description": "Birds", "tax_category": "e_book", "price": price},
        key,
    )
    customer = call(server.port, "POST", "/customers", {"email": "ana@example.com", "name": "Ana"}, key)
    cart = [{"product_id": product["product_id"], "quantity": quantity} for quantity in (1, 2, 3)]
    buyer = {"customer_id": customer["customer_id"]}
    order = {"customer": buyer, "product_cart": cart, "metadata": {"order": "17"}}
    payment = order | {"billing": {"country": "US"}, "payment_link": True}
    session = order | {"billing_address": {"country": "US"}}
    call(server.port, "POST", "/payments", payment, key)
    call(server.port, "POST", "/checkouts", session, key)
    psql = [str(binary("psql")), dsn, "-Atc", "SELECT pricing FROM payments"]
    pricing = json.loads(subprocess.run(psql, capture_output=True, text=True, check=True).stdout)
    values = {
        "business": product["business_id"],
        "customer": customer["customer_id"],
        "product": product["product_id"],
        "pricing": json.dumps(pricing),  # with blanks after the colons, which pgbench would take for variables
    }
    return Prepared(posted("/payments", payment, key), posted("/checkouts", session, key), values)


def posted(path: str, body: Any, key: str) -> str:
    """Return a whole HTTP request."""
    text = json.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n{text}"
    )


def compare(server: Server, prepared: Prepared, options: argparse.Namespace) -> None:
    """Let payments and sessions take turns, and print a row a number of connections: medians, and those of the ratios.

    In every other round sessions come first, since whoever comes second finds more rows.
    """
    itself = psutil.Process(server.process.pid)
    print("connections  payments/s  sessions/s  payment p50 ms  session p50 ms  payment us  session us   ratio")
    for connections in options.connections:
        rows = []
        for number in range(options.rounds + 1):
            turns = [prepared.payment, prepared.session]
            found: dict[str, tuple[float, float, float]] = {}
            for request in turns if number % 2 else reversed(turns):
                before = cpu_seconds([itself])
                figures = load(server.port, request, connections, options.seconds if number else 1)
                spent = (cpu_seconds([itself]) - before) / figures["count"] * 1e6
                found[request] = figures["rate"], figures["p50_ms"], spent
            if number:  # the round before the first only warms up
                payment, session = found[prepared.payment], found[prepared.session]
                pairs = [figure for pair in zip(payment, session, strict=True) for figure in pair]
                rows.append((*pairs, session[0] / payment[0]))
        middle = [statistics.median(column) for column in zip(*rows, strict=True)]
        row = "{:11d}  {:10.0f}  {:10.0f}  {:14.2f}  {:14.2f}  {:10.0f}  {:10.0f}  {:6.3f}"
        print(row.format(connections, *middle), flush=True)


def measure(server: Server, dsn: str, script: Path, request: str, options: argparse.Namespace) -> None:
    """Take turns with pgbench and print a row a number of connections."""
    itself = psutil.Process(server.process.pid)
    print("connections  payments/s     p50 ms   p99 ms   server us  postgres us  pgbench tps   ratio")
    for connections in options.connections:
        load(server.port, request, connections, 1)
        rows = []
        for _ in range(options.rounds):
            before = cpu_seconds([itself]), postgres_seconds(server.data)
            figures = load(server.port, request, connections, options.seconds)
            after = cpu_seconds([itself]), postgres_seconds(server.data)
            tps = pgbench(dsn, script, connections, options.seconds)
            spent = [(late - early) / figures["count"] * 1e6 for early, late in zip(before, after, strict=True)]
            rows.append((figures["rate"], figures["p50_ms"], figures["p99_ms"], *spent, tps, figures["rate"] / tps))
        middle = [statistics.median(column) for column in zip(*rows, strict=True)]
        print("{:11d}  {:10.0f}  {:9.2f}  {:7.2f}  {:10.0f}  {:11.0f}  {:11.0f}  {:6.3f}".format(connections, *middle))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements, of which the median is printed")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--sessions", action="store_true", help="compare POST /checkouts with POST /payments")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="nicobar-bench-", dir="/tmp"))
    folder.chmod(0o711)
    server = Server(folder / "data")
    try:
        print("Starting the server twice ...", flush=True)
        first = server.start()
        server.stop()
        again = server.start()
        print(f"first start {first:.2f} s, start on an existing database {again:.2f} s")
        with open_embedded(server.data) as postgres:
            prepared = prepare(server, postgres.dsn)
            script = folder / "by_hand.sql"
            script.write_text(BY_HAND.format(**prepared.by_hand))
            if options.sessions:
                compare(server, prepared, options)
            else:
                measure(server, postgres.dsn, script, prepared.payment, options)
        memory = psutil.Process(server.process.pid).memory_info().rss / 2**20
        print(f"memory of the server {memory:.0f} MiB")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
