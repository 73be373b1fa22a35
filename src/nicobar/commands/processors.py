"""`nicobar processors`: the accounts at payment processors through which a business is paid."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Json,
    Yes,
    confirm,
    print_json,
    print_table,
    refuse_without_database,
    with_runtime,
)
from nicobar.core.counted import counted
from nicobar.program.banner import answer, command, say
from nicobar.program.configuration import Configuration, ConfigurationError, read_configuration, read_secret

if TYPE_CHECKING:
    from nicobar.core.accounts.account_uses import AccountUses
    from nicobar.core.accounts.processor_account import ProcessorAccount
    from nicobar.core.business.tenant import Tenant
    from nicobar.flows.runtime import Runtime

app = App(
    name="processors",
    help_epilogue="""Examples:
  nicobar processors list
  nicobar processors set stripe
  nicobar processors remove stripe --mode live""",
)

_SECRETS: Final = {
    "NICOBAR_STRIPE_SECRET_KEY": "Secret key (sk_... or rk_...)",
    "NICOBAR_STRIPE_PUBLISHABLE_KEY": "Publishable key (pk_...)",
    "NICOBAR_STRIPE_SIGNING_SECRET": "Signing secret of the notices (whsec_...)",
}
"""The variables that hold what an account consists of, and how it is asked for where one is not set."""

_LONGEST_SECRET: Final = 4096
"""Characters of a line of the input that are read."""

_API_BASE: Final = "NICOBAR_STRIPE_API_BASE"

ProcessorName = Annotated[Literal["stripe"], Parameter(help="The processor.")]


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar processors list
  nicobar processors list --data ./data""",
)
def list_(*, json: Json = False, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """List the accounts of both modes, and where their processors send notices to. Secret keys are not shown.

    An account that was replaced is retired: it charges nothing any more, and
    stays for what it has charged, which only it can tell and refund.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "accounts")

    async def work(runtime: "Runtime") -> list[dict[str, Any]]:
        from nicobar.program.installation import known_address
        from nicobar.storage.accounts.account_uses import account_uses
        from nicobar.storage.accounts.processor_accounts import all_accounts

        server = await known_address(runtime, configuration) or runtime.public_url
        async with runtime.database.snapshot() as read:
            return [
                {
                    "processor": account.processor,
                    "mode": account.mode,
                    "account": account.known_as,
                    "state": "charges" if account.retired_at is None else "retired",
                    "publishable_key": account.publishable_key,
                    "changed_at": account.changed_at,
                    "retired_at": account.retired_at,
                    "needed_for": await account_uses(read, account),
                    "notices_go_to": _notices(server, account.tenant, account.processor),
                }
                for account in await all_accounts(read)
            ]

    found = with_runtime(configuration, work)
    if json:
        print_json(found)
        return 0
    if not found:
        say("No account is connected. Test payments are charged by the built-in simulator.", sys.stderr)
        return 0
    titles = ["PROCESSOR", "MODE", "ACCOUNT", "STATE", "SINCE (UTC)", "NEEDED FOR", "NOTICES GO TO"]
    print_table(titles, [_row(account) for account in found])
    return 0


def _row(account: dict[str, Any]) -> list[str]:
    """Return an account as a row of the table."""
    since = account["retired_at"] or account["changed_at"]
    return [
        account["processor"],
        account["mode"],
        account["account"],
        account["state"],
        f"{since:%Y-%m-%d %H:%M}",
        "new payments" if account["retired_at"] is None else _needed_for(account["needed_for"]),
        account["notices_go_to"],
    ]


def _needed_for(uses: "AccountUses") -> str:
    """Return why a retired account is kept, in words."""
    needs = [
        (uses.open_attempts, "payment", " in doubt"),
        (uses.pending_refunds, "refund", " under way"),
        (uses.returns, "duplicate charge", " to give back"),
        (uses.paid, "charge", ""),
        (uses.saved_methods, "saved card", ""),
    ]
    named = [f"{counted(count, noun)}{rest}" for count, noun, rest in needs if count]
    return ", ".join(named) or "nothing"


@app.command(
    name="set",
    help_epilogue=f"""{WHERE}

The keys are read from the environment, or asked for where they are not set:
  NICOBAR_STRIPE_SECRET_KEY       sk_... or a restricted key, rk_...
  NICOBAR_STRIPE_PUBLISHABLE_KEY  pk_...
  NICOBAR_STRIPE_SIGNING_SECRET   whsec_..., of the endpoint for the notices
  NICOBAR_ENCRYPTION_KEY          what the secret ones are encrypted with;
                                  without it: a file beside the data folder

Examples:
  nicobar processors set stripe
  nicobar processors set stripe --mode live
  nicobar processors set stripe --no-check""",
)
def set_(
    processor: ProcessorName,
    /,
    *,
    mode: InMode = "test",
    no_check: Annotated[
        bool, Parameter(help="Do not ask the processor whether it takes the keys, and whose they are.")
    ] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Connect an account, or give it new keys. Another one retires the one before.

    First it prints the address for the processor's notices, because the
    signing secret exists only once that is entered there. Then it asks for the
    keys, which are stored encrypted, and says whether servers can charge.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    url, known = _address(configuration, mode, processor)
    say("Notices have to be sent to:", sys.stderr)
    answer(url)
    _tell_who_decides(known)
    from nicobar.processors.stripe.stripe_notices import EVENTS

    say(f"Let it send these events: {', '.join(EVENTS)}", sys.stderr)
    if not url.startswith("https://"):
        say("Stripe sends notices to https addresses only: set NICOBAR_PUBLIC_URL to the public one.", sys.stderr)
    secret_key, publishable_key, signing_secret = (_secret(name, prompt) for name, prompt in _SECRETS.items())
    api_base = read_secret(_API_BASE)

    async def work(runtime: "Runtime") -> "tuple[list[str], ProcessorAccount | None]":
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.accounts.set_processor_account import set_processor_account
        from nicobar.processors.stripe.stripe_account import API_BASE, StripeAccount
        from nicobar.program.installation import own_business
        from nicobar.storage.inspection import server_addresses

        tenant = Tenant(await own_business(runtime), mode)
        account = StripeAccount(secret_key, publishable_key, signing_secret, api_base or API_BASE)
        retired = await set_processor_account(runtime, tenant, account, check=not no_check)
        async with runtime.database.read() as read:
            return await server_addresses(read), retired

    servers, retired = with_runtime(configuration, work)
    say(f"The account at {processor.title()} for {mode} payments is stored.", sys.stderr)
    if retired is not None:
        say(_replaced(retired, command(configuration, "processors list")), sys.stderr)
    return _tell_who_charges(configuration, servers, mode)


def _replaced(retired: "ProcessorAccount", see: str) -> str:
    """Return what becomes of the account that charged until now."""
    other = f"It is another one than {retired.known_as}"
    if retired.sealed is not None:
        return f"{other}, which goes on for what it has charged: {see}"
    return (
        f"{other}, whose keys cannot be decrypted with the encryption key that is in use here, and are forgotten. "
        f"To refund what that has charged, and to learn how payments under way end, set its keys again, then these."
    )


def _tell_who_charges(configuration: Configuration, servers: list[str], mode: str) -> int:
    """Return whether the servers that use this database can charge through a new account; return the exit status.

    They are asked themselves, because each decrypts the account with an encryption key of its own.
    """
    from nicobar.program.doctor import server_at

    states = [(url, found) for url in servers if (found := server_at(url)) is not None]
    unable = [url for url, found in states if found.good is False]
    for url in unable:
        say(f"The server at {url} cannot use it: it has another encryption key, or none. See its log.", sys.stderr)
    if unable:
        return 1
    if states:
        named = ", ".join(url for url, _ in states)
        say(f"{mode.title()} payments are charged through it from now on by: {named}", sys.stderr)
    else:
        needs = "" if configuration.database_url is None else " It needs the same NICOBAR_ENCRYPTION_KEY."
        see = command(configuration, "doctor")
        say(f"No server uses this database now; the next one charges through it.{needs} Check with: {see}", sys.stderr)
    return 0


def _address(configuration: Configuration, mode: InMode, processor: str) -> tuple[str, bool]:
    """Return where a processor sends its notices, and whether that is known: set, or of a server that runs."""

    async def work(runtime: "Runtime") -> tuple[str, bool]:
        from nicobar.core.business.tenant import Tenant
        from nicobar.program.installation import known_address, own_business

        server, tenant = await known_address(runtime, configuration), Tenant(await own_business(runtime), mode)
        return _notices(server or runtime.public_url, tenant, processor), server is not None

    return with_runtime(configuration, work)


def _tell_who_decides(known: bool) -> None:
    """Print what will decide an address that is not known yet."""
    if not known:
        say(
            "No server uses this database now. The next one has this address unless it gets another: from "
            "NICOBAR_PUBLIC_URL or, without it, from --host and --port (NICOBAR_HOST, NICOBAR_PORT).",
            sys.stderr,
        )


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar processors address stripe --mode live"""
)
def address(
    processor: ProcessorName, /, *, mode: InMode = "test", data: Data = None, database_url: DatabaseUrl = None
) -> int:
    """Print the address that a processor has to send its notices to, and nothing else.

    It is that of NICOBAR_PUBLIC_URL, else that of the server that uses this database now.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    url, known = _address(configuration, mode, processor)
    answer(url)
    _tell_who_decides(known)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar processors remove stripe
  nicobar processors remove stripe --mode live --yes
  nicobar processors remove stripe --account acct_1Nv0FGQ9RKHgCVdK"""
)
def remove(
    processor: ProcessorName,
    /,
    *,
    mode: InMode = "test",
    account: Annotated[
        str | None, Parameter(help="The account, as `processors list` names it; without it the one that charges.")
    ] = None,
    yes: Yes = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Forget the keys of an account. Refunds of what it has charged are refused until the same account is set again."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "accounts")
    which = f"account {account}" if account else "account"
    confirm(f"Forget the {which} at {processor.title()} for {mode} payments, and its keys?", yes)

    async def work(runtime: "Runtime") -> None:
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.accounts.remove_processor_account import remove_processor_account
        from nicobar.program.installation import own_business

        await remove_processor_account(runtime, Tenant(await own_business(runtime), mode), processor, account)

    with_runtime(configuration, work)
    say(f"The {which} at {processor.title()} for {mode} payments is forgotten.", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

To change the encryption key, put the new one in front of the old one in
NICOBAR_ENCRYPTION_KEY (NEW,OLD), restart the servers, run this command, and
take the old one away.

Examples:
  nicobar processors reencrypt"""
)
def reencrypt(*, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """Encrypt the stored keys of all accounts, and the secrets of webhooks, with the newest encryption key."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "accounts")

    async def work(runtime: "Runtime") -> int:
        from nicobar.flows.accounts.reseal_processor_accounts import reseal_processor_accounts
        from nicobar.flows.webhooks.reseal_endpoints import reseal_endpoints

        await reseal_endpoints(runtime)
        return await reseal_processor_accounts(runtime)

    count = with_runtime(configuration, work)
    say(f"The keys of {counted(count, 'account')} are encrypted anew.", sys.stderr)
    return 0


def _notices(server: str, tenant: "Tenant", processor: str) -> str:
    from nicobar.core.accounts.processor_account import notice_path

    return f"{server}{notice_path(tenant, processor)}"


def _secret(name: str, prompt: str) -> str:
    """Return a secret from its variable, the terminal or the next line of the input: never from the command line.

    Raises ConfigurationError when there is none.
    """
    found = read_secret(name)
    if found is None and sys.stdin.isatty():
        from getpass import getpass

        found = getpass(f"{prompt}: ")
    elif found is None:
        found = sys.stdin.readline(_LONGEST_SECRET)
    found = found.strip()
    if not found:
        raise ConfigurationError(f"{prompt} is missing. Set {name}, or type it when it is asked for.")
    return found
