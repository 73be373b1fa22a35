"""The test panel: every end of a payment at the press of a button, and nothing of it in live mode."""

from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

from harness import FakeClock
from nicobar.core.business.tenant import Mode, Tenant, secret_hash
from nicobar.core.payments.payment import Outcome, Succeeded
from nicobar.core.problems import Problem
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.payments.resolve_attempts_due import resolve_attempts_due
from nicobar.flows.runtime import Runtime
from nicobar.pages.checkout.test_panel import panel_view, use_panel
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.pages.methods.card_form import form_token
from nicobar.processors.base import ChargeRequest, SimulatedCharge
from nicobar.processors.simulator.simulator import Simulator
from nicobar.reference import failures
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import attempts_of, card, dump, line, order, place, reload, token_of, unchanged

CODES = [failure.code for failure in failures.ALL]


class LiveProcessor(Simulator):
    """A processor for live payments, which remembers what it was asked."""

    modes = frozenset({"live"})  # type: ignore[misc]

    asked: list[ChargeRequest] = []  # noqa: RUF012 - one test, one processor

    async def charge(self, request: ChargeRequest) -> Outcome:
        self.asked.append(request)
        return Succeeded("r")


async def press(client: httpx.AsyncClient, path: str, button: str, **fields: str) -> httpx.Response:
    """Press a button of the panel on a link's page."""
    token = token_of(await client.get(path))
    return await client.post(path, data={"token": token, "panel": button, "error_code": "GENERIC_DECLINE"} | fields)


