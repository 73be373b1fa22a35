"""Orders for tests: payments as the creation stores them, with every part open to change."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import httpx
import msgspec

from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.customers.customer import CustomerUpsert
from nicobar.core.money.fx import ChargeTerms, Conversion
from nicobar.core.payments.payment import Payment, PaymentLine, PaymentOptions
from nicobar.core.pricing.pricing import QuoteInputs
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.registry import built_in_processors
from nicobar.processors.base import CardInput
from nicobar.reference import currencies
from nicobar.storage.payments.payment_insertion import insert_payment
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.simulator.simulator import SimulatorRecords

EMAIL = "ana.lima@example.com"


def with_processors(runtime: Runtime) -> Runtime:
    """Return the runtime with the processors that need no configuration."""
    store = SimulatorRecords(runtime.database)
    return runtime._replace(processors=built_in_processors(runtime.clock, runtime.public_url, store))


def line(position: int = 0, subtotal: int = 2000, discount: int = 0, tax: int = 400, **changes: Any) -> PaymentLine:
    values: dict[str, Any] = {
        "position": position,
        "product_id": f"pdt_{position}",
        "name": "Solo Flight, digital album",
        "description": None,
        "quantity": 1,
        "amount": None,
        "unit_price": subtotal,
        "tax_category": "digital_products",
        "tax_inclusive": False,
        "subtotal": subtotal,
        "discount": discount,
        "tax": tax,
        "total": subtotal - discount + tax,
    }
    return PaymentLine(**(values | changes))


def order(runtime: Runtime, tenant: Tenant, lines: list[PaymentLine] | None = None, **changes: Any) -> Payment:
    """Return an unpaid payment of 24.00 dollars with a link that works for a day; `options` takes a dictionary."""
    lines = [line()] if lines is None else lines
    now = runtime.now(tenant)
    total = sum(item.total for item in lines)
    values: dict[str, Any] = {
        "business_id": tenant.business_id,
        "mode": tenant.mode,
        "payment_id": runtime.new_id("pay", now),
        "brand_id": tenant.business_id,
        "customer": Buyer(runtime.new_id("cus", now), EMAIL, "Ana Lima", None, {}),
        "status": "requires_payment_method",
        "currency": "USD",
        "subtotal": sum(item.subtotal for item in lines),
        "discount": sum(item.discount for item in lines),
        "tax": sum(item.tax for item in lines),
        "total_amount": total,
        "settlement_currency": "USD",
        "settlement_amount": total,
        "settlement_tax": sum(item.tax for item in lines),
        "billing": Address("US", "New York", "NY", "350 Fifth Avenue", "10118"),
        "metadata": {},
        "link_id": runtime.new_link_id(),
        "expires_on": now + timedelta(hours=24),
        "payment_method": None,
        "payment_method_type": None,
        "card": None,
        "error_code": None,
        "error_message": None,
        "created_at": now,
        "updated_at": None,
        "lines": lines,
    }
    options = PaymentOptions(payment_link=True, **changes.pop("options", {}))
    return Payment(options=options, **(values | changes))


def pricing_of(payment: Payment) -> QuoteInputs:
    """Return pricing facts that fit the currencies; tests of the pages and flows never price again."""
    exponent = currencies.exponent(payment.currency)
    charged, settled, rate = payment.currency, payment.settlement_currency, None
    if charged != settled:
        rate = Conversion(settled, exponent, charged, exponent, 1, 1, "1", date(2026, 10, 30), "test")
    return QuoteInputs(lines=(), charge=ChargeTerms(charged, exponent, settled, exponent, settlement=rate))


async def place(runtime: Runtime, payment: Payment) -> Payment:
    """Store a payment and its customer as the creation would."""
    buyer = payment.customer
    customer = CustomerUpsert(buyer.customer_id, buyer.email, buyer.email.lower(), buyer.name, buyer.phone_number)
    secret = secret_hash(f"{payment.payment_id}_secret_test")
    async with runtime.database.transaction() as tx:
        stored = await insert_payment(tx, payment, secret, pricing_of(payment), customer)
    return msgspec.structs.replace(payment, customer=stored)


async def some_wait_for_rows(runtime: Runtime) -> None:
    """Wait until a statement waits for rows that another transaction holds."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with runtime.database.read() as read:
        while not await read.fetchval(query):
            await asyncio.sleep(0.01)


async def reload(runtime: Runtime, payment: Payment) -> Payment:
    """Return the payment as it is in the database."""
    async with runtime.database.read() as read:
        found = await get_payment(read, payment.tenant, payment.payment_id)
    assert found is not None
    return found


async def attempts_of(runtime: Runtime, payment: Payment) -> list[dict[str, Any]]:
    """Return the payment's attempts as they are stored, in order."""
    query = "SELECT * FROM attempts WHERE business_id = $1 AND mode = $2 AND payment_id = $3 ORDER BY created_at"
    async with runtime.database.read() as read:
        rows = await read.fetch(query, payment.business_id, payment.mode, payment.payment_id)
    return [dict(row) for row in rows]


async def purge_simulated_books(runtime: Runtime) -> None:
    """Let the simulated bank lose its books."""
    async with runtime.database.statement() as tx:
        await tx.execute("DELETE FROM simulator.charges")


async def dump(runtime: Runtime, schemas: Sequence[str] = ("public", "simulator")) -> str:
    """Return every row of every table as text, of ours and of the simulated bank's, whatever order they lie in."""
    async with runtime.database.read() as read:
        tables = await read.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname = ANY($1) ORDER BY 1",
            list(schemas),
        )
        rows = [await read.fetch("SELECT t::text FROM {} t ORDER BY 1".format(table["name"])) for table in tables]
    return "\n".join(row["t"] for table in rows for row in table)


def card(number: str = "4242424242424242", **changes: Any) -> CardInput:
    values: dict[str, Any] = {"exp_month": 6, "exp_year": 2032, "cvc": "123", "holder_name": "Ana Lima"}
    return CardInput(number, **(values | changes))


def token_of(page: httpx.Response) -> str:
    """Return the token of the form on a page."""
    return token_in(page.text)


async def pay(client: httpx.AsyncClient, link: str, **fields: str) -> httpx.Response:
    """Open a payment link and send its form, filled with a card that works unless `fields` say otherwise."""
    token = token_of(await client.get(link))
    filled = {"number": "4242 4242 4242 4242", "expiry": "06 / 32", "cvc": "123", "name": "Ana Lima", "token": token}
    return await client.post(link, data=filled | fields)


async def unchanged(runtime: Runtime, payment: Payment) -> bool:
    """Return whether a payment is as it was, and nobody has tried to pay it."""
    return await reload(runtime, payment) == payment and await attempts_of(runtime, payment) == []


def token_in(text: str) -> str:
    """Return the token of the first form in a page's text."""
    return text.split('name="token" value="')[1].split('"')[0]


async def paid(
    runtime: Runtime,
    tenant: Tenant,
    lines: list[PaymentLine] | None = None,
    number: str = "4242424242424242",
    **changes: Any,
) -> Payment:
    """Return a payment of 24.00 dollars, 4.00 of them tax, that a card has paid or been declined for."""
    payment = await place(runtime, order(runtime, tenant, lines, **changes))
    await confirm_payment(runtime, tenant, payment.payment_id, card(number))
    return payment
