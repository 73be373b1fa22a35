"""A card number and a security code leave no trace: not in the database, the log, the answers, or a traceback."""

import io
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
import structlog
from starlette.types import ASGIApp

from api.sessions.opening import ADDRESS, ANA, create_session
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.payments.payment import CardDetails, Outcome
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput, ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import dump, order, pay, place, reload, token_of
from pages.session.filling import send
from shop import Shop, item

PAYS = "4000000320000021"
DECLINED = "4000000000009995"
REAL = "4111111111111111"
CVC = "739"


class Log:
    """Everything that structlog and the standard library's logging write, tracebacks with local variables included."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    formatter = structlog.tracebacks.ExceptionDictTransformer(show_locals=True, max_frames=100)
    structlog.configure(
        processors=[
            structlog.processors.ExceptionRenderer(formatter),
            structlog.processors.JSONRenderer(default=repr),
        ],
        logger_factory=structlog.PrintLoggerFactory(log.stream),
    )
    handler = logging.StreamHandler(log.stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield log
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def assert_hidden(number: str, *texts: str) -> None:
    grouped = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
    for text in texts:
        assert number not in text
        assert grouped not in text
        assert f'"{CVC}"' not in text and f"'{CVC}'" not in text and f"cvc={CVC}" not in text


def everything(answer: httpx.Response) -> str:
    return f"{answer.headers}\n{answer.text}"


@pytest.mark.parametrize("number", [PAYS, DECLINED, REAL])
@pytest.mark.parametrize("grouped", [False, True])
async def test_paying_leaves_no_trace_of_the_number(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, log: Log, number: str, grouped: bool
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    typed = " ".join(number[start : start + 4] for start in range(0, 16, 4)) if grouped else number
    answer = await pay(browser, f"/{payment.link_id}", number=typed, cvc=CVC)
    after = await browser.get(f"/{payment.link_id}")
    assert (await reload(runtime, payment)).status != "processing"
    stored = await dump(runtime)
    assert payment.payment_id in stored
    assert_hidden(number, stored, log.text, everything(answer), everything(after))
    assert "status" in log.text


@pytest.mark.parametrize(
    "fields",
    [
        {"number": PAYS, "cvc": "1", "name": ""},
        {"number": PAYS[:-1] + "x", "expiry": PAYS, "cvc": PAYS},
        {"number": PAYS, "name": PAYS},
        {"number": PAYS, "name": f"Ana {PAYS}"},
        {"number": f"{PAYS} 06/32 {CVC}", "name": f"Ana {PAYS[:4]} {PAYS[4:8]} {PAYS[8:12]} {PAYS[12:]}"},
        {"number": PAYS, "expiry": f"{PAYS[:4]} {PAYS[4:8]} {PAYS[8:12]} {PAYS[12:]}"},
    ],
)
async def test_a_number_in_the_wrong_field_is_not_shown_again(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, log: Log, fields: dict[str, str]
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    answer = await pay(browser, f"/{payment.link_id}", **({"cvc": CVC} | fields))
    assert answer.status_code == 422
    assert_hidden(PAYS, await dump(runtime), log.text, everything(answer))
    assert await reload(runtime, payment) == payment


@pytest.mark.parametrize(
    ("field", "number"),
    [
        ("street", f"{PAYS} 06/32"),
        ("city", PAYS),
        ("zipcode", PAYS),
        ("business_name", f"{PAYS[:4]} {PAYS[4:8]}-{PAYS[8:12]} {PAYS[12:]}"),
        ("customer_name", f"Ana {PAYS}"),
        ("phone", PAYS),
        ("code", f"{PAYS[:4]} {PAYS[4:8]} {PAYS[8:12]} {PAYS[12:]}"),
    ],
)
async def test_a_number_among_the_details_is_neither_kept_nor_shown_again(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, log: Log, field: str, number: str
) -> None:
    buyer = Buyer("cus_new", "ana.lima@example.com", "", None, {})
    berlin = Address("DE", "Berlin", None, "Unter den Linden 1", "10117")
    options = {"require_phone_number": True}
    payment = await place(runtime, order(runtime, tenant, customer=buyer, billing=berlin, options=options))
    part = "discount" if field == "code" else "details"
    token = token_of(await browser.get(f"/{payment.link_id}"))
    fields = {"token": token, "customer_name": "Ana Lima", "phone": "+49 30 1234567", "country": "DE"}
    fields |= {"street": "Unter den Linden 1", "zipcode": "10117", "city": "Berlin", "tax_id": "", "business_name": ""}
    response = await browser.post(f"/{payment.link_id}/{part}", data=fields | {field: number})
    assert response.status_code == 422
    assert f'id="{field}-error"' in response.text
    assert_hidden(PAYS, await dump(runtime), log.text, everything(response))
    assert_hidden(number, await dump(runtime), log.text, everything(response))


class Exploding(Simulator):
    """A processor with a bug, whose words quote the card."""

    async def charge(self, request: ChargeRequest) -> Outcome:
        assert isinstance(request.instrument, CardInput)
        raise RuntimeError(f"cannot charge {request.instrument.number} with {request.instrument.cvc}")


class ExplodingEarly(Simulator):
    """A processor with a bug already in its checks."""

    def describe(self, card: CardInput, now: datetime) -> CardDetails:
        raise ValueError(f"what card is {card.number}, {card.cvc}?")


def _plug_in(runtime: Runtime, clock: FakeClock, kind: type[Simulator]) -> None:
    assert isinstance(runtime.processors, dict)
    runtime.processors["simulator"] = kind(clock, runtime.public_url, SimulatorRecords(runtime.database))


async def test_a_processor_that_quotes_the_card_in_a_check_is_not_quoted(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, log: Log, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    _plug_in(runtime, clock, ExplodingEarly)
    answer = await pay(browser, f"/{payment.link_id}", number=PAYS, cvc=CVC)
    assert answer.status_code == 500
    assert await reload(runtime, payment) == payment
    assert "simulator raised ValueError in " in log.text
    assert_hidden(PAYS, await dump(runtime), log.text, everything(answer))


async def test_a_processor_that_quotes_the_card_is_not_quoted(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, log: Log, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    _plug_in(runtime, clock, Exploding)
    answer = await pay(browser, f"/{payment.link_id}", number=PAYS, cvc=CVC)
    assert (await reload(runtime, payment)).status == "processing"
    assert "charge_in_doubt" in log.text
    assert_hidden(PAYS, await dump(runtime), log.text, everything(answer))


UNDER_THE_LOCK = {
    "nicobar.flows.payments.confirm_payment": (
        "lock_payment",
        "begin_attempt",
        "get_attempt",
        "record_payment_outcome",
    ),
    "nicobar.flows.payments.record_payment_outcome": ("update_attempt", "move_payment", "book_payment"),
}
"""Where a bug might be that only a payment meets which was tried before."""

PLACES = {
    "nicobar.flows.payments.confirm_payment": (
        "load_policy",
        "processor_for",
        "is_simulated",
        "is_payable",
        "begin_first_attempt",
        "end_first_attempt",
    ),
    "nicobar.flows.payments.begin_first_attempt": ("begin_first_attempts",),
    "nicobar.flows.payments.end_first_attempt": ("payment_entry", "make_event", "end_first_attempts"),
    "nicobar.pages.checkout.checkout": ("read_method", "charge", "redirect"),
    "nicobar.pages.changes.charging": ("confirm_payment",),
    "nicobar.pages.methods.methods": ("check_card",),
    "nicobar.processors.simulator.simulator.Simulator": ("describe",),
}
"""Where another bug might be, from the page down to the database."""


@pytest.mark.parametrize(
    ("place_of_bug", "is_locked"),
    [
        (f"{room}.{name}", places is UNDER_THE_LOCK)
        for places in (PLACES, UNDER_THE_LOCK)
        for room, names in places.items()
        for name in names
    ],
)
async def test_a_traceback_with_local_variables_hides_the_card(
    runtime: Runtime,
    tenant: Tenant,
    browser: httpx.AsyncClient,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
    place_of_bug: str,
    is_locked: bool,
) -> None:
    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("a bug")

    payment = await place(runtime, order(runtime, tenant))
    if is_locked:
        await pay(browser, f"/{payment.link_id}", number=DECLINED)
    token = token_of(await browser.get(f"/{payment.link_id}"))
    monkeypatch.setattr(place_of_bug, broken)
    form = {"number": PAYS, "expiry": "06/32", "cvc": CVC, "name": "Ana Lima", "token": token}
    response = await browser.post(f"/{payment.link_id}", data=form)
    assert response.status_code == 500
    words = "simulator raised RuntimeError" if place_of_bug.endswith(".describe") else "a bug"  # a plug-in's are hidden
    assert "unexpected_error" in log.text and words in log.text and "locals" in log.text
    assert_hidden(PAYS, await dump(runtime), log.text, everything(response))


@pytest.mark.parametrize(
    "place_of_bug", ["", "start_payment", "total_shown", "OneStep.pay", "OneStep.read", "check_instrument", "charge"]
)
async def test_the_one_form_of_a_session_hides_the_card(
    runtime: Runtime,
    app: ASGIApp,
    clock: FakeClock,
    merchant: Merchant,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
    place_of_bug: str,
) -> None:
    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("a bug")

    shop = Shop(runtime, app, clock, merchant)
    single = {"feature_flags": {"single_page": True}, "customer": ANA, "billing_address": ADDRESS}
    created = await create_session(shop, item(await shop.product(2000)), **single)
    page = await shop.browser.get(created["checkout_url"])
    card = {"method": "card", "number": PAYS, "expiry": "06/32", "cvc": CVC, "name": "Ana Lima"}
    refused = await send(shop.browser, page, **card | {"expiry": ""})
    room = "session_page" if place_of_bug in ("start_payment", "total_shown") else "one_step"
    if place_of_bug:
        monkeypatch.setattr(f"nicobar.pages.session.{room}.{place_of_bug}", broken)
    response = await send(shop.browser, page, **card)
    assert (refused.status_code, response.status_code) == (422, 500 if place_of_bug else 303)
    assert not place_of_bug or ("a bug" in log.text and "locals" in log.text)
    assert_hidden(PAYS, await dump(runtime), log.text, everything(refused), everything(response))


async def test_the_page_shows_a_masked_address_only(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    form = await browser.get(f"/{payment.link_id}")
    await pay(browser, f"/{payment.link_id}")
    receipt = await browser.get(f"/{payment.link_id}")
    for page in (form, receipt):
        assert "a•••@e•••.com" in page.text
        assert "ana.lima" not in page.text
        assert "Ana Lima" not in page.text
