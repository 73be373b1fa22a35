"""What flows and edges work with: the database, the clock, the processors. Built once, in `app.py`."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

from nicobar.clock import Clock
from nicobar.core.business.tenant import Tenant
from nicobar.core.events.moves import Move
from nicobar.core.ids import LINK_LENGTH, RANDOM_BITS, SECRET_LENGTH, object_id, text_secret
from nicobar.processors.accounts.accounts import Accounts
from nicobar.processors.base import Processor
from nicobar.storage.database import Database, Tx


class Follower(Protocol):
    """Something above payments that has its part in their moves: a session, a subscription, a webhook's delivery.

    The flows that move payments, refunds and disputes do not know who follows them.
    """

    async def follow(self, runtime: "Runtime", tx: Tx, move: Move) -> None:
        """Do its part in the transaction that makes the move, in bounded time and without asking anybody else.

        What it raises rolls the move back, and everything else in the transaction.
        """


class Runtime(NamedTuple):
    """The long-lived parts of one server process."""

    database: Database
    clock: Clock
    public_url: str
    """Where customers reach the hosted pages, without a slash at the end."""
    processors: Mapping[str, Processor] = MappingProxyType({})
    """The processors by name that need no account; without any for its mode a payment cannot be paid."""
    accounts: Accounts | None = None
    """Opens the accounts that businesses have at processors; None where nothing is charged, as in some tests."""
    followers: tuple[Follower, ...] = ()
    """Who is notified of every move, in this order; chosen where the program is put together."""

    def now(self, tenant: Tenant) -> datetime:
        """Return the moment at which something happens in the business of a tenant.

        Payments, refunds, disputes, expiry, the dates that decide taxes, and events are dated by it, and ids that are
        ordered by them are made of it.
        """
        return self.clock.now()

    def real_now(self) -> datetime:
        """Return the moment at which it happens in this world.

        Signatures, leases, caches, limits of requests, keys, what an operator sets, and questions to others (when a
        processor or a register was asked) are dated by it.
        """
        return self.clock.now()

    def new_id(self, prefix: str, moment: datetime) -> str:
        """Return a fresh object id of this kind."""
        return object_id(prefix, moment, self.clock.random_bits(RANDOM_BITS))

    def new_secret(self, length: int = SECRET_LENGTH) -> str:
        """Return a fresh random text for a key or a client secret."""
        return text_secret(self.clock.random_bytes(length + 8), length)

    def new_link_id(self) -> str:
        """Return a fresh id of a payment link: 8 characters, about 47 bits."""
        return self.new_secret(LINK_LENGTH)

    def image_url(self, image_id: str | None) -> str | None:
        """Return the address of a picture; None for none."""
        return None if image_id is None else f"{self.public_url}/images/{image_id}"

    def link_url(self, link_id: str) -> str:
        """Return the address of a payment link; it ends with the id, as the checkout script expects."""
        return f"{self.public_url}/{link_id}"
