"""The key that the audit log is proved with, which is not in the database, and where its end is noted outside of it."""

import hmac
import os
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from nicobar.vault import Keys, Vault, VaultError, give_to_owner_of

_VARIABLE: Final = "NICOBAR_AUDIT_KEY"


class Head(NamedTuple):
    """The last link of the chain, as it was noted outside of the database."""

    number: int
    tag: bytes


class AuditSeal:
    """Seals entries and links of the audit log.

    Without keys of its own it keeps one in a file next to that of the encryption key, made on first need. Without a
    file either, as with an external database, it seals nothing (`can_seal`).
    """

    def __init__(self, keys: Keys | None, file: Path | None, head: Path | None) -> None:
        """Take the keys, the file of the key, and the file where the end of the chain is noted."""
        self._vault = Vault(keys, file, _VARIABLE)
        self._head = head
        self.can_seal = keys is not None or file is not None
        """Whether there is a key, or a place for one."""

    def ensure_key(self) -> None:
        """Read or make the key, and remember it: later this process may not be allowed to. Raises VaultError."""
        if self.can_seal:
            self._vault.ensure_key()

    def seal(self, message: bytes) -> bytes:
        """Return the HMAC-SHA256 of a message, behind the name of its key. Raises VaultError."""
        name, key = self._vault.newest()
        return name + hmac.digest(key, message, "sha256")

    def is_genuine(self, message: bytes, seal: bytes) -> bool:
        """Return whether a seal was made for this message. Raises VaultError when its key is not here."""
        key = self._vault.named(seal[:8])
        return hmac.compare_digest(seal[8:], hmac.digest(key, message, "sha256"))

    def head(self) -> Head | None:
        """Return the end that was noted last; None when there is none. Raises VaultError when it cannot be read."""
        if self._head is None:
            return None
        try:
            number, _, tag = self._head.read_text(encoding="ascii").strip().partition(" ")
            return Head(int(number), bytes.fromhex(tag))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise VaultError(f"{self._head}, which notes the end of the audit log, cannot be read.") from error

    def note_head(self, head: Head) -> None:
        """Note the end of the chain, in one step. Raises VaultError when it cannot be written."""
        if self._head is None:
            return
        draft = self._head.with_name(f"{self._head.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as out:
                give_to_owner_of(self._head.parent, descriptor)
                out.write(f"{head.number} {head.tag.hex()}\n")
            draft.replace(self._head)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise VaultError(f"The end of the audit log cannot be noted in {self._head}.") from error
