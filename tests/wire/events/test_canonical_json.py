"""JSON that JavaScript writes again as it read it: examples from its standard, and Node's own word on random values."""

import json
import random
import shutil
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from nicobar.wire.events.canonical_json import canonical_json, javascript_number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e21, "1.5e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.25e-7, "1.25e-7"),
        (123456789012345680000.0, "123456789012345680000"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (float("inf"), "null"),
        (float("nan"), "null"),
        (-12.5, "-12.5"),
    ],
)
def test_numbers(number: float, text: str) -> None:
    assert javascript_number(number) == text


def test_index_like_keys_come_first_and_the_others_keep_their_order() -> None:
    value = {"b": 1, "10": 2, "2": 4, "a": {"7": 1, "007": 2, "-1": 3, "0": 4}, "4294967295": 5, "4294967294": 6}
    assert canonical_json(value) == (
        b'{"2":4,"10":2,"4294967294":6,"b":1,"a":{"0":4,"7":1,"007":2,"-1":3},"4294967295":5}'
    )


def test_text_and_moments_and_whole_numbers() -> None:
    value = {
        "at": datetime(2026, 10, 1, 10, tzinfo=UTC),
        "text": 'é/象"\\\n\x01\u2028',
        "big": 2**53,
        "bigger": 2**53 + 1,
    }
    assert (
        canonical_json(value)
        == (
            '{"at":"2026-10-01T10:00:00Z","text":"é/象\\"\\\\\\n\\u0001\u2028","big":9007199254740992,'
            '"bigger":9007199254740992}'
        ).encode()
    )


def _random_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(7 if depth < 3 else 5)
    if kind == 0:
        return chance.choice([True, False, None])
    if kind == 1:
        return chance.randrange(-(10 ** chance.randrange(1, 19)), 10 ** chance.randrange(1, 19))
    if kind == 2:
        return chance.uniform(-1, 1) * 10 ** chance.randrange(-300, 300)
    if kind in (3, 4):
        signs = [*range(48), 92, 127, 0xE9, 0x2028, 0x2029, 0xD7FF, 0xE000, 0x1F600]
        return "".join(chr(chance.choice(signs)) for _ in range(chance.randrange(6)))
    if kind == 5:
        return [_random_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    names = [str(chance.randrange(12)), "4294967294", "4294967295", "007", "-1", "a", "__proto__", "1e3", "é"]
    return {chance.choice(names): _random_value(chance, depth + 1) for _ in range(chance.randrange(6))}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js: make setup")
def test_node_writes_the_same_bytes() -> None:
    chance = random.Random(5)  # noqa: S311 - the same values each time
    bodies = [canonical_json({"x": _random_value(chance), "7": _random_value(chance)}) for _ in range(3000)]
    script = (
        "const lines = require('fs').readFileSync(0, 'utf8').split('\\n');"
        "console.log(JSON.stringify(lines.filter((line) => JSON.stringify(JSON.parse(line)) !== line)))"
    )
    done = subprocess.run(["node", "-e", script], input=b"\n".join(bodies), capture_output=True, check=True)
    assert json.loads(done.stdout) == []
    assert len({*bodies}) > 2000
