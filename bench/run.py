"""How fast is this server, and how fast could it be?

`POST /payments` takes turns with pgbench, which writes the same rows by hand on the same cluster, and with an empty
answer by the same HTTP protocol. Then come purchases, constant rates, other requests, webhooks and renewals, and the
same again with many stored payments. Absolute figures belong to the machine, ratios tell more.

    make bench                                     some ten minutes; writes docs/performance.md and .svg
    make bench ARGS=--quick                        two minutes, for a look; writes nothing
    make bench ARGS="--payments 10000 1000000 5000000"
"""

import argparse
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import msgspec
from bench.measures import (
    Length,
    measure_constant,
    measure_creations,
    measure_grown,
    measure_memory,
    measure_purchases,
    measure_requests,
    measure_several,
    measure_worker,
    prepare,
    say,
)
from bench.page import chart, page
from bench.results import SEVERAL, Results, about
from bench.server import Server

from nicobar.storage.embedded.embedded import open_embedded

LONGEST = 45 * 60
"""Seconds after which something hangs, and the run gives up."""

DOCS = Path(__file__).resolve().parents[1] / "docs"


def method(seconds: float, rounds: int, fewer: int) -> str:
    """Return how long each measurement takes, and what its figures are of so many rounds.

    Creating payments and constant rates have `rounds`, and what is repeated besides has `fewer`.
    """
    return (
        f"loads of {seconds:g} s; creating payments and constant rates: {_figure(rounds)}; buying and "
        f"requests: {_figure(fewer)}; work, start and memory: measured once"
    )


def _figure(rounds: int) -> str:
    """Return what `statistics.median` makes of so many rounds."""
    if rounds == 1:
        return "one round"
    return f"the {'mean' if rounds == 2 else 'median'} of {rounds} rounds"


def measure(server: Server, dsn: str, options: argparse.Namespace, starts: tuple[float, float]) -> Results:
    """Measure everything."""
    length = Length(options.seconds, options.rounds)
    short = length._replace(rounds=1 if options.quick else 2)
    goods = prepare(server, dsn)
    say("Idle memory")
    memory = measure_memory(server, server.data.parent)
    say(f"Creating payments{'rate':>30}{'p50':>12}{'p99':>12}{'server':>11}{'PostgreSQL':>12}")
    creations = measure_creations(server, dsn, goods, length)
    say(f"The same with {SEVERAL} processes of the server")
    several = measure_several(server, dsn, goods, length)
    say("Buying")
    purchases = measure_purchases(server, dsn, goods, short)
    say("Constant rates")
    constant = measure_constant(server, goods, max(one.payments.rate for one in creations), length)
    say("Other requests")
    rows = measure_requests(server, goods, short)
    say("Work")
    deliveries = measure_worker("webhooks", "drain", "--count", str(300 if options.quick else 3000))
    renewals = measure_worker("renewals", "--count", str(100 if options.quick else 1000))
    grown = []
    for payments in sorted(options.payments):
        say(f"With {payments:,} stored payments")
        grown.append(measure_grown(server, dsn, goods, payments, short))
    memory.after = server.memory
    return Results(
        about(method(options.seconds, length.rounds, short.rounds)),
        *starts,
        creations,
        several,
        rows,
        purchases,
        constant,
        deliveries,
        renewals,
        grown,
        memory,
    )


def give_up(*_: object) -> None:
    raise TimeoutError(f"not done after {LONGEST // 60} minutes")


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run with few payments, which writes nothing")
    parser.add_argument("--seconds", type=float, help="length of one measurement (default: 4)")
    parser.add_argument("--rounds", type=int, help="measurements, of which the median counts (default: 3)")
    parser.add_argument("--payments", type=int, nargs="*", help="stored payments to grow to (default: 1000000)")
    parser.add_argument("--json", type=Path, help="where to keep what was found")
    options = parser.parse_args()
    options.seconds = options.seconds or (1.0 if options.quick else 4.0)
    options.rounds = options.rounds or (1 if options.quick else 3)
    if options.payments is None:
        options.payments = [10_000] if options.quick else [1_000_000]
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="nicobar-bench-"))
    folder.chmod(0o711)
    server = Server(folder / "data")
    try:
        first = server.start()
        server.stop()
        again = server.start()
        say(f"First start {first:.2f} s, start on an existing database {again:.2f} s")
        try:
            with open_embedded(server.data) as postgres:
                found = measure(server, postgres.dsn, options, (first, again))
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    if not options.quick:
        (DOCS / "performance.md").write_text(page(found), encoding="utf-8")
        (DOCS / "performance.svg").write_text(chart(found), encoding="utf-8")
        say("Written: docs/performance.md, docs/performance.svg")
    say(f"Done in {(time.monotonic() - began) / 60:.1f} minutes")


if __name__ == "__main__":
    os.chdir(DOCS.parent)
    main()
