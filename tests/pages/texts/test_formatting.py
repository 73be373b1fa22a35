"""Amounts, dates, languages and masks."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel import Locale

import nicobar.pages
from nicobar.pages.frame.rendering import _PROBLEM_TEXTS
from nicobar.pages.frame.view import amount_text, date_text, mask_email
from nicobar.pages.texts.language import reader_for
from nicobar.pages.texts.texts import LANGUAGES, load_texts

NBSP = "\u00a0"
NARROW = "\u202f"
LRM, RLM = "\u200e", "\u200f"


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "expected"),
    [
        (123456, "USD", "en_US", "$1,234.56"),
        (-690, "USD", "en_US", "-$6.90"),
        (0, "USD", "en_US", "$0.00"),
        (123456, "EUR", "de_DE", f"1.234,56{NBSP}€"),
        (123456, "EUR", "fr_FR", f"1{NARROW}234,56{NBSP}€"),
        (12345678, "INR", "en_IN", "₹1,23,456.78"),
        (1250000, "JPY", "ja_JP", "￥1,250,000"),
        (1250000, "JPY", "en_US", "¥1,250,000"),
        (1234567, "KWD", "en_US", f"KWD{NBSP}1,234.567"),
        (1234567, "IQD", "en_US", f"IQD{NBSP}1,234.567"),
        (123450, "ALL", "en_US", f"ALL{NBSP}1,234.50"),
        (2147483647, "USD", "en_US", "$21,474,836.47"),
        (100, "CAD", "en_US", "CA$1.00"),
        (100, "USD", "en_CA", "US$1.00"),
        (123456, "CHF", "it_IT", f"1.234,56{NBSP}CHF"),
        (-123456, "USD", "ar_SA", f"{RLM}{LRM}-1,234.56{NBSP}US${LRM}"),
        (-123456, "USD", "he_IL", f"{RLM}{LRM}-1,234.56{NBSP}{RLM}$"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(minor: int, currency: str, locale: str, expected: str) -> None:
    assert amount_text(minor, currency, Locale.parse(locale)) == expected


@pytest.mark.parametrize(
    ("accept_language", "expected"),
    [
        ("", "en_US"),
        ("en-US,en;q=0.9", "en_US"),
        ("en-GB,en;q=0.9", "en_GB"),
        ("de", "de_DE"),
        ("de-AT,de;q=0.9,en;q=0.8", "de_AT"),
        ("nb-NO,nb;q=0.9,sv;q=0.5", "sv_SE"),
        ("en;q=0.5, fr;q=0.9", "fr_FR"),
        ("fr;q=0, pt", "pt_BR"),
        ("zh-Hant-TW", "zh_Hans_CN"),
        ("zh", "zh_Hans_CN"),
        ("es-419", "es_ES"),
        ("pt-XX", "pt_BR"),
        ("*", "en_US"),
        ("de;q=high, it", "it_IT"),
        (";;;,,,", "en_US"),
        ("x" * 10_000, "en_US"),
        ("de" + ",q" * 5000, "de_DE"),
        ("../../etc/passwd", "en_US"),
    ],
)
def test_the_browsers_language_is_followed(accept_language: str, expected: str) -> None:
    assert str(reader_for(accept_language).locale) == expected


def test_dates_are_written_for_the_reader() -> None:
    moment = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
    assert (
        date_text(moment, Locale.parse("en_US")) == f"March 14, 2026, 3:09{NARROW}PM UTC (Coordinated Universal Time)"
    )
    assert date_text(moment, Locale.parse("de_DE")) == "14. März 2026, 15:09 UTC (Koordinierte Weltzeit)"
    zones = {reader_for(code, code).locale.time_zones["Etc/UTC"]["long"]["standard"] for code in LANGUAGES}
    assert len(zones) > len(LANGUAGES) - 3, "a language has words of its own for the zone"
    for code in LANGUAGES:
        assert " UTC (" in date_text(moment, reader_for(code, code).locale)


@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("ana.lima@example.com", "a•••@e•••.com"),
        ("x@mail.shop.example.co.uk", "x•••@m•••.uk"),
        ("a@localhost", "a•••@l•••"),
        ("a@b@c.de", "a•••@c•••.de"),
        ("", None),
        ("nobody", None),
    ],
)
def test_an_address_is_masked(email: str, masked: str | None) -> None:
    assert mask_email(email) == masked


def test_every_sentence_is_used_and_none_is_missing() -> None:
    room = Path(nicobar.pages.__file__).parent
    templates = "\n".join(path.read_text(encoding="utf-8") for path in room.glob("templates/*.html"))
    sources = [*room.rglob("*.py"), room.parent / "processors" / "simulator" / "simulator.py"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    named = set(
        re.findall(
            r"['\"]((?:page|order|form|error|receipt|wait|action|ended|challenge)\.(?!html)[a-z_]+)['\"]",
            templates + code,
        )
    )
    reasons = set(re.findall(r"[\"']((?:number|expiry|cvc|name)_[a-z_]+|not_a_test_card)[\"']", code))
    composed = (
        {f"error.{reason}" for reason in reasons}
        | {f"error.only_{kind}_cards" for kind in ("credit", "debit")}
        | {f"form.{name}" for name in ("number", "expiry", "cvc", "name")}
        | {"form.number_hint_test", "form.expiry_hint", "form.cvc_hint"}
        | {f"problem.{name}_text" for name in (*_PROBLEM_TEXTS.values(), "reload")}
        | {f"problem.{name}_heading" for name in (*_PROBLEM_TEXTS.values(), "reload") if name != "large"}
    )
    keys = set(load_texts("en").keys)
    assert named | composed <= keys
    spoken_as_they_stand = {"page", "order", "receipt", "wait", "action", "ended", "challenge"}
    assert {key for key in keys if key.partition(".")[0] in spoken_as_they_stand} <= named | composed
