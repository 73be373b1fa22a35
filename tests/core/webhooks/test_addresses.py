"""Which addresses may be sent to, in every spelling."""

import pytest

from nicobar.core.webhooks.addresses import is_local_host, is_public

PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "223.255.255.255",
]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:4001::200e", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]

PRIVATE = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    "this network": ["0.1.2.3", "::", "::ffff:0.0.0.0"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1", "::ffff:10.0.0.1"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1"],
    "metadata": [
        "169.254.169.254",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "::ffff:a9fe:a9fe",
    ],
    "carrier-grade": ["100.64.0.1", "100.127.255.255"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:101:101::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "IPv4-compatible": ["::127.0.0.1", "::7f00:1"],
    "ISATAP and translated": ["fe80::5efe:7f00:1", "::ffff:0:7f00:1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255"],
    "multicast and reserved": [
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "4000::1",
        "100::1",
    ],
    "nothing at all": ["", "example.com", "1.1.1", "0x7f000001", "1.1.1.1.1"],
}


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_V6)
def test_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(("address"), [address for addresses in PRIVATE.values() for address in addresses])
def test_everything_else(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost.", "a.localhost", "db.internal", "printer.local", "nas.lan"),
        *("127.0.0.1", "127.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "0177.0.0.1", "10.0.0.1", "1.1.1", "0"),
        *("::1", "::ffff:127.0.0.1", "fe80::1", "169.254.169.254", "", ".", "1.2.3.4.5"),
    ],
)
def test_hosts_that_are_refused_without_a_look_up(host: str) -> None:
    assert is_local_host(host)


@pytest.mark.parametrize("host", ["example.com", "1.1.1.1", "hooks.shop.example", "2606:4700::1111", "3com.com"])
def test_hosts_that_are_looked_up(host: str) -> None:
    assert not is_local_host(host)
