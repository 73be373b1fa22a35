"""3-D Secure: who is asked, what the payment tells afterwards, and how often the processor is bothered."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
import pytest_asyncio

from harness import EmptyingDatabase, FakeClock, Merchant
from nicobar.core.payments.payment import Attempt, Outcome
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import pay, purge_simulated_books

PLAIN = "4242424242424242"
FRICTIONLESS = "4000000000003055"
CHALLENGE = "4000002500003155"
DECLINED_AFTERWARDS = "4000008260003178"
DECLINED = "4000000000009995"

NOTHING = (None, None, None)
UNFINISHED = ("challenge", None, "2.2.0")
PASSED = ("challenge", "authenticated", "2.2.0")
FAILED = ("challenge", "failed", "2.2.0")


class Counting(Simulator):
    """Counts how often it is asked what became of an attempt."""

    def __init__(self, clock: FakeClock, store: SimulatorRecords) -> None:
        super().__init__(clock, "http://pay.test", store)
        self.questions: Counter[str] = Counter()

    async def find(self, attempt: Attempt) -> Outcome | None:
        self.questions[attempt.attempt_id] += 1
        return await super().find(attempt)


@pytest.fixture
def processor(clock: FakeClock, tests_database: EmptyingDatabase) -> Counting:
    return Counting(clock, SimulatorRecords(tests_database.database))


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, processor: Counting) -> Runtime:
    assert isinstance(runtime.processors, dict)
    runtime.processors["simulator"] = processor
    return runtime


async def create(merchant: Merchant, **options: Any) -> tuple[str, str]:
    """Create a payment of 24 dollars; return its id and the path of its link."""
    price = {"type": "one_time_price", "currency": "USD", "price": 2400}
    product = await merchant.client.post(
        "/products", json={"name": "Field Guide", "tax_category": "e_book", "price": price}
    )
    body = {
        "billing": {"country": "US"},
        "customer": {"email": "ana@example.com"},
        "product_cart": [{"product_id": product.json()["product_id"], "quantity": 1}],
        "payment_link": True,
    }
    made = (await merchant.client.post("/payments", json=body | options)).json()
    return made["payment_id"], "/" + made["payment_link"].rpartition("/")[2]


async def told(merchant: Merchant, payment_id: str) -> tuple[str, str | None, tuple[str | None, ...]]:
    """Return what GET of the payment tells: status, error code, and 3-D Secure as the list tells it too."""
    payment = (await merchant.client.get(f"/payments/{payment_id}")).json()
    (item,) = [
        item for item in (await merchant.client.get("/payments")).json()["items"] if item["payment_id"] == payment_id
    ]
    keys = ("three_ds_flow", "three_ds_status", "three_ds_version")
    three_ds = tuple(payment[key] for key in keys)
    assert tuple(item[key] for key in keys) == three_ds
    return payment["status"], payment["error_code"], three_ds


@pytest.mark.parametrize(
    ("force", "number", "expected"),
    [
        (None, PLAIN, ("succeeded", None, NOTHING)),
        (False, PLAIN, ("succeeded", None, NOTHING)),
        (True, PLAIN, ("succeeded", None, (None, "not_supported", None))),
        (None, FRICTIONLESS, ("succeeded", None, ("frictionless", "authenticated", "2.2.0"))),
        (False, FRICTIONLESS, ("succeeded", None, (None, "exempted", None))),
        (True, FRICTIONLESS, ("requires_customer_action", None, UNFINISHED)),
        (None, CHALLENGE, ("requires_customer_action", None, UNFINISHED)),
        (False, CHALLENGE, ("requires_customer_action", None, UNFINISHED)),
        (True, CHALLENGE, ("requires_customer_action", None, UNFINISHED)),
        (None, DECLINED, ("failed", "INSUFFICIENT_FUNDS", NOTHING)),
        (True, DECLINED, ("failed", "INSUFFICIENT_FUNDS", NOTHING)),
    ],
)
async def test_the_card_and_the_merchants_wish_decide(
    merchant: Merchant, browser: httpx.AsyncClient, force: bool | None, number: str, expected: Any
) -> None:
    payment_id, path = await create(merchant, force_3ds=force)
    await pay(browser, path, number=number)
    assert await told(merchant, payment_id) == expected


@pytest.mark.parametrize(
    ("number", "answer", "expected"),
    [
        (CHALLENGE, "confirm", ("succeeded", None, PASSED)),
        (CHALLENGE, "refuse", ("failed", "AUTHENTICATION_FAILURE", FAILED)),
        (FRICTIONLESS, "confirm", ("succeeded", None, PASSED)),
        (FRICTIONLESS, "refuse", ("failed", "AUTHENTICATION_FAILURE", FAILED)),
        (DECLINED_AFTERWARDS, "confirm", ("failed", "INSUFFICIENT_FUNDS", PASSED)),
        (DECLINED_AFTERWARDS, "refuse", ("failed", "AUTHENTICATION_FAILURE", FAILED)),
    ],
)
async def test_the_answer_of_the_cardholder_ends_it(
    merchant: Merchant, browser: httpx.AsyncClient, number: str, answer: str, expected: Any
) -> None:
    payment_id, path = await create(merchant, force_3ds=True)
    challenge = (await pay(browser, path, number=number)).headers["location"]
    back = await browser.post(challenge, data={"answer": answer})
    assert back.headers["location"] == f"http://pay.test{path}"
    assert await told(merchant, payment_id) == ("requires_customer_action", None, UNFINISHED)
    await browser.get(back.headers["location"])
    assert await told(merchant, payment_id) == expected


async def test_the_return_alone_proves_nothing(merchant: Merchant, browser: httpx.AsyncClient) -> None:
    payment_id, path = await create(merchant)
    await pay(browser, path, number=CHALLENGE)
    for query in ("", "?status=succeeded", "?redirect_status=succeeded&payment_id=" + payment_id):
        page = await browser.get(path + query)
        assert "Your bank asks for confirmation" in page.text
    assert await told(merchant, payment_id) == ("requires_customer_action", None, UNFINISHED)


async def test_an_abandoned_challenge_ends_by_itself(
    merchant: Merchant, browser: httpx.AsyncClient, runtime: Runtime, clock: FakeClock, processor: Counting
) -> None:
    payment_id, path = await create(merchant)
    await pay(browser, path, number=CHALLENGE)
    for _ in range(14):
        clock.advance(minutes=1)
        await sweep(runtime)
    assert await told(merchant, payment_id) == ("requires_customer_action", None, UNFINISHED)
    assert sum(processor.questions.values()) == 14
    clock.advance(minutes=1)
    await sweep(runtime)
    assert await told(merchant, payment_id) == ("failed", "AUTHENTICATION_TIMEOUT", FAILED)
    page = await browser.get(path)
    assert "Your payment was not made" in page.text
    await pay(browser, path)
    assert await told(merchant, payment_id) == ("succeeded", None, NOTHING)


async def test_a_challenge_that_its_bank_forgot_ends_as_well(
    merchant: Merchant, browser: httpx.AsyncClient, runtime: Runtime, clock: FakeClock
) -> None:
    payment_id, path = await create(merchant)
    await pay(browser, path, number=CHALLENGE)
    await purge_simulated_books(runtime)
    clock.advance(minutes=1)
    await sweep(runtime)
    assert await told(merchant, payment_id) == ("failed", "AUTHENTICATION_TIMEOUT", FAILED)


async def test_reloading_the_page_asks_the_processor_now_and_then(
    merchant: Merchant, browser: httpx.AsyncClient, clock: FakeClock, processor: Counting
) -> None:
    """Three times at once, as a customer does who goes back and forth; then once in three seconds."""
    _payment_id, path = await create(merchant)
    await pay(browser, path, number=CHALLENGE)
    again = '<meta http-equiv="refresh" content="3">'

    async def visit() -> tuple[int, bool]:
        page = await browser.get(path)
        assert "Your bank asks for confirmation" in page.text
        return sum(processor.questions.values()), again in page.text

    assert [await visit() for _ in range(5)] == [(1, False), (2, False), (3, False), (3, True), (3, True)]
    clock.advance(seconds=2, milliseconds=999)
    assert await visit() == (3, True)
    clock.advance(milliseconds=1)
    assert [await visit() for _ in range(2)] == [(4, False), (4, True)]
    clock.advance(minutes=1)
    assert [await visit() for _ in range(4)] == [(5, False), (6, False), (7, False), (7, True)]


async def test_many_reloads_at_once_ask_three_times(
    merchant: Merchant, browser: httpx.AsyncClient, processor: Counting
) -> None:
    payment_id, path = await create(merchant)
    await pay(browser, path, number=CHALLENGE)
    pages = await asyncio.gather(*(browser.get(path) for _ in range(30)))
    assert {page.status_code for page in pages} == {200}
    assert sum(processor.questions.values()) == 3
    assert await told(merchant, payment_id) == ("requires_customer_action", None, UNFINISHED)


async def test_what_was_held_back_is_asked_at_the_next_visit(
    merchant: Merchant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment_id, path = await create(merchant)
    challenge = (await pay(browser, path, number=CHALLENGE)).headers["location"]
    for _ in range(3):
        await browser.get(path)
    await browser.post(challenge, data={"answer": "confirm"})
    held_back = await browser.get(path)
    assert "Your bank asks for confirmation" in held_back.text
    clock.advance(seconds=3)
    assert "Payment received" in (await browser.get(path)).text
    assert await told(merchant, payment_id) == ("succeeded", None, PASSED)


async def test_the_attempt_keeps_what_the_bank_said(
    merchant: Merchant, browser: httpx.AsyncClient, runtime: Runtime
) -> None:
    _payment_id, path = await create(merchant)
    challenge = (await pay(browser, path, number=CHALLENGE)).headers["location"]
    await browser.post(challenge, data={"answer": "refuse"})
    await browser.get(path)
    await pay(browser, path, number=FRICTIONLESS)
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT outcome -> 'three_ds' AS three_ds FROM attempts ORDER BY attempt_id")
    expected = [
        {"flow": "challenge", "status": "failed", "version": "2.2.0"},
        {"flow": "frictionless", "status": "authenticated", "version": "2.2.0"},
    ]
    assert sorted((row["three_ds"] for row in rows), key=lambda three_ds: three_ds["flow"]) == expected
