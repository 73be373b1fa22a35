"""The official SDK, unmodified, against a running server: every refunds call, every key type-checked."""

import httpx
import pytest
from dodopayments import DodoPayments, NotFoundError, UnprocessableEntityError
from dodopayments.types import Payment, Refund, RefundListItem

import orders

# The SDK marks POST /payments as legacy; it is the endpoint that this server is about.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def buy(client: DodoPayments) -> tuple[str, str]:
    """Buy something for 39.98 dollars; return the ids of the payment and the product."""
    product = client.products.create(
        name="Field Guide", tax_category="e_book", price={"type": "one_time_price", "currency": "USD", "price": 1999}
    )
    made = client.payments.create(
        billing={"country": "DE"},
        customer={"email": "ana@example.com", "name": "Ana"},
        product_cart=[{"product_id": product.product_id, "quantity": 2}],
        payment_link=True,
    )
    assert made.payment_link is not None
    origin = made.payment_link.rpartition("/")[0]
    async with httpx.AsyncClient(headers={"accept": "text/html", "origin": origin}) as browser:
        await orders.pay(browser, made.payment_link)
    return made.payment_id, product.product_id


async def test_every_refunds_call(client: DodoPayments) -> None:
    payment_id, product_id = await buy(client)
    made = client.refunds.create(
        payment_id=payment_id,
        items=[{"item_id": product_id, "amount": 998, "tax_inclusive": True}],
        currency="USD",
        reason="torn",
        metadata={"ticket": "7"},
    )
    assert isinstance(made, Refund)
    assert set(made.model_dump()) == set(Refund.model_fields)
    assert (made.amount, made.currency, made.is_partial, made.status) == (998, "USD", True, "succeeded")
    read = client.refunds.retrieve(made.refund_id)
    assert read == made
    (listed,) = client.refunds.list(customer_id=made.customer.customer_id, status="succeeded", page_size=5).items
    assert isinstance(listed, RefundListItem)
    assert set(listed.model_dump()) == set(RefundListItem.model_fields)
    assert listed.refund_id == made.refund_id
    rest = client.refunds.create(payment_id=payment_id)
    assert (rest.amount, rest.reason) == (3000, None)
    payment = client.payments.retrieve(payment_id)
    assert isinstance(payment, Payment)
    assert ([refund.amount for refund in payment.refunds], payment.refund_status) == ([998, 3000], "full")
    assert client.payments.list(status="succeeded").items[0].refund_status == "full"
    lines = client.payments.retrieve_line_items(payment_id)
    assert (lines.items[0].refundable_amount, lines.partial_refund_allowed) == (0, True)


async def test_refusals_have_the_classes_of_the_sdk(client: DodoPayments) -> None:
    with pytest.raises(NotFoundError, match="Refund not found"):
        client.refunds.retrieve("ref_unknown")
    payment_id, _ = await buy(client)
    client.refunds.create(payment_id=payment_id)
    with pytest.raises(UnprocessableEntityError, match="PAYMENT_ALREADY_REFUNDED"):
        client.refunds.create(payment_id=payment_id)
