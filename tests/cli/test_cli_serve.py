"""`nicobar serve`: the banner, the log, a key that works at once, a database that dies."""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx

from cli.program import Serving, environment, eventually, is_alive, postmaster, run


def _get(url: str, key: str = "") -> httpx.Response:
    return httpx.get(url, headers={"authorization": f"Bearer {key}"} if key else {}, timeout=30)


def test_the_banner_says_where_the_server_is_and_the_server_is_ready(served: Serving, data: Path) -> None:
    assert "Nicobar 0.1.0 is ready.\n" in served.banner
    assert f"  Data           {data}\n" in served.banner
    assert "\x1b" not in served.banner  # not a terminal: no colours
    answer = _get(f"{served.base_url}/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "keys create" not in served.banner  # there is a key already


def test_without_a_key_the_banner_has_a_command_that_makes_one(
    serve: Callable[..., Serving], empty_folder: Path
) -> None:
    serving = serve("--data", empty_folder / "new data").ready()
    (command,) = [line for line in serving.banner.splitlines() if "keys create" in line]
    made = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment(), check=True)
    assert _get(f"{serving.base_url}/products", made.stdout.strip()).status_code == 200
    assert shlex.quote(str(empty_folder / "new data")) in command


def test_a_key_works_as_soon_as_it_is_printed_and_does_what_it_says(served: Serving, data: Path) -> None:
    keys = {}
    for name, options in {"write": (), "read": ("--read-only",), "live": ("--mode", "live")}.items():
        made = run("keys", "create", "--data", data, *options)
        assert (made.returncode, made.stderr) == (0, "")
        keys[name] = made.stdout.strip()
    customer = {"email": "grace@example.com", "name": "Grace"}

    def create(key: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{served.base_url}/customers", json=customer, headers=headers).status_code

    def customers(key: str) -> list[str]:
        listed = _get(f"{served.base_url}/customers?page_size=100", keys[key]).json()["items"]
        return [found["email"] for found in listed]

    before, live = customers("read"), customers("live")  # other tests use the same shop
    assert create(keys["read"]) == 403
    assert customers("read") == before
    assert create(keys["write"]) == 200
    assert customers("read") == ["grace@example.com", *before]
    assert customers("live") == live


def test_a_revoked_key_stops_working(served: Serving, data: Path) -> None:
    key = run("keys", "create", "--data", data).stdout.strip()
    (row,) = [line for line in run("keys", "list", "--data", data).stdout.splitlines() if f"...{key[-4:]}" in line]
    assert _get(f"{served.base_url}/products", key).status_code == 200
    revoked = run("keys", "revoke", row.split()[0], "--yes", "--data", data)
    assert (revoked.returncode, revoked.stdout) == (0, "")
    eventually(lambda: _get(f"{served.base_url}/products", key).status_code == 401)


def test_each_log_line_is_json_and_carries_the_request_id(served: Serving) -> None:
    answer = _get(f"{served.base_url}/no-such-path", "nicobar_test_secret")
    request_id = answer.headers["request-id"]
    lines = eventually(lambda: [json.loads(line) for line in served.log.splitlines() if request_id in line])
    (line,) = lines
    milliseconds, timestamp = line.pop("ms"), line.pop("timestamp")
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "path": "/no-such-path",
        "client": "127.0.0.1",
        "status": 404,
        "request_id": request_id,
    }
    assert milliseconds >= 0
    assert timestamp.endswith("Z")
    assert "nicobar_test_secret" not in served.log


def test_the_log_can_be_turned_down(serve: Callable[..., Serving], data: Path) -> None:
    serving = serve("--data", data, NICOBAR_LOG="warning").ready()
    assert _get(f"{serving.base_url}/health").status_code == 200
    assert serving.stop() == 0
    assert serving.log == ""


def test_a_second_server_on_the_same_data_serves_the_same_keys(
    serve: Callable[..., Serving], served: Serving, data: Path
) -> None:
    key = run("keys", "create", "--data", data).stdout.strip()
    second = serve("--data", data).ready()
    assert second.port != served.port
    assert _get(f"{second.base_url}/products", key).status_code == 200
    assert second.stop() == 0
    assert _get(f"{served.base_url}/health").status_code == 200  # the database stayed for the first one


def test_a_database_that_dies_is_answered_with_503_and_started_again(
    serve: Callable[..., Serving], empty_folder: Path
) -> None:
    data = empty_folder / "data"
    serving = serve("--data", data).ready()
    first = postmaster(data)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: _get(f"{serving.base_url}/health").status_code == 503)
    eventually(lambda: _get(f"{serving.base_url}/health").status_code == 200)
    second = postmaster(data)
    assert second not in (None, first)
    assert serving.stop() == 0
    assert second is not None
    assert not is_alive(second)


def test_an_external_database_is_used_as_it_is(serve: Callable[..., Serving], external_database: str) -> None:
    key = run("keys", "create", "--database-url", external_database).stdout.strip()
    serving = serve(NICOBAR_DATABASE_URL=external_database).ready()
    assert _get(f"{serving.base_url}/products", key).status_code == 200
    assert serving.stop() == 0
    again = run("keys", "list", NICOBAR_DATABASE_URL=external_database)  # it runs on: it is not ours to stop
    assert f"...{key[-4:]}" in again.stdout
