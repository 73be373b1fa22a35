"""Health: whether payments can be taken, whether the process answers, and the numbers for Prometheus."""

import re
import socket
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from harness import Databases, Merchant, client_for
from nicobar.app import create_app
from nicobar.flows.runtime import Runtime
from nicobar.metrics import current
from nicobar.program.ports import PortError, exposed
from nicobar.storage.database import Database
from orders import dump


async def asked(runtime: Runtime, path: str = "/health") -> tuple[int, Any]:
    """Ask a server that has not been asked before."""
    async with client_for(create_app(runtime)) as client:
        response = await client.get(path)
    return response.status_code, response.json()


async def test_a_server_that_can_take_payments(runtime: Runtime) -> None:
    before = await dump(runtime)
    assert await asked(runtime) == (200, {"status": "ok"})
    assert await dump(runtime) == before
    assert await asked(runtime, "/health/live") == (200, {"status": "ok"})


async def test_a_disk_that_is_nearly_full(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nicobar.flows.upkeep.probe_readiness.LEAST_FREE_BYTES", 1 << 62)
    with capture_logs() as logs:
        assert await asked(runtime) == (503, {"status": "unavailable", "obstacle": "disk"})
    (line,) = [line for line in logs if line["event"] == "not_ready"]
    assert re.fullmatch(r"\d+ bytes are free on the disk of the database", line["why"])
    assert await asked(runtime, "/health/live") == (200, {"status": "ok"})


@pytest.mark.parametrize("setting", ["default_transaction_read_only = on", "temp_file_limit = '1kB'"])
async def test_a_database_that_cannot_be_written(runtime: Runtime, databases: Databases, setting: str) -> None:
    dsn = await databases.create(f"unwritable_{setting.partition(chr(32))[0]}")
    database = Database(dsn, size=2)
    async with database.read() as read:
        name = await read.fetchval("SELECT current_database()")
        await read.execute(f"ALTER DATABASE {name} SET {setting}")
    await database.close()
    other = runtime._replace(database=Database(dsn, size=2))
    assert await asked(other) == (503, {"status": "unavailable", "obstacle": "database"})
    await other.database.close()


async def test_a_database_that_is_away(runtime: Runtime) -> None:
    away = runtime._replace(database=Database("postgresql://nobody@127.0.0.1:1/none"))
    assert await asked(away) == (503, {"status": "unavailable", "obstacle": "database"})
    assert await asked(away, "/health/live") == (200, {"status": "ok"})


async def test_prometheus_reads_patterns_and_no_ids(merchant: Merchant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with exposed(port):
        assert (await merchant.client.get("/payments/pay_secret0000")).status_code == 404
        assert (await merchant.client.get("/abcdEFGH")).status_code == 404
        assert (await merchant.client.get("/no/such/path")).status_code == 404
        with pytest.raises(PortError, match=f"Port {port} on 127.0.0.1 is taken by .* NICOBAR_METRICS_PORT={port + 1}"):
            exposed(port).__enter__()
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert current() is None
    counted = re.findall(r"^nicobar_request_seconds_count\{(.*)\} ([\d.]+)$", text, re.MULTILINE)
    assert sorted(counted) == [
        ('method="GET",route="/payments/{payment_id}",status="404"', "1.0"),
        ('method="GET",route="/{link_id:link}",status="404"', "1.0"),
        ('method="GET",route="none",status="404"', "1.0"),
    ]
    for secret in ("pay_secret0000", "abcdEFGH", merchant.business_id, "such"):
        assert secret not in text
    assert "nicobar_ready" in text and "nicobar_jobs_waiting" in text and "process_cpu_seconds_total" in text
