"""What the buyer of a session tells on its page, and the payment that comes of both."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from nicobar.core.catalog.addon import RequestedAddon
from nicobar.core.customers.buyer import Address
from nicobar.core.fields import blank_to_none
from nicobar.core.payments.payment import CustomFieldResponse
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.sessions.checkout_session import CheckoutSession, SessionItem, SessionRequest

ADDRESS_PARTS: Final = ("country", "state", "city", "street", "zipcode")


class ToldDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What the buyer has told. What may not be changed is passed over where it is put together."""

    email: str | None = None
    name: str | None = None
    phone_number: str | None = None
    billing: Address | None = None
    tax_id: str | None = None
    """Empty takes that of the session away; None leaves it."""
    business_name: str | None = None
    billing_currency: str | None = None
    discount_codes: Sequence[str] | None = None
    """All codes of the order, in their order; None leaves those of the session. Where the buyer may change none of
    them, they can only be left out together, when they cannot be used any more."""
    amounts: Mapping[int, int] = {}
    """What a pay-what-you-want line costs a unit, by its place in the cart."""
    addons: Mapping[int, Sequence[RequestedAddon]] = {}
    """All add-ons of a subscription line, by its place in the cart; a line that is left out keeps its own."""
    responses: Sequence[CustomFieldResponse] = ()


def may_edit(request: SessionRequest, field: str) -> bool:
    """Return whether the buyer may set a field: one of `ADDRESS_PARTS`, `email`, `name`, `tax_id`, `business_name`.

    What the session lacks can be told unless a flag says no, and what it has only where a flag says yes. Without an
    e-mail address and a country there is no order, so these two are always asked for where they are missing. A business
    can be named where any of three flags lets it (contract, `allow_customer_editing_business_name`).
    """
    flags = request.flags
    if field == "business_name":
        return bool(
            flags.allow_customer_editing_business_name or flags.allow_customer_editing_tax_id or flags.allow_tax_id
        )
    flag: bool | None = getattr(flags, f"allow_customer_editing_{field}")
    is_missing = blank_to_none(_supplied(request, field)) is None
    if is_missing and field in ("email", "country"):
        return True
    if field == "tax_id" and not flags.allow_tax_id and flag is not True:
        return False
    return is_missing if flag is None else flag


def _supplied(request: SessionRequest, field: str) -> str | None:
    """Return what the session has in a field. A known customer has an e-mail address, which the session cannot see."""
    customer = request.customer
    if field in ("email", "name"):
        if customer is None:
            return None
        known = blank_to_none(customer.customer_id)
        return (known or customer.email) if field == "email" else customer.name
    if field == "tax_id":
        return request.tax_id
    value: str | None = None if request.billing is None else getattr(request.billing, field)
    return value


def told_address(request: SessionRequest, told: Address | None) -> Address | None:
    """Return the address of session and buyer together; None while nobody has told the country."""
    if told is None:
        return request.billing
    own = request.billing or Address(told.country)
    parts = {part: getattr(told if may_edit(request, part) else own, part) for part in ADDRESS_PARTS}
    return Address(**parts)


def payment_request(
    session: CheckoutSession, told: ToldDetails, *, otherwise: str, draft: bool = False
) -> PaymentRequest:
    """Return the payment that a session asks for with what its buyer has told.

    `otherwise` is the country while nobody has told one. A `draft` is only priced: it needs no customer, and lines
    whose price the buyer will choose cost what the product suggests.
    """
    request, flags = session.request, session.request.flags
    tax_id, business_name = _business(request, told)
    codes = told.discount_codes if flags.allow_discount_code or not told.discount_codes else None
    billing = told_address(request, told.billing)
    return PaymentRequest(
        items=told_items(request, told),
        billing=billing or Address(otherwise),
        customer=_customer(request, told, draft=draft),
        fees_inclusive=request.fees_inclusive,
        allowed_payment_method_types=request.allowed_payment_method_types,
        billing_currency=_currency(request, told),
        customer_business_name=business_name,
        discount_code=request.discount_code if codes is None else None,
        discount_codes=request.discount_codes if codes is None else codes,
        force_3ds=request.force_3ds,
        metadata=request.metadata,
        payment_link=request.payment_method_id is None,
        payment_method_id=request.payment_method_id,
        redirect_immediately=flags.redirect_immediately,
        require_phone_number=flags.require_phone_number,
        return_url=request.return_url,
        show_saved_payment_methods=request.show_saved_payment_methods,
        tax_id=tax_id,
        checkout_session_id=session.session_id,
        custom_field_responses=list(told.responses) or None,
        locked=locked_fields(request),
        minimal_address=request.is_minimal,
        expires_on=session.expires_at,
        always_new_customer=flags.always_create_new_customer,
        guessed_country=billing is None,
        draft=draft,
        confirmed=request.confirm,
    )


def locked_fields(request: SessionRequest) -> list[str]:
    """Return what the buyer can change neither on the session's page nor on the payment's."""
    locked = [field for field in (*ADDRESS_PARTS, "tax_id", "business_name") if not may_edit(request, field)]
    if not may_edit(request, "name"):
        locked.append("customer_name")
    return locked if request.flags.allow_discount_code else [*locked, "discount"]


def told_items(request: SessionRequest, told: ToldDetails) -> list[SessionItem]:
    """Return the lines of the cart as the buyer wants them.

    An amount of the merchant's stays, and the buyer names the others; add-ons change where a flag allows it.
    """
    addons = told.addons if request.flags.allow_editing_addons else {}
    return [
        msgspec.structs.replace(
            item,
            amount=told.amounts.get(place) if item.amount is None else item.amount,
            addons=addons.get(place, item.addons),
        )
        for place, item in enumerate(request.items)
    ]


def _currency(request: SessionRequest, told: ToldDetails) -> str | None:
    chosen = told.billing_currency if request.flags.allow_currency_selection else None
    return chosen or request.billing_currency


def _business(request: SessionRequest, told: ToldDetails) -> tuple[str | None, str | None]:
    """Return tax id and business name; the name goes with the tax id."""
    tax_id, name = request.tax_id, request.customer_business_name
    if told.tax_id is not None and may_edit(request, "tax_id"):
        tax_id = told.tax_id
    if told.business_name is not None and may_edit(request, "business_name"):
        name = told.business_name
    return blank_to_none(tax_id), name if blank_to_none(tax_id) else None


def _customer(request: SessionRequest, told: ToldDetails, *, draft: bool) -> RequestedCustomer | None:
    """Return whom the payment is for: the known customer, or an e-mail address with what belongs to it."""
    own = request.customer or RequestedCustomer()
    customer_id, email = blank_to_none(own.customer_id), blank_to_none(own.email)
    if may_edit(request, "email") and blank_to_none(told.email) not in (None, email):
        customer_id, email = None, told.email
    if customer_id is None and email is None and draft:
        return None
    name = told.name if may_edit(request, "name") and blank_to_none(told.name) else own.name
    phone = told.phone_number if request.flags.allow_phone_number_collection and told.phone_number else own.phone_number
    return RequestedCustomer(customer_id=customer_id, email=email, name=name, phone_number=phone)
