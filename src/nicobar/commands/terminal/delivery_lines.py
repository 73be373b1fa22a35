"""What became of events at webhook endpoints, as text."""

from collections import Counter
from collections.abc import Sequence

from nicobar.commands.terminal.parts import moment, table
from nicobar.core.webhooks.delivery import Delivery
from nicobar.program.banner import plain


def summary(deliveries: Sequence[Delivery]) -> str:
    """Return how many deliveries are in which state: `2 delivered, 1 waiting`."""
    counted = Counter(delivery.state for delivery in deliveries)
    return ", ".join(f"{number} {state}" for state, number in sorted(counted.items())) or "-"


def delivery_lines(deliveries: Sequence[Delivery]) -> list[str]:
    """Return what became of events, one block for each delivery, with every try under it."""
    lines: list[str] = []
    for delivery in deliveries:
        due = f", next try {moment(delivery.due_at)}" if delivery.due_at else ""
        lines.append(f"{delivery.endpoint_id}  {delivery.state}{due}  {plain(delivery.url)}")
        rows = [
            [
                str(one.number),
                moment(one.attempted_at),
                "-" if one.status is None else str(one.status),
                f"{one.duration_ms} ms",
                plain(one.reason or one.answer or "-")[:200],
            ]
            for one in delivery.attempts
        ]
        if rows:
            lines += [f"  {line}" for line in table(["TRY", "WHEN (UTC)", "STATUS", "TOOK", "WHY OR ANSWER"], rows)]
    return lines
