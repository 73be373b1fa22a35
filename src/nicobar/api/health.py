"""Health: can payments be taken (`/health`), and does the process answer at all (`/health/live`)?"""

import asyncio
from time import monotonic
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.probe_readiness import Obstacle, probe_readiness

REMEMBERED_SECONDS: Final = 2.0
"""How long an answer holds: however often somebody asks, the database is asked once in this time."""

_log = structlog.get_logger("nicobar.health")


class Health:
    """Remembers for a moment whether payments can be taken."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._asking = asyncio.Lock()
        self._until = 0.0
        self._obstacle: Obstacle | None = None

    async def obstacle(self) -> Obstacle | None:
        """Return what is in the way of payments; None when nothing is. Its reason goes to the log."""
        async with self._asking:
            if monotonic() >= self._until:
                found = await probe_readiness(self._runtime)
                if found is not None:
                    _log.error("not_ready", obstacle=found[0], why=found[1])
                self._obstacle = None if found is None else found[0]
                self._until = monotonic() + REMEMBERED_SECONDS
        return self._obstacle

    async def ready(self, _request: Request) -> Response:
        """Answer GET /health: 200 when payments can be taken, or 503 with the word for what is in the way."""
        obstacle = await self.obstacle()
        if obstacle is None:
            return Response(b'{"status":"ok"}', media_type="application/json")
        body = f'{{"status":"unavailable","obstacle":"{obstacle}"}}'
        return Response(body, 503, {"cache-control": "no-store"}, "application/json")

    async def live(self, _request: Request) -> Response:
        """Answer GET /health/live: 200 as long as the process answers, whatever the database does."""
        return Response(b'{"status":"ok"}', media_type="application/json")


def health_routes(runtime: Runtime) -> list[Route]:
    """Return the routes for load balancers and monitors."""
    health = Health(runtime)
    return [Route("/health", health.ready), Route("/health/live", health.live)]
