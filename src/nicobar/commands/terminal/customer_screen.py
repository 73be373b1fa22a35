"""Everything about one customer on one screen, as text and for programs."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from nicobar.commands.terminal import payment_screen, subscription_screen
from nicobar.commands.terminal.parts import moment, table
from nicobar.core.business.tenant import Mode
from nicobar.core.customers.customer import Customer
from nicobar.core.payments.payment import Payment
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.program.banner import plain

LIST_TITLES: Final = ["ID", "CREATED (UTC)", "NAME", "EMAIL", "PHONE"]

SHOWN: Final = 100
"""The newest payments, subscriptions and namesakes that a screen shows at most."""

_NONE: Final = "-"


class CustomerHistory(NamedTuple):
    """What is known of one customer: of each list the newest `SHOWN`, the newest first."""

    mode: Mode
    customer: Customer
    others: Sequence[Customer]
    """Other customers of the same e-mail address."""
    first_id: str
    """The one among all of them with whom whoever gives the address is matched."""
    subscriptions: Sequence[Subscription]
    payments: Sequence[Payment]


def list_row(customer: Customer) -> list[str]:
    """Return the line of a customer in a list, under `LIST_TITLES`."""
    return [
        customer.customer_id,
        moment(customer.created_at),
        plain(customer.name or _NONE),
        plain(customer.email),
        plain(customer.phone_number or _NONE),
    ]


def customer_json(customer: Customer) -> dict[str, Any]:
    """Return a customer for programs, as it is stored."""
    return msgspec.structs.asdict(customer)


def history_json(history: CustomerHistory) -> dict[str, Any]:
    """Return all that the screen shows for programs. Amounts are minor units."""
    return {
        "customer": customer_json(history.customer),
        "first_of_address": history.first_id,
        "others_of_address": [customer_json(other) for other in history.others],
        "subscriptions": [subscription_screen.subscription_json(each) for each in history.subscriptions],
        "payments": [payment_screen.payment_json(each) for each in history.payments],
    }


def screen(history: CustomerHistory) -> str:
    """Return the whole screen. What others typed cannot steer the terminal: it is shown as `plain` makes it."""
    own = history.customer
    named = [
        ("Name", own.name or _NONE),
        ("Email", own.email),
        ("Phone", own.phone_number or _NONE),
        ("Language", own.preferred_locale or _NONE),
        ("Created", f"{moment(own.created_at)} UTC"),
        ("Changed", f"{moment(own.updated_at)} UTC"),
        *[("Metadata", f"{key} = {msgspec.json.encode(value).decode()}") for key, value in own.metadata.items()],
    ]
    lines = [f"{own.customer_id}  {history.mode} mode", *(f"  {name:<10}{plain(value)}" for name, value in named)]
    lines += ["", *_others(history)]
    titles, rows = subscription_screen.LIST_TITLES, [subscription_screen.list_row(one) for one in history.subscriptions]
    lines += ["", *_section("Subscriptions", titles[:-2], [row[:-2] for row in rows])]
    titles, rows = payment_screen.LIST_TITLES, [payment_screen.list_row(one) for one in history.payments]
    lines += ["", *_section("Payments", titles[:-2], [row[:-2] for row in rows])]
    return "\n".join(lines)


def _others(history: CustomerHistory) -> list[str]:
    lines = _section("Other customers of this address", LIST_TITLES, [list_row(one) for one in history.others])
    if history.others:
        lines.append(f"  Whoever gives the address is matched with {history.first_id}.")
    return lines


def _section(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    newest = f", the newest {SHOWN}" if len(rows) == SHOWN else ""
    return [f"{title}{newest}", *(f"  {line}" for line in (table(titles, rows) if rows else ["None."]))]
