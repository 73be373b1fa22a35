"""What `nicobar payments show` prints: all of a payment, to the letter, and nothing that must stay secret."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from starlette.types import ASGIApp

from disputing import Disputing, open_dispute
from due_work import run_due
from harness import FakeClock, Merchant
from nicobar.commands.payments import read_history
from nicobar.commands.terminal.parts import moment
from nicobar.commands.terminal.payment_screen import as_json, changes, money, screen
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Pending, Unknown
from nicobar.core.refunds.refund import NewRefund
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Runtime
from nicobar.program.banner import plain
from nicobar.storage.payments.payments import get_payment
from orders import card, order, paid, pay, place, reload
from receiver import answer, endpoint_at, receiving
from shop import Shop, item

WHOLE = """\
pay_*  succeeded  41.63 USD  test mode

Request
  Created   2026-03-14 15:09:31.535 UTC; the link ends 2026-03-15 15:09:31.535 UTC
  Customer  Ana \\x1b[31mLima <ana@example.com>, +49 30 1, cus_*
  Country   DE, Unter den Linden 1, 10117, Berlin
  Method    card, credit, visa ending in 4242
  Cart      2 x Field Guide (pdt_*)
  Option    payment_link = true
  Option    discount_codes = ["EARLY"]
  Metadata  order = "A-1\\n"
  Metadata  gift = true

Pricing
  Line 1: 2 x $19.99 gives USD 39.98 (product pdt_*).
  Line 1: subtotal before discounts gives USD 39.98.
  Line 1: code EARLY 12.5 % gives USD 34.9825 (discount dsc_*).
  Line 1: rounding half-up to a whole minor unit gives USD 34.98.
  Line 1: tax 19 % on top, $6.65, gives USD 41.63 (VAT 19 % of DE, Nicobar's tax table, confidence high).
  Whole cart: sum of the lines gives USD 41.63.
  Computed again from what was stored: the same amounts.

Attempts
  att_*  simulator  41.63 USD  began 2026-03-14 15:09:32.535
      declined: GENERIC_DECLINE, reference sim_*, ended 2026-03-14 15:09:32.535
      The bank declined the payment and keeps the reason to itself. A later try may work; otherwise ask for another \
payment method.
  att_*  simulator  41.63 USD  began 2026-03-14 15:09:33.535
      succeeded, reference sim_*, ended 2026-03-14 15:09:33.535

Transitions
  WHEN (UTC)               STATUS                   BY
  2026-03-14 15:09:31.535  requires_payment_method  created
  2026-03-14 15:09:32.535  processing               att_* begins at simulator
  2026-03-14 15:09:32.535  failed                   evt_*
  2026-03-14 15:09:33.535  processing               att_* begins at simulator
  2026-03-14 15:09:33.535  succeeded                evt_*
  From the creation, the attempts and the events; an earlier wait for the customer is not among them.

Refunds
  ID     STATUS     AMOUNT    BEGAN (UTC)              ENDED (UTC)              REFERENCE  REASON
  ref_*  succeeded  5.00 USD  2026-03-14 15:09:34.535  2026-03-14 15:09:34.535  simre_ref_*  torn page

Disputes
  ID    STATUS          STAGE    AMOUNT     OPENED (UTC)             REFERENCE  REASON
  dp_*  dispute_opened  dispute  10.00 USD  2026-03-14 12:00:00.000  du_1       product_not_received

Ledger
  WHEN (UTC)               KIND     ABOUT  ACCOUNT               DEBIT  CREDIT  CURRENCY
  2026-03-14 15:09:33.535  payment  pay_*  processor_receivable  41.63          USD
  2026-03-14 15:09:33.535  payment  pay_*  merchant_payable              34.98  USD
  2026-03-14 15:09:33.535  payment  pay_*  tax_payable                    6.65  USD
  2026-03-14 15:09:34.535  refund   ref_*  processor_receivable           5.00  USD
  2026-03-14 15:09:34.535  refund   ref_*  merchant_payable       4.20          USD
  2026-03-14 15:09:34.535  refund   ref_*  tax_payable            0.80          USD
  2026-03-14 15:09:35.535  dispute  dp_*   processor_receivable          10.00  USD
  2026-03-14 15:09:35.535  dispute  dp_*   merchant_payable       8.40          USD
  2026-03-14 15:09:35.535  dispute  dp_*   tax_payable            1.60          USD

Events
  ID     WHEN (UTC)               TYPE               ABOUT  DELIVERIES
  evt_*  2026-03-14 15:09:32.535  payment.failed     pay_*  -
  evt_*  2026-03-14 15:09:33.535  payment.succeeded  pay_*  -
  evt_*  2026-03-14 15:09:34.535  refund.succeeded   ref_*  -
  evt_*  2026-03-14 15:09:35.535  dispute.opened     dp_*   -

Deliveries
  None."""


async def shown(runtime: Runtime, tenant: Tenant, payment_id: str) -> str:
    """Return the screen of a payment."""
    async with runtime.database.read() as read:
        payment = await get_payment(read, tenant, payment_id)
        assert payment is not None
        return screen(await read_history(read, payment))


def without_ids(text: str) -> str:
    """Cut ids down to their prefix."""
    return re.sub(r"\b(pay|att|cus|pdt|dsc|evt|dp|simre_ref|ref|sim)_[\w-]{21}", r"\1_*", text)


def squeezed(text: str) -> str:
    """Make runs of blanks one, so that the width of ids does not count."""
    return re.sub(r"(?<=\S) +", " ", text)


async def test_the_whole_screen(runtime: Runtime, app: ASGIApp, merchant: Merchant, clock: FakeClock) -> None:
    processor = Disputing(runtime)
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(tax="table", seller_country="DE")
    product_id = await shop.product(1999)
    await shop.percentage("EARLY", 1250)
    request: dict[str, Any] = {
        "billing": {"country": "DE", "city": "Berlin", "street": "Unter den Linden 1", "zipcode": "10117"},
        "customer": {"email": "ana@example.com", "name": "Ana \x1b[31mLima", "phone_number": "+49 30 1"},
        "product_cart": [item(product_id, 2)],
        "payment_link": True,
        "metadata": {"order": "A-1\n", "gift": True},
        "discount_codes": ["EARLY"],
    }
    made = await shop.create(request)
    payment_id = made["payment_id"]
    for number in ("4000000000000002", "4242424242424242"):
        clock.advance(seconds=1)
        await pay(shop.browser, made["payment_link"], number=number)
    clock.advance(seconds=1)
    body = {"payment_id": payment_id, "items": [{"item_id": product_id, "amount": 500}], "reason": "torn page"}
    assert (await merchant.client.post("/refunds", json=body)).status_code == 200
    clock.advance(seconds=1)
    async with runtime.database.read() as read:
        payment = await get_payment(read, merchant.tenant, payment_id)
    assert payment is not None
    await open_dispute(runtime, processor, payment, amount=1000)
    text = await shown(runtime, merchant.tenant, payment_id)
    assert squeezed(without_ids(text)).splitlines() == squeezed(WHOLE).splitlines()
    secret = made["client_secret"]
    for hidden in ("4242424242424242", "4000000000000002", secret, made["payment_link"], payment.link_id or "?"):
        assert hidden not in text
    assert text.replace("\n", "").isprintable()


async def test_a_refund_that_came_back(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    payment = await paid(runtime, merchant.tenant, metadata={"nicobar_scenario": "refund_bounce:60"})
    clock.advance(seconds=1)
    await refund_payment(runtime, merchant.tenant, NewRefund(payment.payment_id, reason="torn page"))
    clock.advance(seconds=60)
    await deliver_simulated_notices(runtime)
    await run_due(runtime)
    text = squeezed(without_ids(await shown(runtime, merchant.tenant, payment.payment_id)))
    for line in (
        "  ref_* failed 24.00 USD 2026-03-14 15:09:27.535 2026-03-14 15:10:27.535 simre_ref_* "
        "torn page (failed: The customer's bank has sent it back.)",
        "  2026-03-14 15:09:27.535 refund ref_* processor_receivable 24.00 USD",
        "  2026-03-14 15:10:27.535 refund_reversal ref_* processor_receivable 24.00 USD",
        "  2026-03-14 15:10:27.535 refund_reversal ref_* tax_payable 4.00 USD",
        "  evt_* 2026-03-14 15:09:27.535 refund.succeeded ref_* -",
        "  evt_* 2026-03-14 15:10:27.535 refund.failed ref_* -",
    ):
        assert line in text.splitlines()


async def test_a_payment_that_nobody_has_tried_to_pay(runtime: Runtime, merchant: Merchant) -> None:
    payment = await place(runtime, order(runtime, merchant.tenant, status="cancelled"))
    text = await shown(runtime, merchant.tenant, payment.payment_id)
    for title in ("Attempts", "Refunds", "Disputes", "Ledger", "Events", "Deliveries"):
        assert f"\n{title}\n  None.\n" in f"{text}\n"
    assert "  Method    none yet\n" in text
    assert text.splitlines()[0] == f"{payment.payment_id}  cancelled  24.00 USD  test mode"
    assert re.search(r"cancelled +as it stands$", text, re.MULTILINE)


async def test_amounts_that_do_not_fit_what_was_stored_stand_out(runtime: Runtime, merchant: Merchant) -> None:
    payment = await place(runtime, order(runtime, merchant.tenant))  # its pricing has no lines
    text = await shown(runtime, merchant.tenant, payment.payment_id)
    assert "  COMPUTED AGAIN FROM WHAT WAS STORED, THE AMOUNTS DIFFER. Run: nicobar doctor\n" in text


async def test_a_wait_for_the_bank_is_seen_while_it_lasts(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, merchant.tenant))
    clock.advance(seconds=1)
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card("4000002500003155"))
    text = await shown(runtime, merchant.tenant, payment.payment_id)
    assert re.search(r"needs action \(3-D Secure: challenge\), reference \S+, not ended$", text, re.MULTILINE)
    assert "http" not in text
    async with runtime.database.read() as read:
        found = await get_payment(read, merchant.tenant, payment.payment_id)
        assert found is not None
        history = await read_history(read, found)
    assert [change.status for change in changes(history)] == [
        "requires_payment_method",
        "processing",
        "requires_customer_action",
    ]
    (attempt,) = history.attempts
    for outcome, said in (
        (Pending("r"), "pending, reference r"),
        (Unknown("x"), "unknown: x"),
        (None, "nothing was said yet"),
    ):
        changed = msgspec.structs.replace(attempt, outcome=outcome)
        assert f"    {said}, not ended\n" in screen(history._replace(attempts=[changed]))


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, "USD", "0.00 USD"),
        (5, "USD", "0.05 USD"),
        (123456789, "EUR", "1,234,567.89 EUR"),
        (500, "JPY", "500 JPY"),
        (1500, "KWD", "1.500 KWD"),
        (-2400, "USD", "-24.00 USD"),
        (1234567, "ISK", "1,234,567 ISK"),
        (1234567, "HUF", "12,345.67 HUF"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(minor: int, currency: str, text: str) -> None:
    assert money(minor, currency) == text


def test_moments_and_texts() -> None:
    assert moment(datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)) == "2026-01-02 03:04:05.999"
    assert moment(None) == "-"
    assert plain("a\x1b]0;x\x07\nŽ\u202e象") == "a\\x1b]0;x\\x07\\nŽ\\u202e象"


async def test_an_attempt_is_shown_whatever_the_clocks_of_two_servers_differ(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    """The server that heard how it ended is some minutes behind the one that began it."""
    payment = await paid(runtime, merchant.tenant)
    async with runtime.database.read() as read:
        await read.execute("UPDATE payments SET updated_at = $1", clock.now() - timedelta(minutes=3))
        stored = await get_payment(read, merchant.tenant, payment.payment_id)
        assert stored is not None
        (attempt,) = (await read_history(read, stored)).attempts
    assert (attempt.payment_id, attempt.created_at) == (payment.payment_id, clock.now())


async def test_what_became_of_its_events(runtime: Runtime, merchant: Merchant) -> None:
    async with receiving(answer(500, b"\x1b[2J"), answer()) as receiver:
        endpoint = await endpoint_at(runtime, merchant.tenant, receiver.url)
        payment = await place(runtime, order(runtime, merchant.tenant))
        await confirm_payment(runtime, merchant.tenant, payment.payment_id, card())
        await run_due(runtime)
        text = await shown(runtime, merchant.tenant, payment.payment_id)
    lines = [squeezed(line) for line in text.splitlines()]
    assert (
        lines[-7:]
        == [
            "Events",
            "  ID WHEN (UTC) TYPE ABOUT DELIVERIES",
            next(line for line in lines if line.startswith("  evt_")),
            "",
            "Deliveries",
            f"  {endpoint.endpoint_id} waiting, next try 2026-03-14 15:09:31.535 {receiver.url}",
            "    TRY WHEN (UTC) STATUS TOOK WHY OR ANSWER",
            "    1 2026-03-14 15:09:26.535 500 0 ms It answered 500 instead of 2xx.",
        ][-7:]
    )
    assert lines[-6].endswith(f" payment.succeeded {payment.payment_id} 1 waiting")
    async with runtime.database.read() as read:
        told = as_json(await read_history(read, await reload(runtime, payment)))["deliveries"]
    assert [(one.state, one.attempts[0].response_status) for one in told] == [("waiting", 500)]
