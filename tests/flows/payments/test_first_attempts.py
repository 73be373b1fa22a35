"""First attempts at payments that are paid side by side begin and end as if each had been alone under its lock."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from flows.payments.paying import TABLES, Gated, as_read, gated_bank, gated_runtime, pay, rows_of, run, told
from harness import START, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.paying import moves_alone, revision
from nicobar.core.payments.payment import (
    Abandoned,
    CardDetails,
    Declined,
    KeptCard,
    NeedsAction,
    Outcome,
    Pending,
    Succeeded,
    Unknown,
)
from nicobar.core.payments.three_ds import ThreeDs, authenticated, failed
from nicobar.flows.payments.begin_first_attempt import AT_MOST
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput, MethodInput, SimulatedCharge
from nicobar.storage.payments.payments import VersionedPayment
from orders import card, line, order, place
from proof import length

__all__ = ["gated_bank", "gated_runtime"]

UNANSWERED = {"nicobar_scenario": "drop_after"}

INSTRUMENTS: dict[str, Callable[[], CardInput | MethodInput | SimulatedCharge]] = {
    "paid": card,
    "prepaid": lambda: card("5105105105105100"),
    "declined": lambda: card("4000000000000002"),
    "declined, and why": lambda: card("4000000000009995"),
    "challenged": lambda: card("4000002500003155"),
    "no test card": lambda: card("4111111111111111"),
    "asked for": lambda: SimulatedCharge(card(), "pay", None),
    "asked not to": lambda: SimulatedCharge(card(), "decline", "EXPIRED_CARD"),
}
"""What is paid with, by what comes of it."""

CHANGES = ("nothing", "nothing", "nothing", "customer", "customer", "order", "link", "twice", "tried before")
"""What happens to a payment between its page and the form."""


class Drawing:
    """Draws payments with what happens to them, the same ones for each tenant."""

    def __init__(self, runtime: Runtime, tenant: Tenant, seed: int) -> None:
        self._runtime, self._tenant, self._random = runtime, tenant, Random(seed)  # noqa: S311

    async def payment(self) -> tuple[VersionedPayment, str, str]:
        """Store a payment; return it as its page reads it, what is paid with, and what happens meanwhile."""
        draw, number = self._random, f"{self._random.randrange(10**12):021}"
        changes: dict[str, Any] = {}
        kind = draw.choice(["plain"] * 8 + ["free", "kept", "subscribed", "converted", "unanswered"])
        lines = [line(position) for position in range(draw.randrange(1, 4))]
        if kind == "free":
            lines = [line(0, 0, 0, 0)]
        elif kind == "kept":
            changes["options"] = {"keeps_method": True}
        elif kind == "subscribed":
            changes["options"] = {"charge_type": "renewal"}
        elif kind == "converted":
            changes |= {"currency": "EUR"}
        elif kind == "unanswered":
            changes["metadata"] = UNANSWERED
        made = order(self._runtime, self._tenant, lines, payment_id=f"pay_{number}", **changes)
        buyer = msgspec.structs.replace(made.customer, customer_id=f"cus_{number}", email=f"c{number}@example.com")
        link_id = f"{draw.randrange(10**7):07}{'a' if self._tenant.mode == 'test' else 'b'}"
        await place(self._runtime, msgspec.structs.replace(made, customer=buyer, link_id=link_id, brand_id="brand"))
        known = await as_read(self._runtime, msgspec.structs.replace(made, link_id=link_id))
        return known, draw.choice(sorted(INSTRUMENTS)), draw.choice(CHANGES)


async def change(runtime: Runtime, known: VersionedPayment, what: str) -> None:
    """Let happen what changes a payment after its page was read."""
    payment = known.payment
    if what == "customer":
        query = "UPDATE customers SET name = 'Eva' WHERE business_id = $1 AND customer_id = $2"
        await run(runtime, query, payment.business_id, payment.customer.customer_id)
    elif what == "order":  # no clock tells of it
        query = 'UPDATE payments SET metadata = \'{"gift": "yes"}\' WHERE business_id = $1 AND payment_id = $2'
        await run(runtime, query, payment.business_id, payment.payment_id)
    elif what == "link":
        query = "UPDATE payments SET expires_on = created_at WHERE business_id = $1 AND payment_id = $2"
        await run(runtime, query, payment.business_id, payment.payment_id)
    elif what == "tried before":
        await confirm_payment(runtime, payment.tenant, payment.payment_id, card("4000000000000002"))


@pytest.mark.proof
async def test_any_group_is_paid_as_its_members_would_be_one_after_the_other(
    runtime: Runtime,
    merchant: Merchant,
    other_merchant: Merchant,
    clock: FakeClock,
    record_property: Callable[[str, object], None],
) -> None:
    together, alone = merchant.tenant, other_merchant.tenant
    for seller in (merchant, other_merchant):
        await seller.client.post("/webhooks", json={"url": "https://shop.example/events"})
    groups = length(200)
    for seed in range(groups):
        begin = clock.moment
        answers: list[list[tuple[str, str]]] = []
        rows = []
        for tenant in (together, alone):
            clock.moment = begin
            drawing, drawn = Drawing(runtime, tenant, seed), []
            for _ in range(Random(seed).randrange(1, AT_MOST + 3)):  # noqa: S311
                known, instrument, what = await drawing.payment()
                drawn += [(known, instrument, what)] * (2 if what == "twice" else 1)
            clock.advance(seconds=1)
            for known, _, what in drawn:
                await change(runtime, known, what)
            if tenant is together:
                results = await asyncio.gather(
                    *(pay(runtime, known, INSTRUMENTS[instrument]()) for known, instrument, _ in drawn),
                    return_exceptions=True,
                )
                found = [told(result) for result in results]
            else:
                found = [await paid_under_its_lock(runtime, known, instrument) for known, instrument, _ in drawn]
            # Of two forms for one payment either may be the first.
            paid = [known.payment.payment_id for known, _, _ in drawn]
            answers.append(sorted(zip(paid, found, strict=True)))
            rows.append(await rows_of(runtime, tenant))
            clock.advance(seconds=1)
            async with runtime.database.transaction() as tx:
                await tx.execute("SET LOCAL session_replication_role = replica")
                for table in (*TABLES, "saved_methods", "payment_lines", "customers"):
                    await tx.execute(f"DELETE FROM {table}")
        assert answers[0] == answers[1], f"seed {seed}"
        for table in TABLES:
            assert rows[0][table] == rows[1][table], f"{table}, seed {seed}"
    record_property("groups", groups)


async def paid_under_its_lock(runtime: Runtime, known: VersionedPayment, instrument: str) -> str:
    payment = known.payment
    try:
        result = await confirm_payment(
            runtime, payment.tenant, payment.payment_id, INSTRUMENTS[instrument](), revision(payment)
        )
    except Exception as error:  # noqa: BLE001 - what is refused together is refused alone
        return told(error)
    return told(result)


CREDIT_CARD = CardDetails("4444", "mastercard", "credit", "BR", None, "01", "2031")


@pytest.mark.parametrize(
    "answer",
    [
        Succeeded("r", authenticated("frictionless"), KeptCard("token", "print"), CREDIT_CARD),
        Declined("CARD_DECLINED", "No.", "r", failed(authenticated("challenge"))),
        Declined("CARD_DECLINED", "No."),
        NeedsAction("r", "https://bank.test/", ThreeDs("challenge")),
        Pending("r"),
        Abandoned("r"),
        Unknown("why"),
    ],
)
async def test_what_the_processor_says_is_stored_as_under_the_lock(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, bank: Gated, answer: Outcome
) -> None:
    rows: list[dict[str, list[str]]] = []
    for tenant in (merchant.tenant, other_merchant.tenant):
        made = order(runtime, tenant, payment_id=f"pay_{1:021}", brand_id="brand", expires_on=START + timedelta(days=1))
        made = msgspec.structs.replace(
            made,
            customer=msgspec.structs.replace(made.customer, customer_id=f"cus_{1:021}"),
            link_id=f"link000{len(rows)}",
            created_at=START,
        )
        await place(runtime, made)
        known = await as_read(runtime, made)
        bank.answer = answer
        if rows:
            await confirm_payment(runtime, tenant, made.payment_id, card("4000056655665556"), revision(made))
        else:
            await pay(runtime, known, card("4000056655665556"))
        found = await rows_of(runtime, tenant)
        rows.append({table: [row.replace(made.link_id or "", "link") for row in told] for table, told in found.items()})
    assert rows[0] == rows[1]
    assert rows[0]["attempts"] != []


async def test_a_payment_that_was_tried_before_is_locked(runtime: Runtime, tenant: Tenant, bank: Gated) -> None:
    """Its attempts may have left what belongs to the event, such as a dispute about a charge that came too late."""
    made = await place(runtime, order(runtime, tenant))
    bank.answer = Abandoned("r")
    await pay(runtime, await as_read(runtime, made))
    known = await as_read(runtime, made)
    assert (known.payment.status, moves_alone(known.payment)) == ("requires_payment_method", False)
    bank.answer = None
    assert isinstance((await pay(runtime, known)).outcome, Succeeded)
