"""What may be stored of an endpoint: its address and its headers."""

import pytest

from nicobar.core.problems import Problem
from nicobar.core.webhooks.endpoint import checked_headers, checked_url, is_sensitive, merged_headers


@pytest.mark.parametrize(
    ("url", "live", "detail"),
    [
        ("http://shop.example/hook", True, "In live mode the address has to begin with https://."),
        ("https://user:word@shop.example/", False, "An address with a user name or password"),
        ("https://user@shop.example/", False, "An address with a user name or password"),
        ("https://127.0.0.1/", False, "leads into a private network"),
        ("https://[::1]/", False, "leads into a private network"),
        ("https://2130706433/", False, "leads into a private network"),
        ("https://LOCALHOST:8080/", False, "leads into a private network"),
        ("https://shop.example:0/", False, "Nothing can listen on port 0."),
    ],
)
def test_addresses_that_are_not_allowed(url: str, live: bool, detail: str) -> None:
    with pytest.raises(Problem) as refused:
        checked_url(url, "live" if live else "test", allow_private=False)
    assert (refused.value.code, refused.value.path) == ("INVALID_REQUEST_PARAMETERS", "url")
    assert detail in refused.value.message


@pytest.mark.parametrize(
    "url", ["", " ", "shop.example", "ftp://shop.example/", "https://", "https://a b/", "https://x:99999/"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(Problem) as refused:
        checked_url(url, "test", allow_private=True)
    assert (refused.value.code, refused.value.path) == ("INVALID_REQUEST_BODY", "url")


def test_addresses_that_are_allowed() -> None:
    assert (
        checked_url(" https://shop.example/hook?a=1 ", "live", allow_private=False) == "https://shop.example/hook?a=1"
    )
    assert checked_url("http://shop.example", "test", allow_private=False) == "http://shop.example"
    written = checked_url("https://bücher.example/häken", "live", allow_private=False)
    assert written == "https://xn--bcher-kva.example/h%C3%A4ken"
    assert checked_url("http://127.0.0.1:3000/", "test", allow_private=True) == "http://127.0.0.1:3000/"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Host",
            "content-length",
            "Content-Type",
            "transfer-encoding",
            "Connection",
            "webhook-id",
            "Webhook-Signature",
        ),
        *(
            "Webhook-Signature",
            "webhook-anything",
            "expect",
            "upgrade",
            "te",
            "trailer",
            "keep-alive",
            "proxy-authorization",
        ),
    ],
)
def test_headers_of_the_protocol_cannot_be_set(name: str) -> None:
    with pytest.raises(Problem) as refused:
        checked_headers({name: "x"})
    assert refused.value.message == "This header is set by the server."


@pytest.mark.parametrize(
    "headers",
    [
        {"": "x"},
        {"a b": "x"},
        {"a:": "x"},
        {"x\r\ny": "x"},
        {"a": "x\r\nhost: evil"},
        {"a": "x\ny"},
        {"a": "x\x00"},
        {"a": "象"},
        {"a": "x" * 4097},
        {"A": "1", "a": "2"},
        {f"h{number}": "x" for number in range(51)},
    ],
)
def test_headers_that_break_a_request(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        checked_headers(headers)
    assert refused.value.code == "INVALID_REQUEST_PARAMETERS"


def test_headers_are_merged_and_an_empty_value_removes_one() -> None:
    stored = checked_headers({"X-Shop": " 7 ", "Authorization": "Basic a"})
    assert stored == {"x-shop": "7", "authorization": "Basic a"}
    assert merged_headers(stored, {"X-SHOP": "8", "authorization": "", "x-new": "n"}) == {"x-shop": "8", "x-new": "n"}
    with pytest.raises(Problem):
        merged_headers({f"h{number}": "x" for number in range(50)}, {"one-more": "x"})


def test_which_headers_are_answered_by_name_only() -> None:
    for name in ("authorization", "Cookie", "x-api-key", "X-Auth", "my-token", "secret"):
        assert is_sensitive(name)
    assert not is_sensitive("x-shop")
