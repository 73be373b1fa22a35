"""All that the page of a payment link shows, in one query for one link or for many."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from nicobar.core.payments.payment import Attempt, Payment
from nicobar.core.sessions.checkout_session import SessionRequest
from nicobar.storage.database import Read, Record
from nicobar.storage.payments.attempts import ATTEMPT_COLUMNS
from nicobar.storage.payments.hosted_pages import FACTS_COLUMNS, WITH_SELLER, PageFacts
from nicobar.storage.payments.payments import (
    LINES,
    PAYMENT_COLUMNS,
    VERSION_COLUMNS,
    VersionedPayment,
    versioned_of_row,
)

# `OFFSET 0` has each link looked up by its index, and all that belongs to its payment by their keys. The links come as
# JSON, so that PostgreSQL keeps the plan whatever their number. The last condition always holds, and has it expect one
# link: for a hundred it would plan the query again whenever a table has grown by some pages.
_FIND: Final = f"""
SELECT found.* FROM json_array_elements_text($1) AS asked (link_id) CROSS JOIN LATERAL (
SELECT {PAYMENT_COLUMNS}, {LINES}, {VERSION_COLUMNS}, {FACTS_COLUMNS},
    (SELECT to_json(a) FROM (
        SELECT {ATTEMPT_COLUMNS} FROM attempts t
        WHERE (t.business_id, t.mode, t.payment_id) = (p.business_id, p.mode, p.payment_id) AND t.resolved_at IS NULL
    ) a) AS attempt,
    (SELECT s.request FROM checkout_sessions s
    WHERE (s.business_id, s.mode, s.session_id) = (p.business_id, p.mode, p.options ->> 'checkout_session_id')
    ) AS session
{WITH_SELLER} WHERE p.link_id = asked.link_id OFFSET 0
) found WHERE asked.link_id || '' = asked.link_id
"""

_FACTS: Final = PageFacts.__struct_fields__


class HostedPage(NamedTuple):
    """What is stored about a link."""

    versioned: VersionedPayment
    facts: PageFacts
    attempt: Attempt | None
    """The attempt whose end is not known, if there is one."""
    session: SessionRequest | None
    """What the checkout session asked for that the payment was made of."""

    @property
    def payment(self) -> Payment:
        """The payment itself."""
        return self.versioned.payment


async def find_hosted_pages(read: Read, link_ids: Sequence[str]) -> list[HostedPage | None]:
    """Return what is behind each link: the link itself is the customer's permission, so no tenant is asked."""
    found = {row["link_id"]: _page_of_row(row) for row in await read.fetch(_FIND, link_ids)}
    return [found.get(link_id) for link_id in link_ids]


def _page_of_row(row: Record) -> HostedPage:
    facts = msgspec.convert({name: row[name] for name in _FACTS}, PageFacts)
    attempt = msgspec.convert(row["attempt"], Attempt | None)
    return HostedPage(versioned_of_row(row), facts, attempt, msgspec.convert(row["session"], SessionRequest | None))
