"""What flows and edges work with: the database, the clock, the processors. Built once, in `app.py`."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import msgspec

from nicobar.audit_seal import AuditSeal
from nicobar.clock import Clock
from nicobar.core.audit.entry import PROGRAM, Actor
from nicobar.core.business.tenant import Tenant
from nicobar.core.events.moves import FollowedMove
from nicobar.core.ids import (
    ID_BYTES,
    LINK_LENGTH,
    SECRET_LENGTH,
    SESSION_LENGTH,
    bytes_for_text,
    object_id,
    text_secret,
)
from nicobar.core.payments.payment import Payment
from nicobar.core.retries.fingerprint import Fingerprint, KeptAnswer, place_of_answer
from nicobar.processors.accounts.accounts import Accounts
from nicobar.processors.base import Processor
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.storage.database import Database, Tx
from nicobar.storage.retries.kept_answers import AnswerToKeep, insert_answer
from nicobar.storage.test_clocks import remembered_clocks
from nicobar.vault import NONCE_BYTES, Vault

acting: Final[ContextVar[Actor]] = ContextVar("acting", default=PROGRAM)
"""Who is acting, for the audit log. The edges say so at the start of a request or command; tasks inherit it."""


class Following(Protocol):
    """The part that something above payments has in their moves."""

    async def __call__(self, runtime: "Runtime", tx: Tx, move: FollowedMove) -> None:
        """Do its part in the transaction that makes the move, in bounded time and without asking anybody else.

        What it raises rolls the move back, and everything else in the transaction.
        """


class Follower(NamedTuple):
    """Something above payments that has its part in their moves: a session, a subscription, a webhook's delivery.

    The flows that move payments, refunds and disputes do not know who follows them.
    """

    concerns: Callable[[Payment], bool]
    """Whether it has a part in the moves of a payment, which stays as it is for the life of the payment."""
    follow: Following


class FirstCommit:
    """What the first commit of a writing request keeps besides, for the request that comes again: that it was done.

    Every transaction writes it by itself (`Database.accompanied_by`); a flow that knows the answer before it commits
    hands it over, and then it is in that commit, too.
    """

    def __init__(self, vault: Vault, clock: Clock, request: Fingerprint, status: int, lifetime: timedelta) -> None:
        """Take the HTTP status of a success, and how long the answer is kept."""
        self.request = request
        self.status = status
        self.written = False
        self.object_id: str | None = None
        """The first object that the request made."""
        self.body: bytes | None = None
        """The answer, as soon as it is known."""
        self.kept_body: bytes | None = None
        """The answer as it was when the row was made."""
        self._vault = vault
        self._clock = clock
        now = clock.now()
        self.answer_id = "" if request.is_keyed else object_id("ans", now, clock.random_bytes(ID_BYTES))
        self._expires_at = now + lifetime

    def answer_with(self, answer: msgspec.Struct) -> None:
        """Take the answer, which is kept in the first commit."""
        self.body = msgspec.json.encode(answer)

    def sealed(self, body: bytes) -> bytes:
        """Return an answer, encrypted for its place. Raises VaultError."""
        place = place_of_answer(self.request, self.answer_id)
        return self._vault.seal(body, place, self._clock.random_bytes(NONCE_BYTES))

    def row(self) -> AnswerToKeep:
        """Return what is to be written. Raises VaultError."""
        self.kept_body = self.body
        kept = KeptAnswer(
            answer_id=self.answer_id,
            content=self.request.content,
            object_id=self.object_id,
            status=None if self.body is None else self.status,
            sealed=None if self.body is None else self.sealed(self.body),
        )
        return AnswerToKeep(self.request, kept, self._expires_at)

    async def write(self, tx: Tx) -> None:
        """Write it. Raises UniqueViolation when another request with the same idempotency key was faster."""
        await insert_answer(tx, self.row())


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
    webhooks: Webhooks | None = None
    """The way to the receivers of merchants, and the vault of their secrets; None in some tests."""
    followers: tuple[Follower, ...] = ()
    """Who is told of every move, in this order; chosen where the program is put together."""
    audit_seal: AuditSeal | None = None
    """Proves the audit log; None in some tests."""
    vault: Vault | None = None
    """Encrypts what the database must not know; None in some tests, which keep no answers."""
    first_commit: FirstCommit | None = None
    """What is kept of the request that this is the runtime of; None outside of writing requests."""

    def is_built_in(self, processor: Processor) -> bool:
        """Return whether a processor needs no account, which could be removed."""
        return self.processors.get(processor.name) is processor

    def is_followed(self, payment: Payment) -> bool:
        """Return whether anybody has a part in the moves of a payment."""
        return any(follower.concerns(payment) for follower in self.followers)

    def for_request(self, first_commit: FirstCommit) -> "Runtime":
        """Return the runtime of one writing request."""
        return self._replace(database=self.database.accompanied_by(first_commit), first_commit=first_commit)

    def now(self, tenant: Tenant) -> datetime:
        """Return the moment at which something happens in the business of a tenant.

        Payments, refunds, disputes, expiry, the dates that decide taxes, events, due work and its leases are dated by
        it, and ids that are ordered by them are made of it. Test mode may live ahead of real time (docs/clock.md):
        then it is as this process remembers (`flows/business_time/recall_clocks.py`).
        """
        real = self.clock.now()
        return real if tenant.mode == "live" else remembered_clocks(self.database).now(tenant.business_id, real)

    def real_now(self) -> datetime:
        """Return the moment at which it happens in this world.

        Signatures, caches, limits of requests, keys, what an operator sets, and questions to others (when a processor
        or a register was asked) are dated by it.
        """
        return self.clock.now()

    def new_id(self, prefix: str, moment: datetime) -> str:
        """Return a fresh object id of this kind."""
        made = object_id(prefix, moment, self.clock.random_bytes(ID_BYTES))
        if self.first_commit is not None and self.first_commit.object_id is None:
            self.first_commit.object_id = made
        return made

    def new_session_id(self) -> str:
        """Return a fresh id of a checkout session, random throughout: it opens the session's page (125 bits)."""
        made = f"cks_{self.new_secret(SESSION_LENGTH)}"
        if self.first_commit is not None and self.first_commit.object_id is None:
            self.first_commit.object_id = made
        return made

    def new_secret(self, length: int = SECRET_LENGTH) -> str:
        """Return a fresh random text for a key or a client secret."""
        return text_secret(self.clock.random_bytes(bytes_for_text(length)), length)

    def new_link_id(self) -> str:
        """Return a fresh id of a payment link: 8 characters, about 47 bits."""
        return self.new_secret(LINK_LENGTH)

    def image_url(self, image_id: str | None) -> str | None:
        """Return the address of a picture; None for none."""
        return None if image_id is None else f"{self.public_url}/images/{image_id}"

    def session_url(self, session_id: str) -> str:
        """Return the address of a checkout session's page."""
        return f"{self.public_url}/session/{session_id}"

    def link_url(self, link_id: str) -> str:
        """Return the address of a payment link; it ends with the id, as the checkout script expects."""
        return f"{self.public_url}/{link_id}"
