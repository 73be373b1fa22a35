"""How often the pages let somebody try: for each link card attempts and guessed codes, for each address failed attempts
and unknown links.

The counts live in the memory of one process. They are a brake and not a wall: a server of several processes allows that
much in each of them, and a restart forgets. What must never happen twice is held by the database instead.
"""

from datetime import timedelta

from starlette.requests import Request

from nicobar.allowance import Allowance
from nicobar.client_address import client_address


class PageLimits:
    """The allowances of one server process."""

    def __init__(self) -> None:
        self.attempts = Allowance(10, timedelta(hours=1))
        """Tries to pay, by link: enough for a customer who is looking for the right card, and few for a thief who
        tries out stolen ones."""
        self.failures = Allowance(60, timedelta(hours=1))
        """Tries to pay that failed, by the client's address: a thief could try out each stolen card on a link of its
        own. It is more than the customers behind one address of an office or a village fail."""
        self.guesses = Allowance(20, timedelta(hours=1))
        """Discount codes and tax ids that were refused, by link or session: codes are short enough to be guessed, and a
        tax id may cost a question to a register."""
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

    def miss(self, request: Request, now: timedelta) -> None:
        """Count a link that does not exist against its sender. Raises Problem TOO_MANY_REQUESTS for too many."""
        self.unknown_links.take(client_address(request), now)
