"""The auditor can fail: it sees every forgery of the books of an honest town."""

from typing import Any

from orders import pay
from simulation.runs import Runs
from simulation.sellers import refund_all, sell
from simulation.town import Town
from simulation.workload import come_to_rest

FORGERIES: dict[str, tuple[str, str]] = {
    # what was done: (how, what the auditor says)
    "a payment vanishes": (
        "DELETE FROM payments WHERE payment_id = (SELECT max(payment_id) FROM payments)",
        "was answered and is not there",
    ),
    "a total changes": (
        "UPDATE payments SET total_amount = total_amount + 1, subtotal = subtotal + 1"
        " WHERE payment_id = (SELECT max(payment_id) FROM payments WHERE status = 'succeeded' AND total_amount > 0)",
        "has not exactly one charge of its amount",
    ),
    "a success is taken back": (
        "UPDATE payments SET status = 'cancelled' WHERE payment_id ="
        " (SELECT max(payment_id) FROM payments"
        " WHERE status = 'succeeded' AND total_amount > 0 AND refund_reserved_amount = 0)",
        "the bank took money for a payment that did not succeed",
    ),
    "the bank charges twice": (
        "INSERT INTO simulator.charges (attempt_id, reference, business_id, payment_id, amount, currency, outcome,"
        " taken_at, created_at) SELECT 'att_forged', 'sim_forged', business_id, payment_id, amount, currency, outcome,"
        " taken_at, created_at FROM simulator.charges WHERE outcome ->> 'type' = 'succeeded' LIMIT 1",
        "a payment was charged twice",
    ),
    "an event is lost": (
        "DELETE FROM events WHERE event_id = (SELECT max(event_id) FROM events WHERE type = 'payment.succeeded')",
        "payment.succeeded was told another number of times than it happened",
    ),
    "an event is told twice": (
        "INSERT INTO events SELECT business_id, mode, 'evt_forged', type, object_id, payload, created_at FROM events"
        " WHERE type = 'refund.succeeded' LIMIT 1",
        "refund.succeeded was told another number of times than it happened",
    ),
    "an entry is lost": (
        "DELETE FROM ledger_entries WHERE entry_id = (SELECT max(entry_id) FROM ledger_entries)",
        "is booked",
    ),
    "a refund is forgotten": (
        "DELETE FROM refunds WHERE refund_id = (SELECT max(refund_id) FROM refunds WHERE status = 'succeeded')",
        "a refund at the bank ended otherwise than ours",
    ),
    "a refund fails and succeeds": (
        "UPDATE refunds SET status = 'succeeded' WHERE refund_id ="
        " (SELECT max(refund_id) FROM refunds WHERE status = 'failed')",
        "a move that the contract does not have",
    ),
    "a refund that came back is not reversed": (
        "DELETE FROM ledger_entries WHERE kind = 'refund_reversal'",
        "is booked",
    ),
    "a refund comes back that the bank has not sent back": (
        "UPDATE refunds SET status = 'failed' WHERE refund_id ="
        " (SELECT max(refund_id) FROM refunds WHERE status = 'succeeded')",
        "a refund at the bank ended otherwise than ours",
    ),
    "a use is not counted": (
        "UPDATE discounts SET times_used = times_used + 1 WHERE usage_limit IS NULL",
        "a discount's counters are not its uses",
    ),
    "a dispute is overheard": ("DELETE FROM disputes", "a dispute that the bank tells of is not known"),
    "an attempt stays open": (
        "UPDATE attempts SET resolved_at = NULL WHERE attempt_id = (SELECT max(attempt_id) FROM attempts)",
        "an attempt is in doubt for ever",
    ),
}


async def trade(town: Town) -> None:
    """Let everything happen once.

    A code, a decline, a refund, one that fails, one that comes back, a dispute, a link that expires.
    """
    process, seller = town.processes[0], town.sellers[2]
    cart = {"product_cart": [{"product_id": seller.products[0], "quantity": 1}]}
    orders: list[dict[str, Any]] = [
        {"discount_codes": ["TENTH"]},
        {"metadata": {"nicobar_scenario": "dispute_after:1h"}},
        {"metadata": {"nicobar_scenario": "decline"}},
        {"metadata": {"nicobar_scenario": "refund_fail"}},
        {"metadata": {"nicobar_scenario": "refund_bounce:1h"}},
        {},
    ]
    for order in orders:
        await sell(town, process, seller, cart | order)
    *paid, _left = town.journal.payments.values()
    for told in paid:
        await pay(process.browser, told.link or "")
    for told in (paid[0], paid[3], paid[4]):
        await refund_all(town, process, told)


async def test_the_auditor_sees_every_forgery_of_an_honest_town(runs: Runs) -> None:
    unseen = {}
    async with runs.town(0) as (town, auditor):
        await trade(town)
        await come_to_rest(town, auditor)
        for name, (forgery, said) in FORGERIES.items():
            findings = await auditor.findings_after(forgery, town.journal, town.clock.now())
            if not any(said in finding for finding in findings):
                unseen[name] = findings
    assert unseen == {}
