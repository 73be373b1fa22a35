"""Watches a Python program from below its libraries: every look-up of a name, and where every connection goes.

It is found on PYTHONPATH, behind the hook of `nicobar run`, which has to hand on to it.
"""

import atexit
import json
import os
import sys
from typing import Any

seen: dict[str, Any] = {"looked_up": [], "connected": []}


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        seen["looked_up"].append(str(args[0]))
    elif event == "socket.connect" and isinstance(args[1], tuple):
        seen["connected"].append(args[1][0])


def _tell() -> None:
    with open(os.environ["WITNESS"], "a") as file:  # noqa: PTH123 - nothing is imported that the program does not need
        file.write(json.dumps(seen) + "\n")


sys.addaudithook(_hear)
atexit.register(_tell)
