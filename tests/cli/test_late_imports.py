"""What a start does not wait for."""

import json
import subprocess
import sys


def loaded(*names: str) -> list[str]:
    """Return those of these modules that are imported with everything a server needs."""
    program = (
        "import json, sys, nicobar.app, nicobar.program.server, nicobar.program.background\n"
        "import nicobar.program.installation, nicobar.program.demo\n"
        f"print(json.dumps([name for name in {names} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_the_library_waits_until_somebody_has_an_account() -> None:
    assert loaded("stripe", "cryptography") == []


def test_the_decoders_of_pictures_wait_for_the_first_upload() -> None:
    assert loaded("PIL", "nicobar.app") == ["nicobar.app"]
