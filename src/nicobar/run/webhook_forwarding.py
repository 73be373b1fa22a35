"""Webhooks for the command: an endpoint at the target for as long as the command runs."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpx

from nicobar.program.configuration import ConfigurationError
from nicobar.run.target import RunTarget

_DESCRIPTION: Final = "Made by nicobar run, and deleted when it ends"

_SECONDS: Final = 30


@contextmanager
def webhooks_forwarded(target: RunTarget, url: str | None) -> Iterator[str]:
    """Send the target's events to an address while the block runs, and lend the secret that signs them.

    Without an address nothing is sent, and the secret is one that signs nothing: adapters refuse to start without.
    An endpoint for the same address that an earlier run could not delete is deleted first. Raises ConfigurationError.
    """
    if url is None:
        yield "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        return
    headers = {"authorization": f"Bearer {target.api_key}"}
    with httpx.Client(base_url=target.base_url, headers=headers, timeout=_SECONDS, trust_env=False) as client:
        for left in _asked(client, "GET", "/webhooks?limit=100")["data"]:
            if (left["url"], left["description"]) == (url, _DESCRIPTION):
                _asked(client, "DELETE", f"/webhooks/{left['id']}")
        made = _asked(client, "POST", "/webhooks", {"url": url, "description": _DESCRIPTION})
        try:
            yield _asked(client, "GET", f"/webhooks/{made['id']}/secret")["secret"]
        finally:
            with suppress(ConfigurationError):  # the server may be gone; the next run deletes what this one left
                _asked(client, "DELETE", f"/webhooks/{made['id']}")


def _asked(client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    """Return what the target answers. Raises ConfigurationError with its words when it refuses."""
    try:
        answer = client.request(method, path, json=body)
        content: Any = answer.json() if answer.content else {}
    except (httpx.HTTPError, ValueError) as error:
        raise ConfigurationError(f"{client.base_url} cannot be asked about webhooks: {error!r}") from error
    if answer.is_error:
        raise ConfigurationError(f"Webhooks cannot be forwarded: {content['message']}.")
    return content
