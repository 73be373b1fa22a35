"""The page of a run has its figures, in the form that the other pages have, and its chart can be drawn."""

from xml.etree import ElementTree

import msgspec
import pytest
from bench.page import chart, page
from bench.results import About, Constant, Creation, Grown, Memory, Purchases, Results, Row
from bench.run import method
from bench.server import Cost, middle
from bench.webhooks import Worked

from house.test_docs import exists

SLOW = Cost(rate=100.0, p50_ms=10.0, p99_ms=40.0, server_us=500.0, postgres_us=300.0, client_us=100.0)
BUSY = Cost(rate=1800.0, p50_ms=8.5, p99_ms=21.25, server_us=500.0, postgres_us=300.0, client_us=50.0)

FOUND = Results(
    about=About("2026-11-29", "0123456789ab", "2 cores", "closed loops of 4 s"),
    first_start=2.5,
    start=0.75,
    creations=[Creation(connections, BUSY, 2000.0, 0.9, SLOW) for connections in (1, 16, 64)],
    several=[Creation(16, BUSY, 1800.0, 1.0, SLOW)],
    rows=[Row("GET /health", SLOW, 16)],
    purchases=[Purchases(True, 16, 97.0, 388.0, 0.25, SLOW), Purchases(False, 48, 98.0, 300.0, 0.33, BUSY)],
    constant=[Constant(0.5, 900.0, SLOW)],
    deliveries=Worked(2000.0, 90.0, 270.0),
    renewals=Worked(10.0, 1800.0, 4300.0),
    grown=[Grown(1_000_000, [Row("GET /payments, by status", BUSY, 16)])],
    memory=Memory(71.0, 49.0, 95.0),
)


def test_the_page_has_the_figures() -> None:
    text = page(FOUND)
    assert "| 16 | 1,800 | 2,000 | **0.90** | 100 | 8.50 | 21.25 | 500 | 300 | the server's one process |" in text
    assert (
        "| 16 | 1,800 | 1,800 | **1.00** | 100 | 8.50 | 21.25 | 500 | 300 | waiting: for answers, commits, the disk |"
        in text
    )
    assert "| create, open the page, pay | 16 | 97 | 388 | **0.25** | 10.00 | 40.00 | 500 | 300 | waiting: for" in text
    assert "| create, pay | 48 | 98 | 300 | **0.33** | 8.50 | 21.25 | 500 | 300 | the server's one process |" in text
    assert "| 50% | 900 | 10.00 | 40.00 | 4.0 |" in text
    assert "| Renewals of subscriptions | 10 | 36,000 | 1800 | 4300 |" in text
    assert "### 1,000,000 payments" in text
    assert "| GET /payments, by status | 16 | 1,800 |" in text


def test_it_is_said_what_a_ratio_is_taken_against() -> None:
    text = " ".join(page(FOUND).split())
    assert "The ratio is that of payments to pgbench at the connections of its own row: divided in each round" in text
    assert "pgbench writes the rows of a created payment as above, at as many connections" in text
    assert "| Purchase | connections | a second | pgbench | ratio |" in text


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        (
            (3, 2),
            "loads of 3 s; creating payments and constant rates: the median of 3 rounds; buying and requests: "
            "the mean of 2 rounds; work, start and memory: measured once",
        ),
        (
            (1, 1),
            "loads of 3 s; creating payments and constant rates: one round; buying and requests: one round; "
            "work, start and memory: measured once",
        ),
    ],
)
def test_the_method_names_means_and_medians(rounds: tuple[int, int], expected: str) -> None:
    assert method(3.0, *rounds) == expected


def test_the_page_keeps_the_rules_of_pages() -> None:
    lines = page(FOUND).splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []
    named = {name for line in lines for name in line.split("`")[1::2]}
    assert [name for name in named if not exists(name)] == []


def test_the_chart_is_well_formed_and_stays_within_its_width() -> None:
    drawing = ElementTree.fromstring(chart(FOUND))  # noqa: S314 - our own
    width = float(drawing.attrib["viewBox"].split()[2])
    bars = drawing.findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) >= 12
    assert max(float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars) <= width


def test_what_limits_a_rate_is_who_was_busy() -> None:
    assert BUSY.limit() == "the server's one process"
    assert SLOW.limit() == "waiting: for answers, commits, the disk"
    assert msgspec.structs.replace(BUSY, rate=3600.0).limit(2) == "the server's 2 processes"


def test_the_middle_is_taken_of_each_figure() -> None:
    costs = [Cost(*(float(number + column) for column in range(6))) for number in (3, 1, 2)]
    assert middle(costs) == Cost(2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
