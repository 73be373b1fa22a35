"""What customers call the ways to pay."""

from nicobar.core.payments.methods import CARD_TYPES
from nicobar.pages.texts.texts import Texts
from nicobar.reference import methods


def method_name(method_type: str, country: str, texts: Texts) -> str:
    """Return the name of a type that customers of this country know it by."""
    if method_type in CARD_TYPES:
        return texts("methods.card")
    for key in (f"methods.name_{method_type}_{country}", f"methods.name_{method_type}"):
        if key in texts:
            return texts(key)
    return methods.get(method_type).name
