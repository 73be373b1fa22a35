"""What a start does not wait for."""

import subprocess
import sys


def test_the_library_waits_until_somebody_has_an_account() -> None:
    program = (
        "import sys, nicobar.server, nicobar.background, nicobar.installation\n"
        "print([name for name in ('stripe', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
