"""The operations on customers."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.flows.customers.create_customer import create_customer
from nicobar.flows.customers.update_customer import update_customer
from nicobar.storage.customers import customers
from nicobar.wire.common import Items, NoQuery, in_utc
from nicobar.wire.customers.customers import (
    CustomerCreate,
    CustomerListQuery,
    CustomerRead,
    CustomerUpdate,
    read_customer,
    read_customer_change,
    render_customer,
)


async def create(call: Call[CustomerCreate, NoQuery]) -> CustomerRead:
    """Create a customer, or return the one who has the e-mail address."""
    return render_customer(await create_customer(call.runtime, call.tenant, read_customer(call.body)))


async def retrieve(call: Call[None, NoQuery]) -> CustomerRead:
    """Return one customer."""
    async with call.runtime.database.read() as read:
        customer = await customers.get_customer(read, call.tenant, call.path["customer_id"])
    if customer is None:
        raise Problem("NOT_FOUND", what="Customer")
    return render_customer(customer)


async def update(call: Call[CustomerUpdate, NoQuery]) -> CustomerRead:
    """Change a customer and return it."""
    change = read_customer_change(call.body)
    return render_customer(await update_customer(call.runtime, call.tenant, call.path["customer_id"], change))


async def list_(call: Call[None, CustomerListQuery]) -> Items[CustomerRead]:
    """Return a page of customers, newest first."""
    query = call.query
    offset = query.offset
    filters = customers.CustomerFilters(
        created_at_gte=in_utc(query.created_at_gte),
        created_at_lte=in_utc(query.created_at_lte),
        email=query.email,
        name=query.name,
    )
    async with call.runtime.database.read() as read:
        found = await customers.list_customers(
            read,
            call.tenant,
            filters,
            query.page_size,
            offset,
        )
    return Items(items=[render_customer(customer) for customer in found])


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "POST",
        "/customers",
        create,
        CustomerRead,
        body=CustomerCreate,
        summary="Create a customer, or get the one with this e-mail address",
        problems=("INVALID_REQUEST_BODY", "MAXIMUM_KEYS_REACHED"),
    ),
    Operation(
        "GET",
        "/customers",
        list_,
        Items[CustomerRead],
        query=CustomerListQuery,
        summary="List customers, newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation(
        "GET", "/customers/{customer_id}", retrieve, CustomerRead, summary="Read a customer", problems=("NOT_FOUND",)
    ),
    Operation(
        "PATCH",
        "/customers/{customer_id}",
        update,
        CustomerRead,
        body=CustomerUpdate,
        summary="Change a customer",
        problems=("NOT_FOUND", "INVALID_REQUEST_BODY", "MAXIMUM_KEYS_REACHED", "UNSUPPORTED_ACTION"),
    ),
]
"""The customers' part of the table in `app.py`."""
