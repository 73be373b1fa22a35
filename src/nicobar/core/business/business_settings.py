"""What a business decides about its sales, separately for test and live mode.

A setting is stored and typed as text; `parse_setting` checks it and `format_setting` writes it in one canonical way,
so that the same value always reads the same. The contract calls these things settings; the defaults are those of a
self-hosted server, which does nothing to a price that its owner did not ask for.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from nicobar.core.business.origin import parse_origins
from nicobar.core.business.portal_settings import PortalSettings
from nicobar.core.money.charm import CharmKind
from nicobar.core.money.fx import DODO_FEES, NO_FEE, FeeTiers
from nicobar.core.problems import Problem
from nicobar.core.return_url import checked_return_url

DEFAULT_NAME: Final = "My business"
"""The name of a business whose owner has not chosen one."""

PRESET: Final = "dodo"
"""The word that stands for the hosted service's own list, in lists of countries and of currencies."""

FULL_PRICE: Final = 100
"""The purchasing power percentage that leaves a price as it is."""

NAME_LENGTH: Final = 100
"""Characters of the business's name, as many as a brand's name has."""

_SHOWN: Final = 60
"""How many characters of a refused value a message repeats."""


class Codes(msgspec.Struct, frozen=True):
    """The codes that settings may name; `reference.codes` has them."""

    countries: frozenset[str]
    """Every ISO 3166-1 alpha-2 code of the contract."""
    refused_countries: frozenset[str]
    """The 23 that the hosted service does not accept: the preset of `blocked_countries`."""
    currencies: frozenset[str]
    """Every ISO 4217 code of the contract."""
    chargeable: frozenset[str]
    """The 84 that the hosted service charges in: the preset of `currencies`."""
    payment_methods: frozenset[str]
    """The 105 payment method types of the contract."""


class BusinessSettings(PortalSettings, frozen=True, kw_only=True):
    """The settings of one business in one mode. `settings_from` makes them; `SETTINGS` has their texts."""

    business_name: str = DEFAULT_NAME
    """What customers see as the seller. The primary brand carries a copy (`flows.business.change_setting`)."""
    tax: Literal["off", "table"] = "off"
    """`off`: no tax, because a seller who hosts this must not charge tax by accident. `table`: by the tax table."""
    seller_country: str = ""
    """ISO 3166-1 alpha-2 code of where the seller is established; empty means not stated. Within this country a
    buyer's tax id never brings the tax to zero."""
    default_tax_inclusive: bool = False
    """Whether the price of a product that leaves it open already contains the tax (`money.md`, section 2)."""
    tax_id_check: Literal["offline", "vies"] = "offline"
    """`offline`: form and check digits. `vies`: also asks the European Union's register about its VAT numbers."""
    adaptive_pricing: Literal["off", "on"] = "off"
    """Whether customers pay in the currency of their country."""
    adaptive_fees: Literal["none", "dodo"] = "none"
    """The fee for a converted payment: none, or the hosted service's tiers of 4, 3 and 2 %."""
    fees_inclusive: bool = False
    """Whether that fee is contained in the price, so that the merchant bears it, or goes on top."""
    currencies: frozenset[str]
    """ISO 4217 codes of the currencies that can be charged."""
    default_currency: str = "USD"
    """The settlement currency of a cart whose products have several."""
    blocked_countries: frozenset[str] = frozenset()
    """ISO 3166-1 codes that are refused as billing country."""
    purchasing_power: Literal["off", "on"] = "off"
    """Whether a price that allows it is lowered by country. It needs adaptive pricing (`money.md`, section 3)."""
    purchasing_power_table: Mapping[str, int] = {}
    """ISO 3166-1 code of the billing country -> whole percent of the list price, 30 to 100; 100 for all others."""
    charm_pricing: Literal["off", "nearest", "floor", "ceiling", "whole"] = "off"
    """Whether, and to which side, a converted price is moved to a clean ending such as 49.99 (`charm.CharmKind`)."""
    link_ttl_minutes: int = 1440
    """Minutes until a payment link stops working."""
    refund_window_days: int = 30
    """Days after a payment within which it can be refunded."""
    idempotency_days: int = 7
    """Days for which the answer to a request with an idempotency key is kept."""
    disabled_payment_methods: frozenset[str] = frozenset()
    """Payment method types that customers are not offered."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of the sites that may show the payment page in a frame, as `core.business.origin` writes them; none by
    default."""

    webhook_log_days: int = 30
    """Days for which deliveries of webhooks and their tries are kept, and so for which they can be replayed."""

    @property
    def missing_for_tax(self) -> str | None:
        """The setting without which tax cannot be decided for everybody; None when tax is off or nothing is missing."""
        return "seller_country" if self.tax == "table" and not self.seller_country else None

    @property
    def fee_tiers(self) -> FeeTiers:
        """The conversion fee as the pricing core takes it."""
        return DODO_FEES if self.adaptive_fees == "dodo" else NO_FEE

    @property
    def charm_kind(self) -> CharmKind | None:
        """Charm pricing as the pricing core takes it."""
        return None if self.charm_pricing == "off" else self.charm_pricing

    def purchasing_power_percent(self, country: str) -> int:
        """Return the percent of the list price that buyers of a country pay, 100 while the feature is off."""
        if self.purchasing_power == "off" or self.adaptive_pricing == "off":
            return FULL_PRICE
        return self.purchasing_power_table.get(country, FULL_PRICE)


