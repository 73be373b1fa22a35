"""Customers: creating, finding again, changing, listing, and whose they are."""

import asyncio
from typing import Any

import pytest

from api.answers import answered, refused
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.customers import find_by_email, get_customer

BODY: dict[str, Any] = {"email": "Ada.Lovelace@Example.com", "name": "Ada Lovelace"}


async def create(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    return answered(await merchant.client.post("/customers", json=BODY | changes))


async def read(merchant: Merchant, customer_id: str) -> dict[str, Any]:
    return answered(await merchant.client.get(f"/customers/{customer_id}"))


async def listed(merchant: Merchant, **query: Any) -> list[str]:
    return [item["name"] for item in answered(await merchant.client.get("/customers", params=query))["items"]]


async def test_the_least_customer_has_every_key(merchant: Merchant) -> None:
    made = await create(merchant)
    assert made == {
        "customer_id": made["customer_id"],
        "business_id": merchant.business_id,
        "email": "Ada.Lovelace@Example.com",
        "name": "Ada Lovelace",
        "created_at": "2026-03-14T15:09:26.535897Z",
        "phone_number": None,
        "metadata": {},
        "preferred_locale": None,
        "blocked_at": None,
        "blocklist_entry_id": None,
    }
    assert made["customer_id"].startswith("cus_") and len(made["customer_id"]) == 25
    assert await read(merchant, made["customer_id"]) == made
    assert (await merchant.client.get("/customers")).json() == {"items": [made]}


async def test_every_field_is_stored_trimmed_and_returned(merchant: Merchant) -> None:
    made = await create(
        merchant,
        email="  ada@example.com ",
        name=" Ada ",
        phone_number=" +44 20 7946 0958 ",
        metadata={"tier": "gold", "visits": 3, "score": 0.5, "vip": False},
        preferred_locale="fr",
    )
    assert await read(merchant, made["customer_id"]) == made
    assert made["email"] == "ada@example.com"
    assert made["name"] == "Ada"
    assert made["phone_number"] == "+44 20 7946 0958"
    assert made["metadata"] == {"tier": "gold", "visits": 3, "score": 0.5, "vip": False}
    assert made["preferred_locale"] == "fr"


async def test_nulls_and_blanks_mean_not_sent(merchant: Merchant) -> None:
    made = await create(merchant, phone_number="  ", metadata=None, preferred_locale=None)
    assert (made["phone_number"], made["metadata"], made["preferred_locale"]) == (None, {}, None)


async def test_a_known_address_returns_its_customer_unchanged(merchant: Merchant, clock: FakeClock) -> None:
    made = await create(merchant)
    clock.advance(hours=1)
    again = await create(
        merchant, email="ada.lovelace@EXAMPLE.com", name="Countess", phone_number="+14155552671", metadata={"a": 1}
    )
    assert again == made
    assert await listed(merchant) == ["Ada Lovelace"]


async def test_simultaneous_creations_make_one_customer(merchant: Merchant) -> None:
    answers = await asyncio.gather(
        *[create(merchant, name=f"Ada {number}", email=f"{'aA'[number % 2]}da@example.com") for number in range(24)]
    )
    assert len({answer["customer_id"] for answer in answers}) == 1
    names = await listed(merchant)
    assert len(names) == 1
    assert {answer["name"] for answer in answers} == set(names)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"email": None}, "email"),
        ({"email": "x" * 250 + "@a.com"}, "email"),
        ({"name": None}, "name"),
        ({"name": "x" * 251}, "name"),
        ({"name": "a\u0000"}, "name"),
        ({"phone_number": "1" * 41}, "phone_number"),
        ({"phone_number": 14155552671}, "phone_number"),
        ({"metadata": {"a": []}}, "metadata"),
        ({"metadata": {"x" * 41: "a"}}, "metadata"),
        ({"preferred_locale": "tlh"}, "preferred_locale"),
    ],
)
async def test_a_malformed_field_is_refused(merchant: Merchant, change: dict[str, Any], path: str) -> None:
    response = await merchant.client.post("/customers", json=BODY | change)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert path in response.json()["message"]
    assert await listed(merchant) == []


