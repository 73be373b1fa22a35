"""Add-ons whose number the buyer of a session chooses: what is offered, priced and subscribed to."""

import html
import re
from typing import Any

import httpx
import pytest

from api.subscriptions.subscribing import Club, addon_of, open_session
from orders import dump, pay
from pages.session.filling import errors_of, fields_of, send, total_of
from shop import Shop, item

EDITING: dict[str, Any] = {"feature_flags": {"allow_editing_addons": True}}
TYPED = {"email": "kim@example.com", "customer_name": "Kim Park", "country": "US"}
PLACE = {"street": "1 Main St", "zipcode": "94601", "city": "Oakland", "state": "CA"}


async def club_with_addons(club: Club) -> tuple[str, str, str]:
    """Return a product of 30 dollars a month, and its add-ons of 5 and of 2 dollars."""
    product, other = await club.product(), await club.product(name="Other")
    seat, disk = await addon_of(club, other), await addon_of(club, other, price=200)
    await club.call("PATCH", f"/addons/{disk}", {"name": "Disk"})
    await club.call("PATCH", f"/products/{product}", {"addons": [disk, seat]})
    return product, seat, disk


def offered(page: httpx.Response) -> dict[str, str]:
    """Return the numbers of add-ons that a form holds, by field."""
    return {name: text for name, text in fields_of(page).items() if name.startswith("addon_")}


def lines_of(page: httpx.Response) -> list[str]:
    return [html.unescape(text) for text in re.findall(r'<span class="line-name">([^<]+)<', page.text)]


async def test_more_fewer_and_other_addons_are_priced_and_subscribed_to(club: Club) -> None:
    product, seat, disk = await club_with_addons(club)
    cart = item(product, 2) | {"addons": [{"addon_id": seat, "quantity": 3}]}
    page = await open_session(club, cart, **EDITING)
    seats, disks = f"addon_0_{seat}", f"addon_0_{disk}"
    assert (offered(page), total_of(page)) == ({seats: "3", disks: "0"}, "$75.00")  # two of 30, three of 5
    assert ">Seat (quantity)<" in page.text and "$5.00 · every month" in page.text
    page = await send(club.browser, page, **{seats: "١", disks: " 4 "}, update="yes", **TYPED)
    assert (page.status_code, total_of(page)) == (200, "$73.00")  # 60, 5 and four of 2
    assert (lines_of(page), offered(page)) == (["Club", "Seat", "Disk"], {seats: "١", disks: "4"})
    assert "Then $73.00 every month" in page.text
    page = await send(club.browser, page, **{seats: ""}, update="yes")
    assert (lines_of(page), total_of(page)) == (["Club", "Disk"], "$68.00")
    onward = await send(club.browser, page, **TYPED, **PLACE)
    assert onward.status_code == 303, onward.text
    assert total_of(await club.browser.get(onward.headers["location"])) == "$68.00"
    await pay(club.browser, onward.headers["location"])
    (listed,) = (await club.call("GET", "/subscriptions"))["items"]
    own = await club.read(listed["subscription_id"])
    assert (own["status"], own["quantity"], own["recurring_pre_tax_amount"]) == ("active", 2, 6800)
    assert own["addons"] == [{"addon_id": disk, "quantity": 4}]
    (paid,) = await club.payments(own["subscription_id"])
    assert (paid["status"], paid["total_amount"]) == ("succeeded", 6800)
    await club.work(days=32)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [6800, 6800]
    await club.books_agree()


@pytest.mark.parametrize("flags", [{}, {"allow_editing_addons": False}])
async def test_without_the_flag_nothing_is_offered_and_nothing_taken(club: Club, flags: dict[str, bool]) -> None:
    product, seat, disk = await club_with_addons(club)
    cart = item(product) | {"addons": [{"addon_id": seat, "quantity": 1}]}
    page = await open_session(club, cart, feature_flags=flags)
    assert (offered(page), total_of(page)) == ({}, "$35.00")
    forged = {f"addon_0_{seat}": "0", f"addon_0_{disk}": "9"}
    onward = await send(club.browser, page, **TYPED, **PLACE, **forged)
    assert total_of(await club.browser.get(onward.headers["location"])) == "$35.00"