class SettingChange(NamedTuple):
    """What changing a setting did; both values are canonical text."""

    name: str
    old: str
    new: str


class _Kind(NamedTuple):
    """How values of one kind are read and written."""

    parse: Callable[[str, Codes], object]
    """Raises ValueError, whose text ends the sentence "This setting takes ..."."""
    format: Callable[[Any, Codes], str]


class Setting(NamedTuple):
    """One line of the list of settings."""

    name: str
    """Name of the field of `BusinessSettings`."""
    default: str
    """Text of the default value."""
    meaning: str
    """One sentence for the person who lists the settings."""
    kind: _Kind


def _choice(*allowed: str) -> _Kind:
    def parse(text: str, _codes: Codes) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"{', '.join(allowed[:-1])} or {allowed[-1]}")
        return text.lower()

    return _Kind(parse, lambda value, _codes: str(value))


def _parse_name(text: str, _codes: Codes) -> str:
    if not 0 < len(text) <= NAME_LENGTH or not text.isprintable():
        raise ValueError(f"a name of 1 to {NAME_LENGTH} characters on one line")
    return text


def _parse_boolean(text: str, _codes: Codes) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def _number(low: int, high: int, unit: str) -> _Kind:
    def parse(text: str, _codes: Codes) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
            raise ValueError(f"a whole number of {unit} from {low} to {high}")
        return int(text)

    return _Kind(parse, lambda value, _codes: str(value))


def _parse_country(text: str, codes: Codes) -> str:
    code = text.upper()
    if code and code not in codes.countries:
        raise ValueError('a country code of two letters such as DE, or "" for none')
    return code


def _parse_currency(text: str, codes: Codes) -> str:
    code = text.upper()
    if code not in codes.currencies:
        raise ValueError("a currency code of three letters such as EUR")
    return code


def _parse_list(text: str, known: frozenset[str], preset: frozenset[str], expected: str) -> frozenset[str]:
    found: set[str] = set()
    for word in text.replace(",", " ").split():
        if word.lower() == PRESET:
            found |= preset
        elif word.upper() in known:
            found.add(word.upper())
        else:
            raise ValueError(f"{expected}; {word[:_SHOWN]!r} is none of them")
    return frozenset(found)


def _format_list(value: frozenset[str], preset: frozenset[str]) -> str:
    """Write a list with the word of the preset when it holds all of it, so that it follows the preset as it grows."""
    whole = bool(preset) and preset <= value
    return ",".join(([PRESET] if whole else []) + sorted(value - preset if whole else value))


def _parse_countries(text: str, codes: Codes) -> frozenset[str]:
    expected = 'country codes such as KP,IR, the word dodo for the hosted service\'s list, or "" for none'
    return _parse_list(text, codes.countries, codes.refused_countries, expected)


def _parse_currencies(text: str, codes: Codes) -> frozenset[str]:
    expected = "currency codes such as USD,EUR, or the word dodo for the hosted service's list"
    found = _parse_list(text, codes.currencies, codes.chargeable, expected)
    if not found:
        raise ValueError(expected)
    return found


def _parse_methods(text: str, codes: Codes) -> frozenset[str]:
    found = {word.lower() for word in text.replace(",", " ").split()}
    unknown = sorted(found - codes.payment_methods)
    if unknown:
        expected = 'payment method types such as klarna,crypto_currency, or "" for none'
        raise ValueError(f"{expected}; {unknown[0][:_SHOWN]!r} is none of them")
    return frozenset(found)


