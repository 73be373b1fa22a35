"""`nicobar backup` and `nicobar restore`: the whole database in one file, taken while servers run, and back."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import WHERE, Data, DatabaseUrl, refuse_without_database, with_runtime
from nicobar.core.counted import counted
from nicobar.program.banner import answer, say, step
from nicobar.program.configuration import Configuration, ConfigurationError, read_configuration

if TYPE_CHECKING:
    from nicobar.flows.runtime import Runtime

backup_app = App(
    name="backup",
    help_epilogue=f"""{WHERE}

The file is readable by its owner alone. The keys to the secrets of payment
processors and of the audit log are not in it: keep the files beside the data
folder that end in .key, or your NICOBAR_ENCRYPTION_KEY and NICOBAR_AUDIT_KEY,
in another place.

Examples:
  nicobar backup nicobar.backup
  nicobar backup "$(date +%F).backup\"""",
)

restore_app = App(
    name="restore",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar restore nicobar.backup --data ./restored
  nicobar doctor --data ./restored""",
)


@backup_app.default
def backup(
    file: Annotated[Path, Parameter(help="A new file.")],
    /,
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Write the whole database into a file, as it is at one moment. Servers go on meanwhile."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "records")
    from nicobar.program.postgres_programs import opened_programs

    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    try:
        if file.exists():
            raise ConfigurationError(f"{file} exists already. Choose another name: a backup never overwrites a file.")
        draft.touch(0o600, exist_ok=False)
        with step("Writing the backup", sys.stderr), opened_programs(configuration) as programs:
            done = programs.run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={draft}")
        if done.returncode != 0:
            raise ConfigurationError(f"The backup was not made. pg_dump says: {done.stderr.strip()}")
        draft.rename(file)
    except OSError as error:
        raise ConfigurationError(f"The backup cannot be written to {file}: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
    answer(f"The backup is in {file}, {file.stat().st_size:,} bytes.")
    say(_about_key(configuration), sys.stderr)
    return 0


@restore_app.default
def restore(
    file: Annotated[Path, Parameter(help="A file that 'nicobar backup' has written.")],
    /,
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Load a backup into an empty database: a data folder without one, or a new database of your PostgreSQL.

    All of it is loaded, or nothing. A backup of an older Nicobar is brought up to
    date; to go back to an older version, restore with the program that made it.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    if not file.is_file():
        raise ConfigurationError(f"There is no file {file}.")
    from nicobar.program.postgres_programs import opened_programs

    with step("Loading the backup", sys.stderr), opened_programs(configuration) as programs:
        found = programs.run("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", _TABLES)
        if found.returncode != 0:
            raise ConfigurationError(f"The database cannot be used. psql says: {found.stderr.strip()}")
        if found.stdout.strip() != "0":
            raise ConfigurationError(
                f"The database has {counted(int(found.stdout), 'table')} already. A backup is loaded into an empty "
                "one: choose another folder with --data, or make a new database."
            )
        if (why := programs.load(file)) is not None:
            raise ConfigurationError(f"Nothing was restored. PostgreSQL says: {why}")
    unreadable = with_runtime(configuration, _unreadable_secret)
    answer(f"The backup {file} is restored.")
    if unreadable is not None:
        say(f"{unreadable} {_about_key(configuration)}", sys.stderr)
    return 0


_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"


async def _unreadable_secret(runtime: "Runtime") -> str | None:
    """Return why a secret of this database cannot be decrypted here; None when all can."""
    from nicobar.program.installation import InstallationError, check_secrets

    try:
        await check_secrets(runtime)
    except InstallationError as error:
        return str(error)
    return None


def _about_key(configuration: Configuration) -> str:
    from nicobar.program.postgres import key_file

    if configuration.encryption_keys is not None:
        return "Keep your NICOBAR_ENCRYPTION_KEY in another place: it is not in a backup."
    file = key_file(configuration)
    return f"The keys of payment processors are encrypted with {file}, if there is one: it belongs with it, elsewhere."
