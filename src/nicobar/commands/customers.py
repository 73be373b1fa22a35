"""`nicobar customers`: look at customers, the newest or one with all that it bought, and erase a person's data."""

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
    Yes,
    confirm,
    look_up,
    look_up_one,
    print_json,
    print_table,
    refuse_without_database,
    with_runtime,
)
from nicobar.core.counted import counted
from nicobar.program.banner import answer, say
from nicobar.program.configuration import read_configuration

if TYPE_CHECKING:
    from nicobar.commands.terminal.customer_screen import CustomerHistory
    from nicobar.core.business.tenant import Tenant
    from nicobar.core.customers.customer import Customer
    from nicobar.flows.customers.erase_customer import Erased
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.database import Read

app = App(
    name="customers",
    help_epilogue="""Examples:
  nicobar customers list --email ana@example.com
  nicobar customers show cus_0ABCdefGHIjklMNOpqrST
  nicobar customers erase cus_0ABCdefGHIjklMNOpqrST --mode live""",
)


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar customers show cus_0ABCdefGHIjklMNOpqrST
  nicobar customers show cus_0ABCdefGHIjklMNOpqrST --json
  nicobar customers show cus_0ABCdefGHIjklMNOpqrST --mode live"""
)
def show(
    customer_id: Annotated[str, Parameter(help="The id of the customer, as 'nicobar customers list' shows it.")],
    /,
    *,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Show a customer, the others of the same e-mail address, and the newest subscriptions and payments.

    No record is changed. Times are UTC. What is shown is personal data of your customer.
    """
    configuration = read_configuration(data=data, database_url=database_url)

    async def find(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "CustomerHistory | None":
        from nicobar.storage.customers.customers import get_customer

        customer = await get_customer(read, tenant, customer_id)
        return None if customer is None else await read_history(read, tenant, customer)

    found = look_up_one(configuration, "customer", customer_id, mode, find)
    from nicobar.commands.terminal.customer_screen import history_json, screen

    if json:
        print_json(history_json(found))
    else:
        answer(screen(found))
    return 0


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar customers list
  nicobar customers list --email ana@example.com
  nicobar customers list --name lima --mode live
  nicobar customers list --count 100 --json""",
)
def list_(
    *,
    count: Annotated[int, Parameter(help="How many [default: 20].", validator=Number(gte=1, lte=10_000))] = 20,
    email: Annotated[str | None, Parameter(help="Only customers of this address, in any case.")] = None,
    name: Annotated[str | None, Parameter(help="Only customers whose name has this in it, in any case.")] = None,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """List customers, the newest first. Several can have one e-mail address."""
    configuration = read_configuration(data=data, database_url=database_url)

    async def query(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "list[Customer]":
        from nicobar.storage.customers.customers import CustomerFilters, list_customers

        return await list_customers(read, tenant, CustomerFilters(email=email, name=name), count, 0)

    found = look_up(configuration, "customers", mode, query)
    from nicobar.commands.terminal.customer_screen import LIST_TITLES, customer_json, list_row

    if json:
        print_json([customer_json(each) for each in found])
    elif found:
        print_table(LIST_TITLES, [list_row(each) for each in found])
    else:
        asked = " that fit" if email is not None or name is not None else ""
        say(f"There are no {mode} customers{asked}.", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar customers erase cus_0ABCdefGHIjklMNOpqrST --mode live
  nicobar customers erase cus_0ABCdefGHIjklMNOpqrST --yes"""
)
def erase(
    customer_id: Annotated[str, Parameter(help="The id of the customer.")],
    /,
    *,
    mode: InMode = "test",
    yes: Yes = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Take a person's data out of the database permanently, and keep what the books need.

    Names, addresses, phone numbers, saved cards and metadata go. Amounts, dates,
    products, the country, the state and a tax id stay. So do other customers of
    the same e-mail address, who are named. Backups and the payment processor
    keep what they have: erase it there, too.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "customers")
    confirm(f"Erase the data of the {mode} customer {customer_id}?", yes)

    async def work(runtime: "Runtime") -> "Erased":
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.customers.erase_customer import erase_customer
        from nicobar.program.installation import own_business

        return await erase_customer(runtime, Tenant(await own_business(runtime), mode), customer_id)

    erased = with_runtime(configuration, work)
    say(f"The data of {customer_id} are erased, in {counted(erased.payments, 'payment')}, too.", sys.stderr)
    if erased.others:
        from nicobar.flows.customers.erase_customer import NAMED

        some = f", the first {NAMED} of them" if len(erased.others) == NAMED else ""
        say(f"Other customers have the same e-mail address, and stay as they are{some}:", sys.stderr)
        for other in erased.others:
            say(other, sys.stderr)
        say("Erase each that is the same person, too.", sys.stderr)
    return 0


async def read_history(read: "Read", tenant: "Tenant", customer: "Customer") -> "CustomerHistory":
    """Read what is known of a customer."""
    from nicobar.commands.terminal.customer_screen import SHOWN, CustomerHistory
    from nicobar.core.customers.customer import email_key
    from nicobar.storage.customers.customers import CustomerFilters, find_by_email, list_customers
    from nicobar.storage.payments.payments import PaymentFilters, list_payments
    from nicobar.storage.subscriptions.subscriptions import SubscriptionFilters, list_subscriptions

    customer_id = customer.customer_id
    same = await list_customers(read, tenant, CustomerFilters(email=customer.email), SHOWN + 1, 0)
    first = await find_by_email(read, tenant, email_key(customer.email))
    return CustomerHistory(
        mode=tenant.mode,
        customer=customer,
        others=[each for each in same if each.customer_id != customer_id][:SHOWN],
        first_id=customer_id if first is None else first.customer_id,
        subscriptions=await list_subscriptions(read, tenant, SubscriptionFilters(customer_id=customer_id), SHOWN, 0),
        payments=await list_payments(read, tenant, PaymentFilters(customer_id=customer_id), SHOWN, 0),
    )
