"""What the event of a payment says about the subscriptions that it charges: the same as the payment itself."""

from api.subscriptions.subscribing import Club, halfway, plan


async def _agree(club: Club) -> list[list[str]]:
    """Ensure that each event of a success shows its payment as it is; return the subscriptions of their periods."""
    told = await club.bodies("payment.succeeded")
    for data in told:
        payment = await club.call("GET", f"/payments/{data['payment_id']}")
        assert {name: value for name, value in data.items() if name != "payload_type"} == payment
    return [[period["subscription_id"] for period in data["service_periods"]] for data in told]


async def test_it_tells_the_periods_that_a_first_payment_and_renewals_pay_for(club: Club) -> None:
    own = await club.subscribe()
    await club.work(days=62)
    assert await _agree(club) == [[own["subscription_id"]]] * 3
    assert [data["service_periods"][0]["starts_at"][:10] for data in await club.bodies("payment.succeeded")] == [
        "2026-03-14",
        "2026-04-14",
        "2026-05-14",
    ]
    order = await club.told()
    assert order.index("payment.succeeded") < order.index("subscription.active"), "it comes before what follows from it"


async def test_it_tells_the_rest_of_a_period_that_a_change_of_plan_pays_for(club: Club) -> None:
    own = await halfway(club)
    change = {"product_id": await plan(club, 8000), "quantity": 1, "proration_billing_mode": "prorated_immediately"}
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", change)
    assert await _agree(club) == [[own["subscription_id"]]] * 2
    (rest,) = (await club.bodies("payment.succeeded"))[1]["service_periods"]
    assert (rest["proration_factor"], rest["ends_at"]) == ("0.5", own["next_billing_date"])


async def test_it_tells_no_period_of_a_new_method_and_none_of_a_charge_on_demand(club: Club) -> None:
    own = await club.subscribe()
    made = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    await club.pay(made)
    free = await club.subscribe(on_demand={"mandate_only": False, "product_price": 700})
    await club.call("POST", f"/subscriptions/{free['subscription_id']}/charge", {"product_price": 900})
    assert await _agree(club) == [[own["subscription_id"]], [], [], []]
