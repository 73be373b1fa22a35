"""A business's account at a payment processor, as it is stored: its secrets are encrypted."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from nicobar.core.business.tenant import Mode, Tenant


class ProcessorAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account. A business has at most one at each processor in each mode that charges; others are retired."""

    business_id: str
    mode: Mode
    processor: str
    account: str
    """What attempts, saved methods and notices call it, for ever; empty for the one that was there before they did."""
    account_id: str | None
    """The processor's own id of it, `acct_...` at Stripe; None while that is not known."""
    number: int
    """A new one with every change, so that what was made from an older state of the account is recognised."""
    publishable_key: str
    api_base: str | None
    """Another address than the processor's own; None outside of tests."""
    sealed: bytes | None
    """The secrets, encrypted; None for an account that was removed."""
    changed_at: datetime
    retired_at: datetime | None
    """Since when it takes no new payments; None for the one that does."""

    @property
    def tenant(self) -> Tenant:
        """Whose account it is."""
        return Tenant(self.business_id, self.mode)

    @property
    def place(self) -> str:
        """The place that its secrets are tied to."""
        return place_of(self.tenant, self.processor, self.account, self.publishable_key, self.api_base)

    @property
    def known_as(self) -> str:
        """What people know it by: the processor's own id of it or, while that is not known, its publishable key."""
        return self.account_id or self.publishable_key


def find_same(
    stored: Sequence[ProcessorAccount], account_id: str | None, publishable_key: str
) -> ProcessorAccount | None:
    """Return which of the stored accounts new keys are of; None for an account that was never there.

    The processor's own id decides. Where it is not known of one of the two, the publishable key does: it belongs to
    one account. Of several that could be it, the one that charges comes first, then the one that did last.
    """
    for account in stored:
        if account_id is not None and account.account_id == account_id:
            return account
    candidates = [
        account
        for account in stored
        if publishable_key in (account.publishable_key, account.account) and None in (account_id, account.account_id)
    ]
    return max(
        candidates,
        key=lambda account: (account.retired_at is None, account.retired_at or account.changed_at),
        default=None,
    )


def notice_path(tenant: Tenant, processor: str) -> str:
    """Return the path at which a processor tells what has happened in an account."""
    return f"/processors/{processor}/notices/{tenant.business_id}/{tenant.mode}"


def place_of(tenant: Tenant, processor: str, account: str, publishable_key: str, api_base: str | None) -> str:
    """Return the place that an account's secrets are tied to: whose they are, and everything that says where they go.

    Whoever changes one of these in the database gets secrets that do not open. An account without a name has secrets
    that were encrypted before there were names.
    """
    parts = (tenant.business_id, tenant.mode, processor, publishable_key, api_base or "")
    return "\0".join(("processor_accounts", *parts, *([account] if account else [])))
