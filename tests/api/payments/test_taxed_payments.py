"""Tax on payments: off unless the merchant switches it on, by place and kind of product, and what a tax id changes."""

from datetime import datetime
from typing import Any

import pytest

from harness import FakeClock
from nicobar.flows.runtime import Runtime
from shop import Bought, Shop, item, order_request

GERMAN, FRENCH, BRITISH, INDIAN = "DE136695976", "FR40303265045", "GB980780684", "27AAPFU0939F1ZV"
MONEGASQUE = "FR90000012345"
CANADIAN, AMERICAN, PUERTO_RICAN = "123456782RT0001", "12-3456789", "660-12-3456"


async def sold(shop: Shop, product: str, country: str, state: str | None = None, **fields: Any) -> Bought:
    return await shop.buy(item(product), billing={"country": country, "state": state}, **fields)


async def test_off_by_default_with_and_without_a_tax_id(shop: Shop) -> None:
    product = await shop.product(5000, "EUR")
    inclusive = await shop.product(5000, "EUR", tax_inclusive=True)
    for fields in ({}, {"tax_id": GERMAN}):
        for line in (product, inclusive):
            bought = await sold(shop, line, "DE", **fields)
            assert (bought.amounts, bought.settlement) == ((5000, 0, 0, 5000), (5000, 0, "EUR"))
            assert (bought.step("tax")["rule"], bought.step("tax")["source"]) == ("no tax", "tax is off")


@pytest.mark.parametrize("tax", ["off", "table"])
@pytest.mark.parametrize(
    ("country", "tax_id", "said"),
    [
        ("DE", "DE136695977", "For Germany give the USt-IdNr, such as DE123456788."),
        ("GB", GERMAN, "such as GB123456782. This is a number of Germany"),
        ("DE", FRENCH, "This is a number of France, and the billing country is another."),
        ("IN", "27AAPFU0939F1ZW", "GSTIN"),
        ("DE", "x" * 64, "For Germany"),
    ],
)
async def test_a_wrong_tax_id_refuses_the_payment_whether_tax_is_charged_or_not(
    shop: Shop, tax: str, country: str, tax_id: str, said: str
) -> None:
    await shop.settings(tax=tax)
    product = await shop.product(5000)
    status, code, message = await shop.refusal(item(product), country=country, tax_id=tax_id)
    assert (status, code) == (422, "INVALID_TAX_ID")
    assert message.startswith("tax_id: Tax Id is invalid. ")
    assert said in message


@pytest.mark.parametrize(
    ("category", "country", "state", "tax", "rate"),
    [
        ("digital_products", "DE", None, 1900, "19"),
        ("saas", "FR", "IDF", 2000, "20"),
        ("e_book", "DE", None, 700, "7"),
        ("e_book", "FR", None, 550, "5.5"),
        ("e_book", "GB", None, 0, None),
        ("e_book", "IN", None, 500, "5"),
        ("digital_products", "IN", "Karnataka", 1800, "18"),
        ("live_tutoring", "GB", None, 2000, "20"),
        ("digital_products", "US", "Texas", 625, "6.25"),
        ("digital_products", "US", "tx", 625, "6.25"),
        ("digital_products", "US", "US-TX", 625, "6.25"),
        ("saas", "US", "TX", 500, "5"),
        ("digital_products", "US", "CA", 0, None),
        ("digital_products", "US", "Atlantis", 0, None),
        ("digital_products", "US", None, 0, None),
        ("digital_products", "CA", "QC", 1498, "14.975"),
        ("digital_products", "CA", "Québec", 1498, "14.975"),
        ("digital_products", "CA", "british columbia", 1200, "12"),
        ("digital_products", "CA", None, 500, "5"),
        ("digital_products", "PR", None, 1150, "11.5"),
        ("digital_products", "AQ", None, 0, None),
    ],
)
async def test_the_shipped_table(
    shop: Shop, category: str, country: str, state: str | None, tax: int, rate: str | None
) -> None:
    await shop.settings(tax="table")
    product = await shop.product(10_000, tax_category=category)
    bought = await sold(shop, product, country, state)
    assert bought.amounts == (10_000, 0, tax, 10_000 + tax)
    assert bought.settlement == (10_000 + tax, tax, "USD")
    assert bought.preview is not None
    rule = bought.step("tax")["rule"]
    if rate is None:
        assert (rule, bought.preview["product_cart"][0]["tax_rate"]) == ("no tax", 0)
    else:
        assert rule.startswith(f"tax {rate} % on top, ")
        assert bought.preview["product_cart"][0]["tax_rate"] == int(float(rate) * 100)


