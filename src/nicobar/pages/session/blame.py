"""Which field of a session's page is to blame for a refusal, and what its buyer reads."""

from nicobar.core.problems import Problem
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.pages.details.details import country_name
from nicobar.pages.texts.texts import Reader

GENERAL = ""
"""The name under which a sentence stands that belongs to no field."""


def blamed(problem: Problem, told: ToldDetails, reader: Reader) -> dict[str, str]:
    """Return the field and the sentence for a refusal of the order."""
    texts, path = reader.texts, problem.path or ""
    country = "" if told.billing is None else country_name(told.billing.country, reader.locale)
    if problem.code == "INVALID_TAX_ID":
        return {"tax_id": texts("details.tax_id_invalid")}
    if problem.code == "UNSUPPORTED_COUNTRY":
        return {"country": texts("details.country_blocked", country=country)}
    if problem.code == "NO_ELIGIBLE_PAYMENT_METHODS" and country:
        return {"country": texts("details.no_method", country=country)}
    key = f"discount.{problem.code.lower()}"
    if path.startswith("discount_code") or (told.discount_codes and key in texts):
        return {"code": texts(key if key in texts else "discount.refused")}
    if path == "customer.email":
        return {"email": texts("session.email_unreadable")}
    if path == "customer.phone_number":
        return {"phone": texts("details.phone_unreadable")}
    return {GENERAL: texts("session.refused")}
