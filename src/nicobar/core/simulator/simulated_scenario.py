"""The faults that the simulator of test mode injects: the words of a payment's metadata `nicobar_scenario`.

A scenario is words with `;` between them, each with at most one argument behind a `:`, for example
`late_success:120; notice_twice`. Every word, its bounds and an example are in docs/simulator.md. Real processors and
live payments never see one.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, get_args

import msgspec

from nicobar.core.business.tenant import Mode
from nicobar.core.payments.renewal_try import RenewalTry
from nicobar.core.problems import Problem

METADATA_KEY: Final = "nicobar_scenario"
"""The key of a payment's metadata that holds its scenario."""

LONGEST_LATENCY: Final = timedelta(seconds=60)
"""The longest time for which an answer can be held back; a charge is waited for half as long."""

LONGEST_DELAY: Final = timedelta(days=90)
"""The longest time after which something can happen."""

LARGEST_SEED: Final = 2**31 - 1

MOST_RENEWALS: Final = 10_000
"""The largest number of a renewal, or of its tries, that a scenario can name."""

AnswerFault = Literal["timeout_before", "timeout_after", "drop_before", "drop_after"]
"""What becomes of the answer to a charge: never given, or a connection that breaks, before or after the money moves."""

NoticeFault = Literal["twice", "first", "lost", "shuffled"]
"""What becomes of the notices: each comes twice, before the answer, not at all, or in another order."""

Verdict = Literal["won", "lost", "cancelled", "accepted", "expired", "challenged"]
"""How a dispute goes on after it was opened."""


class RenewalDecline(msgspec.Struct, frozen=True):
    """A renewal that is declined while its customer is not there."""

    number: int
    error_code: str
    tries: int
    """How many tries of it are declined."""


