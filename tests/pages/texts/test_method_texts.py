"""The sentences about methods: every one is used, and none that the code puts together is missing."""

import re
from pathlib import Path

import nicobar.pages
from nicobar.pages.methods.methods import _FIELDS
from nicobar.pages.texts.texts import load_texts
from nicobar.processors.simulator.methods import TEST_VALUES
from nicobar.reference import countries, methods

ROOM = Path(nicobar.pages.__file__).parent
KEYS = load_texts("en").keys


def sentences(*sections: str) -> set[str]:
    return {key for key in KEYS if key.partition(".")[0] in sections}


def named() -> set[str]:
    """Return the keys that templates and code name as a whole."""
    paths = [*ROOM.glob("templates/*.html"), *ROOM.rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return set(re.findall(r"['\"]((?:methods|simulated)\.(?!html)[a-z_]+)['\"]", code))


def composed() -> tuple[set[str], set[str]]:
    """Return the keys that the code puts together: those that have to exist, and those that may."""
    types = {method.type for method in methods.offered()}
    flows = {method.flow for method in methods.offered()}
    fields = [name for group in _FIELDS.values() for name, _numeric, _maximum in group]
    needed = {f"methods.{name}" for name in fields} | {"methods.pending_ach_text", "methods.pending_sepa_text"}
    optional = {f"methods.{part}_{name}" for part in ("name", "note", "terms") for name in types}
    optional |= {f"methods.name_{name}_{country.alpha2}" for name in types for country in countries.ALL}
    optional |= {f"methods.{part}_{flow}" for part in ("lead", "submit") for flow in flows}
    optional |= {f"methods.{name}_{hint}" for name in fields for hint in ("hint", "hint_test", "hint_live")}
    return needed, optional


def test_every_sentence_about_methods_is_used_and_none_is_missing() -> None:
    needed, optional = composed()
    written = sentences("methods", "simulated")
    assert named() | needed <= written
    assert written <= named() | needed | optional


def test_every_bad_input_has_its_sentence() -> None:
    fields = [name for group in _FIELDS.values() for name, _numeric, _maximum in group]
    reasons = {f"{name}_{reason}" for name in fields for reason in ("missing", "unreadable")}
    reasons |= {reason for _field, reason in TEST_VALUES.values()} | {"method_unavailable"}
    assert {f"error.{reason}" for reason in reasons} <= KEYS


def test_every_debit_says_how_long_it_takes() -> None:
    for method in methods.offered():
        if method.flow == "bank_account":
            assert f"methods.pending_{method.type}_text" in KEYS
            assert f"methods.terms_{method.type}" in KEYS
