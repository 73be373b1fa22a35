"""Add-ons: kept in the catalogue, attached to products, charged with the plan."""

from typing import Any

import pytest

from api.subscriptions.subscribing import PRICE, Club
from harness import Merchant

SEAT: dict[str, Any] = {"name": "Seat", "price": 1000, "currency": "USD", "tax_category": "saas"}


async def addon(club: Club, **changes: Any) -> str:
    made: str = (await club.call("POST", "/addons", SEAT | changes))["id"]
    return made


async def with_addons(club: Club, *addon_ids: str, **price: Any) -> str:
    body = {"name": "Club", "tax_category": "saas", "price": PRICE | price, "addons": list(addon_ids)}
    made: str = (await club.call("POST", "/products", body))["product_id"]
    return made


async def test_an_addon_is_made_read_changed_and_archived(club: Club) -> None:
    made = await club.call("POST", "/addons", SEAT | {"description": "One more"})
    assert made["id"].startswith("adn_") and made["business_id"] == club.merchant.business_id
    assert {name: made[name] for name in SEAT} == SEAT and made["image"] is None
    path = f"/addons/{made['id']}"
    assert await club.call("GET", path) == made
    club.clock.advance(minutes=1)
    changed = await club.call("PATCH", path, {"price": 1200, "description": None})
    assert (changed["price"], changed["description"], changed["name"]) == (1200, None, "Seat")
    assert changed["updated_at"] > made["updated_at"]
    assert (await club.call("GET", "/addons"))["items"] == [changed]
    await club.call("DELETE", path)
    assert (await club.call("GET", "/addons"))["items"] == []
    assert [each["id"] for each in (await club.call("GET", "/addons?archived=true"))["items"]] == [made["id"]]
    await club.call("POST", f"{path}/unarchive")
    assert len((await club.call("GET", "/addons"))["items"]) == 1


async def test_its_picture_is_uploaded_and_then_shown(club: Club) -> None:
    addon_id = await addon(club)
    offered = await club.call("PUT", f"/addons/{addon_id}/images")
    assert offered["image_id"] in offered["url"]
    body = {"image_id": offered["image_id"]}
    assert (await club.call("PATCH", f"/addons/{addon_id}", body, 404))["code"] == "NOT_FOUND"  # not uploaded yet


@pytest.mark.parametrize("changes", [{"name": " "}, {"price": -1}, {"currency": "XXX"}, {"tax_category": "food"}])
async def test_what_is_refused_stores_nothing(club: Club, changes: dict[str, Any]) -> None:
    assert (await club.call("POST", "/addons", SEAT | changes, 422))["code"] == "INVALID_REQUEST_BODY"
    assert await club.counted("addons") == 0


async def test_nobody_else_sees_it(club: Club, other_merchant: Merchant) -> None:
    path = f"/addons/{await addon(club)}"
    for client in (other_merchant.client, club.merchant.live_client):
        assert (await client.get(path)).status_code == (await client.delete(path)).status_code == 404
        assert (await client.patch(path, json={"price": 1})).status_code == 404
        for place in ("images", "unarchive"):
            method = client.put if place == "images" else client.post
            assert (await method(f"{path}/{place}")).status_code == 404
        assert (await client.get("/addons")).json() == {"items": []}


async def test_addons_are_charged_with_the_plan_each_cycle(club: Club) -> None:
    seat, storage = await addon(club), await addon(club, name="Storage", price=250)
    product_id = await with_addons(club, seat, storage)
    wanted = [{"addon_id": seat, "quantity": 3}, {"addon_id": storage, "quantity": 1}]
    made = await club.request(product_id, addons=wanted)
    assert (made["addons"], made["recurring_pre_tax_amount"]) == (wanted, 6250)
    await club.pay(made)
    await club.call("PATCH", f"/addons/{seat}", {"price": 9999})
    await club.call("DELETE", f"/addons/{seat}")
    await club.work(days=31)
    own = await club.read(made["subscription_id"])
    assert (own["addons"], own["recurring_pre_tax_amount"]) == (wanted, 6250)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [6250, 6250]
    await club.books_agree()


async def test_the_documented_example_with_three_addons(club: Club) -> None:
    """From 30 to 80 with three add-ons of 10, halfway: 40 + 15 - 15."""
    seat = await addon(club)
    cycle = {"payment_frequency_count": 30, "payment_frequency_interval": "Day"}
    own = await club.subscribe(await with_addons(club, seat, **cycle))
    club.clock.advance(days=15)
    body = {
        "product_id": await with_addons(club, seat, price=8000, **cycle),
        "quantity": 1,
        "proration_billing_mode": "prorated_immediately",
        "addons": [{"addon_id": seat, "quantity": 3}],
    }
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    preview = await club.call("POST", f"{path}/preview", body)
    lines = preview["immediate_charge"]["line_items"]
    assert [(each["type"], each["quantity"], each["proration_factor"]) for each in lines] == [
        ("subscription", 1, 0.5),
        ("addon", 3, 0.5),
        ("subscription", 1, -0.5),
    ]
    await club.call("POST", path, body)
    charged = (await club.payments(own["subscription_id"]))[1]
    assert charged["total_amount"] == 4000
    club.clock.advance(minutes=1)
    body = {"product_id": body["product_id"], "quantity": 1, "proration_billing_mode": "do_not_bill"}
    await club.call("POST", path, body)
    assert (await club.read(own["subscription_id"]))["addons"] == []  # a change without add-ons removes them


async def test_what_is_not_attached_or_archived_cannot_be_bought(club: Club) -> None:
    seat, other = await addon(club), await addon(club)
    product_id = await with_addons(club, seat)
    await club.call("DELETE", f"/addons/{seat}")
    for addon_id in (seat, other):
        body = {
            "billing": {"country": "US"},
            "customer": {"email": "ana@example.com"},
            "product_id": product_id,
            "quantity": 1,
            "addons": [{"addon_id": addon_id, "quantity": 1}],
        }
        refused = await club.call("POST", "/subscriptions", body, 422)
        assert (refused["code"], addon_id in refused["message"]) == ("MISSING_ADDON_IDS", True)
    assert await club.counted("subscriptions") == 0


async def test_an_addon_of_which_none_is_taken_is_left_out(club: Club) -> None:
    seat = await addon(club)
    product_id = await with_addons(club, seat)
    none, two = ([{"addon_id": seat, "quantity": count}] for count in (0, 2))
    made = await club.request(product_id, addons=none)
    assert (made["addons"], made["recurring_pre_tax_amount"]) == ([], 3000)
    own = await club.subscribe(product_id, addons=two)
    body = {"product_id": product_id, "quantity": 1, "proration_billing_mode": "do_not_bill", "addons": none}
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    assert (await club.call("POST", f"{path}/preview", body))["new_plan"]["addons"] == []
    await club.call("POST", path, body)
    assert (await club.read(own["subscription_id"]))["addons"] == []
    await club.call("POST", path, body | {"addons": [{"addon_id": seat, "quantity": -1}]}, 422)
