"""What is kept of pages between visits: nothing that one seller, customer, language or mode has to itself."""

import random
import sys
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest
from markupsafe import Markup, escape
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from nicobar.pages.frame.templates import templates, written
from nicobar.pages.frame.view import form_view
from nicobar.pages.texts.language import reader_for
from nicobar.pages.texts.texts import load_texts
from orders import order, pay, place
from pages.changing import link, send_details
from shop import Shop

PLACES: Final[Mapping[str, Address]] = {
    "USD": Address("US", "New York", "NY", "350 Fifth Avenue", "10118"),
    "EUR": Address("DE", "Berlin", None, "Unter den Linden 1", "10117"),
    "INR": Address("IN", "Pune", "Nowhere <at all>", "MG Road", "411001"),
}
LANGUAGES: Final = ("en", "de", "ar")


def caches() -> list[Any]:
    """Return everything in which the pages keep something."""
    modules = [module for name, module in sys.modules.items() if name.startswith("nicobar.pages.")]
    values = {id(value): value for module in modules for value in vars(module).values()}.values()
    return [value for value in values if hasattr(value, "cache_clear")]


def kept() -> int:
    """Return how much the pages keep."""
    return sum(cache.cache_info().currsize for cache in caches())


async def test_a_page_is_the_same_whatever_was_shown_before(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, browser: httpx.AsyncClient
) -> None:
    """Two sellers, two modes, three languages and countries take turns, and then each begins with nothing kept."""
    visits: list[tuple[str, str]] = []
    for business in (merchant, other_merchant):
        for mode in ("test", "live"):
            for currency, billing in PLACES.items():
                changes: dict[str, Any] = {"currency": currency, "billing": billing}
                own = await place(runtime, order(runtime, Tenant(business.business_id, mode), **changes))
                visits += [(f"/{own.link_id}", language) for language in LANGUAGES]
    random.Random(7).shuffle(visits)  # noqa: S311 - any mixture will do
    mixed = [(await browser.get(path, params={"lang": language})).content for path, language in [*visits, *visits]]
    alone = []
    for path, language in visits:
        for cache in caches():
            cache.cache_clear()
        alone.append((await browser.get(path, params={"lang": language})).content)
    assert mixed == [*alone, *alone]
    assert len(set(alone)) == len(visits)


async def test_nothing_that_was_typed_is_kept(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant, currency="INR", billing=PLACES["INR"]))
    path = f"/{payment.link_id}"

    async def fill_in(name: str) -> list[str]:
        """Type a name wherever one can be typed; return the pages that show it again."""
        by_upi = {"method": "upi_collect", "upi_id": f"{name}@"}
        by_card = {"method": "card", "number": "1", "name": name, "expiry": "06 / 32"}
        pages = [await pay(browser, path, **by_card), await pay(browser, path, **by_upi)]
        details = {"street": name, "city": name, "state": name, "zipcode": "1" * 40, "business_name": name}
        pages.append(await send_details(browser, payment, **details))
        assert [page.status_code for page in pages] == [422, 422, 422]
        assert [name in page.text for page in pages] == [True, False, True]
        return [page.text for page in pages]

    await fill_in("Rosalind")
    before = kept()
    await fill_in("Philippa")
    assert kept() == before


async def test_a_setting_that_changes_shows_on_the_next_page(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, browser: httpx.AsyncClient
) -> None:
    shop = Shop(runtime, app, clock, merchant)
    payment = await link(shop)
    for blocked in ("KP", "AF,AT", "KP,DE"):
        await shop.settings(blocked_countries=blocked)
        text = (await browser.get(f"/{payment.link_id}")).text
        listed = [code for code in ("AF", "AT", "DE", "KP") if f'<option value="{code}"' in text]
        assert listed == [code for code in ("AF", "AT", "DE", "KP") if code not in blocked or code == "DE"]
        assert text.count('<option value="DE" selected>Germany</option>') == 1


def test_a_field_says_what_its_mode_needs(runtime: Runtime, tenant: Tenant) -> None:
    reader = reader_for("en")
    hints: dict[Mode, str | None] = {}
    for mode in ("test", "live", "test"):
        payment: Payment = order(runtime, Tenant(tenant.business_id, mode))
        hints[mode] = form_view(payment, reader, "", {}, {}, None).fields[0].hint
    assert hints == {"test": load_texts("en")("form.number_hint_test"), "live": None}


@pytest.mark.parametrize(
    "value", ["", "plain", "O'Brien & <Sons>", 'a "b"', "é•…", Markup("<b>&amp;</b>"), Markup(), 17, None, True]
)
def test_a_value_is_written_as_markupsafe_escapes_it(value: object) -> None:
    assert written(value) == str(escape(value))
    said = templates("", "en").from_string("{{ value }}|{% set x %}{{ value }}{% endset %}{{ x }}").render(value=value)
    assert said == f"{escape(value)}|{escape(value)}"


def test_a_sentence_is_written_into_the_template_of_its_language_alone() -> None:
    source = "{{ texts('page.skip') }}|{{ asset('icon.svg') }}|{{ texts(key) }}"
    for prefix, language in (("", "de"), ("/pay", "fr"), ("", "en"), ("", "de")):
        texts = load_texts(language)
        skip, address, named = (
            templates(prefix, language).from_string(source).render(texts=texts, key="page.powered").split("|")
        )
        assert (skip, named) == (str(escape(texts("page.skip"))), str(escape(texts("page.powered"))))
        assert address.startswith(f"{prefix}/static/icon.")
    with pytest.raises(KeyError, match=r"page\.nothing"):
        templates("", "en").from_string("{{ texts('page.nothing') }}")
