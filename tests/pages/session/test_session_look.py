"""How a session's pages look and speak: theme, words, language, the way back."""

import html
import re

import pytest

from api.sessions.opening import ADDRESS, ANA, create_session
from harness import FakeClock
from nicobar.core.sessions.theme import css_colour, css_length
from orders import dump
from pages.session.filling import errors_of, fields_of, send
from shop import Shop, item

TYPED = {"email": "kim@example.com", "customer_name": "Kim Park", "country": "US", "state": "NY", "zipcode": "10118"}


async def test_colours_corners_and_words_reach_both_pages(shop: Shop) -> None:
    config = {
        "light": {"button_primary": "ff0000", "bg_primary": "rgb(1, 2, 3)"},
        "dark": {"button_primary": "#00F", "text_primary": "White"},
        "radius": "4px",
        "font_size": "lg",
        "font_weight": "bold",
        "font_primary_url": "https://fonts.example.com/a.woff2",
        "pay_button_text": "Take it",
    }
    created = await create_session(
        shop,
        item(await shop.product(2000)),
        customization={"theme": "system", "theme_config": config},
        minimal_address=True,
        cancel_url="https://shop.example.com/cart?x=1",
    )
    page = await shop.browser.get(created["checkout_url"])
    address = f"/session/{created['session_id']}/theme.css"
    link = f'<link rel="stylesheet" href="{address}">'
    assert link in page.text and "fonts.example.com" not in page.text
    assert "style-src 'self'" in page.headers["content-security-policy"]
    sheet = await shop.browser.get(address)
    assert sheet.headers["content-type"].startswith("text/css")
    assert sheet.text == (
        ":root { --radius: 4px; --text-size: 106.25%; --text-weight: 700; --page: rgb(1, 2, 3);"
        " --field: rgb(1, 2, 3); --brand: #ff0000 }\n"
        "@media (prefers-color-scheme: dark) { :root { --brand: #00f; --ink: white } }"
    )
    assert '<a href="https://shop.example.com/cart?x=1" rel="noreferrer">' in page.text
    onward = await send(shop.browser, page, **TYPED)
    paying = await shop.browser.get(onward.headers["location"])
    assert link in paying.text and ">Take it</button>" in paying.text
    assert '<a href="https://shop.example.com/cart?x=1" rel="noreferrer">' in paying.text


@pytest.mark.parametrize(
    ("given", "href"),
    [
        ("myapp://cart?x=1", "myapp://cart?x=1"),
        (" https://bücher.example/korb ", "https://xn--bcher-kva.example/korb"),
        (" ", None),
    ],
)
async def test_the_way_back_without_paying_may_lead_to_an_app(shop: Shop, given: str, href: str | None) -> None:
    created = await create_session(shop, item(await shop.product(2000)), minimal_address=True, cancel_url=given)
    page = await shop.browser.get(created["checkout_url"])
    onward = await send(shop.browser, page, **TYPED)
    for shown in (page, await shop.browser.get(onward.headers["location"])):
        assert re.findall(r'<p class="back"><a href="([^"]*)"', shown.text) == ([] if href is None else [href])


@pytest.mark.parametrize("cancel_url", ["https://shop.example.com/cart?x=1", None])
async def test_a_checkout_that_has_ended_leads_back_to_the_shop(
    shop: Shop, clock: FakeClock, cancel_url: str | None
) -> None:
    brand = (await shop.client.post("/brands", json={"name": "Pens & Co"})).json()
    product = await shop.product(2000, brand_id=brand["brand_id"])
    untold = await create_session(shop, item(product), minimal_address=True, cancel_url=cancel_url)
    told = await create_session(shop, item(product), minimal_address=True, cancel_url=cancel_url)
    payment = await send(shop.browser, await shop.browser.get(told["checkout_url"]), **TYPED)
    clock.advance(days=2)
    before = await dump(shop.runtime)
    for address in (untold["checkout_url"], payment.headers["location"]):
        ended = await shop.browser.get(address)
        button = re.findall(r'<a class="button" href="([^"]*)" rel="noreferrer">([^<]*)<', ended.text)
        wanted = [] if cancel_url is None else [(cancel_url, "Return to Pens &amp; Co")]
        assert (ended.status_code, button) == (410, wanted), address
    assert await dump(shop.runtime) == before


@pytest.mark.parametrize(("theme", "style"), [("dark", "checkout.dark."), ("light", "checkout.light."), (None, "")])
async def test_one_scheme_or_the_systems(shop: Shop, theme: str | None, style: str) -> None:
    colours = {"light": {"text_primary": "red"}, "dark": {"text_primary": "blue"}}
    custom = {"theme": theme, "theme_config": colours}
    created = await create_session(shop, item(await shop.product(2000)), customization=custom)
    page = await shop.browser.get(created["checkout_url"])
    assert ("/static/checkout.dark." in page.text, "/static/checkout.light." in page.text) == (
        theme == "dark",
        theme == "light",
    )
    sheet = (await shop.browser.get(f"{created['checkout_url']}/theme.css")).text
    assert ("--ink: red" in sheet, "--ink: blue" in sheet) == (theme != "dark", theme != "light")


