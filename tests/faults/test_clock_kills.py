"""A program that moves the clock of test mode is killed again and again: what has happened in the end is the same."""

import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from api.subscriptions.subscribing import GOOD_CARD, RENEWALS_FAIL, Club, open_club
from harness import START, FakeClock, Merchant
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode.load_move import load_move
from proof import PROVING, length

DAYS = int(os.environ.get("NICOBAR_CLOCK_DAYS", 740 if PROVING else 62))
KILLS = int(os.environ.get("NICOBAR_CLOCK_KILLS", length(50)))
SEED = int(os.environ.get("NICOBAR_KILLS_SEED", secrets.randbelow(10**6)))
PROGRAM = Path(__file__).with_name("crashing_clock.py")


async def settled(club: Club) -> None:
    """Let the business sell four subscriptions, one of which fails, and leave an open link behind."""
    await change_setting(club.runtime, club.merchant.tenant, "renewal_retry_days", "13")
    product = await club.product()
    for number, card in enumerate((GOOD_CARD, GOOD_CARD, RENEWALS_FAIL, GOOD_CARD)):
        await club.subscribe(product, card, customer={"email": f"c{number}@example.com", "name": "C"})
    await club.request(product, customer={"email": "late@example.com", "name": "Late"})


def move(club: Club, seed: int, steps: int) -> int:
    """Move the clock in a process of its own, and return how it ended."""
    database = club.runtime.database.dsn
    arguments = [database, club.merchant.business_id, str(seed), str(DAYS), str(steps)]
    tests = str(PROGRAM.parents[1])
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        env=os.environ | {"PYTHONPATH": tests},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode


async def has_arrived(club: Club) -> bool:
    """Return whether the target was reached: a program may be killed after that, too, and then is not called again."""
    clock = (await load_move(club.runtime, club.merchant.tenant)).clock
    return clock.began_at is not None and clock.moving_to is None


async def outcome(club: Club) -> dict[str, Any]:
    """Return what has become of it, without ids."""
    happened = (await load_move(club.runtime, club.merchant.tenant)).happened
    listed = (await club.call("GET", "/subscriptions?page_size=100"))["items"]
    bought = {
        each["customer"]["email"]: (
            each["status"],
            each["next_billing_date"],
            [
                (paid["status"], paid["created_at"], paid["updated_at"], paid["total_amount"], paid["retry_attempt"])
                for paid in await club.payments(each["subscription_id"])
            ],
        )
        for each in listed
    }
    return {"happened": sorted((one.at, one.type) for one in happened), "bought": bought}


@pytest.mark.proof
async def test_it_comes_to_the_same(
    merchant: Merchant,
    other_merchant: Merchant,
    app: ASGIApp,
    runtime: Runtime,
    clock: FakeClock,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("seed", SEED)
    chance = random.Random(SEED)  # noqa: S311 - kills have to repeat
    killed, spared = (open_club(one, app, runtime, clock) for one in (merchant, other_merchant))
    await settled(killed)
    await settled(spared)
    assert move(spared, SEED, 0) == 0
    kills = 0
    while kills < KILLS and not await has_arrived(killed):
        kills += move(killed, SEED + 1 + kills, chance.randint(4, 30)) != 0
    record_property("kills", kills)
    assert kills >= (KILLS if PROVING else min(KILLS, 4)), f"seed {SEED}"
    if not await has_arrived(killed):
        assert move(killed, SEED - 1, 0) == 0
    end = await outcome(spared)
    assert (await load_move(runtime, merchant.tenant)).now == START + timedelta(days=DAYS)
    assert len(end["happened"]) > 20
    assert await outcome(killed) == end, f"seed {SEED}"
    await killed.books_agree()