@pytest.mark.parametrize("name", ["", "   ", "\u200b"])
async def test_a_blank_name_is_one_that_nobody_knows_yet(merchant: Merchant, name: str) -> None:
    """The adapter of better-auth makes such a customer of who signs up by a code or a link in a mail."""
    made = await create(merchant, name=name)
    assert made["name"] == ""
    path = f"/customers/{made['customer_id']}"
    assert (await merchant.client.patch(path, json={"name": name})).json() == made
    named = (await merchant.client.patch(path, json={"name": "Ada"})).json()
    assert named == made | {"name": "Ada"}
    assert (await merchant.client.patch(path, json={"name": name})).json() == named
    assert await read(merchant, made["customer_id"]) == named


async def test_too_much_metadata_is_refused(merchant: Merchant) -> None:
    fifty = {f"key{number}": number for number in range(50)}
    response = await merchant.client.post("/customers", json=BODY | {"metadata": fifty | {"one_more": 1}})
    refused(response, 422, "MAXIMUM_KEYS_REACHED", "metadata: Exceeds 50 key-value pairs")
    assert (await create(merchant, metadata=fifty))["metadata"] == fifty


@pytest.mark.parametrize(
    "email",
    ["a@b.co", "A.B+tag@Example.COM", "jörg@müller.de", "dev@shop.test", "me@printer.local", "用户@例子.公司"],
)
async def test_addresses_are_kept_as_written(merchant: Merchant, email: str) -> None:
    assert (await create(merchant, email=email))["email"] == email


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "a b@example.com",
        "ada@exa_mple.com",
        "a@b..com",
        "a@b.com,c@d.com",
    ],
)
async def test_what_is_no_address_is_refused(merchant: Merchant, email: str) -> None:
    response = await merchant.client.post("/customers", json=BODY | {"email": email})
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert response.json()["message"].startswith("email: ")
    assert await listed(merchant) == []


@pytest.mark.parametrize(
    "phone", ["+14155552671", "+1 (415) 555-2671", "+49 30 1234", "(415) 555-2671", "030/123 456", "110"]
)
async def test_phone_numbers_are_kept_as_written(merchant: Merchant, phone: str) -> None:
    assert (await create(merchant, phone_number=phone))["phone_number"] == phone


@pytest.mark.parametrize(
    ("phone", "detail"),
    [
        ("+1", "It is not a possible phone number of any country; write it like +14155552671."),
        ("+999999999999", "It is not a possible phone number of any country; write it like +14155552671."),
        ("+1415555267123456", "It is not a possible phone number of any country; write it like +14155552671."),
        ("12", "It is not a phone number; write it like +14155552671."),
        ("call me", "It is not a phone number; write it like +14155552671."),
        ("٠١", "It is not a phone number; write it like +14155552671."),
    ],
)
async def test_what_is_no_phone_number_is_refused(merchant: Merchant, phone: str, detail: str) -> None:
    response = await merchant.client.post("/customers", json=BODY | {"phone_number": phone})
    refused(response, 422, "INVALID_REQUEST_BODY", f"phone_number: Your request body is invalid. {detail}")
    assert await listed(merchant) == []


async def test_patch_changes_what_is_given(merchant: Merchant, clock: FakeClock) -> None:
    made = await create(merchant, phone_number="+14155552671", metadata={"a": 1}, preferred_locale="de")
    clock.advance(hours=1)
    path = f"/customers/{made['customer_id']}"
    changed = await merchant.client.patch(path, json={"name": " Countess "})
    assert (changed.status_code, changed.json()) == (200, made | {"name": "Countess"})
    full = {
        "email": "countess@example.com",
        "name": "Ada King",
        "phone_number": "020 7946 0958",
        "metadata": {"b": 2},
        "preferred_locale": "en",
    }
    assert (await merchant.client.patch(path, json=full)).json() == made | full
    assert await read(merchant, made["customer_id"]) == made | full
    assert await listed(merchant, email="ada.lovelace@example.com") == []
    assert await listed(merchant, email="Countess@example.com") == ["Ada King"]