def _parse_allowed_origins(text: str, _codes: Codes) -> tuple[str, ...]:
    try:
        return parse_origins(text)
    except ValueError as error:
        expected = 'origins such as https://shop.example (http on the own machine only), or "" for none'
        raise ValueError(f"{expected}; {error}") from error


def _parse_percentages(text: str, codes: Codes) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in text.replace(",", " ").split():
        country, _, percent = word.upper().partition("=")
        known = country in codes.countries and country not in found
        if not (known and percent.isascii() and percent.isdigit() and len(percent) <= 3 and 30 <= int(percent) <= 100):
            expected = 'each country once with a percentage from 30 to 100, such as IN=40,BR=60, or "" for none'
            raise ValueError(f"{expected}; {word[:_SHOWN]!r} is not")
        found[country] = int(percent)
    return dict(sorted(found.items()))


def _format_percentages(value: Mapping[str, int], _codes: Codes) -> str:
    return ",".join(f"{country}={percent}" for country, percent in value.items())


def _parse_address(text: str, _codes: Codes) -> str:
    try:
        return checked_return_url(text) or ""
    except Problem as problem:
        raise ValueError('a web address such as https://shop.example/account, or "" for none') from problem


_SWITCH: Final = _choice("off", "on")
_NAME: Final = _Kind(_parse_name, lambda value, _codes: str(value))
_ADDRESS: Final = _Kind(_parse_address, lambda value, _codes: str(value))
_BOOLEAN: Final = _Kind(_parse_boolean, lambda value, _codes: "true" if value else "false")
_COUNTRY: Final = _Kind(_parse_country, lambda value, _codes: str(value))
_CURRENCY: Final = _Kind(_parse_currency, lambda value, _codes: str(value))
_COUNTRIES: Final = _Kind(_parse_countries, lambda value, codes: _format_list(value, codes.refused_countries))
_CURRENCIES: Final = _Kind(_parse_currencies, lambda value, codes: _format_list(value, codes.chargeable))
_METHODS: Final = _Kind(_parse_methods, lambda value, _codes: ",".join(sorted(value)))
_ORIGINS: Final = _Kind(_parse_allowed_origins, lambda value, _codes: ",".join(value))
_PERCENTAGES: Final = _Kind(_parse_percentages, _format_percentages)

_YEAR_OF_MINUTES: Final = 525_600
_QUARTER: Final = 90
_TEN_YEARS: Final = 3650

