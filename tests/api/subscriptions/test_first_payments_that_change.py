"""What a customer changes on the page of a first payment is what is subscribed to."""

import asyncio

from api.subscriptions.subscribing import Club
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.repricing import PaymentChange
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.payments.reprice_payment import reprice_payment


async def adaptive(club: Club) -> None:
    for name, value in (
        ("seller_country", "US"),
        ("tax", "table"),
        ("adaptive_pricing", "on"),
        ("currencies", "USD,EUR"),
    ):
        await change_setting(club.runtime, club.merchant.tenant, name, value)
    club.clock.advance(seconds=10)


async def test_another_address_brings_its_taxes_and_its_currency(club: Club) -> None:
    await adaptive(club)
    made = await club.request(await club.product(), billing={"country": "US", "state": "OR", "zipcode": "97201"})
    change = PaymentChange(billing=Address("DE", "Bonn", None, "Weg 1", "53111"))
    await reprice_payment(club.runtime, club.merchant.tenant, made["payment_id"], change)
    await club.pay(made)
    own = await club.read(made["subscription_id"])
    first = (await club.payments(own["subscription_id"]))[0]
    assert (own["currency"], own["billing"]["country"]) == ("EUR", "DE") == (first["currency"], "DE")
    assert own["recurring_pre_tax_amount"] == first["total_amount"] - first["tax"] and first["tax"] > 0
    await club.work(days=31)
    renewal = (await club.payments(own["subscription_id"]))[-1]
    assert (renewal["charge_type"], renewal["currency"], renewal["tax"] > 0) == ("renewal", "EUR", True)
    assert renewal["settlement_currency"] == "USD"
    await club.books_agree()


async def test_a_localized_price_of_another_country_does_not_contain_the_tax(club: Club) -> None:
    await adaptive(club)
    product_id = await club.product(tax_inclusive=True)
    await club.call("PATCH", f"/products/{product_id}", {"pricing_mode": "by_country"})
    price = {"amount": 2000, "currency": "EUR", "country_code": "DE"}
    await club.call("POST", f"/products/{product_id}/localized-prices", price)
    made = await club.request(product_id, billing={"country": "US", "state": "OR", "zipcode": "97201"})
    assert (await club.read(made["subscription_id"]))["tax_inclusive"] is True
    change = PaymentChange(billing=Address("DE", "Bonn", None, "Weg 1", "53111"))
    await reprice_payment(club.runtime, club.merchant.tenant, made["payment_id"], change)
    await club.pay(made)
    own = await club.read(made["subscription_id"])
    (first,) = await club.payments(own["subscription_id"])
    assert first["total_amount"] - first["tax"] == own["recurring_pre_tax_amount"] and first["tax"] > 0
    assert own["tax_inclusive"] is False


async def test_a_trial_in_another_currency_keeps_its_code(club: Club) -> None:
    await adaptive(club)
    await club.call("POST", "/discounts", {"type": "percentage", "amount": 5000, "code": "HALF"})
    flat = {"type": "flat", "amount": 1, "code": "FIVE"}
    options = [{"currency": "USD", "max_amount_possible": 500}, {"currency": "EUR", "max_amount_possible": 300}]
    await club.call("POST", "/discounts", flat | {"currency_options": [options[0] | {"is_default": True}, options[1]]})
    made = await club.request(await club.product(trial_period_days=7), discount_codes=["HALF", "FIVE"])
    change = PaymentChange(billing=Address("DE", "Bonn", None, "Weg 1", "53111"))
    await reprice_payment(club.runtime, club.merchant.tenant, made["payment_id"], change)
    await club.pay(made)
    own = await club.read(made["subscription_id"])
    assert (own["currency"], own["discounts"][0]["code"]) == ("EUR", "HALF")
    await club.work(days=7)
    renewal = (await club.payments(own["subscription_id"]))[-1]
    assert renewal["total_amount"] - renewal["tax"] == -(-own["recurring_pre_tax_amount"] // 2) - 300
    await club.books_agree()


async def test_two_workers_and_a_cancellation_at_once_leave_one_truth(club: Club) -> None:
    from due_work import run_due

    own = await club.subscribe()
    club.clock.advance(days=31)
    path = f"/subscriptions/{own['subscription_id']}"
    body = {"status": "cancelled"}
    ask = club.merchant.client.patch(path, json=body)
    _, answer, _ = await asyncio.gather(run_due(club.runtime), ask, run_due(club.runtime))
    await club.work()
    if answer.status_code != 200:  # the charge was under way: nothing was cancelled, and now it can be
        assert (answer.status_code, answer.json()["code"]) == (409, "PREVIOUS_PAYMENT_PENDING")
        await club.call("PATCH", path, body)
    assert (await club.read(own["subscription_id"]))["status"] == "cancelled"
    assert len(await club.payments(own["subscription_id"])) <= 2
    await club.books_agree()
