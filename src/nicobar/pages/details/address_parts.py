"""Which parts an address has in its country, in which order, and which of them an order needs."""

from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import PaymentOptions
from nicobar.pages.texts.texts import Texts
from nicobar.reference import countries
from nicobar.reference.countries import Country
from nicobar.reference.states import find_state, states
from nicobar.reference.tax_regions import tax_regions


def missing_parts(options: PaymentOptions, address: Address) -> list[str]:
    """Return the fields without which an address is incomplete, of those that the page can ask for."""
    country = countries.get(address.country)
    known = {"city": address.city, "zipcode": address.zipcode, "state": _has_state(country, address)}
    needed = required_parts(country, options)
    return [name for name in shown_parts(options, country) if needed.get(name) and not known[name]]


def shown_parts(options: PaymentOptions, country: Country) -> list[str]:
    """Return the fields of an address that the page of a payment has, in the order of `address_parts`."""
    parts = address_parts(country)
    if options.minimal_address:
        parts = [part for part in parts if part == "zipcode" or (part == "state" and country.state_required)]
    return [part for part in parts if part not in options.locked]


def required_parts(country: Country, options: PaymentOptions) -> dict[str, bool]:
    """Return which parts of an address are needed: by the post, or because the postal code can decide the tax."""
    return {
        "city": country.city_required and not options.minimal_address,
        "zipcode": country.postal_code_required or tax_regions().asks_for_code(country.alpha2),
        "state": country.state_required,
    }


def _has_state(country: Country, address: Address) -> bool:
    """Return whether the state is known; one that the list lacks is, when a good postal code leaves no doubt."""
    if country.alpha2 not in states() or find_state(country.alpha2, address.state or "") is not None:
        return bool(address.state)
    return bool(address.state) and tax_regions().find(address).by_code


def address_parts(country: Country) -> list[str]:
    """Return the fields of an address, in the order in which people of the country write them."""
    zipcode = ["zipcode"] if country.postal_code_used else []
    state = ["state"] if country.state_kind is not None or country.alpha2 in states() else []
    if country.postal_code_kind in ("zip", "pin"):
        return ["street", "city", *state, *zipcode]
    return ["street", *zipcode, "city", *state]


def paired_parts(country: Country) -> list[str]:
    """Return the two short fields that share a row; none where there is only one."""
    parts = address_parts(country)
    pair = ["state", "zipcode"] if country.postal_code_kind in ("zip", "pin") else ["zipcode", "city"]
    return pair if set(pair) <= set(parts) else []


def state_value(country: Country, state: str | None) -> str:
    """Return a state as the form has it: as the list writes it, or as it was written when no list has it."""
    found = find_state(country.alpha2, state or "")
    return (state or "") if found is None else found.value


def state_label(country: Country, texts: Texts) -> str:
    """Return what the state is called in this country."""
    return texts("details.state" if country.state_kind is None else f"details.state_{country.state_kind}")
