"""The operations on discounts and on the lists of customers that they are kept for."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.discounts.discount_record import DiscountRecord
from nicobar.core.discounts.discounts import normalise_code
from nicobar.core.problems import Problem
from nicobar.flows.discounts.allow_customers import allow_customers
from nicobar.flows.discounts.create_discount import create_discount
from nicobar.flows.discounts.delete_discount import delete_discount
from nicobar.flows.discounts.disallow_customer import disallow_customer
from nicobar.flows.discounts.update_discount import update_discount
from nicobar.storage.discounts import discounts
from nicobar.wire.common import Items, NoQuery, PageQuery
from nicobar.wire.discounts.discounts import (
    AllowedCustomer,
    CustomersAllow,
    DiscountCreate,
    DiscountListQuery,
    DiscountRead,
    DiscountUpdate,
    read_discount,
    read_discount_change,
    render_discount,
)


async def create(call: Call[DiscountCreate, NoQuery]) -> DiscountRead:
    """Create a discount."""
    return render_discount(await create_discount(call.runtime, call.tenant, read_discount(call.body)))


async def retrieve(call: Call[None, NoQuery]) -> DiscountRead:
    """Return one discount."""
    async with call.runtime.database.read() as read:
        return render_discount(_found(await discounts.get_discount(read, call.tenant, call.path["discount_id"])))


async def retrieve_by_code(call: Call[None, NoQuery]) -> DiscountRead:
    """Return the discount that has this code, in any case."""
    async with call.runtime.database.read() as read:
        code = normalise_code(call.path["code"])
        return render_discount(_found(await discounts.find_by_code(read, call.tenant, code)))


async def list_(call: Call[None, DiscountListQuery]) -> Items[DiscountRead]:
    """Return a page of discounts, newest first."""
    query = call.query
    offset = query.offset
    async with call.runtime.database.read() as read:
        found = await discounts.list_discounts(
            read,
            call.tenant,
            active=query.active,
            code=None if query.code is None else normalise_code(query.code),
            discount_type=query.discount_type,
            product_id=query.product_id,
            now=call.runtime.now(call.tenant),
            limit=query.page_size,
            offset=offset,
        )
    return Items(items=[render_discount(discount) for discount in found])


async def update(call: Call[DiscountUpdate, NoQuery]) -> DiscountRead:
    """Change a discount and return it."""
    change = read_discount_change(call.body)
    return render_discount(await update_discount(call.runtime, call.tenant, call.path["discount_id"], change))


async def delete(call: Call[None, NoQuery]) -> None:
    """Delete a discount."""
    await delete_discount(call.runtime, call.tenant, call.path["discount_id"])


async def list_customers(call: Call[None, PageQuery]) -> Items[AllowedCustomer]:
    """Return a page of the customers on the discount's list, the newest customers first."""
    query = call.query
    offset = query.offset
    discount_id = call.path["discount_id"]
    async with call.runtime.database.snapshot() as read:
        _found(await discounts.get_discount(read, call.tenant, discount_id))
        found = await discounts.list_allowed_customers(read, call.tenant, discount_id, query.page_size, offset)
    return Items(items=[AllowedCustomer(customer_id=customer_id) for customer_id in found])


async def allow(call: Call[CustomersAllow, NoQuery]) -> Items[AllowedCustomer]:
    """Put customers on the discount's list and return those of the request."""
    allowed = await allow_customers(call.runtime, call.tenant, call.path["discount_id"], call.body.customer_ids)
    return Items(items=[AllowedCustomer(customer_id=customer_id) for customer_id in allowed])


async def disallow(call: Call[None, NoQuery]) -> None:
    """Take a customer off the discount's list."""
    await disallow_customer(call.runtime, call.tenant, call.path["discount_id"], call.path["customer_id"])


def _found(discount: DiscountRecord | None) -> DiscountRecord:
    if discount is None:
        raise Problem("NOT_FOUND", what="Discount")
    return discount


_FIELD_PROBLEMS: Final = (
    "INVALID_REQUEST_BODY",
    "INVALID_REQUEST_PARAMETERS",
    "UNSUPPORTED_DISCOUNT_TYPE",
    "INVALID_PERCENTAGE",
    "DISCOUNT_CURRENCY_OPTION_INVALID",
    "MAXIMUM_KEYS_REACHED",
    "DISCOUNT_CODE_ALREADY_EXISTS",
)

OPERATIONS: Final[list[Operation]] = [
    Operation(
        "POST",
        "/discounts",
        create,
        DiscountRead,
        body=DiscountCreate,
        summary="Create a discount",
        problems=_FIELD_PROBLEMS,
    ),
    Operation(
        "GET",
        "/discounts",
        list_,
        Items[DiscountRead],
        query=DiscountListQuery,
        summary="List discounts, newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    # Before the paths with an id: `/discounts/code/CUSTOMERS` names a code.
    Operation(
        "GET",
        "/discounts/code/{code}",
        retrieve_by_code,
        DiscountRead,
        summary="Read a discount by its code",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "GET", "/discounts/{discount_id}", retrieve, DiscountRead, summary="Read a discount", problems=("NOT_FOUND",)
    ),
    Operation(
        "PATCH",
        "/discounts/{discount_id}",
        update,
        DiscountRead,
        body=DiscountUpdate,
        summary="Change a discount",
        problems=("NOT_FOUND", *_FIELD_PROBLEMS, "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"),
    ),
    Operation(
        "DELETE",
        "/discounts/{discount_id}",
        delete,
        None,
        summary="Delete a discount",
        problems=("NOT_FOUND",),
        status=204,
    ),
    Operation(
        "GET",
        "/discounts/{discount_id}/customers",
        list_customers,
        Items[AllowedCustomer],
        query=PageQuery,
        summary="List the customers who may use a discount",
        problems=("NOT_FOUND", "INVALID_QUERY_PARAMS"),
    ),
    Operation(
        "POST",
        "/discounts/{discount_id}/customers",
        allow,
        Items[AllowedCustomer],
        body=CustomersAllow,
        summary="Let customers use a discount",
        problems=("NOT_FOUND", "INVALID_REQUEST_BODY", "INVALID_REQUEST_PARAMETERS"),
    ),
    Operation(
        "DELETE",
        "/discounts/{discount_id}/customers/{customer_id}",
        disallow,
        None,
        summary="No longer let a customer use a discount",
        problems=("NOT_FOUND",),
        status=204,
    ),
]
"""The discounts' part of the table in `app.py`."""
