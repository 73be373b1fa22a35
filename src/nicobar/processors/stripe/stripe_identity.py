"""Which account at Stripe a secret key belongs to."""

import re
from typing import Any, Final

import stripe

_ID: Final = re.compile(r"\bacct_[A-Za-z0-9]{1,100}\b")


async def account_id_of(api: Any) -> str | None:
    """Return Stripe's id of the account whose key the library's client has; None when Stripe does not tell.

    A restricted key may not read the account, and as a rule cannot be allowed to: then the sentence with which Stripe
    refuses names it. Raises StripeError.
    """
    try:
        found = str((await api.accounts.retrieve_current_async()).id)
    except stripe.PermissionError as error:
        found = error.user_message or ""
    named = _ID.search(found)
    return None if named is None else named[0]