async def test_tax_within_the_price(shop: Shop) -> None:
    """The buyer pays the listed price; whether it contains the tax is the price's word, else the setting's."""
    await shop.settings(tax="table")
    within, on_top = await shop.product(2400, "GBP", tax_inclusive=True), await shop.product(2400, tax_inclusive=False)
    unsaid = await shop.product(2400)
    assert (await sold(shop, within, "GB")).amounts == (2000, 0, 400, 2400)
    assert (await sold(shop, on_top, "GB")).amounts == (2400, 0, 480, 2880)
    assert (await sold(shop, unsaid, "GB")).amounts == (2400, 0, 480, 2880)
    await shop.settings(default_tax_inclusive="true")
    assert (await sold(shop, within, "GB")).amounts == (2000, 0, 400, 2400)
    assert (await sold(shop, on_top, "GB")).amounts == (2400, 0, 480, 2880)
    assert (await sold(shop, unsaid, "GB")).amounts == (2000, 0, 400, 2400)


async def test_each_line_is_rounded_once_and_the_sum_never(shop: Shop) -> None:
    await shop.settings(tax="table")
    product = await shop.product(13, "EUR")
    bought = await shop.buy(*[item(product)] * 5)
    # 2.47 of each line is 2: ten in all, where 19 % of 65 would be 12.
    assert bought.amounts == (65, 0, 10, 75)
    halves = await shop.product(50, "EUR", tax_category="e_book")
    assert (await shop.buy(item(halves))).amounts == (50, 0, 4, 54)  # 3.5 goes up


@pytest.mark.parametrize(
    ("country", "state", "tax_id", "seller", "tax", "said"),
    [
        ("DE", None, GERMAN, "", 1900, "VAT 19 % of DE; the tax id changes nothing: the setting seller_country"),
        ("GB", None, BRITISH, "", 2000, "VAT 20 % of GB; the tax id changes nothing: the setting seller_country"),
        ("PR", None, PUERTO_RICAN, "", 1150, "SUT 11.5 % of PR; the tax id changes nothing"),
        ("UG", None, "anything", "DE", 1800, "VAT 18 % of UG; the tax id changes nothing: nothing is known by which"),
        ("AM", None, "anything", "DE", 2000, "VAT 20 % of AM; the tax id changes nothing: nothing is known by which"),
        ("MC", None, MONEGASQUE, "FR", 2000, "VAT 20 % of MC; the seller is established there"),
        ("DE", None, GERMAN, "FR", 0, "reverse charge for a valid tax id, instead of VAT 19 % of DE"),
        ("DE", None, GERMAN, "US", 0, "reverse charge for a valid tax id, instead of VAT 19 % of DE"),
        ("DE", None, GERMAN, "DE", 1900, "VAT 19 % of DE; the seller is established there"),
        ("FR", None, FRENCH, "DE", 0, "reverse charge for a valid tax id, instead of VAT 20 % of FR"),
        ("GB", None, BRITISH, "DE", 0, "reverse charge for a valid tax id, instead of VAT 20 % of GB"),
        ("GB", None, BRITISH, "GB", 2000, "VAT 20 % of GB; the seller is established there"),
        ("GB", None, BRITISH, "IM", 2000, "VAT 20 % of GB; the seller is established there, so"),
        ("CA", "QC", CANADIAN, "US", 0, "reverse charge for a valid tax id, instead of GST+QST 14.975 % of CA-QC"),
        ("CA", "BC", CANADIAN, "US", 700, "7 % regional tax stays for a valid tax id"),
        ("US", "Texas", AMERICAN, "DE", 625, "Sales tax 6.25 % of US-TX; a tax id changes nothing"),
        ("PR", None, PUERTO_RICAN, "DE", 400, "4 % for a registered business"),
    ],
)
async def test_what_a_valid_tax_id_changes(
    shop: Shop, country: str, state: str | None, tax_id: str, seller: str, tax: int, said: str
) -> None:
    await shop.settings(tax="table", seller_country=seller)
    bought = await sold(shop, await shop.product(10_000), country, state, tax_id=tax_id)
    assert bought.amounts == (10_000, 0, tax, 10_000 + tax)
    assert bought.step("tax")["source"].startswith(said)


