"""Encrypt the secrets of an endpoint for the address that they are sent to."""

import msgspec

from nicobar.core.webhooks.endpoint import Endpoint
from nicobar.processors.webhooks.webhooks import Webhooks


def seal_endpoint(webhooks: Webhooks, endpoint: Endpoint, url: str) -> Endpoint:
    """Return the endpoint with this address, its secrets and headers tied to it and encrypted with the newest key.

    Raises VaultError.
    """
    moved = msgspec.structs.replace(endpoint, url=url)

    def resealed(sealed: bytes | None) -> bytes | None:
        return None if sealed is None else webhooks.seal(moved.place, webhooks.open(endpoint.place, sealed))

    return msgspec.structs.replace(
        moved,
        secret=resealed(endpoint.secret),
        previous_secret=resealed(endpoint.previous_secret),
        headers=resealed(endpoint.headers),
    )
