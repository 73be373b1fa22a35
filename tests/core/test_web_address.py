"""Addresses in the form that a header can carry, and domains in the spelling that compares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nicobar.core.business.origin import parse_origin
from nicobar.core.customers.customer import email_key
from nicobar.core.web_address import ascii_address


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("https://shop.example/thanks?a=1&b=%20#top", "https://shop.example/thanks?a=1&b=%20#top"),
        ("https://b\u00fccher.example/sch\u00f6n?\u00fc=\u4e2d#\u00df", "https://xn--bcher-kva.example/sch%C3%B6n?%C3%BC=%E4%B8%AD#%C3%9F"),
        ("https://B\u00dcCHER.example:8443/", "https://xn--bcher-kva.example:8443/"),
        ("https://fa\u00df.example", "https://xn--fa-hia.example"),
        ("https://\u4f8b\u3048\u3002\u30c6\u30b9\u30c8/", "https://xn--r8jz45g.xn--zckzah/"),
        ("http://[::1]:80/\u00fc", "http://[::1]:80/%C3%BC"),
        ("myapp://\u00fcn\u00ef/paid", "myapp://%C3%BCn%C3%AF/paid"),
        ('https://shop.example/<"\\^`{|}>', "https://shop.example/%3C%22%5C%5E%60%7B%7C%7D%3E"),
    ],
)  # fmt: skip
def test_an_address_is_encoded(typed: str, sent: str) -> None:
    assert ascii_address(typed) == sent
    assert ascii_address(sent) == sent


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("https://shop.example/a b", "Character 23 is U+0020"),
        ("https://shop.example/\u200b", "Character 22 is U+200B"),
        ("\ufeffhttps://shop.example/", "Character 1 is U+FEFF"),
        ("https://shop.example/\u00a0", "Character 22 is U+00A0"),
        ("https://shop.example/\r\nset-cookie:x", "Character 22 is U+000D"),
        ("https://\u2603.example/", "The host is not a domain name"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(typed: str, place: str) -> None:
    with pytest.raises(ValueError, match=place.replace("+", r"\+")):
        ascii_address(typed)


@given(st.text(max_size=60))
def test_whatever_is_not_refused_can_stand_in_a_header(tail: str) -> None:
    try:
        sent = ascii_address(f"https://shop.example/{tail}")
    except ValueError:
        return
    assert sent.encode("latin-1").isascii() and sent.isprintable() and " " not in sent


def test_both_spellings_of_a_domain_are_one_customer() -> None:
    assert email_key("Ana@B\u00fccher.example") == email_key("ana@XN--BCHER-KVA.example") == "ana@b\u00fccher.example"
    assert email_key("ana@bu\u0308cher.example") == "ana@b\u00fccher.example"
    assert email_key("a@\u4f8b\u3048.\u30c6\u30b9\u30c8") == email_key("a@xn--r8jz45g.xn--zckzah")
    assert email_key("Ana@Example.COM ") == "ana@example.com"
    assert email_key("ana@xn--99999.example") == "ana@xn--99999.example"
    assert email_key("nobody") == "nobody"


def test_an_origin_in_another_script_gets_its_ascii_spelling() -> None:
    assert parse_origin("https://B\u00fccher.example/") == "https://xn--bcher-kva.example"
    with pytest.raises(ValueError, match="U\\+200B"):
        parse_origin("https://shop.example\u200b")
