"""The measurements, one after the other, on one server. Each prints what it finds as it goes."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
import uvloop
from bench.by_hand import ByHand, by_hand, pgbench, psql
from bench.growth import grow
from bench.load import OPENING, Job, open_pages
from bench.results import SEVERAL, Constant, Creation, Grown, Memory, Purchases, Row
from bench.server import NICOBAR, Cost, Server, bare, measured, middle, resident
from bench.webhooks import Worked, process, read_line

CONNECTIONS = (1, 16, 64)
USUAL = 16
"""Connections where one number has to do."""
BUYERS = (USUAL, 48)
"""Connections that buy: the pages let 60 tries of one address be under way."""
FORMS = 500
"""Pages that are opened ahead for each second of paying."""
SHARES = (0.25, 0.5, 0.75)


class Length(NamedTuple):
    """How long and how often everything is measured."""

    seconds: float
    rounds: int


class Goods(NamedTuple):
    """What is asked for."""

    payment: str
    """The HTTP request that creates a payment of three lines; likewise a session of the same cart."""
    session: str
    payment_id: str
    """A payment that was made so."""
    customer_id: str
    answer: int
    """Bytes of the answer."""
    hand: ByHand


def say(text: str) -> None:
    print(text, flush=True)


def prepare(server: Server, dsn: str) -> Goods:
    """Make a key, a product, a customer, and a payment as a pattern."""
    server.key = server.command("keys", "create").stdout.strip()
    price = {"type": "one_time_price", "currency": "USD", "price": 1001}
    product = {"name": "Guide", "description": "Birds", "tax_category": "e_book", "price": price}
    product_id = server.call("POST", "/products", product)["product_id"]
    customer_id = server.call("POST", "/customers", {"email": "ana@example.com", "name": "Ana"})["customer_id"]
    cart = [{"product_id": product_id, "quantity": quantity} for quantity in (1, 2, 3)]
    order = {"customer": {"customer_id": customer_id}, "product_cart": cart, "metadata": {"order": "17"}}
    payment = order | {"billing": {"country": "US"}, "payment_link": True}
    made = server.call("POST", "/payments", payment)
    return Goods(
        server.request("POST", "/payments", payment),
        server.request("POST", "/checkouts", order | {"billing_address": {"country": "US"}}),
        made["payment_id"],
        customer_id,
        len(msgspec.json.encode(made)),
        by_hand(dsn, made["payment_id"]),
    )


def show(what: str, cost: Cost) -> None:
    say(
        f"  {what:<34}{cost.rate:9.0f} /s{cost.p50_ms:9.2f} ms{cost.p99_ms:9.2f} ms"
        f"{cost.server_us:8.0f} us{cost.postgres_us:8.0f} us"
    )


def measure_creations(
    server: Server, dsn: str, goods: Goods, length: Length, numbers: Sequence[int] = CONNECTIONS
) -> list[Creation]:
    """Let POST /payments, pgbench and a bare answer take turns, at such numbers of connections."""
    found = []
    for connections in numbers:
        payments: list[Cost] = []
        hands: list[float] = []
        bares: list[Cost] = []
        with bare(goods.answer, server.log) as (process, port):
            for warms in (True, *[False] * length.rounds):
                seconds = 1.0 if warms else length.seconds
                payment = server.measure([goods.payment], connections, seconds)
                hand = pgbench(dsn, goods.hand, connections, "-T", str(max(1, round(seconds))))
                empty = measured([process], Job(port, [goods.payment], connections, seconds / 2))
                if not warms:
                    payments.append(payment)
                    hands.append(hand)
                    bares.append(empty)
        ratio = median(one.rate / hand for one, hand in zip(payments, hands, strict=True))
        found.append(Creation(connections, middle(payments), median(hands), ratio, middle(bares)))
        show(f"POST /payments, {connections} connections", found[-1].payments)
        say(f"  {'pgbench':<34}{found[-1].by_hand:9.0f} /s     ratio {ratio:.2f}")
        show("a bare answer", found[-1].bare)
    return found


def measure_several(server: Server, dsn: str, goods: Goods, length: Length) -> list[Creation]:
    """Let several processes of the server create payments."""
    server.start_again(SEVERAL)
    found = measure_creations(server, dsn, goods, length, CONNECTIONS[1:])
    server.start_again(1)
    return found


def measure_requests(server: Server, goods: Goods, length: Length) -> list[Row]:
    """Measure what else is asked for often."""
    asked = {
        "POST /checkouts": goods.session,
        "GET /payments/{payment_id}": server.request("GET", f"/payments/{goods.payment_id}"),
        "GET /payments, 10 of them": server.request("GET", "/payments?page_size=10"),
        "GET /health": server.request("GET", "/health"),
    }
    return [_row(server, what, [request], length) for what, request in asked.items()]


def _row(server: Server, what: str, requests: Sequence[str], length: Length) -> Row:
    server.measure(requests, USUAL, min(1.0, length.seconds))
    row = Row(what, middle([server.measure(requests, USUAL, length.seconds) for _ in range(length.rounds)]), USUAL)
    show(what, row.cost)
    return row


def measure_purchases(server: Server, dsn: str, goods: Goods, length: Length) -> list[Purchases]:
    """Create and pay with a webhook endpoint; afterwards the books have to be in order."""
    bought = [
        _buy(server, dsn, goods, length, connections, opens=opens) for opens in (False, True) for connections in BUYERS
    ]
    books = server.command("doctor")
    assert books.returncode == 0, books.stdout
    return bought


def _buy(server: Server, dsn: str, goods: Goods, length: Length, connections: int, *, opens: bool) -> Purchases:
    """Buy at so many connections. The clock stops when the last event has arrived.

    Each connection plans each of a dozen statements five times before it keeps the plan: that takes the first seconds.
    """
    found: list[Purchases] = []
    with process("-m", "bench.webhooks", "receive") as receiver:
        url = f"http://127.0.0.1:{read_line(receiver)}/hook"
        endpoint = server.call("POST", "/webhooks", {"url": url, "filter_types": ["payment.succeeded"]})
        taken = 0
        for warms in (True, *[False] * length.rounds):
            seconds = length.seconds * (2 if warms else 1)
            forms = [] if opens else _opened(server, goods, connections, seconds)
            before, spent = _purchases(dsn), server.spent()
            cost = server.measure([goods.payment], connections, OPENING if forms else seconds, buys=opens, forms=forms)
            paid = time.perf_counter()
            made = _purchases(dsn) - before
            assert not forms or made == len(forms), f"{made} of {len(forms)} forms paid"
            hoped = taken + made
            while taken < hoped:
                taken = int(read_line(receiver))
            rate = made / (made / cost.rate + time.perf_counter() - paid)
            each = [(late - early) / made * 1e6 for early, late in zip(spent, server.spent(), strict=True)]
            cost = msgspec.structs.replace(cost, server_us=each[0], postgres_us=each[1])
            hand = pgbench(dsn, goods.hand, connections, "-T", str(max(1, round(length.seconds))))
            if not warms:
                found.append(Purchases(opens, connections, rate, hand, rate / hand, cost))
        server.call("DELETE", f"/webhooks/{endpoint['id']}")
    purchases = Purchases(
        opens,
        connections,
        median(one.rate for one in found),
        median(one.by_hand for one in found),
        median(one.ratio for one in found),
        middle([one.cost for one in found]),
    )
    show(f"create, {'open, ' if opens else ''}pay, webhook, {connections}", purchases.cost)
    say(f"  {purchases.rate:.0f} /s until the last webhook has arrived; ratio to pgbench {purchases.ratio:.2f}")
    return purchases


def _opened(server: Server, goods: Goods, connections: int, seconds: float) -> list[str]:
    """Return the forms of pages that are open, `FORMS` for each second. The load ends with them."""
    return uvloop.run(open_pages(server.port, goods.payment, round(FORMS * seconds), connections))


def _purchases(dsn: str) -> int:
    return int(psql(dsn, "SELECT count(*) FROM payments WHERE status = 'succeeded'"))


def measure_constant(server: Server, goods: Goods, highest: float, length: Length) -> list[Constant]:
    """Create payments at constant rates, shares of the highest one."""
    found = []
    for share in SHARES:
        rate = highest * share
        costs = [server.measure([goods.payment], 64, length.seconds, rate=rate) for _ in range(length.rounds)]
        found.append(Constant(share, rate, middle(costs)))
        show(f"POST /payments, constantly {rate:.0f} /s", found[-1].cost)
    return found


def measure_worker(what: str, *arguments: str) -> Worked:
    """Run another benchmark, which has a data folder of its own."""
    command = [sys.executable, "-m", f"bench.{what}", *arguments, "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    worked = msgspec.json.decode(result.stdout, type=Worked)
    say(f"  {worked.sentence(what)}")
    return worked


def measure_grown(server: Server, dsn: str, goods: Goods, payments: int, length: Length) -> Grown:
    """Store so many payments, and ask again."""
    ids = grow(dsn, goods.payment_id, payments, say)
    customers = psql(dsn, f"SELECT DISTINCT customer_id FROM payments WHERE payment_id IN ({_quoted(ids[:200])})")
    lists = {
        "GET /payments, the newest": "page_size=10",
        "GET /payments, of a customer": [f"page_size=10&customer_id={one}" for one in customers.splitlines()],
        "GET /payments, by status": [f"page_size=10&status={status}" for status in ("failed", "cancelled")],
        "GET /payments, page 1,000": "page_size=10&page_number=1000",
    }
    rows = [
        _row(server, "POST /payments", [goods.payment], length),
        _row(server, "GET /payments/{payment_id}", [server.request("GET", f"/payments/{one}") for one in ids], length),
    ]
    for what, queries in lists.items():
        asked = [queries] if isinstance(queries, str) else queries
        rows.append(_row(server, what, [server.request("GET", f"/payments?{query}") for query in asked], length))
    return Grown(payments, rows)


def _quoted(ids: Sequence[str]) -> str:
    return ", ".join(f"'{one}'" for one in ids)


def measure_memory(server: Server, folder: Path) -> Memory:
    """Start a server and a worker that have nothing to do."""
    log = folder / "worker.log"
    with log.open("wb") as errors:
        command = [*NICOBAR, "worker", "--data", str(server.data)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=server.environment)
    assert worker.stdout is not None
    while "Working" not in (line := worker.stdout.readline()):
        assert line, log.read_text()
    time.sleep(1)
    memory = Memory(server.memory, resident(worker.pid), 0.0)
    worker.terminate()
    worker.wait(30)
    say(f"  server {memory.server:.0f} MiB, a worker of its own {memory.worker:.0f} MiB")
    return memory
