"""What the command finds in its environment: the names that SDKs and adapters read, and the start-up hooks."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from nicobar.run.certificate import Certificate
from nicobar.run.forwarder import Ports
from nicobar.run.target import RunTarget
from nicobar.run.vendor_hosts import DOMAINS

_HOOKS: Final = Path(__file__).parent / "hooks"

NODE_HOOK: Final = _HOOKS / "redirect.cjs"
PYTHON_HOOK: Final = _HOOKS / "python"

_KEYS: Final = ("DODO_PAYMENTS_API_KEY", "NUXT_PRIVATE_BEARER_TOKEN")
_WEBHOOK_KEYS: Final = (
    "DODO_PAYMENTS_WEBHOOK_KEY",
    "DODO_PAYMENTS_WEBHOOK_SECRET",
    "DODO_WEBHOOK_SECRET",
    "NUXT_PRIVATE_WEBHOOK_KEY",
)
_ENVIRONMENTS: Final = ("DODO_PAYMENTS_ENVIRONMENT", "NUXT_PRIVATE_ENVIRONMENT")
"""The names are those of the SDKs and of what the adapters' pages tell a shop to set."""


def command_environment(
    before: Mapping[str, str], target: RunTarget, webhook_key: str, ports: Ports, certificate: Certificate
) -> dict[str, str]:
    """Return the environment of the command: the one before, led to the target."""
    values = {
        **before,
        **dict.fromkeys(_KEYS, target.api_key),
        **dict.fromkeys(_WEBHOOK_KEYS, webhook_key),
        **dict.fromkeys(_ENVIRONMENTS, "test_mode"),
        "DODO_PAYMENTS_BASE_URL": target.base_url,
        # One variable for the hooks: where the forwarder listens, and what to hand on and to trust.
        "NICOBAR_REDIRECT": f"{ports.tls} {ports.plain} {target.base_url} {certificate.certificate}",
        "NODE_OPTIONS": _joined(" ", before.get("NODE_OPTIONS"), f"--require {_quoted(str(NODE_HOOK))}"),
        "PYTHONPATH": _joined(os.pathsep, str(PYTHON_HOOK), before.get("PYTHONPATH")),
    }
    # A proxy would be asked for the vendor's host, and the hooks would see no more than the proxy's name.
    unproxied = ",".join(f"{domain},.{domain}" for domain in DOMAINS)
    no_proxy = _joined(",", before.get("no_proxy") or before.get("NO_PROXY"), unproxied)
    return values | {"NO_PROXY": no_proxy, "no_proxy": no_proxy}


def _joined(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)


def _quoted(path: str) -> str:
    """Return a path as NODE_OPTIONS takes it; one without blanks as it is, for tools that split at blanks alone."""
    if not any(character.isspace() or character in '"\\' for character in path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
