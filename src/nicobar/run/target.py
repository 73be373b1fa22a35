"""The server that a command is to run against: the one that is there, or a demo that is started for it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from nicobar.core.business.tenant import key_text
from nicobar.program.banner import step
from nicobar.program.configuration import Configuration, ConfigurationError, local_url, read_secret
from nicobar.program.demo import demo_key
from nicobar.program.postgres import data_folder
from nicobar.run.vendor_hosts import is_vendors

TEST_KEY: Final = key_text("test", "")
LIVE_KEY: Final = key_text("live", "")

_START_SECONDS: Final = 120
"""How long a demo server may take until it serves; the first start of a slow computer makes a database."""

_STOP_SECONDS: Final = 30

_LOOK_SECONDS: Final = 0.1

_ANSWER_SECONDS: Final = 5


class RunTarget(NamedTuple):
    """A server in test mode: its address without a slash at the end, and a test key that opens it."""

    base_url: str
    api_key: str
    started: bool
    """Whether it was started for this run, and ends with it."""


@contextmanager
def opened_target(configuration: Configuration) -> Iterator[RunTarget]:
    """Lend the server that DODO_PAYMENTS_BASE_URL names, or the usual one, or a demo server that ends with the block.

    The key is DODO_PAYMENTS_API_KEY, or the demo's. Raises ConfigurationError: for a key of live mode, for a named
    server that does not answer, for a server that none of these keys opens, and for a demo in a database of the user's.
    """
    if (read_secret("DODO_PAYMENTS_API_KEY") or "").startswith(LIVE_KEY):
        raise ConfigurationError("DODO_PAYMENTS_API_KEY is a key for live mode. nicobar run takes test keys only.")
    named = read_secret("DODO_PAYMENTS_BASE_URL")
    if named is not None and not is_vendors(urlsplit(named).hostname):
        base_url = named.rstrip("/")
        if not _answers(base_url):
            raise ConfigurationError(f"No server answers at {base_url}, which DODO_PAYMENTS_BASE_URL names.")
        yield _with_key(configuration, base_url)
        return
    base_url = local_url(configuration.host, configuration.port)
    if _answers(base_url):
        yield _with_key(configuration, base_url)
        return
    if configuration.database_url is not None:  # it may be that of a shop, in which no demo has any business
        raise ConfigurationError(
            f"No server answers at {base_url}, and nicobar run starts no demo in the database that "
            "NICOBAR_DATABASE_URL names. Start the server of that database, or name a folder for the demo with --data."
        )
    with _demo_server(configuration) as base_url:
        key = demo_key(data_folder(configuration))
        assert key is not None  # noqa: S101 - a demo server that is ready has kept it
        yield RunTarget(base_url, key, True)


def _answers(base_url: str) -> bool:
    try:
        answer = httpx.get(f"{base_url}/health/live", timeout=_ANSWER_SECONDS, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return answer.content == b'{"status":"ok"}'


def _with_key(configuration: Configuration, base_url: str) -> RunTarget:
    for key in (read_secret("DODO_PAYMENTS_API_KEY"), demo_key(data_folder(configuration))):
        if key is not None and key.startswith(TEST_KEY) and _opens(base_url, key):
            return RunTarget(base_url, key, False)
    raise ConfigurationError(
        f"A server answers at {base_url}, but no test key is known that opens it. Set DODO_PAYMENTS_API_KEY to one "
        f"that begins with {TEST_KEY} (nicobar keys create makes one), or stop that server: a demo is started then."
    )


def _opens(base_url: str, key: str) -> bool:
    """Return whether the server knows a key; one that may not read products is known as well."""
    headers = {"authorization": f"Bearer {key}"}
    try:
        answer = httpx.get(f"{base_url}/products", headers=headers, timeout=_ANSWER_SECONDS, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code in (200, 403)


@contextmanager
def _demo_server(configuration: Configuration) -> Iterator[str]:
    """Start `nicobar serve --demo`, and lend its address until the end of the block. Raises ConfigurationError."""
    port = _free_port(configuration)
    command = [sys.executable, "-m", "nicobar", "serve", "--demo", "--host", configuration.host, "--port", str(port)]
    if configuration.data is not None:
        command += ["--data", str(configuration.data)]
    environment = os.environ | {"NICOBAR_LOG": os.environ.get("NICOBAR_LOG") or "warning"}
    environment.pop("NICOBAR_PUBLIC_URL", None)
    # In a session of its own: Ctrl-C is for the command, and the server is needed until that has ended.
    server = subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment, start_new_session=True
    )
    base_url = local_url(configuration.host, port)
    try:
        with step("Starting a demo server", sys.stderr):
            _wait_for(base_url, server)
        yield base_url
    finally:
        with step("Stopping the demo server", sys.stderr):
            server.terminate()
            server.wait(_STOP_SECONDS)


def _wait_for(base_url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(base_url):
        if server.poll() is not None:
            raise ConfigurationError("The demo server did not start; it says above why.")
        if time.monotonic() > deadline:
            raise ConfigurationError(f"The demo server does not serve after {_START_SECONDS} seconds.")
        time.sleep(_LOOK_SECONDS)


def _free_port(configuration: Configuration) -> int:
    """Return the configured port, or any free one when something else has it."""
    try:
        with socket.create_server((configuration.host, configuration.port)) as found:
            port: int = found.getsockname()[1]
    except OSError:
        with socket.create_server((configuration.host, 0)) as found:
            port = found.getsockname()[1]
    return port
