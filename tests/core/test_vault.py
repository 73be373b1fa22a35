"""The vault: where its keys come from, and every way in which it refuses."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nicobar.program.configuration import ConfigurationError, read_configuration
from nicobar.program.postgres import key_file
from nicobar.vault import Keys, Vault, VaultError

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.urlsafe_b64encode(bytes(range(220, 252))).decode().rstrip("=")
NONCE = bytes(12)
PLACE = "processor_accounts/bus_1/test/stripe"


def test_a_secret_comes_back_in_its_place_only() -> None:
    vault = Vault(Keys.parse(KEY), None)
    sealed = vault.seal(b"sk_test_1", PLACE, NONCE)
    assert b"sk_test_1" not in sealed
    assert vault.open(sealed, PLACE) == b"sk_test_1"
    for changed, place in ((sealed, "processor_accounts/bus_2/test/stripe"), (sealed[:-1] + b"\0", PLACE)):
        with pytest.raises(VaultError, match="changed, or moved from its place"):
            vault.open(changed, place)


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, new = Vault(Keys.parse(KEY), None), Vault(Keys.parse(f"{OTHER}, {KEY}"), None)
    assert new.open(old.seal(b"s", PLACE, NONCE), PLACE) == b"s"
    with pytest.raises(VaultError, match=r"another key than the one that is in use here \(NICOBAR_ENCRYPTION_KEY\)"):
        old.open(new.seal(b"s", PLACE, NONCE), PLACE)


def test_a_form_that_is_not_ours() -> None:
    with pytest.raises(VaultError, match="another key"):
        Vault(Keys.parse(KEY), None).open(b"", PLACE)


def test_without_a_key_and_a_place_for_one() -> None:
    vault = Vault(None, None)
    with pytest.raises(VaultError, match="Give a key in NICOBAR_ENCRYPTION_KEY: 32 random bytes in base64"):
        vault.seal(b"s", PLACE, NONCE)
    with pytest.raises(VaultError, match="Give the key in NICOBAR_ENCRYPTION_KEY"):
        vault.open(b"s", PLACE)


def test_a_file_is_made_on_first_need_for_this_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "encryption.key"
    vault = Vault(None, file)
    with pytest.raises(VaultError, match=f"is missing: it was expected in {file}"):
        vault.open(b"s", PLACE)
    assert not file.exists()
    sealed = vault.seal(b"s", PLACE, NONCE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert Vault(None, file).open(sealed, PLACE) == b"s"
    assert Vault(Keys.parse(file.read_text()), None).open(sealed, PLACE) == b"s"


def test_two_processes_that_make_the_file_at_once_get_one_key(tmp_path: Path) -> None:
    file = tmp_path / "encryption.key"
    with ThreadPoolExecutor(8) as threads:
        sealed = list(threads.map(lambda _: Vault(None, file).seal(b"s", PLACE, NONCE), range(32)))
    assert {Vault(None, file).open(one, PLACE) for one in sealed} == {b"s"}
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "encryption.key"
    file.write_text("my password")
    with pytest.raises(VaultError, match="does not hold a key any more"):
        Vault(None, file).seal(b"s", PLACE, NONCE)
    nowhere = Vault(None, file / "encryption.key")
    with pytest.raises(VaultError, match="cannot be read"):
        nowhere.seal(b"s", PLACE, NONCE)


def test_the_folder_of_a_new_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "nicobar.key"
    Vault(None, file).ensure_key()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_key_is_kept_beside_the_data_folder(tmp_path: Path) -> None:
    configuration = read_configuration({"NICOBAR_DATA": str(tmp_path / "data")})
    assert key_file(configuration) == tmp_path / "data.key"
    named = read_configuration({"NICOBAR_DATA": str(tmp_path / "data"), "NICOBAR_KEY_FILE": str(tmp_path / "k")})
    assert key_file(named) == tmp_path / "k"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "encryption.key").touch()
    assert key_file(configuration) == tmp_path / "data" / "encryption.key"  # made by an early version
    assert key_file(named) == tmp_path / "k"


@pytest.mark.parametrize("text", ["secretsecret", "%%%%", f"{KEY},", KEY[:-8], f"{KEY} {KEY}"])
def test_keys_that_are_none_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError, match="NICOBAR_ENCRYPTION_KEY takes 32 random bytes in base64") as refused:
        read_configuration({"NICOBAR_ENCRYPTION_KEY": text})
    assert "secret" not in str(refused.value) and KEY[:8] not in str(refused.value)


def test_the_configuration_shows_no_key() -> None:
    configuration = read_configuration({"NICOBAR_ENCRYPTION_KEY": f"{KEY},{OTHER}"})
    assert configuration.encryption_keys == Keys.parse(f"{KEY},{OTHER}")
    assert KEY not in repr(configuration) and repr(bytes(range(32))) not in repr(configuration)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_key_that_root_makes_belongs_to_the_owner_of_its_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    file = tmp_path / "encryption.key"
    Vault(None, file).seal(b"secret", "here", bytes(12))
    assert (file.stat().st_uid, file.stat().st_gid, file.stat().st_mode & 0o777) == (65534, 65534, 0o600)
