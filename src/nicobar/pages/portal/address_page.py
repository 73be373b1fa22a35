"""Whom and where a subscription bills, in the portal: name, address, tax id.

The form is that of the checkout. It has the fields of one country: whoever chooses another one is asked for the rest of
the address in a second step, and nothing is stored before that is whole.
"""

from typing import NamedTuple

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.payments.payment import PaymentOptions
from nicobar.core.payments.repricing import PaymentChange
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.change_request import SubscriptionChange
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.flows.subscriptions.update_subscription import update_subscription
from nicobar.pages.changes.details_form import ReadDetails, read_details
from nicobar.pages.details.address_parts import shown_parts, state_label
from nicobar.pages.details.details import asked_details, country_name
from nicobar.pages.frame.posted_form import PostedForm, holds_card_number
from nicobar.pages.portal.overview import own_subscription, switched_off
from nicobar.pages.portal.portal_views import allowed
from nicobar.pages.portal.portal_visit import Portal, PortalVisit
from nicobar.pages.texts.texts import Texts
from nicobar.reference import countries
from nicobar.reference.codes import codes


class Bill(NamedTuple):
    """What a subscription is billed with, as the form of the details wants it."""

    billing: Address
    options: PaymentOptions
    customer: Buyer
    is_free: bool = False


class AddressPage:
    """The handlers of a subscription's billing address."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def show(self, request: Request, visit: PortalVisit) -> Response:
        """Show the form with what is known. Raises Problem NOT_FOUND."""
        subscription = await own_subscription(self._portal, request, visit)
        if not allowed(subscription, visit.settings).change_address:
            raise switched_off()
        return self._form(visit, subscription, _bill(subscription), ReadDetails(PaymentChange(), {}, {}))

    async def save(self, request: Request, visit: PortalVisit, form: PostedForm) -> Response:
        """Store what was typed; what cannot be used is said at its field, and then nothing is stored.

        Another language, which comes as a form so that what was typed is kept, stores nothing either. Raises Problem
        NOT_FOUND, and with status 403 when it may not be changed.
        """
        subscription = await own_subscription(self._portal, request, visit)
        if not allowed(subscription, visit.settings).change_address:
            raise switched_off()
        texts, shown_for = visit.reader.texts, _bill(subscription, form.text("shown_country"))
        read = read_details(shown_for, form, texts, insist=not form.text("lang"))
        told = _told(shown_for, read.change)
        if form.text("lang"):
            return self._form(visit, subscription, told, read._replace(errors={}))
        read = read._replace(shown={name: text for name, text in read.shown.items() if name in read.errors})
        if told.billing.country in visit.settings.blocked_countries and told.billing != subscription.billing:
            name = country_name(told.billing.country, visit.reader.locale)
            read.errors["country"] = texts("portal.country_blocked", country=name)
        if read.errors or told.billing.country != shown_for.billing.country:
            return self._form(visit, subscription, told, read)
        try:
            await update_subscription(
                self._portal.runtime, visit.tenant, subscription.subscription_id, _change(subscription, told)
            )
        except Problem as problem:
            blame = _blame(problem, told, texts)
            if blame is None:
                raise
            return self._form(visit, subscription, told, read._replace(errors=blame))
        return self._portal.back(visit, done=True)

    def _form(self, visit: PortalVisit, subscription: Subscription, bill: Bill, read: ReadDetails) -> Response:
        """Show the form for this bill, with the errors and what could not be read of it."""
        shown = dict(read.shown)
        if holds_card_number(bill.options.tax_id or ""):
            shown["tax_id"] = ""
        blocked, texts = visit.settings.blocked_countries, visit.reader.texts
        fields = asked_details(bill, visit.reader, blocked=blocked, errors=read.errors, shown=shown)
        moved = bill.billing.country != subscription.billing.country
        return self._portal.page(
            visit,
            "portal_address.html",
            place=f"subscriptions/{subscription.subscription_id}/address",
            status=422 if read.errors else 200,
            has_form=True,
            name=subscription.plan.product.name,
            fields=fields,
            errors=[field for group in fields for field in group if field.error],
            shown_country=bill.billing.country,
            business_open=any(field.value or field.error for field in fields.business),
            note=texts("portal.address_moved") if moved and not read.errors else None,
        )


def _bill(subscription: Subscription, country: str = "") -> Bill:
    """Return what the subscription is billed with; in another country, of whose fields a form was made, nothing yet."""
    billing, tax_id = subscription.billing, subscription.tax_id
    if country in codes().countries and country != billing.country:
        billing, tax_id = Address(country), None
    options = PaymentOptions(
        tax_id=tax_id, customer_business_name=subscription.customer_business_name, told_on_page=["name"]
    )
    return Bill(billing, options, subscription.customer)


def _told(bill: Bill, change: PaymentChange) -> Bill:
    """Return the bill with what a form says; a tax id does not move to another country."""
    billing = bill.billing if change.billing is UNSET else change.billing
    tax_id = bill.options.tax_id if change.tax_id is UNSET else change.tax_id
    name = bill.options.customer_business_name if change.business_name is UNSET else change.business_name
    options = msgspec.structs.replace(
        bill.options,
        tax_id=tax_id if billing.country == bill.billing.country else None,
        customer_business_name=name,
    )
    return Bill(billing, options, msgspec.structs.replace(bill.customer, name=change.name or bill.customer.name))


def _change(subscription: Subscription, told: Bill) -> SubscriptionChange:
    """Return what of the bill is another one than before."""
    name, business_name = told.customer.name, told.options.customer_business_name
    return SubscriptionChange(
        billing=UNSET if told.billing == subscription.billing else told.billing,
        customer_name=UNSET if name == subscription.customer.name else name,
        tax_id=UNSET if told.options.tax_id == subscription.tax_id else told.options.tax_id,
        customer_business_name=UNSET if business_name == subscription.customer_business_name else business_name,
    )


def _blame(problem: Problem, bill: Bill, texts: Texts) -> dict[str, str] | None:
    """Return the field and the sentence for a refusal; None for one that no field is to blame for."""
    if problem.code == "INVALID_TAX_ID":
        return {"tax_id": texts("details.tax_id_invalid")}
    if problem.path == "billing.zipcode":
        country = countries.get(bill.billing.country)
        if "zipcode" in shown_parts(bill.options, country):
            return {"zipcode": texts(f"details.zipcode_{country.postal_code_kind}_missing")}
        return {"state": texts("details.state_missing", field=state_label(country, texts))}
    return None
