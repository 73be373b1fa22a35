"""`nicobar doctor`: is this installation in order? Each check is a small function that returns one finding."""

import asyncio
import os
import platform
import shutil
import stat
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from typing import Final, NamedTuple

from nicobar.clock import Clock, SystemClock
from nicobar.core.business.business_settings import DEFAULT_NAME, settings_from
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.counted import counted
from nicobar.flows.audit.examine_audit_log import examine_audit_log
from nicobar.program.banner import command, step, version
from nicobar.program.books_audit import PARTS, prepare_audit
from nicobar.program.configuration import Configuration, local_url
from nicobar.program.demo import DEMO_FILE
from nicobar.program.finding import Finding
from nicobar.program.installation import InstallationError, explained, open_webhook_secrets
from nicobar.program.postgres import Postgres, data_folder, has_database, key_file, open_audit_seal
from nicobar.program.statistics_check import check_statistics
from nicobar.program.test_clock_check import check_test_clock
from nicobar.reference.codes import codes
from nicobar.storage.accounts.processor_accounts import all_accounts, list_accounts
from nicobar.storage.business.businesses import first_business
from nicobar.storage.business.keys import list_keys
from nicobar.storage.business.settings import setting_texts
from nicobar.storage.database import Database, Read
from nicobar.storage.embedded.embedded import EmbeddedError
from nicobar.storage.inspection import DatabaseFacts, database_facts, schema_version, server_addresses
from nicobar.storage.migrate import OLDEST_POSTGRES, load_migrations
from nicobar.storage.tax.tax_rates import newest_tax_table
from nicobar.storage.webhooks.webhook_checks import endpoint_states
from nicobar.vault import Vault, VaultError

LEAST_FREE_BYTES: Final = 1_000_000_000
"""Free space below which a disk counts as nearly full: PostgreSQL's log of changes alone may take this much."""

LARGEST_CLOCK_DIFFERENCE: Final = timedelta(seconds=2)
"""How far the clocks of this computer and of the database may be apart before the times of records mislead."""

LONGEST_CHECK: Final = 600.0
"""Seconds that one check of the database may take: some read every payment."""

_MODES: Final[tuple[Mode, ...]] = ("live", "test")  # the one that matters more first


class Examined(NamedTuple):
    """An open database and what is known about it."""

    configuration: Configuration
    place: str
    read: Read
    facts: DatabaseFacts
    clock_difference: timedelta
    """How far the database's clock is from ours, beyond what the way there explains."""


def check_program(_configuration: Configuration) -> Finding:
    """Name the versions: every report of an error needs them."""
    return Finding(True, f"Nicobar {version()} on Python {platform.python_version()}, {platform.system()}.")


