"""Which discount codes a payment of a subscription names, and for how many cycles they still work."""

from typing import Any

from api.subscriptions.subscribing import RENEWALS_FAIL, Club, halfway, plan

Named = list[tuple[str, int, int | None]]


async def _code(club: Club, name: str, percent: int, **limits: Any) -> str:
    body = {"type": "percentage", "amount": percent * 100, "code": name, **limits}
    made: str = (await club.call("POST", "/discounts", body))["discount_id"]
    return made


async def _named(club: Club, subscription_id: str) -> list[tuple[int, Named]]:
    """Return of each payment its total, and code, position and remaining cycles of its discounts."""
    found = []
    for payment in await club.payments(subscription_id):
        discounts = payment["discounts"]
        assert payment["discount_id"] == (discounts[0]["discount_id"] if discounts else None)
        named = [(each["code"], each["position"], each["cycles_remaining"]) for each in discounts or []]
        found.append((payment["total_amount"], named))
    return found


async def test_a_renewal_names_the_codes_that_lowered_it(club: Club) -> None:
    await _code(club, "HALF", 50, subscription_cycles=2)
    await _code(club, "TENTH", 10)
    own = await club.subscribe(discount_codes=["HALF", "TENTH"])
    both: Named = [("HALF", 0, 1), ("TENTH", 1, None)]
    assert await _named(club, own["subscription_id"]) == [(1350, both)]
    await club.work(days=31)
    await club.work(days=31)
    both = [("HALF", 0, 0), ("TENTH", 1, None)]
    one: Named = [("TENTH", 0, None)]
    assert await _named(club, own["subscription_id"]) == [(1350, both), (1350, both), (2700, one)]
    first, second, third = await club.bodies("payment.succeeded")
    assert [each["cycles_remaining"] for each in first["discounts"]] == [1, None]
    assert [each["cycles_remaining"] for each in second["discounts"]] == [0, None]
    assert third["discounts"][0] == (await club.payments(own["subscription_id"]))[2]["discounts"][0]
    used = (await club.call("GET", "/discounts"))["items"]
    assert [each["times_used"] for each in used] == [1, 1], "a code is used once for its subscription"


async def test_a_renewal_that_is_declined_names_them_too(club: Club) -> None:
    await _code(club, "HALF", 50, subscription_cycles=3)
    own = await club.subscribe(number=RENEWALS_FAIL, discount_codes=["HALF"])
    await club.work(days=31)
    named: Named = [("HALF", 0, 2)]
    assert await _named(club, own["subscription_id"]) == [(1500, named), (1500, named)]
    (declined,) = await club.bodies("payment.failed")
    assert declined["discounts"] == (await club.payments(own["subscription_id"]))[1]["discounts"]


async def test_a_change_of_plan_ends_the_codes_that_it_does_not_keep(club: Club) -> None:
    """What it costs is what is left of the old price, from which its codes were taken: no code lowers that."""
    await _code(club, "KEPT", 50, preserve_on_plan_change=True)
    await _code(club, "LOST", 10, subscription_cycles=9)
    own = await halfway(club, discount_codes=["KEPT", "LOST"])
    change = {"product_id": await plan(club, 8000), "quantity": 1, "proration_billing_mode": "full_immediately"}
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", change)
    await club.work(days=30)
    kept: Named = [("KEPT", 0, None)]
    first: Named = [*kept, ("LOST", 1, 0)]
    assert await _named(club, own["subscription_id"]) == [(1350, first), (4000, []), (4000, kept)]


async def test_a_first_payment_tells_the_cycles_that_its_code_will_have(club: Club) -> None:
    await _code(club, "HALF", 50, subscription_cycles=3)
    made = await club.request(await club.product(), discount_codes=["HALF"])
    assert await _named(club, made["subscription_id"]) == [(1500, [("HALF", 0, 3)])]
    await _code(club, "TRIAL", 50, subscription_cycles=1)
    trial = await club.subscribe(await club.product(trial_period_days=7), discount_codes=["TRIAL"])
    assert await _named(club, trial["subscription_id"]) == [(0, [("TRIAL", 0, 1)])]
    await club.work(days=8)
    named: Named = [("TRIAL", 0, 0)]
    assert await _named(club, trial["subscription_id"]) == [(0, named), (1500, named)]
