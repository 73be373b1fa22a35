"""The operations on a customer's saved payment methods, and the proof that lets a payment page show them."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.flows.customers.prove_customer import prove_customer
from nicobar.flows.payments.delete_saved_method import delete_saved_method
from nicobar.storage.customers.customers import get_customer
from nicobar.storage.payments.saved_methods import list_methods
from nicobar.wire.common import Items, NoQuery
from nicobar.wire.payments.saved_methods import CustomerProof, SavedPaymentMethod, render_saved_method


async def list_(call: Call[None, NoQuery]) -> Items[SavedPaymentMethod]:
    """Return a customer's saved payment methods, the last used first. The list has no pages; it ends after 100."""
    customer_id = call.path["customer_id"]
    async with call.runtime.database.snapshot() as read:
        if await get_customer(read, call.tenant, customer_id) is None:
            raise Problem("NOT_FOUND", what="Customer")
        methods = await list_methods(read, call.tenant, customer_id)
    return Items(items=[render_saved_method(method) for method in methods])


async def delete(call: Call[None, NoQuery]) -> None:
    """Forget a saved payment method; one that is gone already is a success."""
    await delete_saved_method(call.runtime, call.tenant, call.path["customer_id"], call.path["payment_method_id"])


async def prove(call: Call[None, NoQuery]) -> CustomerProof:
    """Return a proof, valid for 15 minutes, that whoever you give it to is this customer.

    Ask for it when your customer is logged in with you, and append it to the address of a payment link that was made
    with `show_saved_payment_methods`: `<payment_link>?proof=<proof>`. The page then shows the customer's saved cards,
    which a bare link never does. Its characters need no encoding.
    """
    made = await prove_customer(call.runtime, call.tenant, call.path["customer_id"])
    return CustomerProof(proof=made.proof, expires_on=made.expires_on)


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "GET",
        "/customers/{customer_id}/payment-methods",
        list_,
        Items[SavedPaymentMethod],
        summary="List a customer's saved payment methods",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "DELETE",
        "/customers/{customer_id}/payment-methods/{payment_method_id}",
        delete,
        None,
        summary="Delete a saved payment method",
        problems=("NOT_FOUND", ("UNSUPPORTED_ACTION", 409)),
        status=204,
    ),
    Operation(
        "POST",
        "/customers/{customer_id}/proof",
        prove,
        CustomerProof,
        summary="Prove to a payment page who its customer is",
        problems=("NOT_FOUND",),
    ),
]
"""The part of the table in `app.py` that is about saved payment methods."""
