"""Started as root, what answers strangers goes on as the account that PostgreSQL runs as.

Root is needed for a port below 1024, for the files of a data folder and to start PostgreSQL as somebody else. All of
that is done before the first request.
"""

import importlib.util
import os
from pathlib import Path

from nicobar.storage.embedded.bundle import SystemUser
from nicobar.storage.embedded.system_user import account_of, can_enter, is_root, new_account


def give_up_root(folder: Path, *, is_embedded: bool) -> list[str]:
    """Continue as another account permanently, if this is root; return sentences for the operator about it.

    It is the owner of the database in the data folder, which then gets the folder and its files, too. With an external
    database it is the owner of the folder, should there be one, or the system user. Where that account may not enter
    what the server still needs, this process stays root and says so. Raises EmbeddedError when there is no such account
    and it cannot be made.
    """
    if not is_root():
        return []
    notices: list[str] = []
    if is_embedded:
        account = account_of((folder / "postgres").resolve())
    else:
        account = new_account(notices, folder if folder.exists() else Path("/"))
    closed = next((needed for needed in _needed(folder, is_embedded) if not can_enter(account, needed)), None)
    if closed is not None or account.uid is None or account.gid is None:
        why = f"{account.name} may not enter {closed}"
        return [*notices, f"Continuing as root, because {why}. Start it as a normal user."]
    if is_embedded:
        _hand_over(folder, account)
    os.environ["HOME"] = "/"  # where the driver looks for its own files
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    return [*notices, f"Continuing as {account.name}, not as root."]


def _needed(folder: Path, is_embedded: bool) -> list[Path]:
    """Return folders that are read after the start: what is imported late, and the data."""
    driver = importlib.util.find_spec("asyncpg")
    programs = [Path(__file__), Path(os.__file__), *([Path(driver.origin)] if driver and driver.origin else [])]
    return [*(program.parent for program in programs), *([folder] if is_embedded else [])]


def _hand_over(folder: Path, account: SystemUser) -> None:
    """Give the data folder and root's files right in it to the account; folders in it have their owners already."""
    for path in (folder, *folder.iterdir()):
        if path == folder or (path.is_file() and not path.is_symlink() and path.stat().st_uid == 0):
            account.own(path)
