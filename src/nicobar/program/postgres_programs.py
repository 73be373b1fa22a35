"""PostgreSQL's own programs on the database of an installation: psql, pg_dump, pg_restore.

They are those of the embedded PostgreSQL, also where the database is another one. A password goes to them through their
environment, because the list of processes is open to everyone on the computer.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from nicobar.program.configuration import Configuration, program_environment
from nicobar.program.postgres import Postgres
from nicobar.storage.embedded.bundle import binary

_UNKNOWN_PARAMETER: Final = b"SET transaction_timeout = 0;\n"
_HEAD_LINES: Final = 40
"""Where a script sets its parameters; what comes further down is data."""

_READ_ONLY: Final = "-c default_transaction_read_only=on"


def for_libpq(url: str) -> tuple[str, dict[str, str]]:
    """Return a database's address without its password, and the variable that holds the password, if there is one."""
    parts = urlsplit(url)
    user, at, server = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    secrets = [unquote(password), *(value for key, value in pairs if key == "password")]
    query = urlencode([pair for pair in pairs if pair[0] != "password"], quote_via=quote, safe="/")
    given = [secret for secret in secrets if secret]
    place = urlunsplit(parts._replace(netloc=f"{name}{at}{server}", query=query))
    return place, {"PGPASSWORD": given[-1]} if given else {}


class PostgresPrograms:
    """Runs the programs on an open PostgreSQL."""

    def __init__(self, postgres: Postgres) -> None:
        self._place, password = for_libpq(postgres.dsn)
        # What the user has set for PostgreSQL is meant for a database of their own, never for the embedded one.
        self._environment = program_environment(keep_postgres=postgres.embedded is None) | password

    def run(self, name: str, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end and return it with what it says. Raises EmbeddedError when it is not there."""
        return subprocess.run(  # noqa: S603 - our own paths and options, and no shell reads them
            [binary(name), f"--dbname={self._place}", *options],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    def load(self, file: Path) -> str | None:
        """Load a backup as one transaction; return what went wrong, None for nothing. Raises EmbeddedError.

        It goes through psql, because pg_restore by itself sets a parameter that PostgreSQL before 17 does not know.
        """
        command: list[str | Path] = [binary("pg_restore"), "--no-owner", "--no-privileges", "--file=-", file]
        loading: list[str | Path] = [
            binary("psql"),
            f"--dbname={self._place}",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
        ]
        loading += ["--single-transaction", "--file=-"]
        with TemporaryFile() as said, ExitStack() as processes:
            reader = processes.enter_context(
                subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, stderr=said)  # noqa: S603
            )
            writer = processes.enter_context(
                subprocess.Popen(  # noqa: S603 - our own paths and options, and no shell reads them
                    loading, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
                )
            )
            assert reader.stdout is not None and writer.stdin is not None  # noqa: S101 - both are pipes
            with suppress(BrokenPipeError):  # psql has ended, and has said why
                for number, line in enumerate(reader.stdout):
                    if number > _HEAD_LINES or line != _UNKNOWN_PARAMETER:
                        writer.stdin.write(line)
            reader.stdout.close()
            if reader.wait() != 0:
                writer.kill()  # before its input ends, which would commit what it has
            with suppress(BrokenPipeError):
                writer.stdin.close()
            if writer.wait() == 0 and reader.returncode == 0:
                return None
            said.seek(0)
            return said.read().decode(errors="replace").strip()

    def run_in_terminal(self, name: str, *options: str, read_only: bool) -> int:
        """Run a program that speaks with the user itself, and return its exit status; Ctrl-C is for it alone."""
        environment: Mapping[str, str] = self._environment
        if read_only:
            given = f"{self._environment.get('PGOPTIONS', '')} {_READ_ONLY}".strip()
            environment = self._environment | {"PGOPTIONS": given}
        before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
        try:
            command = [os.fspath(binary(name)), f"--dbname={self._place}", *options]
            return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - as above
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def opened_programs(configuration: Configuration) -> Iterator[PostgresPrograms]:
    """Lend the programs on an installation's database, which stays open meanwhile. Raises EmbeddedError."""
    postgres = Postgres(configuration)
    try:
        yield PostgresPrograms(postgres)
    finally:
        postgres.release()
