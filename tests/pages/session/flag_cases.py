"""Every flag and customization of a session in both positions, and what its page shows then."""

from typing import Any, Final, NamedTuple

from api.sessions.opening import ADDRESS, ANA

US: Final = {"country": "US", "state": "NY", "city": "New York", "street": "350 5th Ave", "zipcode": "10118"}
TAX_ID: Final = "DE136695976"
COMPANY: Final[dict[str, Any]] = {"billing_address": ADDRESS, "tax_id": TAX_ID, "customer_business_name": "Lima GmbH"}
ON_DEMAND: Final[dict[str, Any]] = {"subscription_data": {"on_demand": {"mandate_only": False, "product_price": 700}}}
COLOURS: Final = {"light": {"bg_primary": "#ffeeee"}, "dark": {"bg_primary": "#000033"}, "pay_button_text": "Take it"}
CART: Final = "https://shop.example.com/cart"


class Case(NamedTuple):
    """A session, and an element that its page has or has not."""

    fields: dict[str, Any]
    selector: str
    seen: bool
    cart: str = "guide"
    """Which product is bought: `guide`, once, or `plan`, every month."""

    def __str__(self) -> str:
        """Name the case in a failure."""
        return f"{self.fields}: {self.selector} {'is missing' if self.seen else 'is there'}"


def flag(
    name: str, selector: str, *, on: bool = True, off: bool = False, cart: str = "guide", **fields: Any
) -> list[Case]:
    """Return the cases of a flag: set, not set, and what is seen of it then."""
    more = fields.pop("feature_flags", {})
    return [
        Case(fields | {"feature_flags": more | {name: position}}, selector, seen, cart)
        for position, seen in ((True, on), (False, off))
    ]


def custom(name: str, value: Any, selector: str, *, seen: bool, cart: str = "guide", **fields: Any) -> Case:
    return Case(fields | {"customization": {name: value}}, selector, seen, cart)


CASES: Final[list[Case]] = [
    *flag("allow_currency_selection", "#currency"),
    *flag("allow_discount_code", "#code"),
    *flag("allow_editing_addons", "[id^=addon_]", cart="plan"),
    *flag("allow_phone_number_collection", "#phone"),
    *flag("require_phone_number", "#phone[required]"),
    *flag("allow_tax_id", "#tax_id"),
    *flag("allow_tax_id", "#business_name"),
    *flag("single_page", "#number"),
    *flag("single_page", "#street", on=False, off=True),
    *flag("require_cardholder_name", "#name[required]", off=True, feature_flags={"single_page": True}),
    # what the session has can be changed where a flag says so, and not otherwise
    *flag("allow_customer_editing_email", "#email[value='ana@example.com']", customer=ANA),
    *flag("allow_customer_editing_name", "#customer_name[value='Ana Lima']", customer=ANA),
    *flag("allow_customer_editing_street", "#street[value='Torstr. 1']", billing_address=ADDRESS),
    *flag("allow_customer_editing_city", "#city[value=Berlin]", billing_address=ADDRESS),
    *flag("allow_customer_editing_zipcode", "#zipcode[value='10119']", billing_address=ADDRESS),
    *flag("allow_customer_editing_country", "#country", billing_address=ADDRESS),
    *flag("allow_customer_editing_state", "#state", billing_address=US),
    *flag("allow_customer_editing_tax_id", f"#tax_id[value={TAX_ID}]", **COMPANY),
    *flag(
        "allow_customer_editing_business_name",
        "#business_name[value='Lima GmbH']",
        feature_flags={"allow_customer_editing_tax_id": False, "allow_tax_id": False},
        **COMPANY,
    ),
    *flag("allow_tax_id", "#business_name[value='Lima GmbH']", **COMPANY),
    # what the session lacks is locked by false, but for the e-mail address and the country
    *flag("allow_customer_editing_name", "#customer_name"),
    *flag("allow_customer_editing_street", "#street"),
    *flag("allow_customer_editing_email", "#email", off=True),
    *flag("allow_customer_editing_country", "#country", off=True),
    Case({"customer": ANA}, "#email", seen=False),
    Case({"minimal_address": True}, "#street", seen=False),
    Case({"minimal_address": True}, "#zipcode", seen=True),
    Case({"minimal_address": False}, "#street", seen=True),
    Case({"minimal_address": False, "feature_flags": {"single_page": True}}, "#street", seen=True),
    Case({"cancel_url": CART}, f"a[href='{CART}']", seen=True),
    Case({}, ".back a", seen=False),
    custom("show_order_details", True, ".line-name:visible", seen=True),
    custom("show_order_details", False, ".line-name:visible", seen=False),
    custom("show_on_demand_tag", True, "text=without fixed dates", seen=True, cart="plan", **ON_DEMAND),
    custom("show_on_demand_tag", False, "text=without fixed dates", seen=False, cart="plan", **ON_DEMAND),
    custom("force_language", "de", "html[lang=de] >> text=Rechnungsadresse", seen=True),
    custom("force_language", "de", ".languages", seen=False),
    custom("force_language", None, "html[lang=en] .languages", seen=True),
    Case(
        {"customization": {"theme_config": COLOURS}, "feature_flags": {"single_page": True}},
        "button.button:visible >> text=Take it",
        seen=True,
    ),
    Case({"feature_flags": {"single_page": True}}, "button.button:visible >> text=Take it", seen=False),
]
