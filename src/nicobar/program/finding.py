"""One thing that `nicobar doctor` has looked at."""

from typing import Final, NamedTuple

_MARKS: Final = {"good": "✓", "bad": "✗", "warning": "!", "note": "·"}


class Finding(NamedTuple):
    """What a check found; `good` is None for a note that is neither good nor bad."""

    good: bool | None
    sentence: str
    advice: str = ""
    """What to do about it; shown only when it is not good."""
    warns: bool = False
    """Whether a note should not be overlooked."""

    @property
    def kind(self) -> str:
        """`good`, `bad`, `warning` or `note`."""
        if self.good is None:
            return "warning" if self.warns else "note"
        return "good" if self.good else "bad"

    def text(self) -> str:
        """Return the finding as it is printed."""
        advice = "" if self.good or not self.advice else f"\n  {self.advice}"
        return f"{_MARKS[self.kind]} {self.sentence}{advice}"

    def as_json(self) -> dict[str, str | None]:
        """Return the finding for programs."""
        return {"kind": self.kind, "sentence": self.sentence, "advice": None if self.good else self.advice or None}
