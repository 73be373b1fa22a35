"""Print what Nicobar is made of, as a CycloneDX 1.6 document: itself, and every package that it needs to run.

It reads the metadata of what is installed beside this Python; development tools are not part of it.
"""

import json
import re
import sys
from importlib.metadata import Distribution, distribution

_NAMES = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "LGPL": "LGPL-2.1-or-later",  # python-stdnum; its COPYING is version 2.1, its source says "or later"
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def canonical(name: str) -> str:
    """Return a package's name in the spelling that all tools agree on."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(name: str) -> list[str]:
    """Return the packages that one needs on this system, without those of its extras."""
    from packaging.requirements import Requirement

    requirements = [Requirement(text) for text in distribution(name).requires or []]
    return sorted(
        canonical(requirement.name)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    )


def runtime_packages() -> dict[str, list[str]]:
    """Return every package that Nicobar needs to run, itself included, with what each needs."""
    found: dict[str, list[str]] = {}
    waiting = ["nicobar"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = needed(name)
            waiting += found[name]
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """Return the licence as an SPDX expression, as far as the package says it."""
    metadata = package.metadata
    said = metadata.get("License-Expression") or metadata.get("License") or ""
    if not said or "\n" in said:
        classes = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License :: OSI")]
        names = [text.rpartition(" :: ")[2] for text in classes]
        said = " AND ".join(sorted(_NAMES.get(name, name) for name in names))
    return _NAMES.get(said, said) or "NOASSERTION"


def document() -> dict[str, object]:
    """Return the whole document."""
    packages = runtime_packages()
    components = {name: _component(name) for name in packages}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": components.pop("nicobar") | {"type": "application"}},
        "components": list(components.values()),
        "dependencies": [{"ref": name, "dependsOn": needs} for name, needs in packages.items()],
    }


def _component(name: str) -> dict[str, object]:
    package = distribution(name)
    return {
        "type": "library",
        "bom-ref": name,
        "name": name,
        "version": package.version,
        "purl": f"pkg:pypi/{name}@{package.version}",
        "licenses": [{"expression": licence(package)}],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=2) + "\n")