async def test_null_clears_or_keeps(merchant: Merchant) -> None:
    made = await create(merchant, phone_number="+14155552671", metadata={"a": 1}, preferred_locale="de")
    path = f"/customers/{made['customer_id']}"
    assert (await merchant.client.patch(path, json={"email": None, "name": None})).json() == made
    cleared = made | {"phone_number": None, "metadata": {}, "preferred_locale": None}
    nulls = {"phone_number": None, "metadata": None, "preferred_locale": None}
    assert (await merchant.client.patch(path, json=nulls)).json() == cleared
    assert await read(merchant, made["customer_id"]) == cleared


async def test_an_address_may_change_its_case(merchant: Merchant) -> None:
    made = await create(merchant)
    changed = await merchant.client.patch(
        f"/customers/{made['customer_id']}", json={"email": "ADA.lovelace@example.com"}
    )
    assert changed.json() == made | {"email": "ADA.lovelace@example.com"}
    assert await create(merchant) == made | {"email": "ADA.lovelace@example.com"}


async def test_an_address_of_another_customer_is_refused(merchant: Merchant, clock: FakeClock) -> None:
    ada = await create(merchant)
    clock.advance(hours=1)
    bob = await create(merchant, email="bob@example.com", name="Bob")
    response = await merchant.client.patch(
        f"/customers/{bob['customer_id']}", json={"email": "ADA.LOVELACE@example.com", "name": "Robert"}
    )
    refused(response, 422, "UNSUPPORTED_ACTION", "email: Another customer has this e-mail address.")
    assert await read(merchant, bob["customer_id"]) == bob
    assert await read(merchant, ada["customer_id"]) == ada


@pytest.mark.parametrize(
    "body",
    [{"email": ""}, {"email": "x"}, {"name": 1}, {"phone_number": "x"}, {"preferred_locale": "xx"}, {"metadata": 1}],
)
async def test_a_refused_patch_changes_nothing(merchant: Merchant, body: dict[str, Any]) -> None:
    made = await create(merchant, phone_number="+14155552671")
    response = await merchant.client.patch(
        f"/customers/{made['customer_id']}", json={"metadata": {"changed": True}} | body
    )
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert response.json()["message"].startswith(next(iter(body)))
    assert await read(merchant, made["customer_id"]) == made


async def test_newest_first_in_pages(merchant: Merchant, clock: FakeClock) -> None:
    for number in range(12):
        clock.advance(minutes=1)
        await create(merchant, email=f"p{number}@example.com", name=f"P{number}")
    assert await listed(merchant) == [f"P{number}" for number in range(11, 1, -1)]
    assert await listed(merchant, page_number=1) == ["P1", "P0"]
    assert await listed(merchant, page_number=2) == []
    assert await listed(merchant, page_size=3, page_number=3) == ["P2", "P1", "P0"]


async def test_filters(merchant: Merchant, clock: FakeClock) -> None:
    for name in ("Çelik", "100% Ann", "under_score", "back\\slash", "ÉLODIE Straße"):
        clock.advance(hours=1)
        await create(merchant, email=f"p{clock.moment.hour}@example.com", name=name)
    assert await listed(merchant, email="P17@Example.com") == ["100% Ann"]
    assert await listed(merchant, email=" p17@example.com ") == ["100% Ann"]
    assert await listed(merchant, email="p1") == []
    assert await listed(merchant, email="") == []
    assert await listed(merchant, name="ann") == ["100% Ann"]
    assert await listed(merchant, name="0%") == ["100% Ann"]
    assert await listed(merchant, name="R_S") == ["under_score"]
    assert await listed(merchant, name="k\\s") == ["back\\slash"]
    assert await listed(merchant, name="çEL") == ["Çelik"]
    assert await listed(merchant, name="élodie") == ["ÉLODIE Straße"]
    assert await listed(merchant, name="_") == ["under_score"]
    assert len(await listed(merchant, name="")) == 5
    assert await listed(merchant, name="ann", email="p16@example.com") == []


