"""A run of the simulation: what happens, how often, and what goes wrong meanwhile."""

import asyncio
import random
from collections.abc import Awaitable

from due_work import run_due
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.upkeep.sweep import sweep
from nicobar.program.books_audit import audit_books
from nicobar.storage.database import DatabaseUnavailable
from simulation import customers, sellers
from simulation.auditor import Auditor
from simulation.sellers import Act
from simulation.stepping import Crash, Fault
from simulation.town import Process, Town

AUDIT_EVERY = 25

LONGEST_RUN_DAYS = 200
"""The simulated bank forgets orders after a year; the auditor wants to read them."""

STEPS = (0.2, 2, 4, 20, 61, 130, 900, 3600, 6 * 3600, 86_400)
"""Seconds by which time moves on."""


async def sweep_once(town: Town, process: Process, _chance: random.Random) -> None:
    await sweep(process.runtime)


async def work(town: Town, process: Process, _chance: random.Random) -> None:
    """Work on what is due."""
    await run_due(process.runtime)


async def bring_notices(town: Town, process: Process, _chance: random.Random) -> None:
    await deliver_simulated_notices(process.runtime)


async def let_time_pass(town: Town, process: Process, chance: random.Random) -> None:
    step = chance.choices(STEPS, (3, 4, 4, 4, 6, 4, 3, 2, 1, 0.3))[0]
    if (town.clock.now() - town.start).days < LONGEST_RUN_DAYS:
        town.clock.advance(seconds=step * (1 + chance.random()))


async def crowd(town: Town, process: Process, chance: random.Random) -> None:
    """Let two to five things happen at the same time, most of them to one payment, in both processes."""
    payment_id = chance.choice(list(town.journal.payments)[-8:] or [""])
    if not payment_id:
        return
    told = town.journal.payments[payment_id]
    running: list[Awaitable[None]] = []
    for _ in range(chance.randint(2, 5)):
        by, own = chance.choice(town.processes), random.Random(chance.random())  # noqa: S311
        kind = chance.choice(("pay", "pay", "back", "back", "refund", "refund", "sweep", "work", "notices", "any"))
        match kind:
            case "pay":
                running.append(customers.pay_for(town, by, own, told))
            case "back":
                running.append(customers.come_back_to(town, by, own, told))
            case "refund":
                running.append(sellers.refund_of(town, by, own, payment_id))
            case "sweep":
                running.append(sweep(by.runtime))
            case "work":
                running.append(work(town, by, own))
            case "notices":
                running.append(bring_notices(town, by, own))
            case _:
                act = own.choices(list(ALONE), list(ALONE.values()))[0]
                running.append(act(town, by, own))
    results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:  # a death is told first, and a bug before what was to be expected
        if isinstance(result, Crash):
            raise result
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, DatabaseUnavailable | asyncio.CancelledError):
            raise result


async def go_wrong(town: Town, process: Process, chance: random.Random) -> None:
    """Let something happen while a process dies, a request is cut off, or a connection breaks."""
    fault: Fault = chance.choices(("crash", "cancel", "cut", "kill"), (5, 2, 3, 1))[0]
    at_commit = chance.random() < 0.6
    process.database.arm(fault, chance.randrange(5 if at_commit else 10), at_commit=at_commit)
    acts = {act: weight for act, weight in ALONE.items() if act is not let_time_pass} | {crowd: 12}
    act = chance.choices(list(acts), list(acts.values()))[0]
    try:
        await act(town, process, chance)
    except (Crash, DatabaseUnavailable, asyncio.CancelledError):
        pass
    finally:
        process.database.disarm()


async def restart_database_connections(town: Town, process: Process, _chance: random.Random) -> None:
    await process.database.end_idle_connections()


ALONE: dict[Act, float] = {
    sellers.create: 18,
    customers.pay: 26,
    customers.come_back: 12,
    sellers.refund: 10,
    sellers.read: 5,
    sellers.charge_saved: 4,
    sellers.make_a_mistake: 3,
    sellers.trespass: 3,
    sellers.list_all: 1,
    customers.change_code: 4,
    customers.change_country: 3,
    let_time_pass: 9,
    sweep_once: 4,
    work: 4,
    bring_notices: 3,
}
"""What can happen, with how often it does."""

EVERYTHING: dict[Act, float] = ALONE | {crowd: 12, go_wrong: 14, restart_database_connections: 1}


REFUSED: set[Act] = {sellers.make_a_mistake, sellers.trespass}
"""What is refused, and so changes nothing."""


async def simulate(town: Town, auditor: Auditor, operations: int) -> None:
    """Let so many things happen. Raises AssertionError with what the auditor finds meanwhile."""
    for done in range(1, operations + 1):
        act = town.chance.choices(list(EVERYTHING), list(EVERYTHING.values()))[0]
        process = town.chance.choice(town.processes)
        town.journal.happened[act.__name__] += 1
        before = await auditor.digest() if act in REFUSED else None
        await act(town, process, random.Random(town.chance.random()))  # noqa: S311
        if before is not None:
            assert await auditor.digest() == before, f"a refusal has changed something: {act.__name__}"
        for each in list(town.processes):
            if each.database.dead:
                await town.replace(each)
        if done % AUDIT_EVERY == 0:
            await _audit(town, auditor, f"after {done} operations", quiet=False)


async def come_to_rest(town: Town, auditor: Auditor) -> None:
    """Let time pass and the worker work until nothing can come to an end any more, and audit once more.

    Raises AssertionError with what the auditor finds, and then with what `nicobar doctor` does.
    """
    for _ in range(200):
        town.clock.advance(hours=1)
        process = town.chance.choice(town.processes)
        await sweep(process.runtime)
        await run_due(process.runtime)
        if not await auditor.busy(town.clock.now()):
            break
    await _audit(town, auditor, "when all was quiet", quiet=True)
    await _ask_the_doctor(town)


async def _audit(town: Town, auditor: Auditor, when: str, *, quiet: bool) -> None:
    findings = await auditor.findings(town.journal, town.clock.now(), quiet=quiet)
    assert not findings, f"{when}:\n" + "\n".join(findings[:20])


async def _ask_the_doctor(town: Town) -> None:
    """Hear a second opinion: that of `nicobar doctor`."""
    async with town.processes[0].database.read() as read:
        findings = await audit_books(read, town.clock.now(), town.start)
    assert [finding.text() for finding in findings if not finding.good] == []
