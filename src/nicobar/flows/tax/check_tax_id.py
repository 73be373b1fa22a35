"""Check a buyer's tax id: offline always, and with the European Union's register when the business wants it."""

from nicobar.core.business.business_settings import BusinessSettings
from nicobar.core.problems import Problem
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.runtime import Runtime
from nicobar.reference import countries
from nicobar.reference.tax_ids import checked_tax_id, is_checked, vies_number


async def check_tax_id(runtime: Runtime, country: str, tax_id: str, settings: BusinessSettings) -> CheckedTaxId:
    """Return the tax id in its canonical form, with the register's answer if it was asked. No transaction may be open.

    A register that does not answer in time refuses nobody, and confirms nobody: the number is kept, and charges the tax
    until the register confirms it. The evidence says so. The same holds for a number that nothing is known to check by.
    Raises Problem INVALID_TAX_ID when the number fails the check of its country, or the register says that it is not
    in force.
    """
    number = checked_tax_id(country, tax_id)
    parts = vies_number(country, number) if settings.tax_id_check == "vies" else None
    if parts is None:
        return CheckedTaxId(number, known_form=is_checked(country))
    from nicobar.processors.tax import vies  # loaded by those who use it: it brings an HTTP client

    answer = await vies.ask_register(*parts, runtime.real_now())
    if answer.answer == "invalid":
        name = countries.get(country).tax_id_name or "tax id"
        detail = f"The European Union's register (VIES) does not know the {name} {number}."
        raise Problem("INVALID_TAX_ID", path="tax_id", detail=detail)
    return CheckedTaxId(number, answer)
