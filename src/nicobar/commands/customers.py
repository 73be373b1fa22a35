"""`nicobar customers`: erasing the data of a person."""

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Yes,
    confirm,
    refuse_without_database,
    with_runtime,
)
from nicobar.program.banner import say
from nicobar.program.configuration import read_configuration

if TYPE_CHECKING:
    from nicobar.flows.runtime import Runtime

app = App(
    name="customers",
    help_epilogue="""Examples:
  nicobar customers erase cus_0ABCdefGHIjklMNOpqrST --mode live""",
)


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
    products, the country, the state and a tax id stay. Backups and the
    payment processor keep what they have: erase it there, too.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "customers")
    confirm(f"Erase the data of the {mode} customer {customer_id}?", yes)

    async def work(runtime: "Runtime") -> int:
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.customers.erase_customer import erase_customer
        from nicobar.program.installation import own_business

        return await erase_customer(runtime, Tenant(await own_business(runtime), mode), customer_id)

    count = with_runtime(configuration, work)
    payments = "1 payment" if count == 1 else f"{count} payments"
    say(f"The data of {customer_id} are erased, in {payments}, too.", sys.stderr)
    return 0
