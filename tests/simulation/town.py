"""The town of the simulation: two sellers with shops in both modes, and the processes that serve them."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from harness import PUBLIC_URL, VAULT, FakeClock, client_for, make_keys
from nicobar.app import create_app
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.business.create_business import create_business
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.registry import built_in_processors
from nicobar.program.installation import FOLLOWERS
from nicobar.storage.simulator.simulator import SimulatorRecords
from simulation.stepping import SteppedDatabase, Turns

PROCESSES = 2

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "Dodo Records": {"tax": "table", "adaptive_pricing": "on", "adaptive_fees": "dodo", "seller_country": "DE"},
    "Solitaire Books": {"link_ttl_minutes": "90", "refund_window_days": "20"},
}
"""Two sellers who differ in everything that decides prices and times."""

PRODUCTS: list[dict[str, Any]] = [
    {"currency": "USD", "price": 1900},
    {"currency": "USD", "price": 99},
    {"currency": "EUR", "price": 2500, "tax_inclusive": True},
    {"currency": "USD", "price": 24_900, "discount": 10},
    {"currency": "JPY", "price": 3000},
    {"currency": "USD", "price": 0},
    {"currency": "USD", "price": 500, "pay_what_you_want": True},
]

CODES: list[dict[str, Any]] = [
    {"code": "TENTH", "type": "percentage", "amount": 1000, "usage_limit": 5},
    {"code": "EVERYTHING", "type": "percentage", "amount": 10_000, "per_customer_usage_limit": 3},
    {
        "code": "FIVER",
        "type": "flat",
        "amount": 1,
        "currency_options": [{"currency": "USD", "max_amount_possible": 500}],
        "usage_limit": 3,
    },
    {"code": "FIRST", "type": "percentage", "amount": 2500, "customer_eligibility": "first_time"},
]


@dataclass
class Told:
    """A payment as its seller was told of it by answers with status 200."""

    payment_id: str
    seller: "Seller"
    total: int | None
    """In minor units; None while a change of the order was asked for, whose outcome nobody has read yet."""
    link: str | None
    """The path of its page."""
    items: list[str]
    customer_id: str
    status: str = "requires_payment_method"
    changes: int = 0
    """How many changes of the order were asked for; an answer that began before the last one says nothing."""
    has_codes: bool = False
    """Whether it was made with codes: while it is open, a newer payment of the customer may take them over."""

    def may_cost(self, total: int) -> bool:
        """Return whether the payment can cost this now."""
        return self.total in (None, total) or (self.has_codes and total > (self.total or 0))


@dataclass
class Seller:
    """One business in one mode."""

    tenant: Tenant
    key: str
    read_only_key: str
    products: list[str] = field(default_factory=list)


@dataclass
class Journal:
    """What clients were told, and how often what happened."""

    payments: dict[str, Told] = field(default_factory=dict)
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Refund id -> payment and amount, as POST /refunds answered."""
    happened: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """Answers that nobody should ever get."""


class Process:
    """One server process: its connections, its memory, its application."""

    def __init__(self, dsn: str, turns: Turns, clock: FakeClock) -> None:
        self.database = SteppedDatabase(dsn, turns)
        processors = built_in_processors(clock, PUBLIC_URL, SimulatorRecords(self.database))
        self.runtime = Runtime(self.database, clock, PUBLIC_URL, processors, followers=FOLLOWERS, vault=VAULT)
        self.app = create_app(self.runtime)
        self.browser = client_for(self.app)


class TickingClock(FakeClock):
    """A clock by which no two things happen at the same moment, so that nothing has to be drawn for the order."""

    def now(self) -> datetime:
        return self.advance(microseconds=1)


class Town:
    """Everything that a run of the simulation works on."""

    def __init__(self, dsn: str, seed: int) -> None:
        self.dsn = dsn
        self.chance = random.Random(seed)  # noqa: S311 - to be repeated
        self.clock = TickingClock(f"simulation {seed}")
        self.start = self.clock.now()
        self.journal = Journal()
        self._turns = Turns(random.Random(seed + 1))  # noqa: S311
        self.processes = [Process(dsn, self._turns, self.clock) for _ in range(PROCESSES)]
        self.sellers: list[Seller] = []
        self._bystanders = asyncio.all_tasks()

    async def open(self) -> None:
        """Let the sellers set up their shops."""
        runtime = self.processes[0].runtime
        for name, settings in SETTINGS.items():
            business_id = await create_business(runtime, name)
            test_key, read_only_key, live_key = await make_keys(runtime, business_id)
            keys: list[tuple[Mode, str]] = [("test", test_key), ("live", live_key)]
            for mode, key in keys:
                seller = Seller(Tenant(business_id, mode), key, read_only_key)
                for setting, text in settings.items():
                    await change_setting(runtime, seller.tenant, setting, text)
                await self._stock(seller)
                self.sellers.append(seller)
        self.clock.advance(minutes=1)

    async def _stock(self, seller: Seller) -> None:
        for price in PRODUCTS:
            body = {"name": "Field Guide", "tax_category": "e_book", "price": {"type": "one_time_price"} | price}
            made = await self.ask(self.processes[0], seller, "POST", "/products", json=body)
            assert made is not None and made.status_code == 200, made and made.text
            seller.products.append(made.json()["product_id"])
        for code in CODES:
            made = await self.ask(self.processes[0], seller, "POST", "/discounts", json=code)
            assert made is not None and made.status_code == 200, made and made.text

    async def ask(self, process: Process, seller: Seller, method: str, path: str, **more: Any) -> httpx.Response | None:
        """Send a request of a seller's application; None when there is no answer that says anything."""
        headers = {"authorization": f"Bearer {seller.key}"} | more.pop("headers", {})
        return await self.send(process, method, path, headers=headers, **more)

    async def send(self, process: Process, method: str, path: str, **more: Any) -> httpx.Response | None:
        """Send any request; the answer that nothing is known (503) counts as none."""
        answer = await process.browser.request(method, path, **more)
        self.journal.happened[f"answer {answer.status_code}"] += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            self.journal.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return None if answer.status_code >= 500 else answer

    async def replace(self, process: Process) -> Process:
        """Start a process in the place of one that has died, when all that ran in it has ended."""
        process.database.dead = True
        while asyncio.all_tasks() - self._bystanders:
            await asyncio.sleep(0)
        await process.database.close()
        new = Process(self.dsn, self._turns, self.clock)
        self.processes[self.processes.index(process)] = new
        new.database.faults = process.database.faults
        return new

    async def close(self) -> None:
        for process in self.processes:
            await process.database.close()
