"""Generated lives of payments: codes, currencies, places, refunds and disputes in every order, checked after each.

`NICOBAR_LIVES` sets how many lives there are (120 unless set; 10,000 in `make prove`) and `NICOBAR_LIVES_SEED` where
they start. A failure names its seed, and that life can be lived alone again.
"""

import os
import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from due_work import run_due
from harness import FakeClock, Merchant
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.payments.end_link import end_link
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.program.books_audit import audit_books
from orders import pay
from proof import PROVING
from shop import EXAMPLE_RATES, Shop, item, order_request

LIVES = int(os.environ.get("NICOBAR_LIVES", "10000" if PROVING else "120"))
FIRST_SEED = int(os.environ.get("NICOBAR_LIVES_SEED", "0"))

PLACES = {"DE": "EUR", "US": "USD", "JP": "JPY", "CA": "CAD", "IN": "INR", "GB": "GBP", "AF": "USD"}
CAP, LEAST = 3000, 5000
"""Of the capped code, in US cents."""
DECLINED = "4000000000009995"
SCENARIOS = (
    None,
    "dispute_after:1h",
    "dispute_after:1h; dispute_whole",
    "dispute_after:1h; dispute_whole; verdict:won:1d",
    "dispute_after:1h; verdict:lost:1d",
    "dispute_after:2d; dispute_whole; refund_bounce:3h",
    "refund_bounce:1h; dispute_after:90; dispute_whole; verdict:won:30m",
    "refund_pending:2h; dispute_after:1h",
)
CODES: Mapping[str, dict[str, Any]] = {
    "TENTH": {"bps": 1000},
    "CAPPED": {
        "bps": 5000,
        "currency_options": [
            {"currency": "USD", "max_amount_possible": CAP, "minimum_subtotal": LEAST, "is_default": True},
            {"currency": "EUR", "max_amount_possible": CAP, "minimum_subtotal": LEAST},
        ],
    },
    "FEW": {"bps": 2000, "usage_limit": 5},
    "ONCE": {"bps": 3000, "per_customer_usage_limit": 1},
    "WELCOME": {"bps": 10_000, "customer_eligibility": "first_time"},
}


def least_in(country: str) -> Fraction:
    """Return what the capped code takes from on, in US cents: 50 dollars, or 50 euros of who pays in euros."""
    return LEAST / Fraction(EXAMPLE_RATES["EUR"]) if PLACES[country] == "EUR" else Fraction(LEAST)