async def test_reverse_charge_leaves_an_inclusive_price_as_it_is(shop: Shop) -> None:
    await shop.settings(tax="table", seller_country="FR")
    bought = await sold(shop, await shop.product(2400, tax_inclusive=True), "GB", tax_id=BRITISH)
    assert bought.amounts == (2400, 0, 0, 2400)


async def test_a_business_buys_software_that_only_businesses_are_taxed_for(shop: Shop) -> None:
    await shop.settings(tax="table")
    software = await shop.product(10_000, tax_category="saas")
    assert (await sold(shop, software, "US", "Ohio")).amounts == (10_000, 0, 0, 10_000)
    assert (await sold(shop, software, "US", "Ohio", tax_id=AMERICAN)).amounts == (10_000, 0, 575, 10_575)


async def test_the_buyers_business_is_kept_in_one_form(shop: Shop, runtime: Runtime) -> None:
    bought = await sold(
        shop, await shop.product(2400), "DE", tax_id=" de 136 695 976 ", customer_business_name="Dodo GmbH"
    )
    async with runtime.database.read() as read:
        query = "SELECT options FROM payments WHERE payment_id = $1"
        options = await read.fetchval(query, bought.created["payment_id"])
    assert (options["tax_id"], options["customer_business_name"]) == (GERMAN, "Dodo GmbH")


async def test_codes_and_two_rates_in_one_cart(shop: Shop) -> None:
    await shop.settings(tax="table")
    record, book = await shop.product(4999, "EUR"), await shop.product(1999, "EUR", tax_category="e_book")
    await shop.flat("FLAT", 1000, "EUR")
    bought = await shop.buy(item(record), item(book, 2), discount_code="FLAT")
    # 1000 by 4999 and 3998: 556 and 444.
    assert bought.amounts == (8997, 1000, 844 + 249, 9090)
    assert [(line["amount"], line["tax"]) for line in bought.lines] == [(4443, 844), (3554, 249)]


async def test_a_table_of_ones_own(shop: Shop, clock: FakeClock) -> None:
    await shop.settings(tax="table")
    await shop.taxes(
        "country,region,region_names,name,standard_percent,e_book_percent,effect,valid_from,source\n"
        "DE,,,VAT,19,7,zero,,law\n"
        "DE,,,VAT,21.5,,zero,2027-01-01,new law\n"
        "US,CA,California; Golden State,Sales tax,7.25,,,,\n"
    )
    product = await shop.product(10_000)
    assert (await sold(shop, product, "DE")).amounts[2] == 1900
    assert (await sold(shop, product, "US", "golden state")).amounts[2] == 725
    assert (await sold(shop, product, "FR")).step("tax")["source"] == "no tax row for FR"
    clock.moment = datetime.fromisoformat("2026-12-31T23:59:59.999999+00:00")
    assert (await sold(shop, product, "DE")).amounts[2] == 1900
    clock.advance(microseconds=1)
    new = await sold(shop, product, "DE")
    assert (new.amounts[2], new.step("tax")["source"]) == (2150, "VAT 21.5 % of DE, new law")
    # Live mode has its own settings and its own table: nobody switched tax on there.
    live = shop.merchant.live_client
    price = {"type": "one_time_price", "currency": "USD", "price": 10_000}
    made = await live.post("/products", json={"name": "Live", "tax_category": "saas", "price": price})
    created = await live.post("/payments", json=order_request(item(made.json()["product_id"])))
    assert created.json()["total_amount"] == 10_000


async def test_a_hundred_percent(shop: Shop) -> None:
    await shop.settings(tax="table")
    await shop.taxes("country,name,standard_percent\nDE,Tax,100\n")
    on_top, within = await shop.product(10_000), await shop.product(10_000, tax_inclusive=True)
    assert (await sold(shop, on_top, "DE")).amounts == (10_000, 0, 10_000, 20_000)
    assert (await sold(shop, within, "DE")).amounts == (5000, 0, 5000, 10_000)
