"""What customers do with their subscriptions in the portal, and what they may not do."""

import html
import re
from typing import Any

import pytest

from api.subscriptions.subscribing import Club
from nicobar.core.customers.portal_session import form_token
from nicobar.flows.customers.erase_customer import erase_customer
from nicobar.storage.customers.portal_sessions import find_portal_session
from orders import dump, token_in
from pages.portal.portals import PAGE, Visitor, enter, setting

BY_ANA = {"actor_type": "customer", "email": "ana@example.com", "name": "Ana"}


async def member(club: Club, **changes: Any) -> tuple[Visitor, str, str]:
    """Return a subscriber in the portal, with the subscription and its place."""
    own = await club.subscribe(**changes)
    visitor = await enter(club, own["customer"]["customer_id"])
    return visitor, own["subscription_id"], f"subscriptions/{own['subscription_id']}"


async def audited(club: Club) -> tuple[Any, ...]:
    async with club.runtime.database.read() as read:
        row = await read.fetchrow(
            "SELECT actor, actor_name, action, object_ids FROM audit_log"
            " WHERE action LIKE 'subscription.%' ORDER BY entry_id DESC LIMIT 1"
        )
    assert row is not None
    return tuple(row)


async def test_the_overview_says_what_is_billed_when(club: Club) -> None:
    visitor, _, _ = await member(club)
    page = await visitor.get()
    for text in ("Club", "Active", "Renews on April 14, 2026 for $30.00", "Charged to Visa ending in 4242"):
        assert text in page
    await club.work(days=31)
    visitor = await enter(club, (await club.call("GET", "/customers"))["items"][0]["customer_id"])
    assert "Renews on May 14, 2026 for $30.00" in await visitor.get()


async def test_cancelling_at_the_end_of_the_period_with_feedback(club: Club) -> None:
    visitor, subscription_id, place = await member(club)
    assert "At the end of the paid period, on April 14, 2026" in await visitor.get(f"{place}/cancel")
    answer = await visitor.send(f"{place}/cancel", when="later", reason="too_expensive", comment=" Too  much ")
    assert answer.headers["location"] == f"{visitor.home}?done=1"
    own = await club.read(subscription_id)
    assert (own["status"], own["cancel_at_next_billing_date"], own["cancelled_by"]) == ("active", True, BY_ANA)
    assert (own["cancellation_feedback"], own["cancellation_comment"]) == ("too_expensive", "Too much")
    customer_id = own["customer"]["customer_id"]
    assert await audited(club) == ("page", customer_id, "subscription.update", [subscription_id])
    page = await visitor.get()
    assert "Ends on April 14, 2026" in page and "Keep subscription" in page and f"{place}/cancel" not in page
    await visitor.send(f"{place}/keep", page="")
    kept = await club.read(subscription_id)
    assert (kept["cancel_at_next_billing_date"], kept["cancelled_by"], kept["cancellation_feedback"]) == (
        False,
        None,
        None,
    )
    await visitor.send(f"{place}/cancel", when="later")
    await club.work(days=32)
    ended = await club.read(subscription_id)
    assert (ended["status"], ended["cancelled_by"]) == ("cancelled", BY_ANA)
    (body,) = await club.bodies("subscription.cancelled")
    assert body["cancelled_by"] == BY_ANA
    assert len(await club.payments(subscription_id)) == 1


async def test_cancelling_now(club: Club) -> None:
    visitor, subscription_id, place = await member(club)
    await visitor.send(f"{place}/cancel", when="now")
    own = await club.read(subscription_id)
    assert (own["status"], own["cancelled_by"], own["cancellation_feedback"]) == ("cancelled", BY_ANA, None)
    page = await visitor.get()
    assert "Cancelled on March 14, 2026" in page and f"{place}/" not in page
    assert "This is not possible" in await visitor.get(f"{place}/cancel", status=403)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 403),
        ({"when": "never"}, 403),
        ({"when": "now", "comment": "x" * 501}, 422),
        ({"when": "now", "comment": "4242 4242 4242 4242"}, 422),
        ({"when": "now", "comment": "\x07"}, 422),
    ],
)
async def test_a_form_that_cannot_be_read_cancels_nothing(club: Club, fields: dict[str, str], status: int) -> None:
    visitor, subscription_id, place = await member(club)
    before = await club.read(subscription_id)
    answer = await visitor.send(f"{place}/cancel", status=status, **fields)
    assert "4242 4242" not in answer.text
    assert await club.read(subscription_id) == before