class SimulatedScenario(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to happen to one charge. Without any of it, the card or the method decides alone."""

    decline: str | None = None
    """The failure code with which the charge is declined."""
    challenge: bool = False
    """Whether the card's bank asks its holder."""
    latency: timedelta = timedelta()
    """How long the answer to the charge is held back."""
    answer: AnswerFault | None = None
    late: timedelta | None = None
    """How long a charge is pending before its end comes by itself."""
    notices: NoticeFault | None = None
    notice_late: timedelta = timedelta()
    """How much later than the truth the notices come."""
    dispute_after: timedelta | None = None
    """How long after the charge its holder disputes it; None for never."""
    dispute_reason: str = "fraudulent"
    dispute_whole: bool = False
    """Whether the whole charge is disputed, whatever was refunded of it: its money is given back twice."""
    verdict: Verdict | None = None
    verdict_after: timedelta = timedelta()
    """How long after its opening the dispute goes on."""
    refund_pending: timedelta | None = None
    """How long a refund is pending; None for an end at once."""
    refund_fail: bool = False
    refund_bounce: timedelta | None = None
    """How long after its success a refund comes back; None for never."""
    refund_answer: Literal["drop_before", "drop_after"] | None = None
    """What becomes of the answer to the first request of each refund."""
    renewal_decline: RenewalDecline | None = None
    mandate_renewals: int | None = None
    """How many renewals the mandate is good for; None for all. It is given again whenever the customer is there."""
    card_replaced: int | None = None
    """The renewal before which the bank has sent its customer a new card, which is charged in place of the old one."""
    seed: int = 0
    """What decides wherever something is left to chance."""

    def for_renewal(self, renewal: RenewalTry | None) -> "SimulatedScenario":
        """Return what is to happen to a charge without its customer: declined, where the renewal is to be."""
        wanted, code = self.renewal_decline, None
        if renewal is not None and wanted is not None and renewal.number == wanted.number:
            code = wanted.error_code if renewal.retry_attempt < wanted.tries else None
        if renewal is not None and self.mandate_renewals is not None and renewal.number == self.mandate_renewals + 1:
            code = "MANDATE_INVALID"
        return self if code is None else msgspec.structs.replace(self, decline=code)


def read_scenario(text: object, codes: Sequence[str]) -> SimulatedScenario:
    """Return what a text asks for; `codes` are the failure codes of the contract, in one order.

    Raises Problem INVALID_REQUEST_BODY, which names the word, for one that is not of the grammar, out of bounds or
    there twice: a mistake must not look like a test that passed.
    """
    if not isinstance(text, str):
        raise _refused("It is not a text.")
    given: dict[str, str] = {}
    for part in text.split(";"):
        word, _, argument = (piece.strip() for piece in part.partition(":"))
        if word not in _WORDS:
            raise _refused(f"{word[:40]!r} is none of {', '.join(_WORDS)}.")
        if word in given:
            raise _refused(f"{word} is there twice.")
        given[word] = argument
    seed = _whole(given.pop("seed"), "seed") if "seed" in given else 0
    fields: _Fields = {}
    for word, argument in given.items():
        read = _WORDS[word](argument, word, codes)
        if not fields.keys().isdisjoint(read):
            raise _refused(f"{word} contradicts another word.")
        fields |= read
    if "chaos" in given:
        fields = _mix(seed, codes) | fields
    if "verdict" in fields and "dispute_after" not in fields:
        raise _refused("verdict needs dispute_after.")
    if "dispute_whole" in fields and "dispute_after" not in fields:
        raise _refused("dispute_whole needs dispute_after.")
    return msgspec.convert(fields | {"seed": seed}, SimulatedScenario)


def chance(seed: int, what: str, among: int) -> int:
    """Return a number from 0 to `among` - 1 that looks like chance and is the same every time."""
    digest = hashlib.sha256(f"{seed} {what}".encode()).digest()
    return int.from_bytes(digest[:8]) % among


def _refused(detail: str) -> Problem:
    return Problem("INVALID_REQUEST_BODY", path=f"metadata.{METADATA_KEY}", detail=detail)


_Fields = dict[str, object]
_Reader = Callable[[str, str, Sequence[str]], _Fields]

_UNITS: Final = {"": 1000, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds of the units of time; a number without one means seconds."""

_DURATION: Final = re.compile(r"([0-9]{1,7})(?:\.([0-9]{1,3}))?([smhd]?)", re.ASCII)


def _duration(argument: str, word: str, longest: timedelta) -> timedelta:
    found = _DURATION.fullmatch(argument)
    if found is None:
        raise _refused(f"{word} takes a time such as 2.5, 90s, 5m, 3h or 7d.")
    whole, fraction, unit = found.group(1), found.group(2) or "", found.group(3)
    thousandths = int(whole) * 1000 + int(fraction.ljust(3, "0"))
    duration = timedelta(milliseconds=thousandths * _UNITS[unit] // 1000)
    if duration > longest:
        raise _refused(f"{word} takes at most {longest // timedelta(seconds=1)} seconds.")
    return duration


def _whole(argument: str, word: str) -> int:
    if not (argument.isascii() and argument.isdecimal() and len(argument) <= 10 and int(argument) <= LARGEST_SEED):
        raise _refused(f"{word} takes a whole number from 0 to {LARGEST_SEED}.")
    return int(argument)


def _flag(**fields: object) -> _Reader:
    """Return the reader of a word without an argument."""

    def read(argument: str, word: str, _codes: Sequence[str]) -> _Fields:
        if argument:
            raise _refused(f"{word} takes no argument.")
        return fields

    return read


def _time(name: str, longest: timedelta = LONGEST_DELAY, **fields: object) -> _Reader:
    """Return the reader of a word whose argument is a time."""
    return lambda argument, word, _codes: {name: _duration(argument, word, longest), **fields}


def _decline(argument: str, word: str, codes: Sequence[str]) -> _Fields:
    code = argument or "GENERIC_DECLINE"
    if code not in codes:
        raise _refused(f"{word} takes a failure code, such as INSUFFICIENT_FUNDS.")
    return {"decline": code}


def _late_decline(argument: str, word: str, codes: Sequence[str]) -> _Fields:
    after, _, code = argument.partition(":")
    return {"late": _duration(after, word, LONGEST_DELAY), **_decline(code, word, codes)}


def _verdict(argument: str, word: str, _codes: Sequence[str]) -> _Fields:
    verdict, _, after = argument.partition(":")
    if verdict not in get_args(Verdict):
        raise _refused(f"{word} takes one of {', '.join(get_args(Verdict))} and a time, such as won:5d.")
    return {"verdict": verdict, "verdict_after": _duration(after, word, LONGEST_DELAY)}


def _counted(argument: str, word: str) -> int:
    number = _whole(argument, word) if argument else -1
    if not 1 <= number <= MOST_RENEWALS:
        raise _refused(f"{word} takes a number from 1 to {MOST_RENEWALS}.")
    return number


def _renewal_decline(argument: str, word: str, codes: Sequence[str]) -> _Fields:
    number, *more = argument.split(":")
    if len(more) > 2:
        raise _refused(f"{word} takes a number, a failure code and a number of tries, such as 2:INSUFFICIENT_FUNDS:3.")
    code, tries = [*more, "", ""][:2]
    declined = str(_decline(code, word, codes)["decline"])
    return {"renewal_decline": RenewalDecline(_counted(number, word), declined, _counted(tries or "1", word))}


def _number(name: str) -> _Reader:
    """Return the reader of a word whose argument is the number of a renewal."""
    return lambda argument, word, _codes: {name: _counted(argument, word)}


_WORDS: Final[dict[str, _Reader]] = {
    "decline": _decline,
    "challenge": _flag(challenge=True),
    "latency": _time("latency", LONGEST_LATENCY),
    "timeout_before": _flag(answer="timeout_before"),
    "timeout_after": _flag(answer="timeout_after"),
    "drop_before": _flag(answer="drop_before"),
    "drop_after": _flag(answer="drop_after"),
    "late_success": _time("late", decline=None),
    "late_decline": _late_decline,
    "notice_twice": _flag(notices="twice"),
    "notice_first": _flag(notices="first"),
    "notice_lost": _flag(notices="lost"),
    "notice_late": _time("notice_late"),
    "notices_shuffled": _flag(notices="shuffled"),
    "dispute_after": _time("dispute_after"),
    "dispute_whole": _flag(dispute_whole=True),
    "verdict": _verdict,
    "refund_pending": _time("refund_pending"),
    "refund_fail": _flag(refund_fail=True),
    "refund_bounce": _time("refund_bounce", refund_fail=False),
    "refund_drop_before": _flag(refund_answer="drop_before"),
    "refund_drop_after": _flag(refund_answer="drop_after"),
    "renewal_decline": _renewal_decline,
    "mandate_expires": _number("mandate_renewals"),
    "card_replaced": _number("card_replaced"),
    "seed": _flag(),
    "chaos": _flag(),
}

WORDS: Final = tuple(_WORDS)
"""Every word of the grammar."""


def _mix(seed: int, codes: Sequence[str]) -> _Fields:
    """Return what a seed makes of a charge.

    What makes an answer wait for long is left out: silence, for which a broken connection does as well, and the notice
    that comes first.
    """
    fields: _Fields = {}
    drawn = chance(seed, "end", 100)
    if drawn < 18:
        fields["decline"] = codes[chance(seed, "code", len(codes))]
    if 15 <= drawn < 25:
        fields["late"] = timedelta(seconds=chance(seed, "late", 60))
    drawn = chance(seed, "answer", 100)
    if drawn < 25:
        fields["answer"] = "drop_after" if drawn < 15 else "drop_before"
    elif drawn < 40:
        fields["latency"] = timedelta(milliseconds=chance(seed, "latency", 300))
    drawn = chance(seed, "notices", 100)
    if drawn < 45:
        fields["notices"] = ("twice", "lost", "shuffled")[drawn % 3]
    elif drawn < 60:
        fields["notice_late"] = timedelta(seconds=chance(seed, "notice late", 60))
    drawn = chance(seed, "dispute", 100)
    if drawn < 10:
        fields["dispute_after"] = timedelta(seconds=chance(seed, "dispute after", 86_400))
    drawn = chance(seed, "refund", 100)
    if drawn < 45:
        fields |= {"refund_pending": timedelta(seconds=chance(seed, "refund after", 60)), "refund_fail": drawn < 10}
    elif drawn < 60:
        fields["refund_answer"] = "drop_after" if drawn < 52 else "drop_before"
    return fields


def check_scenario(mode: Mode, metadata: Mapping[str, Any], codes: Sequence[str]) -> None:
    """Check what the metadata of test mode tell the simulator: what is misspelt would look like a test that passed.

    Raises Problem INVALID_REQUEST_BODY.
    """
    if mode == "test" and METADATA_KEY in metadata:
        read_scenario(metadata[METADATA_KEY], codes)
