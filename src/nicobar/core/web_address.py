"""Addresses of the web in the canonical form that a header can carry: ASCII (RFC 3986).

People write `https://bücher.example/danke schön`, browsers show it like that, and headers take only its encoded form.
It is encoded where it comes in, and refused there, with the place, where no encoding is meant: a blank or an unseen
character in an address is a slip of the clipboard, and a host that no domain name can spell leads nowhere.
"""

import unicodedata
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import idna

_RESERVED: Final = "!#$%&'()*+,/:;=?@[]~"
"""Characters that mean something in an address or are encoded already, so that they stay as they are."""


def ascii_address(url: str) -> str:
    """Return an address with its host in the ASCII spelling of domain names and everything else percent-encoded.

    An address that is ASCII already comes back as it is, but for characters that no address may hold. The host of a
    scheme that an app has for itself is no domain name and is percent-encoded. Raises ValueError, with a sentence that
    names character and place, for blanks, control and unseen characters, and for a host that cannot be encoded.
    """
    for place, character in enumerate(url, 1):
        if character.isspace() or unicodedata.category(character)[0] in "CZ":
            raise ValueError(
                f"Character {place} is U+{ord(character):04X}, a blank or a character that is not seen; "
                "take it out, or encode it as %20 and the like"
            )
    parts = urlsplit(url)
    parts.port  # noqa: B018 - reading it is what checks it
    if url.isascii():
        return quote(url, safe=_RESERVED)
    return urlunsplit(
        SplitResult(
            parts.scheme,
            _ascii_netloc(parts),
            quote(parts.path, safe=_RESERVED),
            quote(parts.query, safe=_RESERVED),
            quote(parts.fragment, safe=_RESERVED),
        )
    )


def domain_in_ascii(domain: str) -> str:
    """Return a domain name in its ASCII spelling (IDNA 2008). Raises ValueError when it has none."""
    try:
        return domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError(f"The host is not a domain name: {error}") from error


def domain_in_unicode(domain: str) -> str:
    """Return a domain name in the one spelling that people read; what is no domain name only in lower case.

    It is for comparing. The labels are decoded without asking whether a registry would take them, as the migration of
    the stored addresses does.
    """
    if domain.isascii():
        lowered = domain.lower()
        return ".".join(map(_decoded, lowered.split("."))) if "xn--" in lowered else lowered
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False, transitional=False)
    except (idna.IDNAError, UnicodeError):
        mapped = unicodedata.normalize("NFC", domain.lower())
    return ".".join(map(_decoded, mapped.split(".")))


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        found = label[4:].encode("ascii").decode("punycode")
        found.encode("utf-8")  # a code of half a character is no name
    except UnicodeError:
        return label
    return found


def _ascii_netloc(parts: SplitResult) -> str:
    user, at, server = parts.netloc.rpartition("@")
    if not server.isascii():
        if parts.scheme.lower() in ("http", "https"):
            host, colon, port = server.partition(":")
            server = f"{domain_in_ascii(host)}{colon}{port}"
        else:
            server = quote(server, safe=_RESERVED)
    return f"{quote(user, safe=_RESERVED)}{at}{server}"
