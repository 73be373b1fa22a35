"""The page and the chart of a run: docs/performance.md and docs/performance.svg."""

import textwrap
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from bench.results import SEVERAL, Creation, Purchases, Results, Row
from bench.server import Cost

_COLUMNS: Final = "p50 ms | p99 ms | server µs | PostgreSQL µs | limited by"


def page(found: Results) -> str:
    """Return the text of docs/performance.md."""
    about = found.about
    return "\n".join(
        [
            "# Performance",
            "",
            "`make bench` writes this page. Figures belong to the machine; the ratios tell more than the rates.",
            "",
            "| | |",
            "| --- | --- |",
            f"| Machine | {about.machine} |",
            f"| Date, commit | {about.day}, {about.commit} |",
            f"| Method | {about.method} |",
            "",
            *_paragraph(
                "Client, server and PostgreSQL share the machine. The database is the embedded PostgreSQL with fsync "
                "on, the server is one process with its worker, and its rate limit is off. Costs are processor time "
                "for each request, of the server and of PostgreSQL. What limits a rate is told by who was busy."
            ),
            "![Rates and costs](performance.svg)",
            "",
            *_creations(found.creations),
            *_several(found.several),
            *_purchases(found),
            *_constant(found),
            "## Other requests",
            "",
            *_table(found.rows),
            *_worker(found),
            *_grown(found),
            "## Start and memory",
            "",
            *_paragraph(
                f"The first start of all, which makes the database, answers after {found.first_start:.1f} s, a later "
                f"one after {found.start:.1f} s. A server that has nothing to do has {found.memory.server:.0f} MiB "
                f"resident, a worker of its own {found.memory.worker:.0f} MiB; after all of the above the server has "
                f"{found.memory.after:.0f} MiB."
            ),
        ]
    )


def _creations(creations: Sequence[Creation]) -> list[str]:
    empty = ", ".join(f"{one.bare.server_us:.0f}" for one in creations)
    return [
        "## Creating payments",
        "",
        *_paragraph(
            "`POST /payments` with a cart of three lines takes turns with pgbench, which writes the same rows and "
            "bytes by hand, one payment a transaction, prepared (`bench/by_hand.py`; a test compares the rows), and "
            "with an answer that says nothing, of as many bytes by the same HTTP protocol (`bench/bare.py`). Each "
            "connection sends its next request when the last answer has come. The ratio is that of payments to pgbench "
            "at the connections of its own row: divided in each round, and the median of the rounds, so it need not "
            "be the quotient of the two columns."
        ),
        *_beside_pgbench(creations),
        f"A bare answer takes {empty} µs of its server.",
        "",
    ]


def _several(creations: Sequence[Creation]) -> list[str]:
    return [f"### With {SEVERAL} processes of the server", "", *_beside_pgbench(creations, SEVERAL)]


def _beside_pgbench(creations: Sequence[Creation], processes: int = 1) -> list[str]:
    rows = [
        f"| {one.connections} | {one.payments.rate:,.0f} | {one.by_hand:,.0f} | **{one.ratio:.2f}** |"
        f" {one.bare.rate:,.0f} | {_costs(one.payments, processes)} |"
        for one in creations
    ]
    head = f"| Connections | payments a second | pgbench | ratio | bare answers | {_COLUMNS} |"
    return [head, "| " + "--- | " * 10, *rows, ""]


def _purchases(found: Results) -> list[str]:
    rows = [
        f"| {_purchase(one)} | {one.connections} | {one.rate:,.0f}"
        f" | {one.by_hand:,.0f} | **{one.ratio:.2f}** | {_costs(one.cost)} |"
        for one in found.purchases
    ]
    return [
        "## Buying",
        "",
        *_paragraph(
            "A payment is created, its page opened, its form sent with a card, and the simulator asked; ledger and "
            "events are written, and one webhook endpoint is told. Where no page is opened, that of another payment "
            "was before the clock ran: as many are created, and as many paid, 500 for each second of a load. The "
            "clock stops when the last webhook has arrived, which is when costs are read, too, of a whole purchase; "
            "`nicobar doctor` finds the books in order. Purchases for twice as long come first, "
            "because each connection plans each of a dozen statements five times before it keeps the plan. pgbench "
            "writes the rows of a created payment as above, at as many connections, and is measured again after "
            "each round."
        ),
        f"| Purchase | connections | a second | pgbench | ratio | {_COLUMNS} |",
        "| " + "--- | " * 10,
        *rows,
        "",
    ]


def _constant(found: Results) -> list[str]:
    rows = [
        f"| {one.share:.0%} | {one.rate:,.0f} | {one.cost.p50_ms:.2f} | {one.cost.p99_ms:.2f} |"
        f" {one.cost.p99_ms / one.cost.p50_ms:.1f} |"
        for one in found.constant
    ]
    return [
        "## At a constant rate",
        "",
        *_paragraph(
            "`POST /payments` arrives at a share of the highest rate above, whether or not answers come. A latency "
            "counts from the moment at which the request was to be sent."
        ),
        "| Of the highest rate | a second | p50 ms | p99 ms | p99 / p50 |",
        "| " + "--- | " * 5,
        *rows,
        "",
    ]


