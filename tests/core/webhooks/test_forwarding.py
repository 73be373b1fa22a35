"""Where a developer has test events forwarded to."""

import pytest

from nicobar.core.problems import Problem
from nicobar.core.webhooks.forwarding import forward_url


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("localhost:3000/hook", "http://localhost:3000/hook"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        (" http://[::1]:3000/hook?a=b ", "http://[::1]:3000/hook?a=b"),
        ("https://shop.example.com/hook", "https://shop.example.com/hook"),
    ],
)
def test_the_own_computer_is_allowed_and_http_goes_without_saying(typed: str, meant: str) -> None:
    assert forward_url(typed) == meant


@pytest.mark.parametrize(
    "typed", ["", "ftp://localhost/", "http://", "http://me:pw@localhost/", "localhost:0/", "x" * 2049]
)
def test_what_cannot_be_posted_to_is_refused(typed: str) -> None:
    with pytest.raises(Problem):
        forward_url(typed)
