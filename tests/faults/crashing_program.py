"""The program `nicobar`, made to die at a named point: `python crashing_program.py POINT nicobar arguments ...`.

The process kills itself with SIGKILL, so nothing of it can tidy up, as when the power fails. A point is hit when a
payment by the card of the test comes by; everything before it runs as always.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from nicobar.cli import run
from nicobar.flows.notices import deliver_simulated_notices, handle_notice, receive_notice
from nicobar.flows.payments import begin_first_attempt, confirm_payment, end_first_attempt
from nicobar.flows.refunds import refund_payment
from nicobar.pages.changes import charging
from nicobar.processors.simulator.simulator import Simulator
from nicobar.worker import kinds, worker

Async = Callable[..., Awaitable[Any]]


def die(*_arguments: object, **_named: object) -> None:
    """End the process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(original: Async) -> Async:
    """Return a function that dies instead of running."""

    async def dying(*arguments: Any, **named: Any) -> Any:
        die()

    return dying


def after(original: Async) -> Async:
    """Return a function that runs and then dies, so that nobody learns what it returned."""

    async def dying(*arguments: Any, **named: Any) -> Any:
        await original(*arguments, **named)
        die()

    return dying


def after_something(original: Async) -> Async:
    """Return a function that runs and dies once there is anything to return."""

    async def dying(*arguments: Any, **named: Any) -> Any:
        result = await original(*arguments, **named)
        if result:
            die()
        return result

    return dying


POINTS: dict[str, tuple[Any, str, Callable[[Async], Async]]] = {
    # name: (where the name is looked up, the name, when to die)
    "before the intent": (confirm_payment, "_record_intent", before),
    "within the intent": (confirm_payment, "_record_intent", after),
    "after the intent": (confirm_payment, "_charge", before),
    "during the call": (Simulator, "charge", after),
    "after the call": (confirm_payment, "_charge", after),
    "before the outcome": (confirm_payment, "record_payment_outcome", before),
    "within the outcome": (confirm_payment, "record_payment_outcome", after),
    "after the outcome": (charging, "confirm_payment", after),
    "before the unlocked intent": (begin_first_attempt, "begin_first_attempts", before),
    "after the unlocked intent": (begin_first_attempt, "begin_first_attempts", after),
    "before the unlocked outcome": (end_first_attempt, "end_first_attempts", before),
    "after the unlocked outcome": (end_first_attempt, "end_first_attempts", after),
    "before the refund's intent": (refund_payment, "_record_intent", before),
    "within the refund's intent": (refund_payment, "_record_intent", after),
    "after the refund's intent": (refund_payment, "_refund", before),
    "during the refund's call": (Simulator, "refund", after),
    "before the refund's outcome": (refund_payment, "record_refund_outcome", before),
    "within the refund's outcome": (refund_payment, "record_refund_outcome", after),
    "before a notice is stored": (receive_notice, "insert_notice", before),
    "within the storing of a notice": (receive_notice, "insert_notice", after),
    "after a notice is stored": (deliver_simulated_notices, "receive_notice", after),
    "after a notice is taken": (kinds, "claim_due_work", after_something),
    "before a notice is handled": (handle_notice, "_ask", before),
    "after a notice is handled": (handle_notice, "_ask", after),
    "after a notice is marked": (handle_notice, "mark_handled", after),
}
"""Every point, in the order of the crash table of the architecture."""


LOCKED = {"before the intent", "within the intent", "before the outcome", "within the outcome"}
"""Points that are met by payments under their lock alone."""


async def leave_to_the_lock(*_arguments: object) -> None:
    """Begin no attempt, as when the payment has changed since it was read."""


def main() -> int:
    """Arm the point and run the command."""
    if sys.argv[1] in LOCKED:
        confirm_payment._begin_unlocked = leave_to_the_lock  # type: ignore[assignment]
    worker.SWEEP_SECONDS = 0.2  # type: ignore[misc]
    owner, name, when = POINTS[sys.argv[1]]
    setattr(owner, name, when(getattr(owner, name)))
    return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