async def test_dates_are_inclusive(merchant: Merchant, clock: FakeClock) -> None:
    for name in ("first", "second", "third"):
        clock.advance(hours=1)
        await create(merchant, email=f"{name}@example.com", name=name)
    assert await listed(merchant, created_at_gte="2026-03-14T17:09:26.535897Z") == ["third", "second"]
    assert await listed(merchant, created_at_gte="2026-03-14T17:09:26.535898Z") == ["third"]
    assert await listed(merchant, created_at_lte="2026-03-14T17:09:26.535897Z") == ["second", "first"]
    assert await listed(merchant, created_at_lte="2026-03-14T17:09:26.535896Z") == ["first"]
    assert await listed(merchant, created_at_lte="2026-03-14T19:09:26.535897+02:00") == ["second", "first"]
    assert await listed(merchant, created_at_lte="2026-03-14T17:09:26.535897") == ["second", "first"]
    both = {"created_at_gte": "2026-03-14T17:00:00Z", "created_at_lte": "2026-03-14T18:00:00Z"}
    assert await listed(merchant, **both) == ["second"]
    everything = {"created_at_gte": "0001-01-01T00:00:00Z", "created_at_lte": "9999-12-31T23:59:59.999999Z"}
    assert await listed(merchant, **everything) == ["third", "second", "first"]


@pytest.mark.parametrize(
    "query",
    [
        {"created_at_gte": "yesterday"},
        {"created_at_lte": "14.03.2026"},
        {"page_size": "101"},
        {"name": "x" * 251},
        {"email": "\x00"},
    ],
)
async def test_an_unreadable_query_is_refused(merchant: Merchant, query: dict[str, str]) -> None:
    response = await merchant.client.get("/customers", params=query)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_QUERY_PARAMS")
    assert response.json()["message"].startswith(f"{next(iter(query))}: ")


async def test_a_customer_stays_with_its_business_and_mode(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    made = await create(merchant)
    path = f"/customers/{made['customer_id']}"
    for stranger in (other_merchant.client, merchant.live_client):
        not_found = {"code": "NOT_FOUND", "message": "Customer not found"}
        for answer in (await stranger.get(path), await stranger.patch(path, json={"name": "Stolen"})):
            assert (answer.status_code, answer.json()) == (404, not_found)
        assert (await stranger.get("/customers", params={"email": BODY["email"]})).json() == {"items": []}
        twin = (await stranger.post("/customers", json=BODY)).json()
        assert twin["customer_id"] != made["customer_id"]
    assert await read(merchant, made["customer_id"]) == made
    assert await listed(merchant) == ["Ada Lovelace"]
    async with runtime.database.read() as connection:
        key = "ada.lovelace@example.com"
        found = [await find_by_email(connection, whose, key) for whose in (merchant.tenant, other_merchant.live_tenant)]
        assert [customer and customer.customer_id for customer in found] == [made["customer_id"], None]
        assert await get_customer(connection, merchant.tenant, made["customer_id"]) == found[0]


@pytest.mark.parametrize("customer_id", ["cus_unknown", "x" * 300, "%00", "%F0%9F%A6%A4", "' OR 1=1"])
async def test_an_id_that_cannot_exist_is_not_found(merchant: Merchant, customer_id: str) -> None:
    for response in (
        await merchant.client.get(f"/customers/{customer_id}"),
        await merchant.client.patch(f"/customers/{customer_id}", json={"name": "x"}),
    ):
        refused(response, 404, "NOT_FOUND", "Customer not found")


async def test_keys(merchant: Merchant) -> None:
    made = await create(merchant)
    path = f"/customers/{made['customer_id']}"
    reader = merchant.read_only_client
    assert (await reader.get(path)).json() == made
    assert (await reader.get("/customers")).json() == {"items": [made]}
    for response in (await reader.post("/customers", json=BODY), await reader.patch(path, json={"name": "x"})):
        assert (response.status_code, response.json()["code"]) == (403, "UNAUTHORIZED")
    assert await read(merchant, made["customer_id"]) == made
