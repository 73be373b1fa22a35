"""What `nicobar doctor` finds when somebody has changed sessions by hand."""

import pytest

from api.sessions.opening import ANA, create_session
from nicobar.program.books_audit import audit_books
from shop import Shop, item

LOST = "UPDATE checkout_sessions SET payment_id = NULL WHERE session_id = $1"
FOREIGN = """UPDATE checkout_sessions SET payment_id = (SELECT payment_id FROM payments
    WHERE options ->> 'checkout_session_id' IS NULL) WHERE session_id = $1"""


@pytest.mark.parametrize("sql", [LOST, FOREIGN])
async def test_a_session_and_its_payment_name_each_other(shop: Shop, sql: str) -> None:
    product = await shop.product()
    other = await shop.purchase(product)
    await create_session(shop, item(product))
    address = {"country": "AE"}
    made = await create_session(
        shop, item(product), confirm=True, minimal_address=True, customer=ANA, billing_address=address
    )
    async with shop.runtime.database.read() as read:
        assert [found for found in await audit_books(read, shop.clock.now()) if found.good is False] == []
        await read.execute(sql, made["session_id"])
        (found,) = [found for found in await audit_books(read, shop.clock.now()) if found.good is False]
    first, *named = found.sentence.splitlines()
    assert first == "Checkout sessions (2): some and their payments do not name each other:"
    lost = f"    {made['session_id']}: the payment {made['payment_id']} names it, and it does not name the payment"
    foreign = f"    {made['session_id']}: its payment {other['payment_id']} does not name it"
    assert sorted(named) == sorted([lost] if sql == LOST else [lost, foreign])
