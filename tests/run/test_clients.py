"""Every way of asking the hosted service arrives here or is refused, in Node and in Python, with an unchanged program.

Witnesses below the libraries say that no name was looked up and nothing was connected to but this computer; a proxy
that plays the hosted service says what reached it.
"""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from run.conftest import CLIENTS, NODE_MODULES, WITNESS, DemoShop, needs_node, sightings
from run.outside import Outside

REFUSED = "nicobar run: refused "

NODE: dict[str, Any] = {
    "fetch": 200,
    "fetch of a Request": 200,
    "http.get": 200,
    "https.get": 200,
    "https.get with an agent": 200,
    "https.get in capitals": 200,
    "axios": 200,
    "undici": 200,
    "undici with HTTP/2": 200,
    "SDK in live mode": 3,
    "SDK in test mode": 3,
    "SDK as it is": 3,
    "SDK with an address": 3,
    "module with named imports": 200,
    "checkout page": 200,
    "worker thread": 20,  # a status of 200, of which an exit status has room for a tenth
    "worker thread with an environment": 20,
    "child": 20,
    "child with an environment": 20,
    "child by execFileSync": "done",
    "address of this process": "undefined",
    "key for live mode": 403,
    **dict.fromkeys(("another host", "another domain", "HTTP/2"), "refused"),
    **dict.fromkeys(("look-up", "look-up by a resolver", "look-up with a callback"), "refused"),
    "TLS by number": "failed: DEPTH_ZERO_SELF_SIGNED_CERT",
    "a proxy of its own": "failed: DEPTH_ZERO_SELF_SIGNED_CERT",
}

PYTHON: dict[str, Any] = {
    "early": [],
    **dict.fromkeys(("urllib", "http.client", "http.client without TLS", "requests", "requests unverified"), 200),
    **dict.fromkeys(("httpx", "httpx unverified", "httpx async", "httpx on uvloop", "aiohttp", "asyncio"), 200),
    **dict.fromkeys(("aiohttp on uvloop", "uvloop", "a bare socket", "checkout page"), 200),
    **dict.fromkeys(("SDK in live mode", "SDK in test mode", "SDK as it is", "SDK with an address", "SDK async"), 3),
    "child": 200,
    "child with an environment": 200,
    "key for live mode": 403,
    **dict.fromkeys(("another host", "another domain", "look-up", "look-up below socket"), "refused"),
    "TLS by number": "failed: SSLCertVerificationError",
    "a proxy of its own": "failed: SSLError",
    "another proxy of its own": "failed: ConnectError",
}


def arrived(told: str) -> dict[str, int]:
    """Return how many requests the last line counts for each host."""
    line = told.splitlines()[-1].removeprefix("nicobar run: requests that were redirected here: ")
    return {host: int(count) for host, count in (part.split() for part in line.split(", "))}


@needs_node
def test_node_is_led_here_or_refused(shop: DemoShop, beyond: Outside, tmp_path: Path) -> None:
    for file in ("clients.cjs", "imports.mjs"):
        (tmp_path / file).write_bytes((CLIENTS / file).read_bytes())
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    witness = tmp_path / "witness"
    proxy = urlsplit(beyond.proxy)
    done = shop.run(
        *("--", "node", tmp_path / "clients.cjs", beyond.proxy, str(proxy.port)),
        NODE_OPTIONS=f"--require {WITNESS / 'witness.cjs'}",
        WITNESS=str(witness),
        HTTPS_PROXY=beyond.proxy,
        https_proxy=beyond.proxy,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results.pop("address of a shell") == shop.base_url
    assert results == NODE
    assert done.stderr.count(f"{REFUSED}a connection to ") == 2
    assert done.stderr.count(f"{REFUSED}to look up ") == 4  # one of them in the module
    assert done.stderr.count(f"{REFUSED}HTTP/2") == 1
    assert arrived(done.stderr) == {
        "checkout.dodopayments.com": 1,
        "live.dodopayments.com": 13,
        "test.dodopayments.com": 5,
    }
    assert beyond.called == [b"CONNECT live.dodopayments.com:443 HTTP/1.1"]
    assert [asked for asked in beyond.asked if asked] == []
    seen = sightings(witness)
    # Two of the children, a worker thread, and the program itself, whose connections are the most.
    assert [process["looked_up"] for process in seen] == [0, 0, 0, 0]
    assert {address for process in seen for address in process["connected"]} == {"127.0.0.1"}
    assert len(seen[-1]["connected"]) >= 10


def test_python_is_led_here_or_refused(shop: DemoShop, beyond: Outside, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    done = shop.run(
        *("--", sys.executable, CLIENTS / "clients.py", beyond.proxy, str(urlsplit(beyond.proxy).port)),
        PYTHONPATH=str(WITNESS),
        PYTHONWARNINGS="ignore",
        WITNESS=str(witness),
        HTTPS_PROXY=beyond.proxy,
        https_proxy=beyond.proxy,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results.pop("address of this process") == shop.base_url
    assert results == PYTHON
    assert done.stderr.count(f"{REFUSED}a connection to ") == 2
    assert done.stderr.count(f"{REFUSED}to look up ") == 2
    # The SDK as it is asks the address in the environment, which is the server's own.
    assert arrived(done.stderr) == {
        "live.dodopayments.com": 14,
        "test.checkout.dodopayments.com": 1,
        "test.dodopayments.com": 6,
    }
    connects = [b"CONNECT live.dodopayments.com:443 HTTP/1.1", b"CONNECT live.dodopayments.com:443 HTTP/1.1"]
    assert [called.replace(b"HTTP/1.0", b"HTTP/1.1") for called in beyond.called] == connects
    assert [asked for asked in beyond.asked if asked] == []
    seen = sightings(witness)  # of the child, of the program, and of `nicobar run` itself, which is Python, too
    assert len(seen) == 3
    assert len(seen[1]["connected"]) >= 20
    assert {address for process in seen for address in process["connected"]} == {"127.0.0.1"}
    assert {name for process in seen for name in process["looked_up"]} <= {"127.0.0.1"}
