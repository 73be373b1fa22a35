"""Texts as people type and paste them, and what becomes of them."""

import pytest

from nicobar.core.typed_text import compact, plain, tidy, unusable, without_label


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ana  Lima ", "Ana Lima"),
        ("Ana\u00a0Lima", "Ana Lima"),
        ("Ana\u3000Lima\n", "Ana Lima"),
        ("\u202aAna Lima\u202c", "Ana Lima"),
        ("\ufeffAna\u200b Li\u00adma\u2060", "Ana Lima"),
        ("Ana\u200d\u200cLima", "AnaLima"),
        ("Ana\u2800Lima\u3164", "Ana Lima"),
        ("Jose\u0301", "Jos\u00e9"),
        ("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"),
        ("\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0dc1\u0dca\u200d\u0dbb\u0dd3"),
        ("O\u2019Brien-Smith \u00deor", "O\u2019Brien-Smith \u00deor"),
    ],
)
def test_a_name_keeps_what_is_seen_and_nothing_else(typed: str, kept: str) -> None:
    assert tidy(typed) == kept
    assert unusable(kept) is None


@pytest.mark.parametrize(
    ("text", "named"), [("Ana\x07", "U+0007 (4)"), ("\ue000na", "U+E000 (1)"), ("An\u0378a", "U+0378 (3)")]
)
def test_a_character_that_cannot_be_kept_is_named_with_its_place(text: str, named: str) -> None:
    assert unusable(tidy(text)) == named


@pytest.mark.parametrize(
    "typed",
    [
        "4242 4242 4242 4242",
        "4242\u00a04242\u20094242\u202f4242",
        "4242-4242-4242-4242",
        "4242\u20134242\u20144242\u22124242",
        "4242.4242.4242.4242",
        "\u202d4242424242424242\u202c",
        "\uff14\uff12\uff14\uff12 \uff14\uff12\uff14\uff12 \uff14\uff12\uff14\uff12 \uff14\uff12\uff14\uff12",
        "\u0664\u0662\u0664\u0662 \u0664\u0662\u0664\u0662 \u0664\u0662\u0664\u0662 \u0664\u0662\u0664\u0662",
        "\u096a\u0968\u096a\u0968\u096a\u0968\u096a\u0968\u096a\u0968\u096a\u0968\u096a\u0968\u096a\u0968",
        "Card: 4242 4242 4242 4242",
        "Kartennummer 4242/4242/4242/4242",
        "Visa Nr. 4242\u200b4242\u200b4242\u200b4242",
    ],
)
def test_twelve_spellings_are_one_card_number(typed: str) -> None:
    assert compact(without_label(typed)) == "4242424242424242"


def test_a_plain_text_keeps_its_parts() -> None:
    assert plain("\u200e+\uff14\uff19\u00a0\u0663\u0660 \u2011 1") == "+49 30 - 1"
