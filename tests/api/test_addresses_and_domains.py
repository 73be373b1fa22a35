"""Addresses that leave in a header are encoded where they come in; one person is one customer in both spellings."""

import pytest

from nicobar.program.configuration import ConfigurationError, read_configuration
from shop import Shop, item, order_request


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ("https://shop.example/a b", "Character 23 is U+0020"),
        ("https://shop.example/\u200b", "Character 22 is U+200B"),
        ("https://shop.example/\u202e", "Character 22 is U+202E"),
        ("https://\u2603.example/", "The host is not a domain name"),
    ],
)
async def test_an_address_that_cannot_be_meant_is_refused_with_its_place(shop: Shop, sent: str, place: str) -> None:
    body = order_request(item(await shop.product(2000))) | {"return_url": sent}
    response = await shop.merchant.client.post("/payments", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert response.json()["message"].startswith(
        f"return_url: Your request body is invalid. It is not a valid URL: {place}"
    )
    assert (await shop.merchant.client.get("/payments")).json() == {"items": []}


async def test_an_address_in_any_letters_is_taken(shop: Shop) -> None:
    body = order_request(item(await shop.product(2000))) | {"payment_link": True}
    body["return_url"] = "https://b\u00fccher.example/sch\u00f6n"
    response = await shop.merchant.client.post("/payments", json=body)
    assert response.status_code == 200


async def test_both_spellings_of_a_domain_are_one_customer(shop: Shop) -> None:
    client = shop.merchant.client
    first = (
        await client.post("/customers", json={"email": "ana@b\u00fccher.example", "name": " Ana\u00a0 Lima\u200b"})
    ).json()
    second = (await client.post("/customers", json={"email": "ANA@xn--bcher-kva.example", "name": "Other"})).json()
    assert second == first
    assert first["name"] == "Ana Lima"
    for spelling in ("ana@xn--bcher-kva.example", "Ana@B\u00dcCHER.example"):
        assert (await client.get("/customers", params={"email": spelling})).json() == {"items": [first]}
    body = order_request(item(await shop.product(2000))) | {
        "customer": {"email": "ana@xn--bcher-kva.example", "name": "X"}
    }
    paid = (await client.post("/payments", json=body)).json()
    assert paid["customer"]["customer_id"] == first["customer_id"]


async def test_a_phone_number_is_stored_without_what_nobody_sees(shop: Shop) -> None:
    body = {"email": "a@example.com", "name": "A", "phone_number": "\u202a+\uff14\uff19\u00a030 123456\u202c"}
    made = (await shop.merchant.client.post("/customers", json=body)).json()
    assert made["phone_number"] == "+49 30 123456"


def test_the_public_address_is_stored_as_a_header_can_carry_it() -> None:
    settings = read_configuration({"NICOBAR_PUBLIC_URL": "https://z\u00fcrich.example/k\u00e4se/"})
    assert settings.public_url == "https://xn--zrich-kva.example/k%C3%A4se"
    with pytest.raises(ConfigurationError, match=r"Character 22 is U\+200B"):
        read_configuration({"NICOBAR_PUBLIC_URL": "https://pay.example.c\u200bom"})