SETTINGS: Final[Mapping[str, Setting]] = {
    setting.name: setting
    for setting in (
        Setting("business_name", DEFAULT_NAME, "Your shop's name, on the payment page and the receipt.", _NAME),
        Setting("tax", "off", "off, or table: charge tax by the tax table.", _choice("off", "table")),
        Setting("seller_country", "", "Where you are established: two letters, or empty.", _COUNTRY),
        Setting("default_tax_inclusive", "false", "Prices that leave it open contain the tax.", _BOOLEAN),
        Setting(
            "tax_id_check",
            "offline",
            "offline: form and check digits; vies: ask the EU's register too.",
            _choice("offline", "vies"),
        ),
        Setting("adaptive_pricing", "off", "on: buyers pay in their own currency.", _SWITCH),
        Setting(
            "adaptive_fees",
            "none",
            "Fee of a converted payment: none, or dodo: 4, 3 and 2 % by order value.",
            _choice("none", "dodo"),
        ),
        Setting("fees_inclusive", "false", "true: you bear that fee; false: it goes on top.", _BOOLEAN),
        Setting("currencies", PRESET, "Currencies you charge in: codes, or dodo for the 84.", _CURRENCIES),
        Setting("default_currency", "USD", "Settlement currency of a cart with several.", _CURRENCY),
        Setting("blocked_countries", "", "Refused billing countries: codes, or dodo for the 23.", _COUNTRIES),
        Setting("purchasing_power", "off", "on: lower prices by country; needs adaptive_pricing on.", _SWITCH),
        Setting("purchasing_power_table", "", "Percent of the price by country: IN=40,BR=60.", _PERCENTAGES),
        Setting(
            "charm_pricing",
            "off",
            "Clean endings of converted prices: nearest, floor, ceiling or whole.",
            _choice("off", "nearest", "floor", "ceiling", "whole"),
        ),
        Setting(
            "link_ttl_minutes",
            "1440",
            "Minutes until a payment link stops working.",
            _number(1, _YEAR_OF_MINUTES, "minutes"),
        ),
        Setting(
            "refund_window_days", "30", "Days within which a payment can be refunded.", _number(0, _TEN_YEARS, "days")
        ),
        Setting(
            "idempotency_days", "7", "Days for which an idempotency key is remembered.", _number(1, _QUARTER, "days")
        ),
        Setting("disabled_payment_methods", "", "Payment methods you do not offer: klarna,crypto_currency.", _METHODS),
        Setting(
            "webhook_log_days", "30", "Days for which deliveries of webhooks are kept.", _number(1, _TEN_YEARS, "days")
        ),
        Setting("allowed_origins", "", "Sites that may frame the payment page: https://shop.example.", _ORIGINS),
        Setting("multiple_subscriptions", "true", "false: one live subscription a customer.", _BOOLEAN),
        Setting("grace_period_days", "0", "Days of use after a failed renewal; 0: none.", _number(0, 30, "days")),
        Setting("grace_period_end", "on_hold", "on_hold or cancel, when nobody paid.", _choice("on_hold", "cancel")),
        Setting("renewal_retry_days", "0", "Days for which a failed renewal is retried.", _number(0, 30, "days")),
        Setting("plan_change_failure", "apply_change", "Or prevent_change.", _choice("apply_change", "prevent_change")),
        Setting(
            "portal_cancellation", "any", "Customers cancel: off, period_end, any.", _choice("off", "period_end", "any")
        ),
        Setting("portal_pause", "false", "true: customers pause subscriptions themselves.", _BOOLEAN),
        Setting("portal_payment_method", "true", "Customers change what a subscription is charged to.", _BOOLEAN),
        Setting("portal_card_removal", "true", "Customers remove their saved cards.", _BOOLEAN),
        Setting("portal_details", "true", "Customers change their name, phone number and billing addresses.", _BOOLEAN),
        Setting("portal_return_url", "", "Where the customer portal leads back to.", _ADDRESS),
    )
}
"""Every setting, in the order in which they are listed."""


def find_setting(name: str) -> Setting:
    """Return the setting with this name. Raises Problem NOT_FOUND, which names a similar one if there is any."""
    setting = SETTINGS.get(name)
    if setting is None:
        near = difflib.get_close_matches(name, SETTINGS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise Problem("NOT_FOUND", message=f"There is no setting {name[:_SHOWN]!r}.{hint}")
    return setting


def parse_setting(name: str, text: str, codes: Codes) -> object:
    """Return the value that a text stands for, as the field of `BusinessSettings` holds it.

    Raises Problem NOT_FOUND for an unknown name and INVALID_REQUEST_PARAMETERS, which says what the setting takes.
    """
    setting = find_setting(name)
    try:
        return setting.kind.parse(text.strip(), codes)
    except ValueError as error:
        shown = repr(text[:_SHOWN]) + (" ..." if len(text) > _SHOWN else "")
        raise Problem(
            "INVALID_REQUEST_PARAMETERS", path=name, detail=f"{name} takes {error}. It was given {shown}."
        ) from error


def format_setting(name: str, settings: BusinessSettings, codes: Codes) -> str:
    """Return a setting's value as canonical text, which `parse_setting` reads back. Raises Problem NOT_FOUND."""
    return find_setting(name).kind.format(getattr(settings, name), codes)


def check_together(settings: BusinessSettings, name: str) -> None:
    """Refuse settings that contradict one another; `name` is the one that was changed last.

    Raises Problem INVALID_REQUEST_PARAMETERS.
    """
    if settings.purchasing_power == "on" and settings.adaptive_pricing == "off":
        raise Problem(
            "INVALID_REQUEST_PARAMETERS",
            path=name,
            detail="purchasing_power works only with adaptive_pricing: switch adaptive_pricing on first, and off last.",
        )


def settings_from(texts: Mapping[str, str], codes: Codes) -> BusinessSettings:
    """Return the settings with these texts, by name; the others have their defaults.

    Names that this version does not know are passed over. Raises Problem INVALID_REQUEST_PARAMETERS.
    """
    values = {name: parse_setting(name, texts.get(name, SETTINGS[name].default), codes) for name in SETTINGS}
    return msgspec.convert(values, BusinessSettings)
