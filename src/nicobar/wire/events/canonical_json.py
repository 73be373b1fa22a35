"""JSON that JavaScript writes again as it read it: `JSON.stringify(JSON.parse(body)) === body`.

Two known receivers, a framework adapter and a relay, check the signature of what they have parsed and written again
(contract, "Body bytes"). So the bytes that are signed have to be the ones that JavaScript would write.
"""

import math
import re
from decimal import Decimal
from typing import Any, Final

import msgspec

_SAFE_INTEGER: Final = 2**53
"""Up to here JavaScript's numbers hold every whole number."""

_LARGEST_INDEX: Final = 2**32 - 2
"""Up to here JavaScript takes the name of a key for an index, and moves it to the front."""

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")

_BEHIND_DIGITS: Final = ":"
"""The character behind 9. Only a name that comes before it can be that of an index."""

_AS_THEY_ARE: Final = frozenset([str, bool, type(None)])

_encoder: Final = msgspec.json.Encoder()


def canonical_json(value: Any) -> bytes:
    """Return a value of msgspec's types as JSON of that form: compact, UTF-8, in the order of its keys.

    Keys that look like indexes come first, ascending. Numbers are written as JavaScript writes them; a whole number
    beyond 2^53 becomes the one that JavaScript reads.
    """
    return _encoder.encode(_canonical(msgspec.to_builtins(value)))


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        indexes = [name for name in value if _is_index(name)] if min(value, default="") < _BEHIND_DIGITS else []
        ordered = dict.fromkeys(sorted(indexes, key=int)) | value if indexes else value
        return {name: item if type(item) in _AS_THEY_ARE else _canonical(item) for name, item in ordered.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _SAFE_INTEGER):
        return msgspec.Raw(javascript_number(float(value)).encode())
    return value


def _is_index(name: str) -> bool:
    return name[:1].isdigit() and _INDEX.fullmatch(name) is not None and int(name) <= _LARGEST_INDEX


def javascript_number(number: float) -> str:
    """Return a number as JavaScript writes it (ECMA-262, Number::toString); what is no number becomes `null`."""
    if not math.isfinite(number):
        return "null"
    if number == 0:
        return "0"
    # Python and JavaScript agree on the digits, the fewest that name the number, and not on where the exponent begins.
    sign, found, exponent = Decimal(repr(number)).normalize().as_tuple()
    digits, minus = "".join(map(str, found)), "-" if sign else ""
    point = len(digits) + int(exponent)
    if len(digits) <= point <= 21:
        return minus + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{minus}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
