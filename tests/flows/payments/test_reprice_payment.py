"""Pricing a payment again: exact amounts, codes that keep their uses, and nothing changed by what is refused."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.paying import revision
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import PaymentChange
from nicobar.core.problems import Problem
from nicobar.flows.payments import reprice_payment as flow
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.reprice_payment import reprice_payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts.redemptions import discount_counter_differences
from orders import attempts_of, card, order, place, reload
from repricing import amounts, change, codes_of, current, link, refusal
from shop import EXAMPLE_RATES, Shop, item

GERMAN = "DE136695976"
FRENCH = "FR40303265045"


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


async def test_country_and_state_decide_the_tax(shop: Shop) -> None:
    await shop.settings(tax="table")
    payment = await link(shop, item(await shop.product(2000), 2))
    assert amounts(payment) == ("USD", 4000, 0, 760, 4760)
    french = await change(shop, payment, billing=Address("FR"))
    assert amounts(french) == ("USD", 4000, 0, 800, 4800)
    assert french.settlement_tax == 800
    american = await change(shop, payment, billing=Address("US"))
    assert amounts(american) == ("USD", 4000, 0, 0, 4000)
    alabama = await change(shop, payment, billing=Address("US", "Mobile", "AL", "1 Dauphin St", "36602"))
    assert amounts(alabama) == ("USD", 4000, 0, 160, 4160)
    assert alabama.billing == Address("US", "Mobile", "AL", "1 Dauphin St", "36602")
    assert amounts(await change(shop, payment, billing=Address("US", state="alabama"))) == amounts(alabama)
    assert amounts(await change(shop, payment, billing=Address("DE"))) == amounts(payment)


async def test_country_decides_the_currency_where_prices_adapt(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", tax="table")
    payment = await link(shop, item(await shop.product(2000)), country="US")
    assert amounts(payment) == ("USD", 2000, 0, 0, 2000)
    indian = await change(shop, payment, billing=Address("IN"))
    assert amounts(indian) == ("INR", 173_056, 0, 31_150, 204_206)  # 20.00 * 83.20 * 1.04; 18 % of it
    assert (indian.settlement_currency, indian.settlement_amount, indian.settlement_tax) == ("USD", 2360, 360)
    assert amounts(await change(shop, payment, billing=Address("JP"))) == ("JPY", 3107, 0, 311, 3418)
    assert amounts(await change(shop, payment, billing=Address("US"))) == amounts(payment)


async def test_without_adaptive_prices_the_currency_stays(shop: Shop) -> None:
    payment = await link(shop, item(await shop.product(2000)), country="US")
    indian = await change(shop, payment, billing=Address("IN"))
    assert (amounts(indian), indian.billing) == (("USD", 2000, 0, 0, 2000), Address("IN"))


async def test_a_currency_of_the_request_stays(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    payment = await link(shop, item(await shop.product(2000)), country="US", billing_currency="EUR")
    assert amounts(payment) == ("EUR", 1840, 0, 0, 1840)
    assert amounts(await change(shop, payment, billing=Address("IN"))) == ("EUR", 1840, 0, 0, 1840)


async def test_a_pay_what_you_want_amount_stays(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(500, pay_what_you_want=True)
    payment = await link(shop, item(product, amount=1200), country="US")
    assert amounts(await change(shop, payment, billing=Address("GB"))) == ("GBP", 948, 0, 0, 948)


async def test_a_tax_id_brings_reverse_charge_and_takes_it_away(shop: Shop) -> None:
    await shop.settings(tax="table", seller_country="US")
    payment = await link(shop, item(await shop.product(2000)))
    assert amounts(payment) == ("USD", 2000, 0, 380, 2380)
    business = await change(shop, payment, tax_id=" de 136-695-976 ", business_name="Beispiel GmbH")
    assert amounts(business) == ("USD", 2000, 0, 0, 2000)
    assert (business.options.tax_id, business.options.customer_business_name) == (GERMAN, "Beispiel GmbH")
    private = await change(shop, payment, tax_id=None)
    assert amounts(private) == amounts(payment)
    assert (private.options.tax_id, private.options.customer_business_name) == (None, None)


async def test_a_business_name_needs_a_tax_id(shop: Shop) -> None:
    payment = await link(shop, item(await shop.product(2000)))
    assert (await change(shop, payment, business_name="Beispiel GmbH")).options.customer_business_name is None


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"billing": Address("KP")}, ("UNSUPPORTED_COUNTRY", "billing.country")),
        ({"tax_id": "DE123"}, ("INVALID_TAX_ID", "tax_id")),
        ({"tax_id": FRENCH}, ("INVALID_TAX_ID", "tax_id")),
        ({"add_code": "NOTHING"}, ("INVALID_DISCOUNT_CODE", "discount_codes[1]")),
        ({"add_code": "TOOMUCH"}, ("TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT", None)),
        ({"add_code": "TAKEN"}, ("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED", "discount_codes[1]")),
        ({"add_code": "LATE"}, ("DISCOUNT_CODE_EXPIRED", "discount_codes[1]")),
    ],
)
async def test_a_refused_change_changes_nothing(
    shop: Shop, clock: FakeClock, changes: dict[str, Any], refused: tuple[str, str | None]
) -> None:
    await shop.settings(tax="table", blocked_countries="KP")
    product = await shop.product(2000)
    await shop.percentage("TEN", 1000)
    await shop.percentage("TOOMUCH", 9900)
    await shop.percentage("TAKEN", 1000, usage_limit=1)
    await shop.percentage("LATE", 1000, expires_at=(clock.now() + timedelta(minutes=1)).isoformat())
    await link(shop, item(product), discount_codes=["TAKEN"], customer={"email": "ben@example.com"})
    payment = await link(shop, item(product), discount_codes=["TEN"])
    clock.advance(minutes=1)
    assert await refusal(shop, payment, **changes) == refused


async def test_a_code_is_reserved_and_given_back(shop: Shop) -> None:
    code = await shop.percentage("TEN", 1000, usage_limit=1)
    product = await shop.product(2000)
    payment = await link(shop, item(product))
    assert amounts(await change(shop, payment, add_code="TEN")) == ("USD", 2000, 200, 0, 1800)
    assert await codes_of(shop, payment) == [("TEN", 0, 200)]
    assert await shop.uses(code) == (0, 1)
    other = await link(shop, item(product), customer={"email": "ben@example.com"})
    assert (await refusal(shop, other, add_code="TEN"))[0] == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"
    again = await change(shop, payment, add_code="TEN")
    assert again.options.discount_codes == ["TEN"]
    assert amounts(await change(shop, payment, remove_code="TEN")) == ("USD", 2000, 0, 0, 2000)
    assert (await codes_of(shop, payment), await shop.uses(code)) == ([], (0, 0))
    assert amounts(await change(shop, other, add_code="TEN")) == ("USD", 2000, 200, 0, 1800)
    assert await shop.uses(code) == (0, 1)


async def test_codes_keep_their_order_and_their_uses(shop: Shop) -> None:
    await shop.settings(tax="table", adaptive_pricing="on")
    names = ["ONE", "TWO", "TRE"]
    ids = [await shop.percentage(name, 1000, usage_limit=1, per_customer_usage_limit=1) for name in names]
    payment = await link(shop, item(await shop.product(10_000)), discount_codes=["ONE", "TWO"])
    assert amounts(await change(shop, payment, add_code="TRE")) == ("EUR", 9200, 2493, 1274, 7981)
    assert await codes_of(shop, payment) == [("ONE", 0, 920), ("TWO", 1, 828), ("TRE", 2, 745)]
    assert amounts(await change(shop, payment, billing=Address("US"))) == ("USD", 10_000, 2710, 0, 7290)
    assert await codes_of(shop, payment) == [("ONE", 0, 1000), ("TWO", 1, 900), ("TRE", 2, 810)]
    assert amounts(await change(shop, payment, remove_code="ONE")) == ("USD", 10_000, 1900, 0, 8100)
    assert await codes_of(shop, payment) == [("TWO", 0, 1000), ("TRE", 1, 900)]
    assert [await shop.uses(discount_id) for discount_id in ids] == [(0, 0), (0, 1), (0, 1)]
    assert amounts(await change(shop, payment, add_code="ONE")) == ("USD", 10_000, 2710, 0, 7290)
    assert await codes_of(shop, payment) == [("TWO", 0, 1000), ("TRE", 1, 900), ("ONE", 2, 810)]


@pytest.mark.parametrize("end", ["expired", "deleted", "renamed", "lowered"])
async def test_a_code_that_was_agreed_on_stays_agreed(shop: Shop, clock: FakeClock, end: str) -> None:
    """What an open payment was promised stays promised, whatever its merchant does with the code since."""
    await shop.settings(tax="table")
    soon = (clock.now() + timedelta(hours=1)).isoformat()
    code = await shop.percentage("TEN", 1000, expires_at=soon, usage_limit=5)
    payment = await link(shop, item(await shop.product(2000)), discount_codes=["TEN"])
    if end == "expired":
        clock.advance(hours=2)
    elif end == "lowered":
        more: dict[str, Any] = {"discount_codes": ["TEN"], "customer": {"email": "ben@example.com"}}
        await link(shop, item(await shop.product(2000)), **more)
        await shop.client.patch(f"/discounts/{code}", json={"usage_limit": 1})
    else:
        await shop.client.delete(f"/discounts/{code}")
        if end == "renamed":
            await shop.percentage("TEN", 9000)
    assert amounts(await change(shop, payment, billing=Address("FR"))) == ("USD", 2000, 200, 360, 2160)
    assert await codes_of(shop, payment) == [("TEN", 0, 200)]
    await change(shop, payment, remove_code="TEN")
    if end != "renamed":
        problems = {
            "expired": "DISCOUNT_CODE_EXPIRED",
            "deleted": "INVALID_DISCOUNT_CODE",
            "lowered": "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED",
        }
        assert await refusal(shop, payment, add_code="TEN") == (problems[end], "discount_codes[0]")


async def test_a_code_for_everything_makes_the_order_free_and_back(shop: Shop) -> None:
    await shop.percentage("GIFT", 10_000)
    payment = await link(shop, item(await shop.product(2000)))
    assert amounts(await change(shop, payment, add_code="GIFT")) == ("USD", 2000, 2000, 0, 0)
    assert amounts(await change(shop, payment, remove_code="GIFT")) == ("USD", 2000, 0, 0, 2000)


async def test_payments_that_swap_their_codes_do_not_stop_each_other(shop: Shop) -> None:
    await shop.percentage("ONE", 1000)
    await shop.percentage("TWO", 2000)
    product = await shop.product(2000)
    first = await link(shop, item(product), discount_codes=["ONE"])
    second = await link(shop, item(product), discount_codes=["TWO"])
    for _ in range(5):
        async with asyncio.timeout(20):
            await asyncio.gather(
                reprice_payment(
                    shop.runtime, first.tenant, first.payment_id, PaymentChange(remove_code="ONE", add_code="TWO")
                ),
                reprice_payment(
                    shop.runtime, second.tenant, second.payment_id, PaymentChange(remove_code="TWO", add_code="ONE")
                ),
            )
        assert [await codes_of(shop, payment) for payment in (first, second)] == [[("TWO", 0, 400)], [("ONE", 0, 200)]]
        first, second = second, first
    async with shop.runtime.database.read() as read:
        assert await discount_counter_differences(read) == []


async def test_twenty_customers_at_once_never_exceed_a_limit(shop: Shop) -> None:
    code = await shop.percentage("FEW", 1000, usage_limit=3)
    product = await shop.product(2000)
    payments = [await link(shop, item(product), customer={"email": f"b{n}@example.com"}) for n in range(20)]
    ends = await asyncio.gather(
        *[reprice_payment(shop.runtime, one.tenant, one.payment_id, PaymentChange(add_code="FEW")) for one in payments],
        return_exceptions=True,
    )
    refused = [end.code for end in ends if isinstance(end, Problem)]
    assert refused == ["DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"] * 17
    assert await shop.uses(code) == (0, 3)


async def test_an_address_that_is_completed_does_not_move_the_price(shop: Shop) -> None:
    """Between two visits the rates of the day may move; who only types a street must not pay more for it."""
    await shop.settings(adaptive_pricing="on", tax="table")
    payment = await link(shop, item(await shop.product(2000)))
    assert amounts(payment) == ("EUR", 1840, 0, 350, 2190)
    await shop.rates(EXAMPLE_RATES | {"EUR": "0.95"})
    address = Address("DE", "Berlin", "Brandenburg", "Unter den Linden 1", "10117")
    completed = await change(shop, payment, billing=address)
    assert (amounts(completed), completed.billing) == (amounts(payment), address)
    assert amounts(await change(shop, payment, billing=Address("FR"))) == ("EUR", 1840, 0, 368, 2208)
    newer = await link(shop, item(await shop.product(2000)))
    assert amounts(newer) == ("EUR", 1900, 0, 361, 2261)


async def test_what_was_told_of_a_customer_can_be_corrected_where_it_was_told(shop: Shop) -> None:
    payment = await link(shop, item(await shop.product(2000)))
    assert (payment.customer.name, payment.customer.phone_number) == ("", None)
    named = await change(shop, payment, name="Ana Lima", phone_number="+4930123456")
    assert (named.customer.name, named.customer.phone_number) == ("Ana Lima", "+4930123456")
    assert revision(named) == revision(payment)
    corrected = await change(shop, payment, name="Ana Lina", phone_number="+4930999999")
    assert (corrected.customer.name, corrected.customer.phone_number) == ("Ana Lina", "+4930999999")
    assert revision(corrected) == revision(payment)
    other = await link(shop, item(await shop.product(2000)))
    assert other.customer == corrected.customer
    kept = await change(shop, other, name="Somebody Else", phone_number="+4930111111")
    assert kept == other, "its page has told nothing"


async def test_every_change_has_a_moment_of_its_own(shop: Shop) -> None:
    """The clock of these tests stands still, as one that is set back seems to."""
    payment = await link(shop, item(await shop.product(2000)))
    moments = [revision(payment)]
    for country in ("FR", "DE", "FR"):
        moments.append(revision(await change(shop, payment, billing=Address(country))))
    assert moments == sorted(set(moments))


@pytest.mark.parametrize("state", ["succeeded", "cancelled", "processing", "expired"])
async def test_what_cannot_be_paid_is_not_repriced(shop: Shop, clock: FakeClock, state: str) -> None:
    changes: dict[str, Any] = {} if state == "expired" else {"status": state}
    payment = await place(shop.runtime, order(shop.runtime, shop.merchant.tenant, **changes))
    if state == "expired":
        clock.advance(hours=24)
    wish = PaymentChange(billing=Address("FR"), name="Eve", phone_number="+33140205050")
    new = await reprice_payment(shop.runtime, payment.tenant, payment.payment_id, wish)
    assert new == payment == await reload(shop.runtime, payment)


async def test_a_payment_that_others_keep_changing_is_left_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = await link(shop, item(await shop.product(2000)))
    original = vars(flow)["price_again"]

    async def overtaken(*arguments: Any) -> Any:
        """Price, while somebody else changes the payment."""
        monkeypatch.setattr(flow, "price_again", original)
        before = await current(shop, payment.payment_id)
        other = Address({"DE": "FR", "FR": "DE"}[before.billing.country])
        await reprice_payment(shop.runtime, payment.tenant, payment.payment_id, PaymentChange(billing=other))
        monkeypatch.setattr(flow, "price_again", overtaken)
        return await original(*arguments)

    monkeypatch.setattr(flow, "price_again", overtaken)
    with pytest.raises(Problem) as caught:
        await reprice_payment(shop.runtime, payment.tenant, payment.payment_id, PaymentChange(billing=Address("US")))
    assert (caught.value.code, caught.value.status) == ("UNSUPPORTED_ACTION", 409)
    assert (await current(shop, payment.payment_id)).billing.country == "FR"


async def test_parallel_changes_and_confirmations_charge_what_was_shown(shop: Shop, clock: FakeClock) -> None:
    await shop.settings(tax="table")
    product = await shop.product(2000)
    totals = {"DE": 2380, "FR": 2400, "US": 2000, "GB": 2400, "CH": 2162}
    for number in range(10):
        payment = await link(shop, item(product), customer={"email": f"b{number}@example.com"})
        shown: dict[Any, int] = {revision(payment): payment.total_amount}

        async def repricing(country: str, payment: Payment = payment, shown: dict[Any, int] = shown) -> None:
            new = await reprice_payment(
                shop.runtime, payment.tenant, payment.payment_id, PaymentChange(billing=Address(country))
            )
            shown[revision(new)] = new.total_amount

        async def confirming(payment: Payment = payment, shown: dict[Any, int] = shown) -> None:
            for seen in list(shown):
                await confirm_payment(shop.runtime, payment.tenant, payment.payment_id, card(), seen)
                await asyncio.sleep(0)

        await asyncio.gather(*[part for country in totals for part in (repricing(country), confirming())])
        paid = await current(shop, payment.payment_id)
        attempts = await attempts_of(shop.runtime, payment)
        assert len(attempts) <= 1
        assert paid.total_amount == totals[paid.billing.country]
        if attempts:
            assert attempts[0]["amount"] == paid.total_amount
        else:
            await confirm_payment(shop.runtime, payment.tenant, payment.payment_id, card(), revision(paid))
        done = await reload(shop.runtime, payment)
        assert (done.status, done.total_amount) == ("succeeded", paid.total_amount)


async def test_an_unknown_payment_is_not_found(shop: Shop) -> None:
    with pytest.raises(Problem) as caught:
        await reprice_payment(
            shop.runtime, shop.merchant.tenant, "pay_000000000000000000000", PaymentChange(name="Eve")
        )
    assert caught.value.code == "NOT_FOUND"