def _worker(found: Results) -> list[str]:
    rows = [
        f"| {what} | {one.rate:,.0f} | {one.rate * 3600:,.0f} | {one.worker_us:.0f} | {one.postgres_us:.0f} |"
        for what, one in (("Webhook deliveries", found.deliveries), ("Renewals of subscriptions", found.renewals))
    ]
    return [
        "## Work",
        "",
        *_paragraph(
            "One worker, and nothing else to do: deliveries to a receiver that answers at once (`bench/webhooks.py`), "
            "and renewals that the simulator charges (`bench/renewals.py`)."
        ),
        "| | a second | an hour | worker µs | PostgreSQL µs |",
        "| " + "--- | " * 5,
        *rows,
        "",
    ]


def _grown(found: Results) -> list[str]:
    lines = ["## With many stored payments", ""]
    for grown in found.grown:
        lines += [f"### {grown.payments:,} payments", "", *_table(grown.rows)]
    return lines


def _paragraph(text: str) -> list[str]:
    return [*textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False), ""]


def _table(rows: Sequence[Row]) -> list[str]:
    return [
        f"| Request | connections | a second | {_COLUMNS} |",
        "| " + "--- | " * 8,
        *[f"| {row.what} | {row.connections} | {row.cost.rate:,.0f} | {_costs(row.cost)} |" for row in rows],
        "",
    ]


def _purchase(purchases: Purchases) -> str:
    return "create, open the page, pay" if purchases.opens else "create, pay"


def _costs(cost: Cost, processes: int = 1) -> str:
    limit = cost.limit(processes)
    return f"{cost.p50_ms:.2f} | {cost.p99_ms:.2f} | {cost.server_us:.0f} | {cost.postgres_us:.0f} | {limit}"


_WIDTH: Final = 860
_LEFT: Final = 250
_BAR: Final = 16
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.a{fill:#2f6f8f}.b{fill:#c98a2b}.c{fill:#9aa5ad}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.a{fill:#58a6c9}.b{fill:#e0a84e}.c{fill:#6e7781}}"
)


class _Chart:
    """Bars below one another, in panels that each have a scale of their own."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._y = 8

    def panel(self, title: str, keys: Sequence[tuple[str, str]]) -> None:
        """Begin a panel; `keys` are classes of bars and what they stand for."""
        self._y += 26
        self._text(8, title, bold=True)
        x = _LEFT
        for shade, name in keys:
            self._parts.append(f'<rect class="{shade}" x="{x}" y="{self._y - 10}" width="11" height="11"/>')
            self._text(x + 16, name)
            x += 40 + 7 * len(name)
        self._y += 10

    def bars(self, label: str, bars: Sequence[tuple[str, float]], full: float, *, stacked: bool = False) -> None:
        """Draw the bars of one label: below one another, or end to end."""
        self._text(8, label, down=13)
        room, x = _WIDTH - _LEFT - 90, float(_LEFT)
        for shade, value in bars:
            length = value / full * room
            self._parts.append(
                f'<rect class="{shade}" x="{x:.1f}" y="{self._y}" width="{max(length, 1):.1f}" height="{_BAR - 3}"/>'
            )
            x += length
            if not stacked:
                self._text(x + 6, f"{value:,.0f}", down=11)
                self._y, x = self._y + _BAR, float(_LEFT)
        if stacked:
            self._text(x + 6, " + ".join(f"{value:,.0f}" for _, value in bars), down=11)
            self._y += _BAR
        self._y += 5

    def _text(self, x: float, text: str, *, down: int = 0, bold: bool = False) -> None:
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(f'<text x="{x:.1f}" y="{self._y + down}"{weight}>{escape(text)}</text>')

    def svg(self, description: str) -> str:
        """Return the drawing."""
        height = self._y + 12
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        body = "\n".join(self._parts)
        return f"{head}>\n<title>{escape(description)}</title>\n<style>{_STYLE}</style>\n{body}\n</svg>\n"


def chart(found: Results) -> str:
    """Return the text of docs/performance.svg."""
    drawing = _Chart()
    drawing.panel("Payments a second", [("a", "POST /payments"), ("b", "pgbench, the same rows by hand")])
    full = max(max(one.payments.rate, one.by_hand) for one in found.creations)
    for one in found.creations:
        drawing.bars(f"{one.connections} connections", [("a", one.payments.rate), ("b", one.by_hand)], full)
    drawing.panel("Processor time, µs", [("a", "server"), ("c", "PostgreSQL")])
    (usual,) = [one.payments for one in found.creations if one.connections == 16]
    costs = [("POST /payments", usual), *((row.what, row.cost) for row in found.rows)]
    costs += [(_purchase(one), one.cost) for one in found.purchases if one.connections == 16]
    full = max(cost.server_us + cost.postgres_us for _, cost in costs)
    for label, cost in costs:
        drawing.bars(label, [("a", cost.server_us), ("c", cost.postgres_us)], full, stacked=True)
    drawing.panel("Latency of POST /payments at a constant rate, ms", [])
    drawing.panel("", [("a", "p50"), ("b", "p99")])
    full = max(each.cost.p99_ms for each in found.constant)
    for each in found.constant:
        values = [("a", each.cost.p50_ms), ("b", each.cost.p99_ms)]
        drawing.bars(f"{each.share:.0%} of the highest rate", values, full)
    return drawing.svg("Rates and costs of Nicobar on one machine; the tables of the page have the same figures")
