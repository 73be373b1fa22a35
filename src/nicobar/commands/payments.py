"""`nicobar payments`: look at payments, the newest or one with all that happened to it."""

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
from nicobar.program.banner import answer, say
from nicobar.program.configuration import ConfigurationError, read_configuration
from nicobar.wire.codes import IntentStatus

if TYPE_CHECKING:
    from nicobar.commands.terminal.payment_screen import PaymentHistory
    from nicobar.core.business.tenant import Tenant
    from nicobar.core.payments.payment import Payment
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.database import Read

app = App(
    name="payments",
    help_epilogue="""Examples:
  nicobar payments list
  nicobar payments list --status failed --mode live
  nicobar payments show pay_0ABCdefGHIjklMNOpqrST""",
)


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar payments show pay_0ABCdefGHIjklMNOpqrST
  nicobar payments show pay_0ABCdefGHIjklMNOpqrST --json
  nicobar payments show pay_0ABCdefGHIjklMNOpqrST --mode live"""
)
def show(
    payment_id: Annotated[str, Parameter(help="The id of the payment, as 'nicobar payments list' shows it.")],
    /,
    *,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Show what was asked for, why it costs what it costs, what the processor said, books, events and deliveries.

    No record is changed. Times are UTC. What is shown can be personal data of your customer.
    """
    configuration = read_configuration(data=data, database_url=database_url)

    async def find(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "PaymentHistory | None":
        from nicobar.storage.payments.payments import get_payment

        payment = await get_payment(read, tenant, payment_id)
        return None if payment is None else await read_history(read, payment)

    found = look_up_one(configuration, "payment", payment_id, mode, find)
    from nicobar.commands.terminal.payment_screen import as_json, screen

    if json:
        print_json(as_json(found))
    else:
        answer(screen(found))
    return 0


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar payments list
  nicobar payments list --status failed
  nicobar payments list --count 100 --mode live
  nicobar payments list --customer cus_0ABCdefGHIjklMNOpqrST
  nicobar payments list --json""",
)
def list_(
    *,
    count: Annotated[int, Parameter(help="How many [default: 20].", validator=Number(gte=1, lte=10_000))] = 20,
    status: Annotated[
        IntentStatus | None, Parameter(help="Only payments in this status, such as succeeded or processing.")
    ] = None,
    customer: OfCustomer = None,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """List payments, the newest first, with what was given back of each."""
    configuration = read_configuration(data=data, database_url=database_url)

    async def query(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "list[Payment]":
        from nicobar.storage.payments.payments import PaymentFilters, list_payments

        filters = PaymentFilters(status=status, customer_id=customer)
        return list(await list_payments(read, tenant, filters, count, 0))

    payments = look_up(configuration, "payments", mode, query)
    if json:
        from nicobar.commands.terminal.payment_screen import payment_json

        print_json([payment_json(payment) for payment in payments])
    elif payments:
        from nicobar.commands.terminal.payment_screen import LIST_TITLES, list_row

        print_table(LIST_TITLES, [list_row(payment) for payment in payments])
    else:
        of = f" of {customer}" if customer else ""
        say(f"There are no {mode} payments{f' in the status {status}' if status else ''}{of}.", sys.stderr)
    return 0


async def read_history(read: "Read", payment: "Payment") -> "PaymentHistory":
    """Read all that is known of a payment."""
    from nicobar.commands.terminal.payment_screen import PaymentHistory
    from nicobar.core.pricing.pricing import recompute
    from nicobar.storage.disputes.disputes import disputes_of
    from nicobar.storage.ledger.ledger import entries_of
    from nicobar.storage.payments.payment_history import attempts_of, events_about
    from nicobar.storage.payments.payments import get_pricing
    from nicobar.storage.refunds.refunds import refunds_of
    from nicobar.storage.webhooks.delivery_log import deliveries_of
    from nicobar.wire.pricing.explanations import render_explanation

    inputs = await get_pricing(read, payment.tenant, payment.payment_id)
    if inputs is None:
        raise ConfigurationError(f"{payment.payment_id} has just been deleted.")
    quote = recompute(inputs)
    refunds = await refunds_of(read, payment.tenant, payment.payment_id)
    disputes = await disputes_of(read, payment.tenant, payment.payment_id)
    others = [refund.refund_id for refund in refunds] + [dispute.dispute_id for dispute in disputes]
    events = await events_about(read, payment, others)
    return PaymentHistory(
        payment=payment,
        quote=quote,
        recomputed=render_explanation(payment, quote).recomputed,
        attempts=await attempts_of(read, payment),
        refunds=refunds,
        disputes=disputes,
        entries=await entries_of(read, payment.tenant, payment.payment_id),
        events=events,
        deliveries=await deliveries_of(read, payment.tenant, [event.event_id for event in events]),
    )