async def test_nothing_is_loaded_without_a_look(shop: Shop) -> None:
    created = await create_session(shop, item(await shop.product(2000)))
    page = await shop.browser.get(created["checkout_url"])
    assert "theme.css" not in page.text and 'class="back"><a' not in page.text
    assert (await shop.browser.get(f"{created['checkout_url']}/theme.css")).text == ""


async def test_a_forced_language_is_the_only_one(shop: Shop) -> None:
    product = await shop.product(2000)
    for code, tag in (("de", "de"), ("xx", "en"), ("pt-BR", "pt")):
        created = await create_session(
            shop, item(product), customization={"force_language": code}, minimal_address=True, customer=ANA
        )
        page = await shop.browser.get(f"{created['checkout_url']}?lang=fr", headers={"accept-language": "fr"})
        assert f'<html lang="{tag}"' in page.text and 'class="languages"' not in page.text
        onward = await send(shop.browser, page, country="US", state="NY", zipcode="10118")
        paying = await shop.browser.get(onward.headers["location"], headers={"accept-language": "fr"})
        assert f'<html lang="{tag}"' in paying.text and 'class="languages"' not in paying.text
    chosen = await create_session(shop, item(product), customer=ANA, billing_address=ADDRESS)
    page = await shop.browser.get(f"{chosen['checkout_url']}?lang=fr")
    assert '<html lang="fr"' in page.text and 'class="languages"' in page.text
    assert (await send(shop.browser, page)).headers["location"].endswith("?lang=fr")


@pytest.mark.parametrize("within", ["", "/overlay"])
@pytest.mark.parametrize("single", [True, False])
async def test_another_language_keeps_what_was_typed(shop: Shop, single: bool, within: str) -> None:
    await shop.settings(allowed_origins="https://shop.example.com")
    flags = {"allow_phone_number_collection": True, "single_page": single}
    created = await create_session(shop, item(await shop.product(2000)), feature_flags=flags)
    page = await shop.browser.get(f"{within}/session/{created['session_id']}")
    found = re.search(r'<button type="submit" name="lang" value="de"[^>]*>', page.text)
    assert found is not None
    button = {name: html.unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', found[0])}
    assert (button["form"], button["formmethod"]) == ("session-form", "post")
    assert '<form id="session-form" class="details details-form" method="post"' in page.text
    before = await dump(shop.runtime)
    typed = {"email": "kim@example.com", "customer_name": "", "phone": "12", "country": "US"}
    card = {"method": "card", "number": "4242 4242 4242 4242", "expiry": "06 / 32", "cvc": "987", "name": "Kim Park"}
    card = card if single else {}
    spoken = await shop.browser.post(button["formaction"], data=fields_of(page) | typed | card | {"lang": "de"})
    assert (spoken.status_code, '<html lang="de"' in spoken.text) == (422, True)
    assert {name: sentence[:30] for name, sentence in errors_of(spoken).items()} == {
        "phone": "Prüfen Sie die Telefonnummer. "
    }
    kept = fields_of(spoken)
    assert {name: kept[name] for name in typed} == typed
    assert "4242 4242" not in spoken.text and "987" not in spoken.text
    assert (kept["name"] if single else "Kim Park") == "Kim Park"
    assert await dump(shop.runtime) == before
    place = {"street": "350 5th Ave", "city": "New York", "phone": ""}
    whole = await send(shop.browser, spoken, **TYPED, **place, **card)
    assert (whole.status_code, "lang=de" in whole.headers["location"]) == (303, True)


@pytest.mark.parametrize("shown", [True, False])
async def test_the_order_is_folded_or_open(shop: Shop, shown: bool) -> None:
    created = await create_session(
        shop, item(await shop.product(2000)), customization={"show_order_details": shown}, minimal_address=True
    )
    page = await shop.browser.get(created["checkout_url"])
    fold = '<details class="order-fold" open>' if shown else '<details class="order-fold folds">'
    assert fold in page.text
    onward = await send(shop.browser, page, **TYPED)
    assert fold in (await shop.browser.get(onward.headers["location"])).text


@pytest.mark.parametrize(
    "text",
    [
        "red;",
        "url(x)",
        "#12345",
        "rgb(1,2)",
        "expression(1)",
        "var(--x)",
        "rgb(1 2 3 / calc(1))",
        "color(evil 1 1 1)",
        "",
    ],
)
def test_what_is_no_colour(text: str) -> None:
    assert css_colour(text) is None


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("FFF", "#fff"),
        ("#11223344", "#11223344"),
        ("rgba(255, 255, 255, 0.5)", "rgba(255, 255, 255, 0.5)"),
        ("hsl(120DEG 100% 50% / .5)", "hsl(120deg 100% 50% / .5)"),
        ("hwb(90 10% 10%)", "hwb(90 10% 10%)"),
        ("oklab(0.4 0.1 -0.2)", "oklab(0.4 0.1 -0.2)"),
        ("color(display-p3 1 0.5 0)", "color(display-p3 1 0.5 0)"),
        ("RebeccaPurple", "rebeccapurple"),
        ("transparent", "transparent"),
    ],
)
def test_colours_of_every_form(text: str, colour: str) -> None:
    assert css_colour(text) == colour


def test_lengths() -> None:
    assert [css_length(text) for text in ("4px", "0.5rem", ".5em", "1EM")] == ["4px", "0.5rem", ".5em", "1em"]
    assert [css_length(text) for text in ("4", "4pt", "-1px", "1px;", "calc(1px)")] == [None] * 5
