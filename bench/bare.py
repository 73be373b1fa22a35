"""The program's own HTTP protocol with an application that answers a constant: what a request costs before it means
anything.

    python -m bench.bare 900        answers with so many bytes, and prints its port first
"""

import asyncio
import socket
import sys
from typing import Any

import uvicorn
import uvloop

from nicobar.program.ports import accepting
from nicobar.program.server import server_config


def constant(size: int) -> Any:
    """Return an application that reads each request to its end and answers with so many bytes."""
    body = b"x" * size
    headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


async def serve(size: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    await uvicorn.Server(server_config(constant(size))).serve(accepting(listener))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
