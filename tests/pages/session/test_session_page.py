"""The page of a session, without scripts: what it asks, what comes of it, and when it asks no more."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from api.sessions.opening import ADDRESS, ANA, create_session
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from orders import dump, pay, token_of
from pages.session.filling import errors_of, fields_of, notice_of, send, total_of
from saved_cards import CONSENT
from shop import EXAMPLE_RATES, Shop, item

TYPED = {"email": "kim@example.com", "customer_name": "Kim Park", "country": "DE"}
PLACE = {"street": "Torstr. 1", "zipcode": "10119", "city": "Berlin"}


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(seller_country="DE")
    return shop


async def open_page(shop: Shop, *items: dict[str, Any], **fields: Any) -> httpx.Response:
    """Create a session and open its page."""
    created = await create_session(shop, *items, **fields)
    return await shop.browser.get(created["checkout_url"])


async def payment_of(shop: Shop, page: httpx.Response) -> dict[str, Any]:
    """Return the payment of the session whose page this is."""
    status = await shop.read(f"/checkouts/{page.url.path.rpartition('/')[2]}")
    return await shop.read(f"/payments/{status['payment_id']}")


async def test_from_nothing_to_a_receipt(shop: Shop) -> None:
    page = await open_page(shop, item(await shop.product(2000)), return_url="https://shop.example.com/thanks?a=b#c")
    assert (page.status_code, total_of(page)) == (200, "$20.00")
    expected = {"email", "customer_name", "phone", "country", "street", "zipcode", "city", "tax_id", "business_name"}
    assert {name for name in fields_of(page) if not name.startswith(("shown_", "chosen_"))} == expected | {"code"}
    onward = await send(shop.browser, page, **TYPED, **PLACE)
    assert onward.status_code == 303
    payment = await payment_of(shop, page)
    assert f"http://pay.test{onward.headers['location']}" == payment["payment_link"]
    assert payment["billing"] == {"country": "DE", "state": None} | PLACE
    assert (payment["customer"]["name"], payment["customer"]["email"]) == ("Kim Park", "kim@example.com")
    again = await shop.browser.get(page.url)
    assert (again.status_code, again.headers["location"]) == (303, onward.headers["location"])
    await pay(shop.browser, onward.headers["location"])
    receipt = await shop.browser.get(onward.headers["location"])
    assert "https://shop.example.com/thanks?a=b&amp;payment_id=" in receipt.text
    assert "status=succeeded&amp;email=kim%40example.com#c" in receipt.text
    twice = await send(shop.browser, page, **TYPED, **PLACE)
    assert (twice.status_code, twice.headers["location"]) == (303, onward.headers["location"])
    assert len((await shop.read("/payments"))["items"]) == 1


async def test_what_the_session_has_is_not_asked(shop: Shop) -> None:
    product = await shop.product(2000)
    page = await open_page(shop, item(product), customer=ANA, billing_address=ADDRESS)
    assert "a•••@e•••.com" in page.text and "Torstr. 1, 10119, Berlin, Germany" in page.text
    assert {name for name in fields_of(page) if not name.startswith(("shown_", "chosen_"))} == {
        "tax_id",
        "business_name",
        "code",
    }
    forged = {"email": "x@example.com", "customer_name": "X", "country": "US", "city": "Paris", "zipcode": "1"}
    assert (await send(shop.browser, page, **forged)).status_code == 303
    payment = await payment_of(shop, page)
    assert (payment["customer"]["email"], payment["customer"]["name"]) == ("ana@example.com", "Ana Lima")
    assert payment["billing"] == ADDRESS
    link = payment["payment_link"]
    changed = await shop.browser.get(link)
    token = token_of(changed)
    await shop.browser.post(f"{link}/details", data={"token": token, "country": "US", "city": "Paris"})
    assert (await payment_of(shop, page))["billing"] == ADDRESS


async def test_what_flags_open_can_be_changed(shop: Shop) -> None:
    names = ("email", "name", "street", "city", "state", "zipcode", "country", "tax_id")
    flags = {f"allow_customer_editing_{name}": True for name in names}
    page = await open_page(
        shop,
        item(await shop.product(2000)),
        customer=ANA,
        billing_address=ADDRESS,
        tax_id="DE136695976",
        feature_flags=flags,
    )
    filled = fields_of(page)
    assert {name: filled[name] for name in ("email", "customer_name", "street", "tax_id")} == {
        "email": "ana@example.com",
        "customer_name": "Ana Lima",
        "street": "Torstr. 1",
        "tax_id": "DE136695976",
    }
    assert (await send(shop.browser, page, email="kim@example.com", city="Bonn", tax_id="")).status_code == 303
    payment = await payment_of(shop, page)
    assert (payment["customer"]["email"], payment["billing"]["city"]) == ("kim@example.com", "Bonn")


@pytest.mark.parametrize(
    ("flags", "gone"),
    [
        ({"allow_tax_id": False}, {"tax_id", "business_name"}),
        ({"allow_phone_number_collection": False}, {"phone"}),
        ({"allow_discount_code": False}, {"code"}),
        ({"allow_currency_selection": False}, {"currency"}),
        ({"allow_customer_editing_street": False}, {"street"}),
        ({"allow_customer_editing_name": False}, {"customer_name"}),
    ],
)
async def test_what_flags_close_is_not_asked(shop: Shop, flags: dict[str, bool], gone: set[str]) -> None:
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(2000)
    whole, less = await open_page(shop, item(product)), await open_page(shop, item(product), feature_flags=flags)
    assert set(fields_of(whole)) - set(fields_of(less)) == gone
    typed = {name: text for name, text in (TYPED | PLACE).items() if name not in gone}
    assert (await send(shop.browser, less, **typed)).status_code == 303


async def test_a_missing_field_is_named_and_nothing_is_made(shop: Shop) -> None:
    page = await open_page(shop, item(await shop.product(2000)), feature_flags={"require_phone_number": True})
    before = await dump(shop.runtime)
    refused = await send(shop.browser, page, country="DE", email="no address", tax_id="DE1", zipcode="x")
    assert refused.status_code == 422
    assert errors_of(refused) == {
        "email": "Check the email address.",
        "customer_name": "Enter your full name.",
        "phone": "Enter your phone number.",
        "zipcode": "Check the postal code: it does not fit the country.",
        "city": "Enter your city.",
        "tax_id": "This is not a valid tax ID for your country. Correct it, or leave it empty to pay without it.",
    }
    filled = fields_of(refused)
    assert (filled["email"], filled["zipcode"], filled["tax_id"]) == ("no address", "x", "DE1")
    assert await dump(shop.runtime) == before
    mended = await send(shop.browser, refused, **TYPED, **PLACE, phone="030 555010", tax_id="")
    assert mended.status_code == 303
    assert (await payment_of(shop, page))["customer"]["phone_number"] == "+4930555010"


async def test_country_and_currency_change_the_total(shop: Shop) -> None:
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", tax="table", adaptive_fees="none")
    page = await open_page(shop, item(await shop.product(10_000)))
    assert total_of(page) == "€109.48"  # 92.00 and 19 percent
    india = await send(shop.browser, page, country="IN", update="yes")
    assert (india.status_code, total_of(india), notice_of(india)) == (200, "₹9,817.60", None)
    filled = fields_of(india)
    assert (filled["country"], filled["currency"], filled["chosen_currency"]) == ("IN", "INR", "")
    pounds = await send(shop.browser, india, currency="GBP", update="yes")
    assert total_of(pounds) == "£93.22"
    back = await send(shop.browser, pounds, country="DE", update="yes")
    assert (total_of(back), fields_of(back)["currency"]) == ("£94.01", "GBP")
    assert (await send(shop.browser, back, **TYPED, **PLACE)).status_code == 303
    payment = await payment_of(shop, page)
    assert (payment["total_amount"], payment["currency"]) == (9401, "GBP")


async def test_another_country_asks_for_its_own_fields_first(shop: Shop) -> None:
    page = await open_page(shop, item(await shop.product(2000)))
    typed = TYPED | PLACE | {"country": "US"}
    american = await send(shop.browser, page, **typed)
    assert (american.status_code, errors_of(american)) == (200, {})
    assert notice_of(american) == (
        "Please check your details",
        "The fields and the total now fit the country that you chose. The total is $20.00, and nothing has been "
        "charged. Please check them and press the button again.",
    )
    filled = fields_of(american)
    assert (filled["shown_country"], filled["email"], filled["state"]) == ("US", "kim@example.com", "")
    assert (await send(shop.browser, american, state="NY", zipcode="10118")).status_code == 303
    assert (await payment_of(shop, page))["billing"]["state"] == "NY"


async def test_the_new_fields_are_announced_in_the_language_of_the_page(shop: Shop) -> None:
    page = await open_page(shop, item(await shop.product(2000)), customization={"force_language": "de"})
    american = await send(shop.browser, page, **TYPED | PLACE | {"country": "US"})
    notice = notice_of(american)
    assert notice is not None
    heading, sentence = notice
    assert heading == "Bitte prüfen Sie Ihre Angaben"
    assert sentence.startswith("Die Felder und der Gesamtbetrag passen jetzt zu dem Land, das Sie gewählt haben.")
    assert sentence.endswith("Bitte prüfen Sie beides und drücken Sie erneut auf die Schaltfläche.")


async def test_codes_are_added_and_removed(shop: Shop) -> None:
    await shop.percentage("TEN", 1000)
    discount_id = await shop.percentage("HALF", 5000)
    page = await open_page(shop, item(await shop.product(2000)), discount_codes=["TEN"])
    assert total_of(page) == "$18.00"
    wrong = await send(shop.browser, page, code="nope", apply="yes")
    assert (wrong.status_code, errors_of(wrong), total_of(wrong)) == (
        422,
        {"code": "This code is not valid."},
        "$18.00",
    )
    both = await send(shop.browser, wrong, code=" half ", apply="yes")
    assert (both.status_code, total_of(both)) == (200, "$9.00")
    one = await send(shop.browser, both, remove="TEN")
    assert (one.status_code, total_of(one)) == (200, "$10.00")
    assert await shop.uses(discount_id) == (0, 0)
    assert (await send(shop.browser, one, **TYPED, **PLACE)).status_code == 303
    assert ((await payment_of(shop, page))["total_amount"], await shop.uses(discount_id)) == (1000, (0, 1))


@pytest.mark.parametrize("field", ["code", "code_0"])
async def test_codes_cannot_be_guessed(shop: Shop, field: str) -> None:
    """Neither typed nor in the fields that carry codes from one answer to the next."""
    await shop.percentage("SECRET", 5000)
    page = await open_page(shop, item(await shop.product(2000)))
    for number in range(20):
        assert total_of(await send(shop.browser, page, apply="yes", **{field: f"GUESS{number}"})) == "$20.00"
    guessed = await send(shop.browser, page, apply="yes", **{field: "SECRET"})
    assert (guessed.status_code, total_of(guessed)) == (422, "$20.00")
    assert errors_of(guessed) == {
        "code": "Too many codes were tried. Please wait a while, or pay without another code."
    }
    assert (await send(shop.browser, page, **TYPED, **PLACE, **{field: "SECRET"})).status_code == 422
    assert (await send(shop.browser, guessed, **TYPED, **PLACE, code="")).status_code == 303
    assert (await payment_of(shop, page))["total_amount"] == 2000


async def test_fixed_codes_stay(shop: Shop) -> None:
    await shop.percentage("TEN", 1000)
    await shop.percentage("HALF", 5000)
    flags = {"allow_discount_code": False}
    page = await open_page(shop, item(await shop.product(2000)), discount_codes=["TEN"], feature_flags=flags)
    forged = await send(shop.browser, page, **TYPED, **PLACE, code_1="HALF", code="HALF")
    assert forged.status_code == 303
    payment = await payment_of(shop, page)
    assert payment["total_amount"] == 1800
    link = payment["payment_link"]
    shown = await shop.browser.get(link)
    token = token_of(shown)
    assert 'name="code"' not in shown.text
    for change in ({"code": "HALF"}, {"remove": "TEN"}):
        await shop.browser.post(f"{link}/discount", data={"token": token} | change)
    assert (await payment_of(shop, page))["total_amount"] == 1800


async def test_the_buyer_names_the_price(shop: Shop) -> None:
    gift = await shop.product(500, pay_what_you_want=True, suggested_price=1500)
    page = await open_page(shop, item(gift, 2), item(await shop.product(100)))
    assert (fields_of(page)["amount_0"], total_of(page)) == ("15.00", "$31.00")
    before = await dump(shop.runtime)
    for wrong in ("4.99", "", "ten", "1.2.3", "99999999999"):
        refused = await send(shop.browser, page, **TYPED, **PLACE, amount_0=wrong)
        assert errors_of(refused) == {"amount_0": "Enter an amount of at least $5.00."}, wrong
    assert await dump(shop.runtime) == before
    told = await send(shop.browser, page, amount_0="7,50", update="yes")
    assert (told.status_code, total_of(told), fields_of(told)["amount_0"]) == (200, "$16.00", "7,50")
    assert (await send(shop.browser, told, **TYPED, **PLACE)).status_code == 303
    assert (await payment_of(shop, page))["total_amount"] == 1600


QUESTIONS: list[tuple[dict[str, Any], str, str, str]] = [
    # the question, an answer that is none, an answer, the answer as it is kept
    ({"field_type": "text"}, "4242 4242 4242 4242", " Ada  L. ", "Ada L."),
    ({"field_type": "number"}, "many", "1,5", "1.5"),
    ({"field_type": "email"}, "ada", "ada@example.com", "ada@example.com"),
    ({"field_type": "url"}, "javascript:alert(1)", "https://example.com/a", "https://example.com/a"),
    ({"field_type": "date"}, "2026-02-30", "2026-02-28", "2026-02-28"),
    ({"field_type": "dropdown", "options": ["Small", "Large"]}, "Huge", "Large", "Large"),
    ({"field_type": "boolean"}, "", "yes", "true"),
]


@pytest.mark.parametrize(("question", "wrong", "right", "kept"), QUESTIONS)
async def test_the_merchants_questions(shop: Shop, question: dict[str, Any], wrong: str, right: str, kept: str) -> None:
    asked = {"key": "q", "label": "Your <answer>", "placeholder": "Say", "required": True} | question
    free = {"key": "free", "label": "Anything", "field_type": question["field_type"]} | question
    page = await open_page(shop, item(await shop.product(2000)), custom_fields=[asked, free])
    assert "Your &lt;answer&gt;" in page.text
    before = await dump(shop.runtime)
    for answer in {wrong, ""}:
        refused = await send(shop.browser, page, **TYPED, **PLACE, custom_0=answer)
        assert (refused.status_code, list(errors_of(refused))) == (422, ["custom_0"])
    assert await dump(shop.runtime) == before
    assert (await send(shop.browser, page, **TYPED, **PLACE, custom_0=right)).status_code == 303
    payment = await payment_of(shop, page)
    unanswered = [{"key": "free", "value": "false"}] if question["field_type"] == "boolean" else []
    assert payment["custom_field_responses"] == [{"key": "q", "value": kept}, *unanswered]


async def test_a_business_needs_its_tax_id_where_the_seller_says_so(shop: Shop) -> None:
    product = await shop.product(2000)
    page = await open_page(shop, item(product), feature_flags={"require_tax_id": True})
    refused = await send(shop.browser, page, **TYPED, **PLACE, business_name="Park GmbH")
    assert errors_of(refused) == {"tax_id": "Please fill in: Tax ID."}
    assert (await send(shop.browser, page, **TYPED, **PLACE)).status_code == 303


async def test_an_expired_session_says_so(shop: Shop, clock: FakeClock) -> None:
    page = await open_page(shop, item(await shop.product(2000)))
    clock.advance(hours=24)
    before = await dump(shop.runtime)
    for ended in (await shop.browser.get(page.url), await send(shop.browser, page, **TYPED, **PLACE)):
        assert (ended.status_code, "This checkout has ended" in ended.text) == (410, True)
    program = await shop.browser.get(page.url, headers={"accept": "application/json"})
    assert (program.status_code, program.json()["code"]) == (410, "NOT_FOUND")
    assert await dump(shop.runtime) == before


async def test_what_is_sold_no_more_is_not_offered(shop: Shop) -> None:
    product = await shop.product(2000)
    page = await open_page(shop, item(product))
    assert (await shop.client.delete(f"/products/{product}")).status_code == 200
    before = await dump(shop.runtime)
    gone = await shop.browser.get(page.url)
    assert (gone.status_code, "This order is not available" in gone.text) == (410, True)
    assert (await send(shop.browser, page, **TYPED, **PLACE)).status_code in (410, 422)
    assert await dump(shop.runtime) == before


@pytest.mark.parametrize("fixed", [False, True])
async def test_a_code_that_has_ended_since_is_named_and_left_out(shop: Shop, clock: FakeClock, fixed: bool) -> None:
    ends = (clock.now().replace(microsecond=0)).isoformat().replace("15:09:", "16:09:")
    await shop.percentage("HOUR", 1000, expires_at=ends)
    flags = {"allow_discount_code": not fixed}
    page = await open_page(shop, item(await shop.product(2000)), discount_codes=["HOUR"], feature_flags=flags)
    assert total_of(page) == "$18.00"
    clock.advance(hours=2)
    later = await shop.browser.get(page.url)
    assert (later.status_code, total_of(later)) == (200, "$20.00")
    assert "This code has expired." in later.text and errors_of(later).keys() == (set() if fixed else {"code"})
    assert (await send(shop.browser, later, **TYPED, **PLACE)).status_code == 303
    assert (await payment_of(shop, page))["total_amount"] == 2000


async def test_a_proven_customer_is_offered_the_saved_card(shop: Shop) -> None:
    bought = await shop.create(
        {"billing": ADDRESS, "customer": ANA, "product_cart": [item(await shop.product())], "payment_link": True}
        | {"show_saved_payment_methods": True}
    )
    await pay(shop.browser, bought["payment_link"], **CONSENT)
    customer_id = bought["customer"]["customer_id"]
    created = await create_session(
        shop,
        item(await shop.product()),
        customer={"customer_id": customer_id},
        billing_address=ADDRESS,
        show_saved_payment_methods=True,
    )
    proof = (await shop.client.post(f"/customers/{customer_id}/proof")).json()["proof"]
    page = await shop.browser.get(f"{created['checkout_url']}?proof={proof}")
    assert "4242" not in page.text
    onward = await send(shop.browser, page)
    assert onward.headers["location"].endswith(f"?proof={proof}")
    exchanged = await shop.browser.get(onward.headers["location"])
    paying = await shop.browser.get(exchanged.headers["location"])
    assert 'name="saved"' in paying.text and "4242" in paying.text


async def test_unknown_sessions_and_foreign_forms(shop: Shop) -> None:
    for path in ("/session/cks_8mJt0wq5nV2xRkLb7YcQd", "/session/cks_no", "/session/x"):
        assert (await shop.browser.get(path)).status_code == 404
    page = await open_page(shop, item(await shop.product(2000)))
    before = await dump(shop.runtime)
    foreign = await shop.browser.post(
        str(page.url), data=fields_of(page) | TYPED | PLACE, headers={"sec-fetch-site": "cross-site"}
    )
    assert foreign.status_code == 403
    assert await dump(shop.runtime) == before


async def test_the_id_is_cut_in_the_log(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    page = await open_page(shop, item(await shop.product(2000)))
    session_id = page.url.path.rpartition("/")[2]
    await shop.read(f"/checkouts/{session_id}")
    told = capsys.readouterr().out
    assert session_id not in told
    assert f"path=/session/{session_id[:6]}..." in told and f"path=/checkouts/{session_id[:6]}..." in told
