"""The server is killed amid payments with two endpoints, one of which fails half the time. Nothing is lost.

`make prove` does it with 5,000 payments; `NICOBAR_WEBHOOK_PAYMENTS` and `NICOBAR_WEBHOOK_KILLS` set how many. What has
arrived in the end is compared with what the database says has happened. Each signature is verified with Standard
Webhooks as it comes, and afterwards with the JavaScript SDK.
"""

import asyncio
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from cli.program import PATIENCE, Serving, new_folder, run
from faults.shopping import Journal, Shop
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import open_embedded
from proof import PROVING, length
from receiver import Got, Receiver, answer, receiving

PAYMENTS = int(os.environ.get("NICOBAR_WEBHOOK_PAYMENTS", 5000 if PROVING else 24))
KILLS = int(os.environ.get("NICOBAR_WEBHOOK_KILLS", length(20)))
SEED = int(os.environ.get("NICOBAR_KILLS_SEED", secrets.randbelow(10**6)))
SHOPPERS = 6
FAILURES = 4
"""Tries of one event that may fail: less than there are on the ladder of retries."""
SETTINGS = {"NICOBAR_ALLOW_PRIVATE_WEBHOOKS": "1", "NICOBAR_RATE_LIMIT": "off"}


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = new_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Checked:
    """The secret of an endpoint, and what was wrong with what it got."""

    def __init__(self) -> None:
        self.secret = ""
        self.wrong: list[str] = []

    def check(self, got: Got) -> None:
        try:
            Webhook(self.secret).verify(got.body, got.headers)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells
            self.wrong.append(repr(error))


async def _endpoint(base_url: str, key: str, url: str) -> str:
    """Create an endpoint and return its secret."""
    async with httpx.AsyncClient(base_url=base_url, headers={"authorization": f"Bearer {key}"}) as client:
        made = await client.post("/webhooks", json={"url": url})
        assert made.status_code == 200, made.text
        found = await client.get(f"/webhooks/{made.json()['id']}/secret")
        secret: str = found.json()["secret"]
        return secret


async def _buy(shop: Shop, product_id: str, chance: random.Random, stop: asyncio.Event) -> None:
    while not stop.is_set():
        created = await shop.create(product_id)
        if created is None:
            await asyncio.sleep(0.01)
            continue
        await shop.pay(created["payment_link"], chance.choice(["4242424242424242", "4000000000000002"]))
        if await shop.status(created["payment_id"]) == "succeeded" and chance.random() < 0.3:
            await shop.refund(created["payment_id"])


async def _killed(data: Path, key: str, product_id: str, journal: Journal, more: int, chance: random.Random) -> None:
    """Serve while people buy, and kill when so many more payments have been created."""
    serving, stop = Serving("--data", data, **SETTINGS), asyncio.Event()
    try:
        await asyncio.to_thread(serving.ready)
        async with AsyncExitStack() as shops:
            opened = [
                await shops.enter_async_context(Shop(serving.base_url, key, journal, f"127.0.2.{2 + index}"))
                for index in range(SHOPPERS)
            ]
            buying = asyncio.gather(
                *(_buy(shop, product_id, random.Random(chance.getrandbits(32)), stop) for shop in opened)  # noqa: S311
            )
            wanted = len(journal.payments) + more
            async with asyncio.timeout(PATIENCE + more):
                while len(journal.payments) < wanted:
                    await asyncio.sleep(0.002)
            serving.process.send_signal(signal.SIGKILL)
            assert await asyncio.to_thread(serving.process.wait, PATIENCE) == -signal.SIGKILL
            stop.set()
            await buying
    finally:
        serving.close()


async def _arrived(data: Path, endpoints: int) -> dict[str, tuple[str, str]]:
    """Serve until every delivery has arrived, and return the events: their type and object by their id.

    What a dead worker had taken is due again after a minute, and what failed after its pause: neither is waited for.
    """
    with open_embedded(data) as postgres:
        database = Database(postgres.dsn, size=2)
        try:
            while True:
                serving = Serving("--data", data, **SETTINGS)
                try:
                    await asyncio.to_thread(serving.ready)
                    async with asyncio.timeout(PATIENCE + PAYMENTS), database.read() as read:
                        while await read.fetchval(_WAITING):
                            await read.execute("UPDATE webhook_deliveries SET due_at = now() WHERE due_at > now()")
                            await asyncio.sleep(0.3)
                finally:
                    serving.close()
                async with database.read() as read:
                    if await read.fetchval(_WAITING):
                        continue  # something was told while the server was being stopped
                    assert await read.fetchval(_ENABLED) == endpoints
                    rows = await read.fetch("SELECT event_id, type, object_id FROM events")
                    return {row["event_id"]: (row["type"], row["object_id"]) for row in rows}
        finally:
            await database.close()


