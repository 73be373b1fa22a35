"""The worker's side of the queue. It is imported late: the library takes half a second to load."""

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from nicobar.storage.database import CONNECT_TIMEOUT, DatabaseUnavailable


class QueueConnection:
    """A connection that the library keeps for as long as it works."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self.queries = Queries(AsyncpgDriver(connection))

    @classmethod
    async def open(cls, dsn: str) -> "QueueConnection":
        """Connect. Raises DatabaseUnavailable."""
        try:
            return cls(await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise DatabaseUnavailable(str(error) or type(error).__name__) from error

    @property
    def is_lost(self) -> bool:
        """Return whether the connection has broken."""
        return self._connection.is_closed()

    def cut(self) -> None:
        """Close the connection at once. A job that it had taken is taken again when its heartbeat has stopped."""
        self._connection.terminate()
