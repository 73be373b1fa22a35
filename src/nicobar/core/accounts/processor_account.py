"""A business's account at a payment processor, as it is stored: its secrets are encrypted."""

from datetime import datetime

import msgspec

from nicobar.core.business.tenant import Mode, Tenant


class ProcessorAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account. A business has at most one at each processor in each mode."""

    business_id: str
    mode: Mode
    processor: str
    number: int
    """A new one with every change, so that what was made from an older state of the account is recognised."""
    publishable_key: str
    api_base: str | None
    """Another address than the processor's own; None outside of tests."""
    sealed: bytes
    """The secrets, encrypted."""
    changed_at: datetime

    @property
    def tenant(self) -> Tenant:
        """Whose account it is."""
        return Tenant(self.business_id, self.mode)


def notice_path(tenant: Tenant, processor: str) -> str:
    """Return the path at which a processor tells what has happened in an account."""
    return f"/processors/{processor}/notices/{tenant.business_id}/{tenant.mode}"


def place_of(tenant: Tenant, processor: str, publishable_key: str, api_base: str | None) -> str:
    """Return the place that an account's secrets are tied to: whose they are, and everything that says where they go.

    Whoever changes one of these in the database gets secrets that do not open.
    """
    parts = (tenant.business_id, tenant.mode, processor, publishable_key, api_base or "")
    return "\0".join(("processor_accounts", *parts))