async def test_a_refused_comment_is_not_lost(club: Club) -> None:
    visitor, _, place = await member(club)
    long = "\u6c34 & " * 126
    answer = await visitor.send(f"{place}/cancel", status=422, when="now", reason="unused", comment=long)
    assert html.unescape(re.findall(r"<textarea[^>]*>(.*?)</textarea>", answer.text, re.DOTALL)[0]) == long.strip()
    assert '<option value="unused" selected>' in answer.text


async def test_an_unknown_reason_is_none(club: Club) -> None:
    visitor, subscription_id, place = await member(club)
    await visitor.send(f"{place}/cancel", when="now", reason="spite")
    assert (await club.read(subscription_id))["cancellation_feedback"] is None


@pytest.mark.parametrize(("value", "later", "now"), [("off", 403, 403), ("period_end", 303, 403), ("any", 303, 303)])
async def test_the_setting_says_who_cancels_when(club: Club, value: str, later: int, now: int) -> None:
    visitor, subscription_id, place = await member(club)
    form = await visitor.get(f"{place}/cancel")
    token = token_in(form)
    await setting(club, "portal_cancellation", value)
    before = await club.read(subscription_id)
    assert (f"{place}/cancel" in await visitor.get()) is (value != "off")
    for when, status in (("now", now), ("later", later)):
        if (await club.read(subscription_id))["status"] == "cancelled":
            continue
        answer = await visitor.client.post(
            visitor.at(f"{place}/cancel"), data={"token": token, "when": when}, headers=PAGE
        )
        assert answer.status_code == status
        if status == 403:
            assert await club.read(subscription_id) == before


async def test_what_the_merchant_has_scheduled_the_customer_does_not_take_back(club: Club) -> None:
    visitor, subscription_id, place = await member(club)
    await visitor.send(f"{place}/cancel", when="later")
    token = token_in(await visitor.get())
    await club.call("PATCH", f"/subscriptions/{subscription_id}", {"cancel_at_next_billing_date": False})
    await club.call("PATCH", f"/subscriptions/{subscription_id}", {"cancel_at_next_billing_date": True})
    assert "Keep subscription" not in await visitor.get()
    answer = await visitor.client.post(visitor.at(f"{place}/keep"), data={"token": token}, headers=PAGE)
    assert answer.status_code == 403
    assert (await club.read(subscription_id))["cancel_at_next_billing_date"] is True


async def test_pausing_and_resuming_where_the_setting_allows_it(club: Club) -> None:
    visitor, subscription_id, place = await member(club)
    assert "Pause" not in await visitor.get()
    await setting(club, "portal_pause", "true")
    page = await visitor.get()
    await visitor.send(f"{place}/pause", page="")
    paused = await club.read(subscription_id)
    assert paused["status"] == "paused"
    assert await audited(club) == ("page", paused["customer"]["customer_id"], "subscription.update", [subscription_id])
    again = await visitor.client.post(
        visitor.at(f"{place}/pause"), data={"token": page.split('value="')[1].split('"')[0]}, headers=PAGE
    )
    assert again.status_code == 403  # the page is out of date
    page = await visitor.get()
    assert "Paused" in page and "Renews" not in page
    assert "At the end of the paid period" not in await visitor.get(f"{place}/cancel")
    club.clock.advance(days=10)
    visitor = await enter(club, paused["customer"]["customer_id"])
    await visitor.send(f"{place}/resume", page="")
    own = await club.read(subscription_id)
    assert (own["status"], own["next_billing_date"][:10]) == ("active", "2026-04-24")
    assert [type for type in await club.told() if "paused" in type] == ["subscription.paused", "subscription.unpaused"]


async def test_a_pause_is_refused_once_it_is_switched_off(club: Club) -> None:
    visitor, subscription_id, place = await member(club)
    await setting(club, "portal_pause", "true")
    token = token_in(await visitor.get())
    await setting(club, "portal_pause", "false")
    answer = await visitor.client.post(visitor.at(f"{place}/pause"), data={"token": token}, headers=PAGE)
    assert (answer.status_code, "This is not possible" in answer.text) == (403, True)
    assert (await club.read(subscription_id))["status"] == "active"


