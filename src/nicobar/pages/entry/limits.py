"""How often the pages let somebody try: for each link card attempts and guessed codes, for each address failed
attempts, guessed codes and unknown links.

The counts live in the memory of one process. They are a brake and not a wall: a server of several processes allows that
much in each of them, and a restart forgets. What must never happen twice is held by the database instead.
"""

from datetime import timedelta
from typing import NamedTuple

from starlette.requests import Request

from nicobar.allowance import Allowance
from nicobar.client_address import client_address


class Guesses(NamedTuple):
    """Discount codes and tax ids that one form may try, for its link or session and for its sender's address.

    A try is taken before it is known whether it fails, so that many at once have no more of them.
    """

    by_link: Allowance
    by_address: Allowance
    link: str
    address: str | None

    def take(self, now: timedelta) -> bool:
        """Take one try, and return whether there was one left."""
        if self.by_link.wait(self.link, now) or self.by_address.wait(self.address, now):
            return False
        self.by_link.spend(self.link, now)
        self.by_address.spend(self.address, now)
        return True

    def give_back(self) -> None:
        """Give back a try that was taken and did not fail."""
        self.by_link.give_back(self.link)
        self.by_address.give_back(self.address)


class PageLimits:
    """The allowances of one server process."""

    def __init__(self) -> None:
        self.attempts = Allowance(10, timedelta(hours=1))
        """Tries to pay, by link: enough for a customer who is looking for the right card, and few for a thief who
        tries out stolen ones."""
        self.failures = Allowance(60, timedelta(hours=1))
        """Tries to pay that failed, by the client's address: a thief could try out each stolen card on a link of its
        own. It is more than the customers behind one address of an office or a village fail."""
        self.guesses_by_link = Allowance(20, timedelta(hours=1))
        """Discount codes and tax ids that were refused, by link or session: codes are short enough to be guessed, and a
        tax id may cost a question to a register."""
        self.guesses_by_address = Allowance(100, timedelta(hours=1))
        """The same by the client's address: a static link opens one session after the other to everybody."""
        self.known_buyers = Allowance(60, timedelta(hours=1))
        """Orders that were refused because their buyer may have one subscription and has it, by the client's address:
        the refusal does not say so, and still tells who types addresses of others which of them are subscribers."""
        self.fields = Allowance(60, timedelta(minutes=10))
        """Looks at the page with a processor's own fields, by link: each is a question to the processor."""
        self.simulated_charges = Allowance(200, timedelta(hours=1))
        """Presses of the test panel, by link: more than anybody needs who tries things out, and too few for a stranger
        with a test link to fill a disk."""
        self.portal_changes = Allowance(60, timedelta(hours=1))
        """Forms of the customer portal, by its session: more than anybody sends who puts their subscriptions in order,
        and few for a program that has got hold of a link."""
        self.unknown_links = Allowance(30, timedelta(minutes=1))
        """Links that do not exist, by the client's address; one that exists opens whatever else was asked for."""
        self.opened_links = Allowance(120, timedelta(minutes=1))
        """Static and short links that are opened, by the client's address: each opening stores a session."""

    def guesses(self, request: Request, link: str) -> Guesses:
        """Return what this request may guess at a link or session."""
        return Guesses(self.guesses_by_link, self.guesses_by_address, link, client_address(request))

    def miss(self, request: Request, now: timedelta) -> None:
        """Count a link that does not exist against its sender. Raises Problem TOO_MANY_REQUESTS for too many."""
        self.unknown_links.take(client_address(request), now)