_WAITING = "SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'"
_ENABLED = "SELECT count(*) FROM webhook_endpoints WHERE NOT disabled"


NODE = Path(__file__).resolve().parents[2] / "build" / "node"
VERIFIED = """
const DodoPayments = require("dodopayments");
const client = new DodoPayments({ bearerToken: "x" });
let count = 0;
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { body, headers, key } = JSON.parse(line);
  Date.now = () => Number(headers["webhook-timestamp"]) * 1000; // when it came
  client.webhooks.unwrap(body, { headers, key });
  count += 1;
}).on("close", () => console.log(count));
"""


def _verify_in_javascript(receiver: Receiver, secret: str) -> None:
    """Let the JavaScript SDK verify every request, each at its own moment."""
    if not (NODE / "node_modules").is_dir():
        pytest.skip("the JavaScript SDK is not installed: make setup")
    lines = [json.dumps({"body": got.body.decode(), "headers": got.headers, "key": secret}) for got in receiver.got]
    done = subprocess.run(
        ["node", "-e", VERIFIED], input="\n".join(lines), capture_output=True, text=True, cwd=NODE, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == len(receiver.got)


@pytest.mark.proof
async def test_every_event_reaches_each_endpoint_and_none_is_invented(
    folder: Path, record_property: Callable[[str, object], None]
) -> None:
    print(f"NICOBAR_WEBHOOK_PAYMENTS={PAYMENTS} NICOBAR_KILLS_SEED={SEED}")  # noqa: T201 - how to repeat it
    chance, journal, data = random.Random(SEED), Journal(), folder / "data"  # noqa: S311 - a run can be repeated
    made = await asyncio.to_thread(run, "keys", "create", "--data", data)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    steady, shaky = Checked(), Checked()

    async def well(got: Got) -> bytes:
        steady.check(got)
        return answer()

    tries: Counter[str] = Counter()

    async def half(got: Got) -> bytes | None:
        """Fail half of the time, now and then without any answer, but no event so often that it is given up."""
        shaky.check(got)
        tries[got.message_id] += 1
        if tries[got.message_id] > FAILURES:
            return answer()
        (chosen,) = chance.choices([answer(), answer(500), None], [50, 49, 1])
        return chosen

    async with receiving(by=well) as first, receiving(by=half) as second:
        serving = Serving("--data", data, **SETTINGS)
        try:
            await asyncio.to_thread(serving.ready)
            for checked, receiver in ((steady, first), (shaky, second)):
                checked.secret = await _endpoint(serving.base_url, key, receiver.url)
            async with Shop(serving.base_url, key, journal, "127.0.2.1") as shop:
                product_id = await shop.product()
        finally:
            serving.close()
        for _ in range(KILLS):
            await _killed(data, key, product_id, journal, PAYMENTS // KILLS, chance)
        events = await _arrived(data, 2)
    assert journal.errors == []
    assert (steady.wrong, shaky.wrong) == ([], [])
    assert len(events) >= len(journal.statuses) + len(journal.refunds)
    told = {payment_id for _, payment_id in events.values()}
    assert set(journal.statuses) | set(journal.refunds) <= told
    for checked, receiver in ((steady, first), (shaky, second)):
        _check(receiver, events)
        await asyncio.to_thread(_verify_in_javascript, receiver, checked.secret)
    record_property(f"payments, {KILLS} kills of seed {SEED}", len(journal.payments))
    print(f"{len(events)} events, {len(first.got)} and {len(second.got)} requests")  # noqa: T201


def _check(receiver: Receiver, events: dict[str, tuple[str, str]]) -> None:
    """Every event has arrived under one id of its own, and nothing else has."""
    about: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for got in receiver.got:
        body = json.loads(got.body)
        data = body["data"]
        about[got.message_id].add((body["type"], data.get("refund_id") or data["payment_id"]))
    assert all(len(what) == 1 for what in about.values())
    arrived = Counter(next(iter(what)) for what in about.values())
    assert arrived == Counter(events.values())
