"""What an account at a processor is still needed for."""

import msgspec


class AccountWork(msgspec.Struct, frozen=True, kw_only=True):
    """What is under way with one account, and would never end without its keys, in numbers of objects."""

    open_attempts: int
    """Attempts whose end only this account can tell."""
    pending_refunds: int
    returns: int
    """Duplicate charges that have to go back."""

    @property
    def under_way(self) -> int:
        """How much that is in all."""
        return self.open_attempts + self.pending_refunds + self.returns


class AccountUses(AccountWork, frozen=True, kw_only=True):
    """What is left to do with one account, and what may come of what it has done."""

    paid: int
    """Charges that can be refunded or disputed."""
    saved_methods: int
    """Cards that only this account can charge."""
