"""What a business has decided, and what else holds for all of its payments at a moment."""

from typing import NamedTuple

from nicobar.core.accounts.processor_account import ProcessorAccount
from nicobar.core.business.business_settings import BusinessSettings
from nicobar.core.money.fx import Rates
from nicobar.core.tax.tax import TaxTable


class Policy(NamedTuple):
    """Everything besides the request and the cart that decides a price, and who charges it."""

    settings: BusinessSettings
    tax_table: TaxTable
    """The business's own table, or the shipped one. Whether it is used is for `settings.tax` to say."""
    rates: Rates
    """Mid rates with their day and source, for every currency of the contract."""
    accounts: tuple[ProcessorAccount, ...]
    """The business's own accounts at processors: those that charge, and retired ones, behind them."""

    @property
    def charging(self) -> str | None:
        """The name of the processor whose account takes new payments; None where the business has no account."""
        return next((account.processor for account in self.accounts if account.retired_at is None), None)
