"""Reverse proxies of Debian in front of a server, set as people set them: connections reused, upgrades passed on."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

PATIENCE = 20.0

NGINX: Final = """
daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  upstream server {{ server 127.0.0.1:{server}; keepalive 1; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://server; proxy_http_version 1.1; proxy_request_buffering off;
      proxy_set_header Host a; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
    }}
  }}
}}
"""

# With one place for connections HAProxy gives it to nobody now and then, and answers 503 after a time.
HAPROXY: Final = """
global
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  http-reuse always
frontend outside
  bind 127.0.0.1:{port}
  default_backend inside
backend inside
  server one 127.0.0.1:{server} pool-max-conn 1 maxconn 2
"""

CADDY: Final = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{server} {{
    transport http {{
      keepalive_idle_conns_per_host 1
      max_conns_per_host 1
    }}
  }}
}}
"""

_COMMANDS: Final = {
    "nginx": (NGINX, ["/usr/sbin/nginx", "-p", "{folder}", "-e", "{folder}/log", "-c"]),
    "haproxy": (HAPROXY, ["/usr/sbin/haproxy", "-db", "-f"]),
    "caddy": (CADDY, ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config"]),
}

NAMES: Final = tuple(_COMMANDS)


def is_installed(name: str) -> bool:
    return shutil.which(_COMMANDS[name][1][0]) is not None


class Proxy:
    """A proxy that runs as a process of its own."""

    def __init__(self, name: str, folder: Path, server_port: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        text, command = _COMMANDS[name]
        file = folder / "settings"
        file.write_text(text.format(folder=folder, port=self.port, server=server_port))
        filled = [part.format(folder=folder) for part in command]
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen([*filled, str(file)], stdout=output, stderr=output)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < deadline, "the proxy does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
