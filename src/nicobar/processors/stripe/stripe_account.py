"""One account at Stripe: its keys, and which mode they are for."""

import re
from typing import Final
from urllib.parse import urlsplit

from nicobar.core.business.tenant import Mode

NAME: Final = "stripe"
"""How attempts name the processor."""

API_BASE: Final = "https://api.stripe.com"
"""Where Stripe answers."""

_SECRET: Final = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9]{8,240}")
_PUBLISHABLE: Final = re.compile(r"pk_(test|live)_[A-Za-z0-9]{8,240}")
_SIGNING: Final = re.compile(r"whsec_[A-Za-z0-9+/=]{8,240}")


class StripeAccount:
    """The keys of an account. Its text form shows none of them."""

    __slots__ = ("api_base", "publishable_key", "secret_key", "signing_secret")

    def __init__(self, secret_key: str, publishable_key: str, signing_secret: str, api_base: str = API_BASE) -> None:
        """Take the secret (or restricted) key, the publishable one, and the secret that notices are signed with.

        `api_base` is another address than Stripe's own only for tests.
        """
        self.secret_key = secret_key
        self.publishable_key = publishable_key
        self.signing_secret = signing_secret
        self.api_base = api_base

    def __repr__(self) -> str:
        """Show that there is an account, and nothing of its keys."""
        return "StripeAccount(<hidden>)"

    def __reduce__(self) -> str:
        """Refuse to be pickled or copied: keys must not travel further by accident."""
        raise TypeError("an account is not serialised")


def check_account(account: StripeAccount, mode: Mode) -> None:
    """Check the form of the keys, and that they are for this mode.

    Raises ValueError with a sentence that names the key at fault and quotes nothing of it.
    """
    for name, form, key, start in (
        ("secret key", _SECRET, account.secret_key, f"sk_{mode}_ or rk_{mode}_"),
        ("publishable key", _PUBLISHABLE, account.publishable_key, f"pk_{mode}_"),
    ):
        found = form.fullmatch(key)
        if found is None:
            raise ValueError(f"The {name} is not one of Stripe's: it starts with {start} and has no blanks in it.")
        if found[1] != mode:
            raise ValueError(f"The {name} is for {found[1]} mode, and cannot be used for {mode} payments.")
    if not _SIGNING.fullmatch(account.signing_secret):
        raise ValueError("The signing secret of the notices is not one of Stripe's: it starts with whsec_.")
    if not _is_safe(account.api_base):
        raise ValueError("The address of the API has to start with https://, or to be on this computer (127.0.0.1).")


def _is_safe(api_base: str) -> bool:
    """Return whether keys may be sent there: encrypted, or never leaving this computer."""
    try:
        parts = urlsplit(api_base)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.path or parts.query or parts.fragment or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost"))