async def test_the_panel_of_a_test_payment(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = (await browser.get(f"/{payment.link_id}")).text
    panel = page.split('<aside class="panel"')[1].split("</aside>")[0]
    assert [part.split('"')[0] for part in panel.split('name="panel" value="')[1:]] == [
        "pay",
        "challenge",
        "decline",
        "lose_answer",
        "expire",
    ]
    assert [part.split("<")[0] for part in panel.replace(" selected", "").split("<option>")[1:]] == CODES
    assert len(CODES) == 44
    assert "/static/panel." in page


async def test_pay_pays(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    answer = await press(browser, f"/{payment.link_id}", "pay")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{payment.link_id}")
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method, paid.payment_method_type) == ("succeeded", "card", "credit")
    assert paid.card is not None
    assert (paid.card.last_four, paid.card.holder_name) == ("4242", "Ana Lima")
    assert "4242424242424242" not in await dump(runtime)


async def test_pay_takes_a_kind_of_card_that_is_offered(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    options: dict[str, Any] = {"allowed_payment_method_types": ["debit"]}
    payment = await place(runtime, order(runtime, tenant, options=options))
    await press(browser, f"/{payment.link_id}", "pay")
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method_type) == ("succeeded", "debit")


@pytest.mark.parametrize("code", CODES)
async def test_decline_gives_the_chosen_code(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, code: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    assert (await press(browser, f"/{payment.link_id}", "decline", error_code=code)).status_code == 303
    failed = await reload(runtime, payment)
    assert (failed.status, failed.error_code) == ("failed", code)
    assert failed.error_message == failures.get(code).error_message


async def test_a_developer_may_try_as_often_as_they_like(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    for _ in range(25):
        clock.advance(seconds=1)
        assert (await press(browser, f"/{payment.link_id}", "decline")).status_code == 303
    assert len(await attempts_of(runtime, payment)) == 25


async def test_a_stranger_cannot_press_for_ever(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    form = {"token": token_of(await browser.get(f"/{payment.link_id}")), "panel": "win"}
    answers = [(await browser.post(f"/{payment.link_id}", data=form)).status_code for _ in range(201)]
    assert (answers[:200], answers[200]) == ([422] * 200, 429)
    assert await unchanged(runtime, payment)


async def test_a_press_counts_once(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    form = {"token": token, "panel": "pay"}
    assert [(await browser.post(f"/{payment.link_id}", data=form)).status_code for _ in range(3)] == [303] * 3
    assert len(await attempts_of(runtime, payment)) == 1


@pytest.mark.parametrize(("answer", "status"), [("confirm", "succeeded"), ("refuse", "failed")])
async def test_challenge_asks_the_bank(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, answer: str, status: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    challenge = (await press(browser, f"/{payment.link_id}", "challenge")).headers["location"]
    assert challenge.startswith("http://pay.test/simulator/challenge/sim_")
    assert (await reload(runtime, payment)).status == "requires_customer_action"
    back = await browser.post(challenge, data={"answer": answer})
    await browser.get(back.headers["location"])
    assert (await reload(runtime, payment)).status == status


async def test_a_lost_answer_is_found_by_the_resolver(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await press(browser, f"/{payment.link_id}", "lose_answer")
    assert (await reload(runtime, payment)).status == "processing"
    (attempt,) = await attempts_of(runtime, payment)
    assert (attempt["outcome"]["type"], attempt["resolved_at"]) == ("unknown", None)
    clock.advance(seconds=59)
    assert await resolve_attempts_due(runtime, clock.now()) == 0
    clock.advance(seconds=1)
    assert await resolve_attempts_due(runtime, clock.now()) == 1
    assert (await reload(runtime, payment)).status == "succeeded"
    assert len(await attempts_of(runtime, payment)) == 1


async def test_expire_ends_the_link(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    answer = await press(browser, f"/{payment.link_id}", "expire")
    assert (await browser.get(answer.headers["location"])).status_code == 410
    assert await expire_payments(runtime) == 1
    assert (await reload(runtime, payment)).status == "cancelled"
    assert await attempts_of(runtime, payment) == []


async def test_an_order_of_nothing_can_only_be_ended(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant, [line(0, 1500, 1500, 0)]))
    page = (await browser.get(f"/{payment.link_id}")).text
    assert 'name="panel" value="expire"' in page
    assert 'name="panel" value="pay"' not in page


async def test_without_cards_nothing_is_charged(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await change_setting(runtime, tenant, "disabled_payment_methods", "credit,debit")
    clock.advance(seconds=5)
    assert 'name="panel" value="pay"' not in (await browser.get(f"/{payment.link_id}")).text
    assert (await press(browser, f"/{payment.link_id}", "pay")).status_code == 422
    assert await unchanged(runtime, payment)


@pytest.mark.parametrize(
    "fields", [{"panel": "win"}, {"panel": "decline", "error_code": ""}, {"panel": "decline", "error_code": "HACKED"}]
)
async def test_what_the_panel_does_not_have_is_refused(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, fields: dict[str, str]
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    form = {"token": token_of(await browser.get(f"/{payment.link_id}"))} | fields
    assert (await browser.post(f"/{payment.link_id}", data=form)).status_code == 422
    assert await unchanged(runtime, payment)


async def test_a_panel_without_its_token_or_from_another_site_is_refused(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    for choice in ("pay", "expire"):
        bare = await browser.post(f"/{payment.link_id}", data={"panel": choice})
        foreign = {"sec-fetch-site": "cross-site"}
        sent = await browser.post(f"/{payment.link_id}", data={"panel": choice, "token": token}, headers=foreign)
        assert (bare.status_code, sent.status_code) == (403, 403)
    assert await unchanged(runtime, payment)


# --- live mode -------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(runtime: Runtime, clock: FakeClock) -> LiveProcessor:
    """A server that can charge live payments, so that nothing but the mode stands in the way of the panel."""
    processor = LiveProcessor(clock, runtime.public_url, SimulatorRecords(runtime.database))
    processor.asked = []
    assert isinstance(runtime.processors, dict)
    runtime.processors["live"] = processor
    return processor


@pytest.mark.parametrize("choice", ["pay", "decline", "challenge", "lose_answer", "expire"])
@pytest.mark.parametrize("free", [True, False])
async def test_a_live_payment_has_no_panel_and_refuses_its_form(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, live: LiveProcessor, choice: str, free: bool
) -> None:
    lines = [line(0, 1500, 1500, 0)] if free else None
    payment = await place(runtime, order(runtime, Tenant(tenant.business_id, "live"), lines))
    page = await browser.get(f"/{payment.link_id}")
    for word in ('class="panel"', 'name="panel"', "static/panel", "GENERIC_DECLINE", "Test mode"):
        assert word not in page.text
    token = token_of(page) if free else form_token(payment, secret_hash(f"{payment.payment_id}_secret_test"))
    for query in ("", "?panel=1", "?test=true"):
        form = {"token": token, "panel": choice, "error_code": "GENERIC_DECLINE"}
        response = await browser.post(f"/{payment.link_id}{query}", data=form)
        assert response.status_code == 422
    assert (await unchanged(runtime, payment), live.asked) == (True, [])


async def test_the_panel_refuses_a_live_payment_by_itself(
    runtime: Runtime, tenant: Tenant, live: LiveProcessor, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, Tenant(tenant.business_id, "live")))
    simulator = runtime.processors[Simulator.name]
    visit: Any = SimpleNamespace(payment=payment, now=clock.now(), decisions=[], processor=simulator)
    for choice in ("pay", "expire"):
        with pytest.raises(Problem, match="A live payment has no test panel"):
            await use_panel(runtime, visit, PostedForm({"panel": choice}), payment.created_at, "http://pay.test")
    assert panel_view(visit, "token", "/") is None
    assert (await unchanged(runtime, payment), live.asked) == (True, [])


async def test_the_flow_refuses_a_simulated_charge_of_a_live_payment(
    runtime: Runtime, tenant: Tenant, live: LiveProcessor
) -> None:
    payment = await place(runtime, order(runtime, Tenant(tenant.business_id, "live")))
    for processors in (runtime.processors, {}):
        with pytest.raises(Problem, match="UNSUPPORTED_ACTION"):
            await confirm_payment(
                runtime._replace(processors=processors),
                payment.tenant,
                payment.payment_id,
                SimulatedCharge(card(), "pay"),
            )
    assert (await unchanged(runtime, payment), live.asked) == (True, [])


async def test_the_flow_refuses_a_simulated_charge_with_another_processor(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    class Other:
        """A processor with a test mode of its own, such as a real one's."""

        name = "other"
        modes: frozenset[Mode] = frozenset({"test", "live"})
        methods = frozenset({"credit", "debit"})

    payment = await place(runtime, order(runtime, tenant))
    other: Any = Other()
    with pytest.raises(Problem, match="A card for other is never typed here"):
        await confirm_payment(
            runtime._replace(processors={"other": other}),
            tenant,
            payment.payment_id,
            SimulatedCharge(card(), "pay"),
        )
    assert await unchanged(runtime, payment)


def test_the_simulator_never_charges_live_payments() -> None:
    assert Simulator.modes == {"test"}


def test_a_simulated_charge_shows_no_card() -> None:
    simulated = SimulatedCharge(card("4242424242424242"), "decline", "LOST_CARD")
    assert repr(simulated) == "SimulatedCharge(decline, LOST_CARD)"
    with pytest.raises((TypeError, msgspec.ValidationError, ValueError)):
        msgspec.json.encode(simulated)
