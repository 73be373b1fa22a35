"""The page about the books shows what its queries answer."""

import re
from pathlib import Path

from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.ledger.ledger import ACCOUNTS
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Record
from orders import line, order
from selling import refunded, sold
from shop import EXAMPLE_RATES, Shop

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ledger.md").read_text(encoding="utf-8")

EXAMPLES = re.findall(r"^```sql\n(.*?)^```\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def table(rows: list[Record]) -> str:
    """Return rows as aligned text: words to the left, numbers to the right."""
    if not rows:
        return ""
    cells = [[str(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(rows[0].keys(), *cells, strict=True)]
    numbers = [isinstance(value, int) for value in rows[0].values()]
    lines = []
    for row in [list(rows[0].keys()), *cells]:
        fields = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, numbers, strict=True)
        ]
        lines.append("  ".join(fields).rstrip() + "\n")
    return "".join(lines)


async def test_the_queries_answer_what_the_page_shows(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant
) -> None:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo")
    await shop.rates(EXAMPLE_RATES)
    euros = {"currency": "EUR", "settlement_currency": "EUR", "settlement_tax": 950}
    payment = await sold(runtime, order(runtime, merchant.tenant, [line(subtotal=5000, tax=950)], **euros))
    clock.advance(seconds=1)
    await shop.purchase(await shop.product(10_000), country="CA", billing_currency="CAD")
    clock.advance(days=1)
    await refunded(runtime, payment, 1190, 190)
    assert len(EXAMPLES) == 4
    async with runtime.database.read() as read:
        for query, answer in EXAMPLES:
            assert answer == table(await read.fetch(query))
        sides = "SELECT DISTINCT account, sign(balance) = sign(debits - credits) AS debit FROM ledger_balances"
        for row in await read.fetch(f"{sides} WHERE balance <> 0"):
            if ACCOUNTS[row["account"]] != "either":
                assert row["debit"] == (ACCOUNTS[row["account"]] == "debit")


def test_the_page_has_every_account_with_its_side() -> None:
    accounts = PAGE.partition("\n## Accounts\n")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", accounts, re.MULTILINE)) == ACCOUNTS
