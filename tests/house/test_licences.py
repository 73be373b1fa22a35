"""The licences of what Nicobar needs to run are named, all of them, and the bill of materials has the same."""

import re
import runpy
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SBOM: dict[str, Any] = runpy.run_path(str(ROOT / ".ci" / "sbom.py"))


def test_every_package_at_run_time_is_named_with_its_licence() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| ([a-z][a-z0-9-]*) \| (.+) \|$", page, re.MULTILINE))
    assert named == {
        name: SBOM["licence"](distribution(name)) for name in SBOM["runtime_packages"]() if name != "nicobar"
    }
    assert named["python-stdnum"] == "LGPL-2.1-or-later"


def test_the_bill_of_materials_is_whole() -> None:
    document = SBOM["document"]()
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == "nicobar"
    components = {component["name"]: component for component in document["components"]}
    direct = {
        SBOM["canonical"](re.split("[=<>]", text)[0])
        for text in distribution("nicobar").requires or []
        if "extra" not in text
    }
    assert direct and direct <= set(components)
    assert not {"pytest", "ruff", "mypy"} & set(components)
    for name, component in components.items():
        assert component["purl"] == f"pkg:pypi/{name}@{distribution(name).version}"
        assert component["licenses"][0]["expression"] != "NOASSERTION"
    for dependency in document["dependencies"]:
        assert set(dependency["dependsOn"]) <= set(components)
