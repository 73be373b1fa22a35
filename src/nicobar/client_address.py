"""Whom a request counts for."""

from starlette.requests import HTTPConnection
from starlette.types import Scope

from nicobar.core.proxies import TrustedProxies, client_of, limit_key


def settle_client(scope: Scope, trusted: TrustedProxies) -> str | None:
    """Find out who asked, for all that comes after, and return it; None when nobody can tell.

    `scope["client"]` is the other end of the connection before, and the client afterwards.
    """
    peer = scope["client"]
    listed = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    elements = [value.decode("latin-1") for name, value in scope["headers"] if name == b"forwarded"]
    client = client_of(None if peer is None else peer[0] or None, listed, elements, trusted)
    scope["client"] = None if client is None else (client, 0)
    return client


def client_address(request: HTTPConnection) -> str | None:
    """Return what a request counts for: its client's address, for IPv6 the network around it.

    None when nobody can tell who asked: such a request shares its count with nobody else, so it has none.
    """
    return None if request.client is None else limit_key(request.client.host)
