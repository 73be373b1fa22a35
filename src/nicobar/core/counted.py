"""How sentences for sellers and developers say how many there are. Customers read translations instead."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun: `1 payment`, `1,200 payments`. `plural` is for a noun that takes no s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
