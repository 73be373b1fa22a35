"""The customer's own details in the portal: name and phone number."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.customers.customer import CustomerChange
from nicobar.core.typed_text import plain, tidy
from nicobar.flows.customers.update_customer import update_customer
from nicobar.pages.changes.details_form import read_phone
from nicobar.pages.details.details import LENGTHS, DetailField
from nicobar.pages.frame.posted_form import PostedForm, holds_card_number, text_fault
from nicobar.pages.portal.overview import switched_off
from nicobar.pages.portal.portal_visit import Portal, PortalVisit

_NOWHERE: Final = "ZZ"
"""No country in particular: a phone number has to say its own."""


class DetailsPage:
    """The handlers of the details."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def show(self, _request: Request, visit: PortalVisit) -> Response:
        """Show the form with what is known."""
        if not visit.settings.portal_details:
            raise switched_off()
        known = {"customer_name": visit.customer.name, "phone": visit.customer.phone_number or ""}
        return self._form(visit, known, {})

    async def save(self, _request: Request, visit: PortalVisit, form: PostedForm) -> Response:
        """Store what was typed; what cannot be used is said at its field, and then nothing is stored.

        Another language, which comes as a form so that what was typed is kept, stores nothing either.
        """
        if not visit.settings.portal_details:
            raise switched_off()
        texts, errors = visit.reader.texts, dict[str, str]()
        name, typed = tidy(form.text("customer_name")), plain(form.text("phone"))
        fault = text_fault(name, LENGTHS["customer_name"], texts) if name else texts("details.name_missing")
        if fault is not None:
            errors["customer_name"] = fault
        phone = None
        if (fault := text_fault(typed, LENGTHS["phone"], texts, may_look_like_card=True)) is not None:
            errors["phone"] = fault
        else:
            phone = read_phone(typed, _NOWHERE, errors, texts)
        if errors or form.text("lang"):
            again = {"customer_name": name, "phone": typed}
            shown = {field: "" if holds_card_number(text) else text for field, text in again.items()}
            return self._form(visit, shown, {} if form.text("lang") else errors)
        change = CustomerChange(name=name, phone_number=phone)
        await update_customer(self._portal.runtime, visit.tenant, visit.customer.customer_id, change)
        return self._portal.back(visit, done=True)

    def _form(self, visit: PortalVisit, shown: Mapping[str, str], errors: Mapping[str, str]) -> Response:
        texts = visit.reader.texts
        fields = [
            DetailField(
                name=name,
                label=texts(f"details.{key}"),
                autocomplete=autocomplete,
                value=shown[name],
                required=name == "customer_name",
                error=errors.get(name),
                maximum=LENGTHS[name],
                kind=kind,
            )
            for name, key, autocomplete, kind in (
                ("customer_name", "name", "name", "text"),
                ("phone", "phone", "tel", "tel"),
            )
        ]
        status = 422 if errors else 200
        return self._portal.page(
            visit, "portal_details.html", place="details", status=status, has_form=True, fields=fields
        )
