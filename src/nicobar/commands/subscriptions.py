"""`nicobar subscriptions`: look at the newest, or at one with its periods, payments and what happens next."""

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Json,
    OfCustomer,
    look_up,
    look_up_one,
    print_json,
    print_table,
)
from nicobar.core.subscriptions.subscription import SubscriptionStatus
from nicobar.program.banner import answer, say
from nicobar.program.configuration import read_configuration

if TYPE_CHECKING:
    from nicobar.commands.terminal.subscription_screen import SubscriptionHistory
    from nicobar.core.business.tenant import Tenant
    from nicobar.core.subscriptions.subscription import Subscription
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.database import Read

app = App(
    name="subscriptions",
    help_epilogue="""Examples:
  nicobar subscriptions list
  nicobar subscriptions list --status on_hold --mode live
  nicobar subscriptions show sub_0ABCdefGHIjklMNOpqrST""",
)


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar subscriptions show sub_0ABCdefGHIjklMNOpqrST
  nicobar subscriptions show sub_0ABCdefGHIjklMNOpqrST --json
  nicobar subscriptions show sub_0ABCdefGHIjklMNOpqrST --mode live"""
)
def show(
    subscription_id: Annotated[
        str, Parameter(help="The id of the subscription, as 'nicobar subscriptions list' shows it.")
    ],
    /,
    *,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Show the plan, what happens next and when, the periods with their payments, and the events.

    No record is changed. Times are UTC. What is shown can be personal data of your customer.
    """
    configuration = read_configuration(data=data, database_url=database_url)

    async def find(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "SubscriptionHistory | None":
        from nicobar.commands.terminal.subscription_screen import SubscriptionHistory
        from nicobar.storage.events.events import events_of
        from nicobar.storage.payments.payments import PaymentFilters, list_payments
        from nicobar.storage.subscriptions.charges import charges_of_subscription
        from nicobar.storage.subscriptions.subscriptions import get_subscription

        subscription = await get_subscription(read, tenant, subscription_id)
        if subscription is None:
            return None
        filters = PaymentFilters(subscription_id=subscription_id)
        payments = {each.payment_id: each for each in await list_payments(read, tenant, filters, 100, 0)}
        charges = await charges_of_subscription(read, tenant, subscription_id)
        return SubscriptionHistory(subscription, charges, payments, await events_of(read, tenant, subscription_id))

    found = look_up_one(configuration, "subscription", subscription_id, mode, find)
    from nicobar.commands.terminal.subscription_screen import history_json, screen

    if json:
        print_json(history_json(found))
    else:
        answer(screen(found))
    return 0


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar subscriptions list
  nicobar subscriptions list --status past_due
  nicobar subscriptions list --count 100 --mode live
  nicobar subscriptions list --customer cus_0ABCdefGHIjklMNOpqrST
  nicobar subscriptions list --json""",
)
def list_(
    *,
    count: Annotated[int, Parameter(help="How many [default: 20].", validator=Number(gte=1, lte=10_000))] = 20,
    status: Annotated[
        SubscriptionStatus | None, Parameter(help="Only subscriptions in this status, such as active or on_hold.")
    ] = None,
    customer: OfCustomer = None,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """List subscriptions, the newest first, with their next billing dates."""
    configuration = read_configuration(data=data, database_url=database_url)

    async def query(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "list[Subscription]":
        from nicobar.storage.subscriptions.subscriptions import SubscriptionFilters, list_subscriptions

        filters = SubscriptionFilters(status=status, customer_id=customer)
        return list(await list_subscriptions(read, tenant, filters, count, 0))

    found = look_up(configuration, "subscriptions", mode, query)
    if json:
        from nicobar.commands.terminal.subscription_screen import subscription_json

        print_json([subscription_json(each) for each in found])
    elif found:
        from nicobar.commands.terminal.subscription_screen import LIST_TITLES, list_row

        print_table(LIST_TITLES, [list_row(each) for each in found])
    else:
        of = f" of {customer}" if customer else ""
        say(f"There are no {mode} subscriptions{f' in the status {status}' if status else ''}{of}.", sys.stderr)
    return 0
