"""What is known about a buyer's tax id, as it is kept with the payment."""

from datetime import datetime
from typing import Literal

import msgspec


class RegisterAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of a question to the European Union's register of VAT numbers (VIES)."""

    answer: Literal["valid", "invalid", "unavailable"]
    """`unavailable` covers every answer that is neither: silence, an error, a register that is closed for the night."""
    asked_at: datetime
    detail: str
    """The register's own word, such as `VALID` or `MS_UNAVAILABLE`, or what went wrong on the way to it."""
    request_id: str = ""
    """The register's number of the consultation, when it gives one."""
    request_date: str = ""
    """The register's own time, as it wrote it."""
    name: str = ""
    """Who holds the number; many member states do not tell."""
    address: str = ""


class CheckedTaxId(msgspec.Struct, frozen=True):
    """A tax id that passed."""

    number: str
    """In its canonical form, as `reference.tax_ids` writes it."""
    register: RegisterAnswer | None = None
    """None when the register was not asked: the setting is off, or it does not know such numbers."""
    known_form: bool = True
    """Whether anything is known that such a number could have failed."""

    @property
    def doubt(self) -> str:
        """Why the number proves nothing, so that it lowers no tax; empty when it passed every check that was made."""
        if not self.known_form:
            return "nothing is known by which such numbers could be checked"
        if self.register is not None and self.register.answer != "valid":
            return f"the register (VIES) did not confirm it ({self.register.detail})"
        return ""
