"""The page in the 22 languages of the contract."""

import string

import httpx
import pytest

from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.pages.texts.language import reader_for
from nicobar.pages.texts.texts import LANGUAGES, load_texts, sentences_of
from nicobar.reference import failures, locales
from orders import order, place

CODES = [locale.code for locale in locales.ALL]
OTHERS = [code for code in CODES if code != "en"]

# Names, signs and words that several languages share with English, such as "Total", "Name" or "Code".
SHARE_AT_MOST = 45


def _places(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_there_is_a_file_for_every_language_of_the_contract() -> None:
    assert sorted(CODES) == sorted(LANGUAGES)


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_has_every_sentence_with_the_same_places(code: str) -> None:
    english, own = sentences_of("en"), sentences_of(code)
    declines = {f"decline.{failure.code}" for failure in failures.ALL}
    assert set(own) == set(english) | declines
    for key, text in english.items():
        assert _places(own[key]) == _places(text), key
    assert all(text.strip() for text in own.values())
    assert sum(own[key] == text for key, text in english.items()) <= SHARE_AT_MOST


@pytest.mark.parametrize("code", CODES)
async def test_the_page_speaks_the_language(
    code: str, runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = await browser.get(f"/{payment.link_id}", params={"lang": code})
    locale = locales.get(code)
    assert page.status_code == 200
    assert f'dir="{locale.direction}"' in page.text
    assert load_texts(code)("order.subtotal") in page.text
    assert f'<button type="submit" name="lang" value="{code}"' in page.text


async def test_a_browser_is_answered_in_its_language(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = await browser.get(f"/{payment.link_id}", headers={"accept-language": "de-AT,de;q=0.9,en;q=0.8"})
    assert load_texts("de")("order.heading") in page.text


@pytest.mark.parametrize(
    ("header", "asked", "preferred", "language"),
    [
        ("", None, None, "en"),
        ("xx", None, None, "en"),
        ("fr-CA", None, None, "fr"),
        ("xx, it;q=0.5", None, None, "it"),
        ("de;q=0.2, sv;q=0.8", None, None, "sv"),
        ("iw", None, None, "he"),
        ("zh-Hant-TW", None, None, "zh"),
        ("de", None, "fr", "fr"),
        ("de", "ja", "fr", "ja"),
        ("de", "xx", None, "de"),
        ("de;q=0", None, None, "en"),
    ],
)
def test_the_choice_of_a_language(header: str, asked: str | None, preferred: str | None, language: str) -> None:
    assert reader_for(header, asked, preferred).texts.language == language