class Town:
    """One shop with its products and codes, in which lives are lived one after the other."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.codes: dict[str, str] = {}
        self.products: list[tuple[str, int]] = []

    async def open(self) -> None:
        shop = self.shop
        await shop.rates(EXAMPLE_RATES)
        await shop.settings(tax="table", seller_country="DE", adaptive_pricing="on", adaptive_fees="dodo")
        for name, terms in CODES.items():
            more = {key: value for key, value in terms.items() if key != "bps"}
            self.codes[name] = await shop.percentage(name, terms["bps"], **more)
        for price in (1999, 4999, 5000, 60_001, 151_000):
            self.products.append((await shop.product(price, tax_inclusive=price % 2 == 0), price))

    async def live(self, seed: int) -> None:
        """Buy, pay, refund and wait as the seed has it, and hold everything against each other."""
        chance, shop = random.Random(seed), self.shop  # noqa: S311 - a life that can be lived again
        cart = chance.sample(self.products, chance.choice((1, 1, 2)))
        scenario = chance.choice(SCENARIOS)
        wish: dict[str, Any] = {
            "country": chance.choice(list(PLACES)),
            "discount_codes": chance.sample(list(CODES), chance.choice((0, 1, 1, 2))),
            "customer": {"email": f"buyer{chance.randrange(12)}@example.com"},
            "payment_link": True,
            "metadata": {} if scenario is None else {"nicobar_scenario": scenario},
        }
        request = order_request(*[item(product) for product, _ in cart], **wish)
        answer = await shop.client.post("/payments", json=request)
        if answer.status_code != 200:
            assert answer.json()["code"].startswith("DISCOUNT_"), answer.text
            if "CAPPED" in wish["discount_codes"] and sum(price for _, price in cart) < least_in(wish["country"]):
                return
            assert answer.json()["code"] != "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET"
            return
        made = answer.json()
        await self.check_cap(made["payment_id"], wish["discount_codes"], sum(price for _, price in cart))
        end = chance.random()
        if end < 0.1:
            await end_link(shop.runtime, shop.merchant.tenant, made["payment_id"])
        elif end < 0.2:
            await pay(shop.browser, made["payment_link"], number=DECLINED)
        elif end < 0.9:
            await self.pay(made)
        for _ in range(chance.randrange(5)):
            move = chance.choice(("all", "part", "wait", "wait", "sweep"))
            if move in ("all", "part"):
                await self.refund(made["payment_id"], chance if move == "part" else None)
            else:
                shop.clock.advance(seconds=chance.choice((1, 100, 4000, 90_000)))
                await deliver_simulated_notices(shop.runtime)
                await run_due(shop.runtime)
                if move == "sweep":
                    await sweep(shop.runtime)
            await self.check_uses()
        await self.check_books()

    async def pay(self, made: dict[str, Any]) -> None:
        """Pay on the page; where the total was shown again, pay that."""
        for _ in range(2):
            if (await self.shop.read(f"/payments/{made['payment_id']}"))["status"] == "succeeded":
                return
            page = await self.shop.browser.get(made["payment_link"])
            if 'name="token"' not in page.text:
                return
            await pay(self.shop.browser, made["payment_link"])

    async def refund(self, payment_id: str, chance: random.Random | None) -> None:
        body: dict[str, Any] = {"payment_id": payment_id}
        if chance is not None:
            lines = (await self.shop.read(f"/payments/{payment_id}/line-items"))["items"]
            line = chance.choice(lines)
            amount = chance.randint(1, max(1, line["refundable_amount"]))
            body["items"] = [{"item_id": line["items_id"], "amount": amount}]
        answer = await self.shop.client.post("/refunds", json=body)
        assert answer.status_code < 500, answer.text

    async def check_cap(self, payment_id: str, codes: list[str], subtotal: int) -> None:
        """In every currency the capped code takes no more than its cap, and nothing below its minimum."""
        payment = await self.shop.read(f"/payments/{payment_id}")
        for used in payment["discounts"] or []:
            if used["code"] != "CAPPED":
                continue
            assert subtotal >= (LEAST if payment["currency"] != "EUR" else least_in("DE"))
            async with self.shop.runtime.database.read() as read:
                query = "SELECT deducted FROM discount_redemptions WHERE payment_id = $1 AND code = 'CAPPED'"
                deducted = await read.fetchval(query, payment_id)
            currency = payment["currency"]
            exponent = 0 if currency == "JPY" else 2
            most = Fraction(CAP, 100) * (1 if currency in ("USD", "EUR") else Fraction(EXAMPLE_RATES[currency]))
            assert deducted <= most * 10**exponent + 1 + (2 if len(codes) > 1 else 0), (currency, deducted)

    async def check_uses(self) -> None:
        """Uses are the redeemed ones, and limits hold."""
        async with self.shop.runtime.database.read() as read:
            counts = await read.fetch(
                "SELECT d.code, d.times_used, d.times_reserved, d.usage_limit,"
                " count(*) FILTER (WHERE r.state = 'redeemed') AS redeemed,"
                " count(*) FILTER (WHERE r.state = 'reserved') AS reserved,"
                " count(*) FILTER (WHERE (r.state = 'redeemed') <> (p.status = 'succeeded')) AS wrong,"
                " count(*) FILTER (WHERE r.state = 'reserved' AND p.status = 'cancelled') AS dead"
                " FROM discounts d LEFT JOIN discount_redemptions r USING (business_id, mode, discount_id)"
                " LEFT JOIN payments p USING (business_id, mode, payment_id) GROUP BY 1, 2, 3, 4"
            )
            greedy = await read.fetch(
                "SELECT code, customer_id FROM discount_redemptions"
                " WHERE code IN ('ONCE', 'WELCOME') AND state <> 'released' GROUP BY 1, 2 HAVING count(*) > 1"
            )
        assert [dict(row) for row in greedy] == []
        for row in counts:
            assert (row["times_used"], row["times_reserved"]) == (row["redeemed"], row["reserved"]), dict(row)
            assert (row["wrong"], row["dead"]) == (0, 0), dict(row)
            assert row["usage_limit"] is None or row["redeemed"] + row["reserved"] <= row["usage_limit"]

    async def check_books(self) -> None:
        """Per payment tax, settlement and fee stay within what was booked, and the books agree with everything."""
        async with self.shop.runtime.database.read() as read:
            rows = await read.fetch(
                "SELECT payment_id, sum(tax_payable) AS tax, sum(merchant_payable) AS seller, sum(fee_income) AS fee,"
                " sum(reversal_loss) AS lost, min(tax_payable) FILTER (WHERE kind = 'payment') AS taxed,"
                " min(merchant_payable) FILTER (WHERE kind = 'payment') AS earned,"
                " min(fee_income) FILTER (WHERE kind = 'payment') AS charged FROM ledger_entries GROUP BY 1"
            )
            wrong = [finding.sentence for finding in await audit_books(read, self.shop.clock.now()) if not finding.good]
        for row in rows:
            assert row["taxed"] <= row["tax"] <= 0, dict(row)
            assert row["earned"] <= row["seller"] <= 0, dict(row)
            assert row["charged"] <= row["fee"] <= 0, dict(row)
            assert row["lost"] >= 0 and (not row["lost"] or row["tax"] == row["seller"] == row["fee"] == 0), dict(row)
        assert [text for text in wrong if "wait" not in text] == []


@pytest_asyncio.fixture
async def town(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Town:
    town = Town(Shop(runtime, app, clock, merchant))
    await town.open()
    return town


@pytest.mark.proof
async def test_no_life_of_a_payment_breaks_a_limit_or_gives_back_more_than_was_booked(
    town: Town, record_property: Callable[[str, object], None]
) -> None:
    record_property("lives", LIVES)
    for seed in range(FIRST_SEED, FIRST_SEED + LIVES):
        try:
            await town.live(seed)
        except AssertionError as error:
            raise AssertionError(f"NICOBAR_LIVES_SEED={FIRST_SEED} NICOBAR_LIVES={seed + 1 - FIRST_SEED}") from error
    async with town.shop.runtime.database.read() as read:
        happened = await read.fetchrow(
            "SELECT (SELECT count(*) FROM ledger_entries WHERE reversal_loss > 0) AS lost,"
            " (SELECT count(*) FROM ledger_entries WHERE kind = 'refund_reversal') AS came_back,"
            " (SELECT count(*) FROM ledger_entries WHERE kind = 'dispute_reversal') AS won,"
            " (SELECT count(DISTINCT currency) FROM payments WHERE status = 'succeeded') AS currencies,"
            " (SELECT count(*) FROM discount_redemptions WHERE state = 'redeemed') AS used"
        )
    assert LIVES < 100 or min(dict(happened or {}).values()) > 1, happened