async def test_a_form_that_the_portal_did_not_make_changes_nothing(club: Club) -> None:
    visitor, subscription_id, place = await member(club)
    before = await club.read(subscription_id)
    bo = await club.subscribe(customer={"email": "bo@example.com", "name": "Bo"})
    other = await enter(club, bo["customer"]["customer_id"])
    foreign = token_in(await other.get("details"))
    of_details = token_in(await visitor.get("details"))
    good = token_in(await visitor.get(f"{place}/cancel"))
    for token, headers in (
        ("", {}),
        ("ä", {}),
        (foreign, {}),
        (of_details, {}),
        (good, {"sec-fetch-site": "cross-site"}),
        (good, {"origin": "https://evil.example"}),
    ):
        answer = await visitor.client.post(
            visitor.at(f"{place}/cancel"), data={"token": token, "when": "now"}, headers=PAGE | headers
        )
        assert answer.status_code == 403, (token, headers)
    assert await club.read(subscription_id) == before


async def test_nobody_reaches_what_another_customer_has(club: Club) -> None:
    own = await club.subscribe()
    bo = await club.subscribe(customer={"email": "bo@example.com", "name": "Bo"})
    await setting(club, "portal_pause", "true")
    visitor = await enter(club, own["customer"]["customer_id"])
    page = await visitor.get()
    assert bo["subscription_id"] not in page and page.count('<li class="row" id=') == 1
    before = await club.read(bo["subscription_id"])
    place = f"subscriptions/{bo['subscription_id']}"
    for action in ("cancel", "card"):
        await visitor.get(f"{place}/{action}", status=404)
    (paid,) = await club.payments(bo["subscription_id"])
    await visitor.get(f"payments/{paid['payment_id']}", status=404)
    card = (await club.call("GET", f"/customers/{bo['customer']['customer_id']}/payment-methods"))["items"][0]
    await visitor.get(f"cards/{card['payment_method_id']}/remove", status=404)
    async with club.runtime.database.read() as read:
        session = await find_portal_session(read, visitor.home.rpartition("/")[2])
    assert session is not None
    secret = visitor.link.rpartition("/")[2]
    for target in (*(f"{place}/{name}" for name in ("cancel", "keep", "pause", "resume", "card")),):
        data = {"token": form_token(session, secret, target), "when": "now", "card": "new"}
        answer = await visitor.client.post(visitor.at(target), data=data, headers=PAGE)
        assert answer.status_code == 404, target
    target = f"cards/{card['payment_method_id']}/remove"
    data = {"token": form_token(session, secret, target)}
    assert (await visitor.client.post(visitor.at(target), data=data, headers=PAGE)).status_code == 404
    assert await club.read(bo["subscription_id"]) == before
    kept = await club.call("GET", f"/customers/{bo['customer']['customer_id']}/payment-methods")
    assert kept["items"] == [card]
    await club.books_agree()


async def test_nothing_is_left_of_a_person_who_cancelled_and_was_erased(club: Club) -> None:
    visitor, subscription_id, place = await member(club, customer={"email": "zacharias@example.com", "name": "Zach"})
    own = await club.read(subscription_id)
    await visitor.send(f"{place}/cancel", when="now", comment="sorrow")
    assert (await club.read(subscription_id))["cancelled_by"]["email"] == "zacharias@example.com"
    club.clock.advance(minutes=1)
    await erase_customer(club.runtime, club.merchant.tenant, own["customer"]["customer_id"])
    left = (await dump(club.runtime)).lower()
    assert [word for word in ("zach", "sorrow") if word in left] == []
    nobody = {"actor_type": "customer", "email": None, "name": None}
    assert (await club.read(subscription_id))["cancelled_by"] == nobody
    (body,) = await club.bodies("subscription.cancelled")
    assert body["cancelled_by"] == nobody
    await visitor.get(status=404)
    await club.books_agree()


async def test_changes_of_one_session_are_limited(club: Club) -> None:
    visitor, _, _ = await member(club)
    answers = [
        (await visitor.client.post(visitor.at("details"), data={"token": "x"}, headers=PAGE)).status_code
        for _ in range(61)
    ]
    assert answers == [403] * 60 + [429]
