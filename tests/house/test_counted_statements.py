"""Where docs/tour.md gives a number of queries, statements or transactions, the statements are counted."""

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp

from harness import Merchant, Statements, client_for
from nicobar.flows.runtime import Runtime
from nicobar.program import books_audit
from orders import pay


async def made(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    price = {"type": "one_time_price", "currency": "USD", "price": 1000}
    product = {"name": "Field Guide", "tax_category": "e_book", "price": price}
    product_id = (await merchant.client.post("/products", json=product)).json()["product_id"]
    cart = [{"product_id": product_id, "quantity": 1}]
    body = {"billing": {"country": "DE"}, "customer": {"email": "ana@example.com"}, "product_cart": cart}
    return (body | {"payment_link": True}) | changes


async def created(merchant: Merchant, body: dict[str, Any]) -> dict[str, Any]:
    response = await merchant.client.post("/payments", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_payment_is_made_with_one_query_and_one_statement(merchant: Merchant, statements: Statements) -> None:
    body = await made(merchant)
    await created(merchant, body | {"customer": {"email": "first@example.com"}})  # the policy and the key are known
    await statements()
    await created(merchant, body)
    reading, writing = await statements()
    assert "FROM products" in reading and "FROM customers" in reading and "LEFT JOIN brands" in reading
    assert "INSERT INTO customers" in writing and "INSERT INTO payments" in writing
    assert "INSERT INTO payment_lines" in writing and "INSERT INTO kept_answers" in writing


async def test_codes_are_reserved_in_the_transaction_of_the_payment(merchant: Merchant, statements: Statements) -> None:
    body = await made(merchant)
    code = (await merchant.client.post("/discounts", json={"type": "percentage", "amount": 1000})).json()["code"]
    await created(merchant, body | {"discount_codes": [code]})  # the driver knows the types of all parameters
    await statements()
    await created(merchant, body | {"discount_codes": [code]})
    told = await statements()
    begin, end = told.index("BEGIN;"), told.index("COMMIT;")
    assert len(told[:begin]) == 2 and end == len(told) - 1
    writing = told[begin + 1 : end]
    parts = ("INSERT INTO payments", "FOR NO KEY UPDATE", "times_reserved + 1", "INSERT INTO kept_answers")
    for statement, part in zip(writing, parts, strict=True):
        assert part in statement


async def test_payments_that_are_made_side_by_side_share_the_query_and_the_statement(
    merchant: Merchant, statements: Statements
) -> None:
    body = await made(merchant)
    await created(merchant, body)
    await statements()
    await asyncio.gather(*(created(merchant, body | {"metadata": {"order": str(number)}}) for number in range(6)))
    reading, writing = await statements()
    assert "FROM products" in reading and "INSERT INTO payments" in writing


async def test_a_payment_is_read_with_one_query(merchant: Merchant, statements: Statements) -> None:
    payment_id = (await created(merchant, await made(merchant)))["payment_id"]
    await statements()
    assert (await merchant.client.get(f"/payments/{payment_id}")).status_code == 200
    (query,) = await statements()
    for table in ("payments p", "payment_lines", "disputes", "refunds", "discount_redemptions", "subscription_charges"):
        assert f"FROM {table}" in query


async def test_a_page_reads_its_payment_once_and_a_first_charge_is_three_statements(
    app: ASGIApp, merchant: Merchant, statements: Statements
) -> None:
    link = (await created(merchant, await made(merchant)))["payment_link"]
    path = httpx.URL(link).path
    async with client_for(app) as browser:
        browser.headers["accept"] = "text/html"
        await statements()
        assert (await browser.get(path)).status_code == 200
        told = await statements()
        assert len([statement for statement in told if "FROM payments p CROSS JOIN LATERAL" in statement]) == 1
        answer = await pay(browser, path)
        assert answer.status_code == 303, answer.text
        *_, begun, charged, ended = await statements()
    assert "INSERT INTO attempts" in begun and "UPDATE payments" in begun
    assert "INSERT INTO simulator.charges" in charged
    for part in ("UPDATE attempts", "UPDATE payments", "INSERT INTO ledger_entries", "INSERT INTO events"):
        assert part in ended


async def test_every_other_charge_is_two_transactions(app: ASGIApp, merchant: Merchant, statements: Statements) -> None:
    link = (await created(merchant, await made(merchant)))["payment_link"]
    path = httpx.URL(link).path
    async with client_for(app) as browser:
        browser.headers["accept"] = "text/html"
        assert (await pay(browser, path, number="4000 0000 0000 0002")).status_code == 303
        await statements()
        answer = await pay(browser, path)
        assert answer.status_code == 303, answer.text
        posted = await statements()
    writing = [index for index, statement in enumerate(posted) if statement == "BEGIN;"]
    ends = [posted.index("COMMIT;", begin) for begin in writing]
    assert len(writing) == 2
    (charged,) = [index for index, statement in enumerate(posted) if "INSERT INTO simulator.charges" in statement]
    assert writing[0] < ends[0] < charged < writing[1] < ends[1]
    assert "INSERT INTO attempts" in " ".join(posted[writing[0] : ends[0]])
    assert "INSERT INTO ledger_entries" in " ".join(posted[writing[1] : ends[1]])


async def test_the_books_are_proved_with_one_query_for_each_part(runtime: Runtime, statements: Statements) -> None:
    asked = {}
    async with runtime.database.read() as read:
        when, counts = await books_audit.prepare_audit(read, runtime.clock.now())
        for part in books_audit.PARTS:
            await statements()
            await part.examine(read, counts, when)
            asked[part.subject] = len(await statements())
    assert len(asked) == len(books_audit.PARTS)
    assert {subject: number for subject, number in asked.items() if number != 1} == {"Pending refunds": 2}
