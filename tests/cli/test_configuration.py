"""The configuration: what wins over what, and what a password in an address must never do."""

from pathlib import Path

import pytest

from nicobar.program.configuration import (
    Configuration,
    ConfigurationError,
    local_url,
    mask_password,
    read_configuration,
    without_password,
)

URL = "postgresql://me:s%40fe@db.example.com:5433/shop?sslmode=require"


def test_defaults_run() -> None:
    assert read_configuration({}) == Configuration("127.0.0.1", 8787, None, None, None, log="info")
    assert read_configuration({"NICOBAR_PORT": "", "NICOBAR_DATA": ""}) == Configuration()


def test_the_environment() -> None:
    variables = {
        "NICOBAR_HOST": "0.0.0.0",  # noqa: S104
        "NICOBAR_PORT": "0",
        "NICOBAR_DATA": "some/where",
        "NICOBAR_PUBLIC_URL": "https://pay.example.com/shop/",
        "NICOBAR_LOG": "WARNING",
    }
    assert read_configuration(variables) == Configuration(
        "0.0.0.0",  # noqa: S104
        0,
        Path("some/where"),
        None,
        "https://pay.example.com/shop",
        log="warning",
    )


def test_the_command_line_wins() -> None:
    variables = {"NICOBAR_HOST": "::1", "NICOBAR_PORT": "1", "NICOBAR_DATABASE_URL": URL}
    configuration = read_configuration(variables, host="localhost", port=65535, data=Path("x"))
    assert configuration == Configuration("localhost", 65535, Path("x"))
    assert read_configuration({"NICOBAR_DATA": "x"}, database_url=URL) == Configuration(database_url=URL)


def test_two_places_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match=r"^--data .* and --database-url .* exclude each other"):
        read_configuration({}, data=Path("x"), database_url=URL)
    with pytest.raises(ConfigurationError, match=r"^NICOBAR_DATA .* and NICOBAR_DATABASE_URL .* exclude each other"):
        read_configuration({"NICOBAR_DATA": "x", "NICOBAR_DATABASE_URL": URL})


@pytest.mark.parametrize(
    "url", ["", "postgres", "postgresql:/x", "http://me:hide@db/x", "postgresql://u:hide@h:port/x"]
)
def test_an_address_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_configuration({}, database_url=url)
    assert "hide" not in str(refused.value)


@pytest.mark.parametrize("port", ["-1", "65536", "8 787", "٣", "8787.0", "0x10", "999999"])
def test_ports_that_are_none(port: str) -> None:
    with pytest.raises(ConfigurationError, match="from 0 to 65535"):
        read_configuration({"NICOBAR_PORT": port})


@pytest.mark.parametrize(
    "url", ["pay.example.com", "ftp://x", "https://", "https://x?a=1", "https://x#a", "https://me@x", "https://x:port"]
)
def test_public_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigurationError, match="NICOBAR_PUBLIC_URL"):
        read_configuration({"NICOBAR_PUBLIC_URL": url})


def test_where_customers_reach_the_server() -> None:
    assert Configuration(port=1).base_url(2) == "http://127.0.0.1:2"
    assert Configuration(public_url="https://x").base_url(2) == "https://x"
    assert local_url("0.0.0.0", 80) == "http://127.0.0.1:80"  # noqa: S104
    assert local_url("::", 80) == "http://[::1]:80"
    assert local_url("fe80::1", 80) == "http://[fe80::1]:80"
    assert read_configuration({}, host="[::1]").host == "::1"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (URL, "postgresql://me:***@db.example.com:5433/shop?sslmode=require"),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
        ("postgresql://me:a:b@c@db/x", "postgresql://me:***@db/x"),
        ("postgresql:///x?host=/run/pg&user=me&password=pw", "postgresql:///x?host=/run/pg&user=me&password=***"),
        ("postgresql://db/x?sslpassword=pw", "postgresql://db/x?sslpassword=***"),
    ],
)
def test_passwords_are_masked(url: str, masked: str) -> None:
    assert mask_password(url) == masked
    assert Configuration(database_url=url).masked_database_url == masked


def test_passwords_are_cut_out_of_the_words_of_others() -> None:
    assert without_password("no login with s@fe or s%40fe", URL) == "no login with *** or ***"
    assert without_password("pw is wrong", "postgresql://db/x?password=pw") == "*** is wrong"
    assert without_password("no database postgres", "postgresql://postgres:postgres@db/x") == "no database postgres"
    assert without_password("a text", None) == "a text"
