"""Scenarios in a payment's metadata: refused when misspelt, followed in test mode, and nothing at all elsewhere."""

from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import Outcome, Succeeded
from nicobar.core.problems import Problem
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import ChargeRequest, MethodInput
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords, money_taken
from orders import card, order, place
from saved_cards import CONSENT, Shop, counted, open_shop


@pytest_asyncio.fixture
async def shop(merchant: Merchant, app: ASGIApp) -> Shop:
    return await open_shop(merchant, app)


def body(shop: Shop, scenario: Any) -> dict[str, Any]:
    return {
        "billing": {"country": "US"},
        "customer": {"customer_id": shop.customer_id},
        "product_cart": [{"product_id": shop.product_id, "quantity": 1}],
        "metadata": {"nicobar_scenario": scenario},
    }


@pytest.mark.parametrize("scenario", ["declin", "decline:NOPE", "", 5, True, "latency:3600"])
async def test_a_misspelt_scenario_is_refused(runtime: Runtime, shop: Shop, scenario: Any) -> None:
    response = await shop.merchant.client.post("/payments", json=body(shop, scenario))
    assert response.status_code == 422
    assert response.json()["code"] == "INVALID_REQUEST_BODY"
    assert "metadata.nicobar_scenario" in response.json()["message"]
    assert response.headers["x-should-retry"] == "false"
    assert await counted(runtime, "payments") == 0


@pytest.mark.parametrize(
    ("scenario", "status", "code"),
    [
        ("decline:INSUFFICIENT_FUNDS", "failed", "INSUFFICIENT_FUNDS"),
        ("drop_after", "processing", None),
        ("late_success:60", "processing", None),
        ("challenge", "failed", "AUTHENTICATION_REQUIRED"),
        ("notice_twice; dispute_after:3d", "succeeded", None),
    ],
)
async def test_a_payment_follows_its_scenario(shop: Shop, scenario: str, status: str, code: str | None) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    payment = await shop.charge(method_id, metadata={"nicobar_scenario": scenario, "order": "A-17"})
    assert (payment["status"], payment["error_code"]) == (status, code)
    assert payment["metadata"] == {"nicobar_scenario": scenario, "order": "A-17"}


async def test_a_link_follows_its_scenario(shop: Shop) -> None:
    payment = await shop.sell({"metadata": {"nicobar_scenario": "decline:LOST_CARD"}})
    assert (payment["status"], payment["error_code"]) == ("failed", "LOST_CARD")


async def test_in_live_mode_it_is_metadata_like_any_other(runtime: Runtime, shop: Shop) -> None:
    price = {"type": "one_time_price", "currency": "USD", "price": 2400}
    product = {"name": "Field Guide", "tax_category": "e_book", "price": price}
    made = (await shop.merchant.live_client.post("/products", json=product)).json()
    wanted = body(shop, "declin") | {
        "customer": {"email": "ana@example.com"},
        "product_cart": [{"product_id": made["product_id"], "quantity": 1}],
    }
    response = await shop.merchant.live_client.post("/payments", json=wanted)
    assert response.status_code == 200
    payment = (await shop.merchant.live_client.get(f"/payments/{response.json()['payment_id']}")).json()
    assert payment["metadata"] == {"nicobar_scenario": "declin"}


class Recording:
    """A processor that charges whatever it is asked to, and remembers what that was."""

    name = "other"
    account = ""
    methods = frozenset({"credit", "debit", "ideal"})

    def __init__(self, mode: Mode) -> None:
        self.modes = frozenset({mode})
        self.asked: list[ChargeRequest] = []

    def check(self, method: MethodInput) -> None:
        """Take everything."""

    async def charge(self, request: ChargeRequest) -> Outcome:
        self.asked.append(request)
        return Succeeded("other_1")


@pytest.mark.parametrize("mode", ["test", "live"])
async def test_no_other_processor_hears_of_a_scenario(runtime: Runtime, merchant: Merchant, mode: Mode) -> None:
    processor: Any = Recording(mode)
    alone = runtime._replace(processors={"other": processor})
    payment = await place(
        runtime,
        order(
            runtime,
            Tenant(merchant.business_id, mode),
            metadata={"nicobar_scenario": "drop_after"},
            currency="EUR",
            billing=Address("NL", "Amsterdam", None, "Gracht 1", "1012 AB"),
        ),
    )
    confirmed = await confirm_payment(alone, payment.tenant, payment.payment_id, MethodInput("ideal"))
    assert confirmed.outcome == Succeeded("other_1")
    (asked,) = processor.asked
    assert asked.scenario is None
    assert (asked.business_id, asked.payment_id) == (merchant.business_id, payment.payment_id)


async def test_a_live_payment_never_reaches_the_simulator(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    """Not even a simulator that was put in front of live payments by mistake hears of a scenario."""

    class Mistaken(Simulator):
        modes = frozenset({"live"})  # type: ignore[misc]
        asked: list[ChargeRequest] = []  # noqa: RUF012 - one test, one processor

        async def charge(self, request: ChargeRequest) -> Outcome:
            self.asked.append(request)
            return await super().charge(request)

    mistaken = Mistaken(clock, runtime.public_url, SimulatorRecords(runtime.database))
    wrong = runtime._replace(processors={"simulator": mistaken})
    tenant = Tenant(merchant.business_id, "live")
    payment = await place(runtime, order(runtime, tenant, metadata={"nicobar_scenario": "drop_after"}))
    with pytest.raises(Problem, match="A card for simulator is never typed here"):
        await confirm_payment(wrong, tenant, payment.payment_id, card())
    assert mistaken.asked == []
    async with runtime.database.read() as read:
        assert await money_taken(read, merchant.tenant, clock.now()) == {}