@pytest.mark.parametrize("text", ["1.5", "-1", "ten", "10001", "1" * 39])
async def test_what_is_no_number_is_refused_and_makes_nothing(club: Club, text: str) -> None:
    product, seat, _ = await club_with_addons(club)
    page = await open_session(club, item(product), **EDITING)
    before, name = await dump(club.runtime), f"addon_0_{seat}"
    for more in ({}, {"update": "yes"}):
        answer = await send(club.browser, page, **TYPED, **PLACE, **{name: text}, **more)
        assert (answer.status_code, total_of(answer)) == (422, "$30.00")
        assert errors_of(answer) == {name: "Enter a whole number from 0 to 10000."}
        assert f'<li><a href="#{name}">' in answer.text and offered(answer)[name] == text[:12]
    assert await dump(club.runtime) == before


@pytest.mark.parametrize("field", ["addon", "code", "street"])
async def test_no_part_of_a_card_number_is_shown_again(club: Club, field: str) -> None:
    product, seat, _ = await club_with_addons(club)
    page = await open_session(
        club, item(product), feature_flags={**EDITING["feature_flags"], "allow_discount_code": True}
    )
    name = f"addon_0_{seat}" if field == "addon" else field
    number = "4242424242424242"
    before = await dump(club.runtime)
    typed = {"addon": number, "code": "X" * 52 + number, "street": "x" * 490 + number}
    answer = await send(club.browser, page, **{**TYPED, **PLACE, name: typed[field]})
    assert answer.status_code == 422 and name in errors_of(answer)
    assert "4242" not in answer.text and "XXXXX" not in answer.text
    assert await dump(club.runtime) == before


async def test_only_what_the_product_has_today_is_offered(club: Club, shop: Shop) -> None:
    product, seat, disk = await club_with_addons(club)
    page = await open_session(club, item(await shop.product(500)), item(product), **EDITING)
    assert offered(page) == {f"addon_1_{disk}": "0", f"addon_1_{seat}": "0"}
    await club.call("DELETE", f"/addons/{seat}")
    await club.call("PATCH", f"/products/{product}", {"addons": [seat]})
    again = await club.browser.get(str(page.url))
    assert (offered(again), total_of(again)) == ({}, "$35.00")
    late = await send(club.browser, page, **TYPED, **PLACE, **{f"addon_1_{disk}": "2"})
    assert total_of(await club.browser.get(late.headers["location"])) == "$35.00"


async def test_what_is_charged_on_demand_takes_none(club: Club) -> None:
    product, _, _ = await club_with_addons(club)
    terms: dict[str, Any] = {"subscription_data": {"on_demand": {"mandate_only": False, "product_price": 700}}}
    page = await open_session(club, item(product), **EDITING, **terms)
    assert (offered(page), total_of(page)) == ({}, "$7.00")


async def test_more_than_a_product_may_have_is_kept_as_the_seller_sent_it(club: Club) -> None:
    product, seat, _ = await club_with_addons(club)
    cart = item(product) | {"addons": [{"addon_id": seat, "quantity": 10_002}]}
    page = await open_session(club, cart, **EDITING)
    assert (await send(club.browser, page, update="yes")).status_code == 200
    answer = await send(club.browser, page, **{f"addon_0_{seat}": "10003"}, update="yes")
    assert errors_of(answer) == {f"addon_0_{seat}": "Enter a whole number from 0 to 10002."}


async def test_one_step_asks_again_before_it_charges_another_total(club: Club) -> None:
    product, seat, _ = await club_with_addons(club)
    flags: dict[str, Any] = {"feature_flags": {"allow_editing_addons": True, "single_page": True}}
    page = await open_session(club, item(product), **flags)
    card = {"method": "card", "number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Kim Park"}
    told = TYPED | {"zipcode": "94601", "state": "CA", f"addon_0_{seat}": "1"}
    page = await send(club.browser, page, **told, **card)
    assert (page.status_code, total_of(page)) == (409, "$35.00")
    assert await club.counted("payments") == 0
    onward = await send(club.browser, page, **told, **card)
    assert onward.status_code == 303
    (own,) = (await club.call("GET", "/subscriptions"))["items"]
    assert (own["status"], own["recurring_pre_tax_amount"]) == ("active", 3500)
