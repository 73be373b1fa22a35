"""The PostgreSQL of an installation, as a process uses it: opened, perhaps revived, released.

Nothing here imports the driver: opening the embedded server and importing the rest take about as long as one another,
so they run side by side (see startup.py).
"""

from pathlib import Path

from nicobar.audit_seal import AuditSeal
from nicobar.program.configuration import Configuration
from nicobar.storage.embedded.embedded import EmbeddedPostgres, default_data_folder, open_embedded


class Postgres:
    """An open PostgreSQL, embedded or external, until `release`.

    `dsn` is its address for the driver; `place` says where it is, without a password; `made_now` says that there was
    no database before; `notices` are sentences about what was changed on this computer.
    """

    def __init__(self, configuration: Configuration) -> None:
        """Open it; the embedded one is created and started when it has to be. Raises EmbeddedError with advice."""
        self.embedded: EmbeddedPostgres | None = None
        self.made_now = False
        self.notices: tuple[str, ...] = ()
        self.dsn = configuration.database_url or ""
        self.place = configuration.masked_database_url
        if configuration.database_url is None:
            self.made_now = not has_database(configuration)
            self.embedded = open_embedded(data_folder(configuration))
            self.dsn, self.place, self.notices = self.embedded.dsn, str(self.embedded.data), self.embedded.notices

    def revive(self) -> None:
        """Start the embedded server again if it has died; an external one is not ours to start. Raises EmbeddedError.

        The new use is opened before the old one is given up, so that a server which still runs is not stopped.
        """
        if self.embedded is not None:
            before, self.embedded = self.embedded, open_embedded(self.embedded.data)
            self.dsn = self.embedded.dsn
            before.release()

    def leave_to_parent(self) -> None:
        """Give up what this process has inherited of a use, which stays that of the process it was forked from."""
        if self.embedded is not None:
            self.embedded.leave_to_parent()

    def release(self) -> None:
        """Give up our use; the embedded server stops when nobody else uses it. Raises EmbeddedError."""
        if self.embedded is not None:
            self.embedded.release()


def data_folder(configuration: Configuration) -> Path:
    """Return the folder of the embedded database. With an external one the demo keeps its file there."""
    return default_data_folder() if configuration.data is None else configuration.data.expanduser().absolute()


def key_file(configuration: Configuration) -> Path:
    """Return where the key to the secrets in the database is kept: next to the data folder, not in it.

    An early version kept it there; such a file stays in use until somebody moves it.
    """
    if configuration.key_file is not None:
        return configuration.key_file.expanduser().absolute()
    folder = data_folder(configuration)
    within = folder / "encryption.key"
    if configuration.database_url is None and within.exists():
        return within
    return folder.with_name(f"{folder.name}.key")


def open_audit_seal(configuration: Configuration) -> AuditSeal:
    """Return what proves the audit log: its key lies next to that of the secrets, its end in the data folder.

    With an external database there is no file: the key has to be given, and the end is not noted.
    """
    if configuration.database_url is not None:
        return AuditSeal(configuration.audit_keys, None, None)
    key = key_file(configuration).with_suffix(".audit.key")
    return AuditSeal(configuration.audit_keys, key, data_folder(configuration) / "audit.head")


def has_database(configuration: Configuration) -> bool:
    """Return whether there is a database to open; an external one is taken to exist."""
    return configuration.database_url is not None or (data_folder(configuration) / "postgres").exists()