def check_data_folder(configuration: Configuration) -> Finding:
    """The data folder must exist, be usable by whoever runs this, and be closed to other writers."""
    if configuration.database_url is not None:
        return Finding(None, "The database is external, so there is no data folder.")
    folder = data_folder(configuration)
    if not has_database(configuration):
        return Finding(
            False, f"There is no database in {folder} yet.", f"Make it with: {command(configuration, 'serve')}"
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(False, f"This user may not use the data folder {folder}.", "Run Nicobar as its owner.")
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Finding(False, f"Others may write to the data folder {folder}.", f"Close it with: chmod go-w {folder}")
    return Finding(True, f"The data folder is {folder}, and only its owner may write to it.")


def check_demo_file(configuration: Configuration) -> Finding:
    """The demo's file is the only place where a key is kept in clear, so nobody else may read it."""
    file = data_folder(configuration) / DEMO_FILE
    if not file.exists():
        return Finding(True, "No API key is kept in clear.")
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(False, f"Others may read the demo's API key in {file}.", f"Close it with: chmod 600 {file}")
    return Finding(True, f"The demo's API key in {file} is readable by its owner alone.")


def check_key_file(configuration: Configuration) -> Finding:
    """What decrypts the secrets in the database is kept apart from it, and is nobody else's to read."""
    if configuration.encryption_keys is not None:
        return Finding(True, "The encryption key is given in NICOBAR_ENCRYPTION_KEY.")
    file = key_file(configuration)
    try:
        state = file.stat()
    except FileNotFoundError:
        return Finding(None, f"There is no encryption key yet; {file} will hold it.")
    except OSError:
        return Finding(False, f"The encryption key in {file} cannot be reached.", "Run Nicobar as its owner.")
    if hasattr(os, "geteuid") and state.st_uid != os.geteuid():
        owner = f"The encryption key in {file} belongs to another user."
        return Finding(False, owner, f"Make it yours with: chown {os.geteuid()} {file}")
    if not os.access(file, os.R_OK):
        return Finding(False, f"The encryption key in {file} cannot be read.", f"Open it with: chmod 600 {file}")
    if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(False, f"Others may read the encryption key in {file}.", f"Close it with: chmod 600 {file}")
    folder = data_folder(configuration)
    if configuration.database_url is None and file.is_relative_to(folder):
        sentence = f"The encryption key is in the data folder: a copy of {folder} holds the secrets and their key."
        return Finding(False, sentence, f"Stop the server and move it with: mv {file} {folder}.key")
    return Finding(True, f"The encryption key in {file} is readable by its owner alone. Keep a copy of it elsewhere.")


def check_disk(configuration: Configuration) -> Finding:
    """A full disk stops PostgreSQL."""
    folder = data_folder(configuration)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    sentence = f"{free // 1_000_000} MB are free on the disk of {folder}."
    return Finding(free >= LEAST_FREE_BYTES, sentence, f"Make room: {LEAST_FREE_BYTES // 1_000_000} MB should be free.")


def check_server(configuration: Configuration) -> Finding:
    """Note whether a server answers; none has to."""
    url = local_url(configuration.host, configuration.port)
    return server_at(url) or Finding(None, f"No server answers at {url}.")


def server_at(url: str) -> Finding | None:
    """Return how the server at an address is; None when nothing answers there."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        if response.getheader("request-id") is None:
            return Finding(None, f"A program that is not Nicobar answers at {url}.")
        if response.status == 200:
            return Finding(None, f"A server answers at {url} and is ready.")
        advice = "Its log says why, at 'not_ready'."
        return Finding(False, f"The server at {url} cannot take payments (status {response.status}).", advice)
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


async def check_version(examined: Examined) -> Finding:
    """PostgreSQL answers, and is not too old."""
    major = examined.facts.version_number // 10_000
    return Finding(
        major >= OLDEST_POSTGRES,
        f"PostgreSQL {examined.facts.version.partition(' ')[0]} answers in {examined.place}.",
        f"Nicobar is made for PostgreSQL {OLDEST_POSTGRES} and later.",
    )


async def check_schema(examined: Examined) -> Finding:
    """The tables are those that this program knows."""
    known = max(migration.number for migration in load_migrations())
    found = await schema_version(examined.read) if examined.facts.has_schema else 0
    if found < known:
        advice = f"Bring it up to date with: {command(examined.configuration, 'serve')}"
        return Finding(False, f"The schema has version {found}, and this program needs {known}.", advice)
    if found > known:
        advice = "Use the newer Nicobar that made it."
        return Finding(False, f"The schema has version {found}, and this program knows only up to {known}.", advice)
    return Finding(True, f"The schema has version {found}, which is the newest.")


async def check_durability(examined: Examined) -> Finding:
    """What was answered must survive a power cut."""
    facts = examined.facts
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if getattr(facts, name) == "off"]
    if off:
        advice = f"Set to on in postgresql.conf: {', '.join(off)}."
        return Finding(False, f"A power cut can lose payments, because {' and '.join(off)} is off.", advice)
    return Finding(True, "Payments survive a power cut: fsync, full_page_writes and synchronous_commit are on.")


async def check_clock(examined: Examined) -> Finding:
    """Expiry and the order of records rest on clocks that agree."""
    difference = examined.clock_difference
    if difference > LARGEST_CLOCK_DIFFERENCE:
        sentence = f"The clocks of this computer and the database differ by {difference.total_seconds():.1f} seconds."
        return Finding(False, sentence, "Set both by NTP, for example with: timedatectl set-ntp true")
    return Finding(True, "The clocks of this computer and the database agree.")


async def check_servers(examined: Examined) -> Finding:
    """Ask the servers that use this database, on whatever port they listen, how they are."""
    addresses = await server_addresses(examined.read)
    usual = local_url(examined.configuration.host, examined.configuration.port)
    found = [finding for url in addresses or [usual] if (finding := server_at(url)) is not None]
    if not found:
        return Finding(None, f"No server answers at {usual}, and none uses this database.")
    bad = next((finding for finding in found if finding.good is False), None)
    return bad or Finding(None, " ".join(finding.sentence for finding in found))


async def check_secrets(examined: Examined) -> Finding:
    """The server decrypts the keys of every account, and webhook secrets; here the same is tried with the same key."""
    if not (await check_schema(examined)).good:
        return Finding(None, "Accounts at payment processors cannot be looked for without the newest schema.")
    file = key_file(examined.configuration)
    vault = Vault(examined.configuration.encryption_keys, file)
    accounts = await all_accounts(examined.read)
    try:
        vault.check()
        for account in accounts:
            if account.sealed is not None:
                vault.open(account.sealed, account.place)
    except VaultError as error:
        advice = "Give the key that encrypted them, or connect the account anew: nicobar processors set stripe"
        return Finding(False, str(error), advice)
    try:
        webhooks = await open_webhook_secrets(examined.read, lambda place, sealed: vault.open(sealed, place))
    except VaultError as error:
        return Finding(False, f"{error} It signs webhooks.", "Give the key that encrypted it.")
    folder = data_folder(examined.configuration)
    if file.exists() and folder.exists() and file.stat().st_uid != folder.stat().st_uid:
        advice = f"Give it to the owner of the data folder: chown --reference={folder} {file}"
        return Finding(False, f"The encryption key {file} belongs to another user than the data folder.", advice)
    more = f" So can the secrets that sign webhooks ({webhooks})." if webhooks else ""
    keys = f"The keys of {counted(len(accounts), 'account')} at payment processors"
    return Finding(True, f"{keys} can be decrypted.{more}")


async def check_audit_log(examined: Examined) -> Finding:
    """Nobody has changed the record of who changed what."""
    if not (await check_schema(examined)).good:
        return Finding(None, "The audit log cannot be proved without the newest schema.")
    seal = open_audit_seal(examined.configuration)
    try:
        result = await examine_audit_log(examined.read, seal)
    except VaultError as error:
        return Finding(False, f"The audit log cannot be proved: {error}", "Give the key that it was sealed with.")
    if result.faults:
        more = f" And {len(result.faults) - 1} more." if len(result.faults) > 1 else ""
        return Finding(False, f"The audit log was changed. {result.faults[0]}{more}", "Compare it with a backup.")
    if result.unsealed:
        advice = "Give a key in NICOBAR_AUDIT_KEY, for example from: openssl rand -base64 32"
        sentence = f"The audit log has entries without a seal ({result.unsealed}): nobody could prove a change."
        return Finding(None, sentence, advice, warns=True)
    return Finding(True, f"The audit log is whole: each entry is sealed and chained ({result.entries}).")


async def check_live(examined: Examined) -> Finding:
    """Whoever has a key for real money wants to be paid, under a name of their own."""
    if not examined.facts.has_schema or (business_id := await first_business(examined.read)) is None:
        return Finding(None, "Nothing is set up for live payments.")
    keys = await list_keys(examined.read, business_id)
    live = [stored for stored in keys if stored.key.tenant.mode == "live" and stored.is_valid(examined.facts.now)]
    if not live:
        return Finding(None, "There is no live API key, so no real money is taken.")
    tenant = live[0].key.tenant
    if all(account.retired_at is not None for account in await list_accounts(examined.read, tenant)):
        advice = f"Connect one with: {command(examined.configuration, 'processors set stripe --mode live')}"
        return Finding(None, "There is a live API key, but no live account that charges.", advice, warns=True)
    if (await setting_texts(examined.read, tenant)).get("business_name", DEFAULT_NAME) == DEFAULT_NAME:
        advice = f"Name it with: {command(examined.configuration, 'settings set business_name NAME --mode live')}"
        return Finding(None, f"Live customers see the name {DEFAULT_NAME!r}.", advice, warns=True)
    return Finding(True, "Live payments have a key, an account and a name.")


async def check_keys(examined: Examined) -> Finding:
    """Without a key nobody can use the API."""
    if not examined.facts.has_schema:
        return Finding(None, "API keys cannot be looked for without a schema.")
    business_id = await first_business(examined.read)
    keys = [] if business_id is None else await list_keys(examined.read, business_id)
    valid = sum(stored.is_valid(examined.facts.now) for stored in keys)
    sentence = f"{counted(valid, 'API key is', 'API keys are')} valid." if valid else "There is no valid API key."
    return Finding(valid > 0, sentence, f"Make one with: {command(examined.configuration, 'keys create')}")


async def check_taxes(examined: Examined) -> Finding:
    """Where tax is charged, nothing that decides it is missing."""
    business_id = await first_business(examined.read) if (await check_schema(examined)).good else None
    if business_id is None:
        return Finding(None, "Taxes cannot be looked at without a business.")
    charging: list[str] = []
    for mode in _MODES:
        tenant = Tenant(business_id, mode)
        settings = settings_from(await setting_texts(examined.read, tenant), codes())
        if settings.tax == "off":
            continue
        charging.append(mode)
        if settings.missing_for_tax is not None:
            sentence = f"Tax is on in {mode} mode, and {settings.missing_for_tax} is empty: tax ids lower no tax."
            wanted = command(examined.configuration, f"settings set {settings.missing_for_tax} DE --mode {mode}")
            return Finding(False, sentence, f"Say where you are established, for example with: {wanted}")
        stored = await newest_tax_table(examined.read, tenant)
        ended = [] if stored is None or stored.sheet is None else stored.sheet.table().ended(examined.facts.now.date())
        if ended:
            sentence = f"No rate of these places holds any more in the tax table of {mode} mode: {', '.join(ended)}."
            return Finding(False, sentence, "Nothing is charged there. Add the new rate, or remove the rows.")
    return Finding(True, f"Tax is charged in {' and '.join(charging)} mode." if charging else "No tax is charged.")


async def check_webhooks(examined: Examined) -> Finding:
    """No endpoint was given up without its owner knowing, and what is open to the own network is said."""
    if not (await check_schema(examined)).good:
        return Finding(None, "Webhooks cannot be looked at without the newest schema.")
    endpoints = await endpoint_states(examined.read)
    named = [
        f"    {endpoint.endpoint_id} ({endpoint.mode}): {endpoint.url}, on {endpoint.given_up_at:%Y-%m-%d}"
        for endpoint in endpoints
        if endpoint.given_up_at is not None
    ]
    if named:
        sentence = "Webhook endpoints were disabled, because nothing had arrived there for five days:"
        advice = "Mend the receiver, enable it with PATCH /webhooks/{id}, and replay what it missed."
        return Finding(False, "\n".join([sentence, *named]), advice)
    enabled = sum(not endpoint.disabled for endpoint in endpoints)
    sentence = f"{counted(enabled, 'webhook endpoint')} of {len(endpoints)} enabled."
    private = " They may lead into the own network (NICOBAR_ALLOW_PRIVATE_WEBHOOKS)."
    return Finding(True, sentence + (private if examined.configuration.allow_private_webhooks else ""))


COMPUTER_CHECKS: Final[list[Callable[[Configuration], Finding]]] = [
    check_program,
    check_data_folder,
    check_demo_file,
    check_key_file,
    check_disk,
]
"""What can be said without a database, in the order of the report."""

DATABASE_CHECKS: Final[list[Callable[[Examined], Awaitable[Finding]]]] = [
    check_version,
    check_schema,
    check_durability,
    check_clock,
    check_servers,
    check_keys,
    check_taxes,
    check_secrets,
    check_audit_log,
    check_live,
    check_webhooks,
]
"""What is asked of an open database, in the order of the report."""


def examine(configuration: Configuration, clock: Clock | None = None) -> list[Finding]:
    """Run every check and return the findings. No record is created or changed.

    An embedded PostgreSQL that does not run is started for the time of the examination. What takes a noticeable time
    is named on the standard error.
    """
    with step("Looking at this computer", sys.stderr):
        findings = [check(configuration) for check in COMPUTER_CHECKS]
    if not has_database(configuration):
        return [*findings, check_server(configuration)]
    try:
        with step("Opening the database", sys.stderr):
            postgres = Postgres(configuration)
        try:
            findings += asyncio.run(_examine_database(configuration, postgres, clock or SystemClock()))
        finally:
            postgres.release()
    except (EmbeddedError, InstallationError) as error:
        findings += [Finding(False, str(error)), check_server(configuration)]
    return findings


async def _examine_database(configuration: Configuration, postgres: Postgres, clock: Clock) -> list[Finding]:
    database = Database(postgres.dsn, size=1, command_timeout=LONGEST_CHECK)
    try:
        with explained(configuration):
            async with database.read() as read:
                before = clock.now()
                facts = await database_facts(read)
                after = clock.now()
                difference = max(before - facts.now, facts.now - after, timedelta(0))
                examined = Examined(configuration, postgres.place, read, facts, difference)
                return [*[await check(examined) for check in DATABASE_CHECKS], *await _audit(examined, after)]
    finally:
        await database.close()


async def _audit(examined: Examined, now: datetime) -> list[Finding]:
    """Prove the books, if the tables are those that this program knows."""
    if not (await check_schema(examined)).good:
        return [Finding(None, "The books cannot be proved without the newest schema.")]
    with step("Counting payments", sys.stderr):
        when, counts = await prepare_audit(examined.read, now)
    own_time = await check_test_clock(examined.configuration, examined.read, now)
    findings = [await check_statistics(examined.read), own_time]
    for part in PARTS:
        with step(f"Checking {part.subject[0].lower()}{part.subject[1:]}", sys.stderr):
            findings.append(await part.examine(examined.read, counts, when))
    return findings
