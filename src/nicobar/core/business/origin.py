"""Web origins: the scheme, host and port of a site, written as browsers compare them."""

import re
from typing import Final

from nicobar.core.web_address import ascii_address

MAXIMUM_ORIGINS: Final = 20
"""Origins in one list: they go into a header of every page that may be framed."""

_ORIGIN: Final = re.compile(r"(https?)://([a-z0-9.-]{1,253})(?::([0-9]{1,5}))?/?")
"""Only what a `frame-ancestors` source can say, which has no place for an IPv6 address."""

_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LOCAL_NAMES: Final = ("localhost", "test")
"""Names that never leave the own machine or laboratory (RFC 6761)."""


def parse_origin(text: str) -> str:
    """Return an origin in its canonical form: lower case, without the scheme's own port, without a slash.

    A name in another script gets its `xn--` form. Plain `http` is for names and addresses of the own machine:
    whoever can change such a page on its way could lay anything over a payment page. Raises ValueError.
    """
    match = _ORIGIN.fullmatch(ascii_address(text.strip()).lower())
    if match is None:
        raise ValueError("not an origin")
    scheme, host, port = match[1], match[2], match[3]
    if not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise ValueError("not a host name")
    if port is not None and not 1 <= int(port) <= 65535:
        raise ValueError("not a port")
    if scheme == "http" and not _is_local(host):
        raise ValueError("http beyond the own machine")
    return (
        f"{scheme}://{host}"
        if port is None or int(port) == _DEFAULT_PORTS[scheme]
        else f"{scheme}://{host}:{int(port)}"
    )


def parse_origins(text: str) -> tuple[str, ...]:
    """Return the origins of a list that is written with commas or blanks, each once and in order.

    Raises ValueError, whose text says which of them is none, or that there are too many.
    """
    found: set[str] = set()
    for word in text.replace(",", " ").split():
        try:
            found.add(parse_origin(word))
        except ValueError:
            raise ValueError(f"{word[:60]!r} is none of them") from None
    if len(found) > MAXIMUM_ORIGINS:
        raise ValueError(f"there can be {MAXIMUM_ORIGINS}")
    return tuple(sorted(found))


def _is_local(host: str) -> bool:
    if host.rpartition(".")[2] in _LOCAL_NAMES:
        return True
    numbers = host.split(".")
    return len(numbers) == 4 and numbers[0] == "127" and all(number.isdigit() for number in numbers)
