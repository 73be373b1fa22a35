"""What an account at a processor is still needed for."""

import msgspec


class AccountUses(msgspec.Struct, frozen=True, kw_only=True):
    """What is left to do with one account, in numbers of objects."""

    open_attempts: int
    """Attempts whose end only this account can tell."""
    pending_refunds: int
    returns: int
    """Duplicate charges that have to go back."""
    paid: int
    """Charges that can be refunded or disputed."""
    saved_methods: int
    """Cards that only this account can charge."""

    @property
    def under_way(self) -> int:
        """How much would never end without its keys."""
        return self.open_attempts + self.pending_refunds + self.returns
