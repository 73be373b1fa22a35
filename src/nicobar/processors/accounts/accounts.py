"""From accounts as they are stored to processors that charge: made once for each change, on shared connections."""

from typing import TYPE_CHECKING

import msgspec

from nicobar.clock import Clock
from nicobar.core.accounts.processor_account import ProcessorAccount, place_of
from nicobar.core.business.tenant import Tenant
from nicobar.vault import NONCE_BYTES, Vault, VaultError

if TYPE_CHECKING:
    from nicobar.processors.stripe.stripe import Stripe
    from nicobar.processors.stripe.stripe_account import StripeAccount
    from nicobar.processors.stripe.stripe_http import StripeHTTP

MAXIMUM_REMEMBERED = 1024


class _Secrets(msgspec.Struct, frozen=True):
    """What is encrypted."""

    secret_key: str
    signing_secret: str

    def __repr__(self) -> str:
        return "_Secrets(<hidden>)"


class Accounts:
    """The processors that businesses have accounts at, as far as they were asked for.

    The libraries of processors are imported on first need: an installation without accounts does not wait for them.
    """

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._made: dict[tuple[Tenant, str, str], tuple[int, Stripe]] = {}
        self._http: StripeHTTP | None = None

    def open(self, account: ProcessorAccount) -> "Stripe":
        """Return the processor of a stored account: the same one until the account changes. Raises VaultError."""
        key = (account.tenant, account.processor, account.account)
        number, made = self._made.get(key, (None, None))
        if made is None or number != account.number:
            if account.sealed is None:
                raise VaultError(f"The keys of the account {account.known_as} were removed.")
            secrets = msgspec.json.decode(self._vault.open(account.sealed, account.place), type=_Secrets)
            keys = _account(secrets, account.publishable_key, account.api_base)
            made = self.connect(account.tenant, keys, account.account)
            if len(self._made) >= MAXIMUM_REMEMBERED:
                self._made.clear()
            self._made[key] = (account.number, made)
        return made

    def share_signing_secret(self, one: ProcessorAccount, other: ProcessorAccount) -> bool:
        """Return whether a notice of one account may as well be of the other one. Raises VaultError."""
        return self.open(one).signs_like(self.open(other))

    def connect(self, tenant: Tenant, account: "StripeAccount", name: str = "") -> "Stripe":
        """Return a processor for keys that need not be stored; `name` is what attempts call the account."""
        from nicobar.processors.stripe.stripe import Stripe
        from nicobar.processors.stripe.stripe_http import StripeHTTP

        if self._http is None:
            self._http = StripeHTTP()
        return Stripe(account, tenant.mode, self._http, self._clock, name)

    def seal(self, tenant: Tenant, processor: str, name: str, account: "StripeAccount", api_base: str | None) -> bytes:
        """Return the secrets of an account, encrypted for their place, with `api_base` as stored. Raises VaultError."""
        text = msgspec.json.encode(_Secrets(account.secret_key, account.signing_secret))
        place = place_of(tenant, processor, name, account.publishable_key, api_base)
        return self._vault.seal(text, place, self._clock.random_bytes(NONCE_BYTES))

    def reseal(self, account: ProcessorAccount) -> bytes:
        """Return the secrets of a stored account, encrypted with the newest key. Raises VaultError."""
        if account.sealed is None:
            raise VaultError(f"The keys of the account {account.known_as} were removed.")
        text = self._vault.open(account.sealed, account.place)
        return self._vault.seal(text, account.place, self._clock.random_bytes(NONCE_BYTES))

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close_async()


def _account(secrets: _Secrets, publishable_key: str, api_base: str | None) -> "StripeAccount":
    from nicobar.processors.stripe.stripe_account import API_BASE, StripeAccount

    return StripeAccount(secrets.secret_key, publishable_key, secrets.signing_secret, api_base or API_BASE)
