"""The start-up hook of `nicobar run` for Python: the interpreter imports it before the program, in every process.

It runs in whatever Python the program runs in, so it needs nothing but the standard library of 3.8, and it imports
nothing: what it changes of `socket`, `ssl` and the few libraries with connections of their own is changed when the
program imports them. Connections to the vendor's hosts are led to the forwarder. A TLS connection that names one of
them trusts the forwarder's throw-away certificate and nothing else: should one get past this (through a proxy, by a
number), it fails before a request is sent.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_REDIRECTED = (
    "test.dodopayments.com",
    "live.dodopayments.com",
    "test.checkout.dodopayments.com",
    "checkout.dodopayments.com",
)
_VENDORS = ("dodopayments.com", "dodopayments.tech")
_INHERITED = ("NICOBAR_REDIRECT", "PYTHONPATH", "NODE_OPTIONS", "DODO_PAYMENTS_BASE_URL")
_HERE = os.path.dirname(os.path.abspath(__file__))


def _named(host: Any) -> str:
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("latin-1")
    return host.lower().rstrip(".") if isinstance(host, str) else ""


def _is_vendors(host: Any) -> bool:
    name = _named(host)
    return name in _VENDORS or name.endswith(tuple("." + domain for domain in _VENDORS))


def _refuse(host: Any, how: str) -> NoReturn:
    message = f"nicobar run: refused {how} {_named(host)}: nothing leaves for the vendor."
    os.write(2, message.encode("ascii", "replace") + b"\n")
    raise ConnectionRefusedError(message)


class _Redirect:
    """Where the forwarder listens, and how the modules are changed that lead elsewhere."""

    def __init__(self, told: str) -> None:
        tls_port, plain_port, _base_url, self.certificate = told.split(" ", 3)
        self.tls_port, self.plain_port = int(tls_port), int(plain_port)
        self.patches: dict[str, Any] = {
            "subprocess": self.patch_subprocess,
            "socket": self.patch_socket,
            "ssl": self.patch_ssl,
            "uvloop": self.patch_uvloop,
            "anyio._core._sockets": self.patch_anyio,
            "aiohttp.connector": self.patch_aiohttp,
            "dodopayments._client": self.patch_sdk,
        }

    def port(self, host: Any, port: Any) -> int:
        """Return the forwarder's port for one of the vendor's; refuse a host that has no place here."""
        if _named(host) not in _REDIRECTED:
            _refuse(host, "a connection to")
        return self.plain_port if str(port) in ("80", "http") else self.tls_port

    def audit(self, event: str, args: Any) -> None:
        """Refuse what asks for the vendor's address after all: nothing that is led here does."""
        if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
            if _is_vendors(args[0]):
                _refuse(args[0], "to look up")
        elif event == "socket.connect" and isinstance(args[1], tuple) and args[1] and _is_vendors(args[1][0]):
            _refuse(args[1][0], "a connection to")

    def patch_subprocess(self, module: Any) -> None:
        """Children are led here as well where the program makes up an environment for them."""
        original = module.Popen.__init__
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}

        def __init__(self: Any, *args: Any, **options: Any) -> None:
            if options.get("env") is not None:
                options["env"] = {**inherited, **options["env"]}
            original(self, *args, **options)

        module.Popen.__init__ = __init__

    def patch_socket(self, module: Any) -> None:
        original = module.getaddrinfo

        def getaddrinfo(
            host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
        ) -> list[Any]:
            if not _is_vendors(host):
                found: list[Any] = original(host, port, family, type, proto, flags)
                return found
            return self.addresses(module, host, port, type)

        module.getaddrinfo = getaddrinfo
        for name in ("connect", "connect_ex"):
            self.lead_by_name(module.socket, name)

    def lead_by_name(self, kind: Any, name: str) -> None:
        """Lead what connects to a name without a look-up of its own."""
        original = getattr(kind, name)

        def connect(sock: Any, address: Any) -> Any:
            if isinstance(address, tuple) and address and _is_vendors(address[0]):
                address = ("127.0.0.1", self.port(*address[:2]))
            return original(sock, address)

        setattr(kind, name, connect)

    def addresses(self, socket: Any, host: Any, port: Any, kind: int) -> list[Any]:
        """Return what `getaddrinfo` does: the one address of the forwarder."""
        address = ("127.0.0.1", self.port(host, port))
        return [(socket.AF_INET, kind or socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    def patch_ssl(self, module: Any) -> None:
        original_socket, original_bio = module.SSLContext.wrap_socket, module.SSLContext.wrap_bio

        def trusting(context: Any) -> Any:
            ours = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
            ours.load_verify_locations(self.certificate)
            ours.sslsocket_class, ours.sslobject_class = context.sslsocket_class, context.sslobject_class
            return ours

        def wrap_socket(
            self: Any,
            sock: Any,
            server_side: bool = False,
            do_handshake_on_connect: bool = True,
            suppress_ragged_eofs: bool = True,
            server_hostname: Any = None,
            session: Any = None,
        ) -> Any:
            if _is_vendors(server_hostname):
                self, session = trusting(self), None
            return original_socket(
                self, sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, server_hostname, session
            )

        def wrap_bio(
            self: Any,
            incoming: Any,
            outgoing: Any,
            server_side: bool = False,
            server_hostname: Any = None,
            session: Any = None,
        ) -> Any:
            if _is_vendors(server_hostname):
                self, session = trusting(self), None
            return original_bio(self, incoming, outgoing, server_side, server_hostname, session)

        module.SSLContext.wrap_socket, module.SSLContext.wrap_bio = wrap_socket, wrap_bio

    def patch_uvloop(self, module: Any) -> None:
        """Its look-ups and connections are made in C, where `socket` is not asked."""
        redirect, loop = self, module.Loop
        original_look_up, original_connect = loop.getaddrinfo, loop.create_connection

        async def getaddrinfo(self: Any, host: Any, port: Any, **options: Any) -> Any:
            if not _is_vendors(host):
                return await original_look_up(self, host, port, **options)
            import socket

            return redirect.addresses(socket, host, port, options.get("type", 0))

        async def create_connection(
            self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
        ) -> Any:
            if _is_vendors(host):
                if options.get("ssl") and options.get("server_hostname") is None:
                    options["server_hostname"] = host
                host, port = "127.0.0.1", redirect.port(host, port)
            return await original_connect(self, protocol_factory, host, port, **options)

        loop.getaddrinfo, loop.create_connection = getaddrinfo, create_connection

    def patch_anyio(self, module: Any) -> None:
        """It takes addresses from a look-up, and the port from its caller."""
        original = module.connect_tcp

        async def connect_tcp(remote_host: Any, remote_port: Any, **options: Any) -> Any:
            if _is_vendors(remote_host):
                if (options.get("tls") or options.get("ssl_context")) and options.get("tls_hostname") is None:
                    options["tls_hostname"] = remote_host
                remote_host, remote_port = "127.0.0.1", self.port(remote_host, remote_port)
            return await original(remote_host, remote_port, **options)

        module.connect_tcp = connect_tcp

    def patch_aiohttp(self, module: Any) -> None:
        """Its resolvers may be others than the system's."""
        redirect, original = self, module.TCPConnector._resolve_host

        async def resolve_host(self: Any, host: Any, port: Any, *args: Any, **options: Any) -> Any:
            if not _is_vendors(host):
                return await original(self, host, port, *args, **options)
            import socket

            found = {"hostname": host, "host": "127.0.0.1", "port": redirect.port(host, port)}
            return [{**found, "family": socket.AF_INET, "proto": 0, "flags": socket.AI_NUMERICHOST}]

        module.TCPConnector._resolve_host = resolve_host

    def patch_sdk(self, module: Any) -> None:
        """It refuses DODO_PAYMENTS_BASE_URL together with `environment`, unless told that the latter is meant."""
        for name in ("DodoPayments", "AsyncDodoPayments"):
            self.prefer_environment(getattr(module, name))

    def prefer_environment(self, client: Any) -> None:
        original = client.__init__

        def __init__(self: Any, **options: Any) -> None:
            if options.get("environment") is not None:
                options.setdefault("base_url", None)
            original(self, **options)

        client.__init__ = __init__


class _Finder:
    """Lets the others find a module that is to be changed, and changes it once it has been executed."""

    def __init__(self, patches: dict[str, Any]) -> None:
        self.patches = patches

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self.patches:
            return None
        for finder in sys.meta_path:
            spec: Any = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self.patches.pop(name))
                return spec
        return None


class _Loader:
    """A module's loader, which changes the module afterwards and hides again."""

    def __init__(self, loader: Any, patch: Any) -> None:
        self.loader, self.patch = loader, patch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: Any) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.patch(module)


def _start(told: str) -> None:
    redirect = _Redirect(told)
    for name in [name for name in redirect.patches if name in sys.modules]:
        redirect.patches.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _Finder(redirect.patches))
    sys.addaudithook(redirect.audit)


def _next_in_line() -> None:
    """Run the `sitecustomize` that this one hides, should there be one: of the system, or of the program."""
    from importlib.machinery import PathFinder

    elsewhere = [folder for folder in sys.path if os.path.abspath(folder or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        module = type(sys)("sitecustomize")
        module.__spec__, module.__loader__, module.__file__ = spec, spec.loader, spec.origin
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("NICOBAR_REDIRECT"):
    _start(os.environ["NICOBAR_REDIRECT"])
_next_in_line()
