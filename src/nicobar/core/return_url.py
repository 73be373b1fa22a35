"""The addresses of a merchant that customers are led back to: after paying, without paying, from the portal."""

from typing import Final
from urllib.parse import urlsplit

from nicobar.core.fields import blank_to_none
from nicobar.core.problems import Problem
from nicobar.core.return_schemes import may_return_to
from nicobar.core.web_address import ascii_address

MAXIMUM_RETURN_URL: Final = 4096
"""Characters of an encoded address: it is sent in a header, whose length browsers and proxies limit."""


def checked_return_url(url: str | None, path: str = "return_url") -> str | None:
    """Return the address that customers are led back to as a header can carry it; a blank one is none.

    Apps may use a scheme of their own (`myapp://paid`). Whoever reads addresses has to read this one in the same way:
    no brackets but around an IPv6 address, no backslash. Raises Problem INVALID_REQUEST_BODY
    for the field at `path`.
    """
    url = blank_to_none(url)
    if url is None:
        return None
    if "\\" in url:
        raise _invalid(path, "It holds a backslash; encode it as %5C.")
    try:
        url = ascii_address(url)
        parts = urlsplit(url)
    except ValueError as error:
        raise _invalid(path, f"It is not a valid URL: {error}.") from error
    scheme = parts.scheme.lower()
    if not may_return_to(scheme) or not (parts.netloc or parts.path):
        raise _invalid(path, "It must be a full URL, such as https://example.com/thanks.")
    if scheme in ("http", "https") and not parts.hostname:
        raise _invalid(path, "It names no host.")
    if len(url) > MAXIMUM_RETURN_URL:
        raise _invalid(path, f"Encoded it has more than {MAXIMUM_RETURN_URL} characters.")
    return url


def _invalid(path: str, detail: str) -> Problem:
    return Problem("INVALID_REQUEST_BODY", path=path, detail=detail)
