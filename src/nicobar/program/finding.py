"""One thing that `nicobar doctor` has looked at."""

from typing import Final, NamedTuple

_MARKS: Final = {True: "✓", False: "✗", None: "·"}


class Finding(NamedTuple):
    """What a check found; `good` is None for a note that is neither good nor bad."""

    good: bool | None
    sentence: str
    advice: str = ""
    """What to do about it; shown only when it is not good."""

    def text(self) -> str:
        """Return the finding as it is printed."""
        return f"{_MARKS[self.good]} {self.sentence}" + ("" if self.good or not self.advice else f"\n  {self.advice}")
