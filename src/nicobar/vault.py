"""Secrets of businesses, encrypted for the database: AES-256-GCM under keys that are not in the database.

What is sealed names the key that it was sealed with, so that several can be in use while a new one is introduced. It is
tied to its place: moved to another business, mode or processor it cannot be opened. `cryptography` is imported on
first use, because most installations have no secrets and should not wait for it.
"""

import base64
import binascii
import hashlib
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""Random bytes that `Vault.seal` needs."""

_FORM: Final = b"\x01"
_NAME_BYTES: Final = 8
_VARIABLE: Final = "NICOBAR_ENCRYPTION_KEY"


class VaultError(Exception):
    """Secrets cannot be encrypted or decrypted; the message says why and gives advice, and quotes no secret."""


class Keys:
    """Encryption keys, the newest first. Their text form shows none of them."""

    __slots__ = ("_keys",)

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys

    @classmethod
    def parse(cls, text: str) -> "Keys":
        """Read keys: 32 bytes each in base64, separated by commas. Raises ValueError, which quotes nothing of them."""
        return cls(tuple(_parse(part) for part in text.split(",")))

    def __repr__(self) -> str:
        """Show that there are keys, and nothing of them."""
        return "Keys(<hidden>)"

    def __eq__(self, other: object) -> bool:
        """Return whether they are the same keys in the same order."""
        return isinstance(other, Keys) and self._keys == other._keys

    def __hash__(self) -> int:
        """Go by the keys."""
        return hash(self._keys)

    def __reduce__(self) -> str:
        """Refuse to be pickled or copied: keys must not travel further by accident."""
        raise TypeError("keys are not serialised")

    @property
    def newest(self) -> bytes:
        """The key that new secrets are encrypted with."""
        return self._keys[0]

    def named(self, name: bytes) -> bytes | None:
        """Return the key with this name."""
        return next((key for key in self._keys if _name(key) == name), None)


class Vault:
    """Encrypts and decrypts secrets.

    Without keys of its own it keeps one in a file that only this user can read; the file is made when the first secret
    is encrypted. Without a file either, it refuses.
    """

    def __init__(self, keys: Keys | None, file: Path | None, variable: str = _VARIABLE) -> None:
        """Take the keys, the file, and the name of the variable that keys are given in."""
        self._keys = keys
        self._file = file
        self._variable = variable
        self._ciphers: dict[bytes, AESGCM] = {}

    def __repr__(self) -> str:
        """Name the file, and nothing of the keys."""
        return f"Vault({self._file})"

    def ensure_key(self) -> None:
        """Make the key now, if there is none. Raises VaultError when there can be none, or it cannot be read."""
        self._keys = self._keys or self._from_file() or self._new_file()

    def seal(self, secret: bytes, place: str, nonce: bytes) -> bytes:
        """Return a secret encrypted with the newest key, for one place. `nonce` are fresh random bytes.

        Raises VaultError without a key.
        """
        self.ensure_key()
        assert self._keys is not None  # noqa: S101 - it was ensured
        key = self._keys.newest
        return _FORM + _name(key) + nonce + self._cipher(key).encrypt(nonce, secret, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return a secret that was sealed for this place. Raises VaultError."""
        from cryptography.exceptions import InvalidTag

        keys = self._keys or self._from_file()
        if keys is None:
            raise VaultError(
                f"The key that secrets are encrypted with is missing: it was expected in {self._file}."
                if self._file is not None
                else f"Secrets of this database are encrypted. Give the key in {self._variable}."
            )
        head = len(_FORM) + _NAME_BYTES
        key = keys.named(sealed[len(_FORM) : head])
        if sealed[: len(_FORM)] != _FORM or key is None:
            raise VaultError(
                "A secret of this database was encrypted with another key than the one that is in use here "
                f"({self._variable if self._keys is not None else self._file})."
            )
        nonce, rest = sealed[head : head + NONCE_BYTES], sealed[head + NONCE_BYTES :]
        try:
            return self._cipher(key).decrypt(nonce, rest, place.encode())
        except (InvalidTag, ValueError) as error:
            raise VaultError("A secret of this database was changed, or moved from its place.") from error

    def newest(self) -> tuple[bytes, bytes]:
        """Return the newest key behind its name of 8 bytes; it is made if there is none. Raises VaultError."""
        key = (self._keys or self._from_file() or self._new_file()).newest
        return _name(key), key

    def named(self, name: bytes) -> bytes:
        """Return the key with this name. Raises VaultError when it is not here."""
        keys = self._keys or self._from_file()
        key = None if keys is None else keys.named(name)
        if key is None:
            where = self._variable if self._keys is not None or self._file is None else self._file
            raise VaultError(f"The key that was used here is not the one in {where}.")
        return key

    def check(self) -> None:
        """Read the keys, should there be any already. Raises VaultError."""
        if self._keys is None:
            self._from_file()

    def _cipher(self, key: bytes) -> "AESGCM":
        if key not in self._ciphers:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._ciphers[key] = AESGCM(key)
        return self._ciphers[key]

    def _from_file(self) -> Keys | None:
        if self._file is None:
            return None
        try:
            text = self._file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise VaultError(f"The key in {self._file} cannot be read: {_why(error)}.") from error
        try:
            return Keys.parse(text)
        except ValueError as error:
            raise VaultError(f"{self._file} does not hold a key any more.") from error

    def _new_file(self) -> Keys:
        """Make the file with a new key, in one step: another process that makes it at the same moment wins or loses."""
        if self._file is None:
            raise VaultError(
                f"Secrets are encrypted before they are stored. Give a key in {self._variable}: 32 random bytes in "
                "base64, for example from: openssl rand -base64 32. Keep it apart from the database, and do not "
                "lose it."
            )
        draft = self._file.with_name(f"{self._file.name}.{secrets.token_hex(8)}")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as out:
                    give_to_owner_of(self._file.parent, descriptor)
                    out.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
                    out.flush()
                    os.fsync(out.fileno())
                os.link(draft, self._file)
            except FileExistsError:
                pass  # the other process was faster: its key is the one
            finally:
                draft.unlink()
        except OSError as error:
            raise VaultError(
                f"The key cannot be kept in {self._file}: {_why(error)}. Name another file in "
                f"NICOBAR_KEY_FILE, or give the key in {self._variable}."
            ) from error
        made = self._from_file()
        assert made is not None  # noqa: S101 - it was made a moment ago
        return made


def give_to_owner_of(folder: Path, descriptor: int) -> None:
    """As root, give a file that was just made to the owner of its folder, whose server has to read it."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _parse(text: str) -> bytes:
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("It is not base64.") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"It has {len(key)} bytes instead of {KEY_BYTES}.")
    return key


@lru_cache(maxsize=16)
def _name(key: bytes) -> bytes:
    """Return the name of a key, from which nobody gets back to the key."""
    return hashlib.sha256(b"nicobar vault key name" + key).digest()[:_NAME_BYTES]


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
