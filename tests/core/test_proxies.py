"""Who asked: what trusted proxies say counts, in every spelling, and what others say does not."""

import pytest

from nicobar.core.proxies import TrustedProxies, client_of, limit_key, parse_proxies, told_client

LOCAL = TrustedProxies()
NETWORKS = parse_proxies("10.0.0.0/8, 127.0.0.1 2001:db8:ffff::/48")


@pytest.mark.parametrize(
    ("peer", "listed", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        ("192.168.0.9", ["198.51.100.7"], "192.168.0.9"),
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
        ("::1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("::1", ["2001:4860::1"], "2001:4860::1"),
        ("::1", ["[2001:4860::1]"], "2001:4860::1"),
        ("::1", ["[2001:4860::1]:4711"], "2001:4860::1"),
        ("::1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("::ffff:127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["unknown"], "unknown"),
        ("127.0.0.1", ["[2001:4860::1"], "[2001:4860::1"),
        ("127.0.0.1", ["x" * 5000], "x" * 100),
        (None, ["198.51.100.7"], None),
        ("", ["198.51.100.7"], ""),
    ],
)
def test_a_list_is_read_from_a_proxy_on_this_computer(peer: str | None, listed: list[str], client: str | None) -> None:
    assert client_of(peer, listed, [], LOCAL) == client


@pytest.mark.parametrize(
    ("element", "client"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ("For=198.51.100.7;proto=https;by=203.0.113.43", "198.51.100.7"),
        ('proto=https; for="198.51.100.7:4711"', "198.51.100.7"),
        ('for="[2001:4860::1]"', "2001:4860::1"),
        ('for="[2001:4860::1]:4711"', "2001:4860::1"),
        ("for=1.2.3.4, for=198.51.100.7", "198.51.100.7"),
        ('for=1.2.3.4;host="a,b;for=9.9.9.9", for=198.51.100.7', "198.51.100.7"),
        ("for=_hidden", "_hidden"),
        ("for=unknown", "unknown"),
        (r'for="\_hidden"', "_hidden"),
    ],
)
def test_forwarded_is_read_as_rfc_7239_writes_it(element: str, client: str) -> None:
    assert client_of("127.0.0.1", [], [element], LOCAL) == client
    assert client_of("203.0.113.9", [], [element], LOCAL) == "203.0.113.9"


def test_trusted_networks_are_passed_from_the_right() -> None:
    chain = ["6.6.6.6, 198.51.100.7, 10.1.2.3, 2001:db8:ffff::9"]
    assert client_of("10.0.0.1", chain, [], NETWORKS) == "198.51.100.7"
    assert client_of("10.0.0.1", ["10.9.9.9, 10.1.2.3"], [], NETWORKS) == "10.9.9.9"
    assert client_of("11.0.0.1", chain, [], NETWORKS) == "11.0.0.1"


@pytest.mark.parametrize(
    ("count", "client"), [(0, "203.0.113.9"), (1, "10.1.2.3"), (2, "198.51.100.7"), (3, "6.6.6.6"), (9, "6.6.6.6")]
)
def test_a_number_of_proxies_is_passed_from_the_right(count: int, client: str) -> None:
    chain = ["6.6.6.6, 198.51.100.7, 10.1.2.3"]
    assert client_of("203.0.113.9", chain, [], parse_proxies(str(count))) == client


def test_of_two_headers_that_disagree_neither_is_believed() -> None:
    """The proxy has written one of them, and nobody knows which."""
    same = (["1.2.3.4, 198.51.100.7"], ["for=9.9.9.9", 'for="198.51.100.7:80"'])
    assert client_of("127.0.0.1", *same, LOCAL) == "198.51.100.7"
    assert client_of("127.0.0.1", ["198.51.100.7"], ["for=6.6.6.6"], LOCAL) == "127.0.0.1"


def test_an_ipv6_network_is_one_client() -> None:
    assert limit_key("2001:4860:1:2:3:4:5:6") == "2001:4860:1:2::/64"
    assert limit_key("198.51.100.7") == "198.51.100.7"
    assert (limit_key("unknown"), limit_key(None)) == ("unknown", None)


@pytest.mark.parametrize("client", ["198.51.100.7", "2001:4860::1", "2001:4860:1:2::/64", "unknown", "_hidden", None])
def test_a_client_that_can_be_read_is_told(client: str | None) -> None:
    assert told_client(client) == client


@pytest.mark.parametrize(
    "client", ["", "4000000320000021", "sk_test_x", "[2001:4860::1", "1.2.3.4/99", "_" + "x" * 40, "a/b"]
)
def test_of_one_that_cannot_be_read_nothing_is_told(client: str) -> None:
    assert told_client(client) == "unreadable"


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "17", "100", "-1", "1 2", "10.0.0.0/33"])
def test_what_names_no_proxies_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither an address nor a network|proxies in a row"):
        parse_proxies(text)


def test_nothing_and_zero_trust_nobody() -> None:
    for text in ("", "0"):
        assert client_of("127.0.0.1", ["198.51.100.7"], [], parse_proxies(text)) == "127.0.0.1"
