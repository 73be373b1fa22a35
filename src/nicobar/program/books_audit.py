"""The proof of the books: what must hold between payments, attempts, refunds, disputes, entries, events and notices.

Most of it PostgreSQL and the flows see to already. Whoever looks here does not trust them: a bug, a restored backup, a
change by hand. A new check is a row of `PARTS`.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from nicobar.core.counted import counted
from nicobar.processors.stripe.stripe_account import NAME
from nicobar.program.finding import Finding
from nicobar.storage.accounts.account_uses import left_without_keys
from nicobar.storage.customers.additional_customers import addresses_without_first
from nicobar.storage.database import Read
from nicobar.storage.discounts.redemptions import discount_counter_differences
from nicobar.storage.ledger.ledger_checks import (
    disputes_that_disagree,
    entries_that_disagree,
    marks_that_disagree,
    payments_given_back_beyond,
    payments_without_entry,
    refunds_without_entry,
    unbalanced_entries,
)
from nicobar.storage.payments.outcome_checks import (
    Counts,
    charged_too_often,
    count_all,
    ended_without_event,
    events_since,
    overdue_attempts,
    overdue_notices,
    overdue_refunds,
    overdue_returns,
    paid_without_charge,
    stranded_payments,
)
from nicobar.storage.refunds.refund_audit import (
    refund_differences,
    refunds_pending_too_long,
    refunds_that_ended_otherwise,
)
from nicobar.storage.sessions.session_checks import sessions_that_disagree
from nicobar.storage.subscriptions.subscription_checks import (
    charges_that_disagree,
    overdue_subscriptions,
    subscriptions_that_disagree,
)
from nicobar.storage.webhooks.webhook_checks import overdue_deliveries
from nicobar.storage.wrong_rows import WrongRow

OVERDUE: Final = timedelta(minutes=10)
"""After this time nobody should be in doubt any more: the sweep queries what is in doubt once a minute."""

PENDING_FOR: Final = timedelta(days=14)
"""How long a processor may say that a refund is under way; banks need up to ten working days."""

SHOWN: Final = 10
"""How many rows a finding names."""

_REPORT: Final = (
    "The database was changed by hand, or this is a bug: please report it with the lines of the log about them."
)


class When(NamedTuple):
    """The moments that checks need."""

    now: datetime
    events_since: datetime
    """From when on an ended payment needs its event."""


class Part(NamedTuple):
    """One check of the books."""

    subject: str
    """What is checked, in the plural; also what is said while it takes long."""
    count: Callable[[Counts], int]
    """How many of them there are."""
    good: str
    """What holds for them."""
    bad: str
    find: Callable[[Read, When], Awaitable[Sequence[WrongRow]]]
    """Finds those for which it does not hold: a few of them are enough."""
    advice: str = _REPORT

    async def examine(self, read: Read, counts: Counts, when: When) -> Finding:
        """Make the check. A finding that is not good names up to `SHOWN` rows."""
        wrong = await self.find(read, when)
        subject = f"{self.subject} ({self.count(counts):,})"
        if not wrong:
            return Finding(True, f"{subject}: {self.good}.")
        named = [f"    {_named(row)}" for row in wrong[:SHOWN]]
        if len(wrong) > SHOWN:
            named.append("    and more")
        return Finding(False, "\n".join([f"{subject}: {self.bad}:", *named]), self.advice)


async def audit_books(read: Read, now: datetime, since: datetime | None = None) -> list[Finding]:
    """Make every check of the books, over all tenants and both modes, and return what was found. Nothing is changed.

    `since` is from when on an ended payment needs its event: None stands for the moment at which this database got
    events, because what had ended before has none. Its clock is the database's: a test with a clock of its own gives
    its own moment. Every check is one query, or two, so a server may run alongside it.
    """
    when, counts = await prepare_audit(read, now, since)
    return [await part.examine(read, counts, when) for part in PARTS]


async def prepare_audit(read: Read, now: datetime, since: datetime | None = None) -> tuple[When, Counts]:
    """Return what every part of the audit needs."""
    when = When(now, since or await events_since(read))
    return when, await count_all(read, when.events_since)


def _named(row: WrongRow) -> str:
    """Name a row and what is wrong with it."""
    live = " (live)" if row.mode == "live" else ""
    return f"{row.object_id}{live}: {row.detail}"


async def _discounts(read: Read) -> list[WrongRow]:
    """Return discounts whose counters are not the numbers of their uses."""
    return [
        WrongRow(
            found.mode,
            found.code,
            f"counts {counted(found.times_used, 'use')} and {found.times_reserved} reserved, "
            f"and its payments have {found.redeemed} and {found.reserved}",
        )
        for found in await discount_counter_differences(read)
    ]


async def _late_refunds(read: Read, when: When) -> list[WrongRow]:
    """Return refunds in doubt for too long, and those that the processor has called pending for too long."""
    doubtful: list[WrongRow] = [*await overdue_refunds(read, when.now - OVERDUE)]
    names = {refund.object_id for refund in doubtful}
    pending = await refunds_pending_too_long(read, when.now - PENDING_FOR)
    return [*doubtful, *[refund for refund in pending if refund.object_id not in names]]


_WORKER: Final = "Start 'nicobar serve' or 'nicobar worker': it asks the processors. Their answers are in its log."

PARTS: Final[list[Part]] = [
    Part(
        "Ended payments",
        lambda counts: counts.ended,
        "each has its event, and so has each refund and dispute",
        "some have no event",
        lambda read, when: ended_without_event(read, when.events_since),
    ),
    Part(
        "Succeeded payments",
        lambda counts: counts.succeeded,
        "each is in the books",
        "some are not in the books",
        lambda read, _when: payments_without_entry(read),
    ),
    Part(
        "Charges of succeeded payments",
        lambda counts: counts.succeeded,
        "each payment has one of its amount",
        "some payments have none of their amount",
        lambda read, _when: paid_without_charge(read),
    ),
    Part(
        "Attempts",
        lambda counts: counts.attempts,
        "none has charged a payment that was paid by another, or not paid",
        "some charged a payment that was paid by another, or not paid",
        lambda read, _when: charged_too_often(read),
        "A worker gives the money of the attempt that is too much back and tries until it has; its log says what is in"
        " the way.",
    ),
    Part(
        "Payments under way",
        lambda counts: counts.under_way,
        "each has an open attempt, and no other has one",
        "open attempts and payments do not fit",
        lambda read, _when: stranded_payments(read),
    ),
    Part(
        "Open attempts",
        lambda counts: counts.open_attempts,
        f"of none it is unknown for {OVERDUE.seconds // 60} minutes what became of it",
        "for too long nobody knows what became of some",
        lambda read, when: overdue_attempts(read, when.now - OVERDUE),
        _WORKER,
    ),
    Part(
        "Refunds",
        lambda counts: counts.refunds,
        "payments, lines and refunds sum up, within what was paid",
        "some sums are wrong",
        lambda read, _when: refund_differences(read),
    ),
    Part(
        "Refunds in the books",
        lambda counts: counts.refunds,
        "each that succeeded has its entry",
        "some that succeeded have no entry",
        lambda read, _when: refunds_without_entry(read),
    ),
    Part(
        "Pending refunds",
        lambda counts: counts.pending_refunds,
        "none waits for too long",
        "some wait for too long",
        _late_refunds,
        _WORKER,
    ),
    Part(
        "Ends of refunds",
        lambda counts: counts.refunds,
        "each is what the processor said last",
        "of some the processor says the opposite now",
        lambda read, _when: refunds_that_ended_otherwise(read),
        "What counts here is wrong. Look the refund up at the processor: 'nicobar payments show' has its reference.",
    ),
    Part(
        "Disputes",
        lambda counts: counts.disputes,
        "the books hold what they took and gave back",
        "the books hold something else than they took and gave back",
        lambda read, _when: disputes_that_disagree(read),
    ),
    Part(
        "Entries of the books",
        lambda counts: counts.entries,
        "each balances",
        "some do not balance",
        lambda read, _when: unbalanced_entries(read),
    ),
    Part(
        "Amounts in the books",
        lambda counts: counts.entries,
        "each is that of its payment or refund",
        "some are not those of their payment or refund",
        lambda read, _when: entries_that_disagree(read),
    ),
    Part(
        "Money given back",
        lambda counts: counts.entries,
        "of no payment more tax, settlement or fee than was booked",
        "of some payments more than was booked",
        lambda read, _when: payments_given_back_beyond(read),
    ),
    Part(
        "Remembered balances",
        lambda counts: counts.marks,
        "each is the sum of the entries before it",
        "some are not the sum of the entries before them",
        lambda read, _when: marks_that_disagree(read),
    ),
    Part(
        "Discount codes",
        lambda counts: counts.discounts,
        "each counts exactly the uses that its payments have",
        "some count other uses than their payments have",
        lambda read, _when: _discounts(read),
    ),
    Part(
        "Customers",
        lambda counts: counts.customers,
        "each e-mail address has a first one",
        "some addresses have no first one",
        lambda read, _when: addresses_without_first(read),
    ),
    Part(
        "Checkout sessions",
        lambda counts: counts.sessions,
        "each names the payment that was made of it, and no other payment names it",
        "some and their payments do not name each other",
        lambda read, _when: sessions_that_disagree(read),
    ),
    Part(
        "Charges of subscriptions",
        lambda counts: counts.charges,
        "each ended as its payment",
        "some ended otherwise than their payment",
        lambda read, _when: charges_that_disagree(read),
    ),
    Part(
        "Subscriptions",
        lambda counts: counts.subscriptions,
        "each is paid, owed or not begun, and agrees with itself",
        "some contradict themselves or their charges",
        lambda read, _when: subscriptions_that_disagree(read),
    ),
    Part(
        "Billing dates",
        lambda counts: counts.subscriptions,
        f"nothing is due for longer than {OVERDUE.seconds // 60} minutes",
        "some are not charged",
        lambda read, when: overdue_subscriptions(read, when.now - OVERDUE),
        _WORKER,
    ),
    Part(
        "Notices of processors",
        lambda counts: counts.notices,
        f"none waits for longer than {OVERDUE.seconds // 60} minutes",
        "some wait for too long",
        lambda read, when: overdue_notices(read, when.now - OVERDUE),
        _WORKER,
    ),
    Part(
        "Charges to be given back",
        lambda counts: counts.returns,
        f"none waits for longer than {OVERDUE.seconds // 60} minutes",
        "some wait for too long",
        lambda read, when: overdue_returns(read, when.now - OVERDUE),
        _WORKER,
    ),
    Part(
        "Accounts at processors",
        lambda counts: counts.accounts,
        "those with payments or refunds under way have their keys",
        "some are needed, and their keys are not there",
        lambda read, _when: left_without_keys(read, [NAME]),
        "Give the keys of that account: nicobar processors set stripe. If another one charges, set that again then.",
    ),
    Part(
        "Events on their way to webhooks",
        lambda counts: counts.deliveries,
        f"none is due for longer than {OVERDUE.seconds // 60} minutes",
        "some are not sent",
        lambda read, when: overdue_deliveries(read, when.now - OVERDUE),
        "Start 'nicobar serve' or 'nicobar worker': it sends them. A limit of the rate makes events wait, too.",
    ),
]
"""Every check, in the order of the report."""
