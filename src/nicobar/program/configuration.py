"""What an installation can be told: one frozen struct, read from the environment and the command line.

This is the only module that reads the program's environment variables. An option of the command line wins over its
variable, and everything has a default that runs.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal, cast, get_args
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec

from nicobar.core.business.request_rate import DEFAULT_RATE, RequestRate
from nicobar.core.proxies import TrustedProxies, parse_proxies
from nicobar.core.web_address import ascii_address
from nicobar.vault import Keys

LogLevel = Literal["debug", "info", "warning"]
"""How much is logged: everything, requests and changes, or only what needs attention."""

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8787

WEBHOOK_KEY: Final = "DODO_PAYMENTS_WEBHOOK_KEY"
"""Where the official SDKs look for the secret of webhooks."""

VARIABLES: Final = (
    "NICOBAR_HOST",
    "NICOBAR_PORT",
    "NICOBAR_DATA",
    "NICOBAR_DATABASE_URL",
    "NICOBAR_PUBLIC_URL",
    "NICOBAR_LOG",
    "NICOBAR_METRICS_PORT",
    "NICOBAR_RATE_LIMIT",
    "NICOBAR_TRUSTED_PROXIES",
    "NICOBAR_ALLOW_PRIVATE_WEBHOOKS",
    "NICOBAR_ENCRYPTION_KEY",
    "NICOBAR_KEY_FILE",
    "NICOBAR_AUDIT_KEY",
    "NICOBAR_STRIPE_SECRET_KEY",
    "NICOBAR_STRIPE_PUBLISHABLE_KEY",
    "NICOBAR_STRIPE_SIGNING_SECRET",
    "NICOBAR_STRIPE_API_BASE",
)
"""Every variable that the program or one of its commands reads."""

_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised here, not bound
_HIDDEN: Final = "***"


class ConfigurationError(ValueError):
    """A part of the configuration cannot be used; the message says which, why, and what would do."""


class Configuration(msgspec.Struct, frozen=True):
    """Everything that a process is told from outside."""

    host: str = DEFAULT_HOST
    """NICOBAR_HOST, `--host`: the address to listen on. `0.0.0.0` listens on every IPv4 address of the computer."""
    port: int = DEFAULT_PORT
    """NICOBAR_PORT, `--port`: the TCP port to listen on; 0 lets the operating system choose a free one."""
    data: Path | None = None
    """NICOBAR_DATA, `--data`: the folder of the embedded database. None means the default folder of this user."""
    database_url: str | None = None
    """NICOBAR_DATABASE_URL, `--database-url`: an external PostgreSQL. None means the embedded one."""
    public_url: str | None = None
    """NICOBAR_PUBLIC_URL: where customers reach this server; the start of every payment link, without a slash at the
    end. None means the address that the server listens on."""
    trusted_proxies: TrustedProxies = TrustedProxies()
    """NICOBAR_TRUSTED_PROXIES: who may say, in X-Forwarded-For or Forwarded (RFC 7239), whom it speaks for: addresses
    and networks, separated by commas, or how many proxies a request comes through; 0 is nobody. None means this
    computer.
    """
    log: LogLevel = "info"
    """NICOBAR_LOG: the least important level that is logged."""
    encryption_keys: Keys | None = None
    """NICOBAR_ENCRYPTION_KEY: what secrets in the database are encrypted with: 32 random bytes in base64. Several are
    separated by commas; the first one encrypts, all of them decrypt. None means that of NICOBAR_KEY_FILE."""
    key_file: Path | None = None
    """NICOBAR_KEY_FILE: the file with the encryption key, which is made on first need. None means a file next to the
    data folder, named after it with `.key` at the end: a copy of the folder does not hold it, so copy it separately.
    Several servers on one database need the same key."""
    audit_keys: Keys | None = None
    """NICOBAR_AUDIT_KEY: what the audit log is proved with, in the same form; the first one seals, all of them prove.
    None means a file next to that of NICOBAR_KEY_FILE; with an external database the log is not sealed then."""
    rate_limit: RequestRate | None = DEFAULT_RATE
    """NICOBAR_RATE_LIMIT: how many requests an API key may make in a second and in a minute, such as 500/5000: so many
    reads, and so many of each class of operations that change something. `off`, and `serve --demo`, limit nothing."""
    metrics_port: int | None = None
    """NICOBAR_METRICS_PORT: the TCP port on 127.0.0.1 at which Prometheus reads /metrics. None means no
    metrics."""
    allow_private_webhooks: bool = False
    """NICOBAR_ALLOW_PRIVATE_WEBHOOKS, set to 1: webhooks may be sent into the own network and to this computer. Whoever
    has an API key can then make this server send requests there. `serve --demo` allows it."""

    def base_url(self, port: int) -> str:
        """Return where customers reach the server that listens on `port`."""
        return self.public_url or local_url(self.host, port)

    @property
    def masked_database_url(self) -> str:
        """The database's address without its password, for messages and logs."""
        return mask_password(self.database_url or "")


def read_configuration(
    environment: Mapping[str, str] | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    data: Path | None = None,
    database_url: str | None = None,
) -> Configuration:
    """Return the configuration of this process; keyword arguments are the options of the command line.

    A variable that is set to nothing counts as not set. Raises ConfigurationError.
    """
    given = os.environ if environment is None else environment
    variables = {name: value for name, value in given.items() if value}
    _refuse_misspelt(variables)
    data, database_url = _place(variables, data, database_url)
    return Configuration(
        host=_host(host if host is not None else variables.get("NICOBAR_HOST", DEFAULT_HOST)),
        port=_port(variables.get("NICOBAR_PORT", str(DEFAULT_PORT)), "NICOBAR_PORT")
        if port is None
        else _in_range(port, "--port"),
        data=data,
        database_url=database_url,
        public_url=_public_url(variables.get("NICOBAR_PUBLIC_URL")),
        trusted_proxies=_trusted_proxies(variables.get("NICOBAR_TRUSTED_PROXIES")),
        rate_limit=_rate_limit(variables.get("NICOBAR_RATE_LIMIT")),
        metrics_port=_metrics_port(variables.get("NICOBAR_METRICS_PORT")),
        log=_log_level(variables.get("NICOBAR_LOG", "info")),
        encryption_keys=_keys(variables, "NICOBAR_ENCRYPTION_KEY"),
        audit_keys=_keys(variables, "NICOBAR_AUDIT_KEY"),
        allow_private_webhooks=_switch(variables, "NICOBAR_ALLOW_PRIVATE_WEBHOOKS"),
        key_file=Path(variables["NICOBAR_KEY_FILE"]) if "NICOBAR_KEY_FILE" in variables else None,
    )


def read_secret(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """Return a secret that a command is given once, by the name of its variable; None when it is not set."""
    return (os.environ if environment is None else environment).get(name) or None


def program_environment(*, keep_postgres: bool) -> dict[str, str]:
    """Return the environment for another program: without our secrets and, unless they are to be kept, PG variables."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("NICOBAR_") and (keep_postgres or not name.startswith("PG"))
    }


def colours_wanted(environment: Mapping[str, str] | None = None) -> bool:
    """Return whether a terminal may be coloured: not with NO_COLOR (https://no-color.org), nor on a dumb one."""
    given = os.environ if environment is None else environment
    return not given.get("NO_COLOR") and given.get("TERM") != "dumb"


def refuse_colours() -> None:
    """Do as if NO_COLOR were set, for this process and the libraries in it."""
    os.environ["NO_COLOR"] = "1"


def _refuse_misspelt(variables: Mapping[str, str]) -> None:
    """Name a variable that is nearly one of ours: it would be passed over, and perhaps another database be opened.

    Others that begin with our name stay unnoticed: Kubernetes sets some for a service of that name.
    """
    for name in variables:
        if name.startswith("NICOBAR_") and name not in VARIABLES:
            near = get_close_matches(name, VARIABLES, n=1, cutoff=0.85)
            if near:
                raise ConfigurationError(f"There is no variable {name}. Did you mean {near[0]}?")


def _place(variables: Mapping[str, str], data: Path | None, url: str | None) -> tuple[Path | None, str | None]:
    """Decide between a folder and an address. A choice on the command line overrules both variables."""
    names = ("--data", "--database-url")
    if data is None and url is None:
        names = ("NICOBAR_DATA", "NICOBAR_DATABASE_URL")
        data = Path(variables["NICOBAR_DATA"]) if "NICOBAR_DATA" in variables else None
        url = variables.get("NICOBAR_DATABASE_URL")
    if data is not None and url is not None:
        raise ConfigurationError(
            f"{names[0]} (embedded PostgreSQL) and {names[1]} (a PostgreSQL of yours) exclude each other. Give one."
        )
    return data, None if url is None else _database_url(url, names[1])


def _database_url(url: str, name: str) -> str:
    """Check the form of the address. The message never quotes it, because it may hold a password."""
    try:
        parts = urlsplit(url)
        readable = parts.scheme in {"postgresql", "postgres"} and (parts.port is None or parts.port > 0)
    except ValueError:
        readable = False
    if not readable or "://" not in url:
        raise ConfigurationError(
            f"{name} is not the address of a PostgreSQL database. It looks like "
            "postgresql://user:password@host:5432/name; special characters in the password are percent-encoded."
        )
    return url


def _host(host: str) -> str:
    if not host or any(character.isspace() or character == "/" for character in host):
        raise ConfigurationError(f"--host takes an address or a name such as 127.0.0.1, not {host!r}.")
    return host.removeprefix("[").removesuffix("]")


def _port(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise ConfigurationError(f"{name} takes a number from 0 to 65535, not {text[:40]!r}.")
    return _in_range(int(text), name)


def _metrics_port(text: str | None) -> int | None:
    port = None if text is None else _port(text, "NICOBAR_METRICS_PORT")
    if port == 0:
        raise ConfigurationError("NICOBAR_METRICS_PORT takes a number from 1 to 65535: Prometheus has to know it.")
    return port


def _in_range(port: int, name: str) -> int:
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"{name} takes a number from 0 to 65535 (0 chooses a free port), not {port}.")
    return port


def _public_url(url: str | None) -> str | None:
    if url is None:
        return None
    reason = "without a query"
    try:
        address = ascii_address(url)
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        usable, reason = False, str(error)
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(
            "NICOBAR_PUBLIC_URL is where customers reach this server, for example https://pay.example.com: "
            f"not {url[:80]!r} ({reason})."
        )
    return address.rstrip("/")


def _trusted_proxies(text: str | None) -> TrustedProxies:
    try:
        return TrustedProxies() if text is None else parse_proxies(text)
    except ValueError as error:
        raise ConfigurationError(
            "NICOBAR_TRUSTED_PROXIES takes addresses and networks such as 10.0.0.0/8,::1, or a number of proxies. "
            f"{error}"
        ) from error


def _log_level(level: str) -> LogLevel:
    if level.lower() not in get_args(LogLevel):
        raise ConfigurationError(f"NICOBAR_LOG takes debug, info or warning, not {level[:40]!r}.")
    return cast(LogLevel, level.lower())


def _switch(variables: Mapping[str, str], name: str) -> bool:
    text = variables.get(name, "0")
    if text not in ("0", "1"):
        raise ConfigurationError(f"{name} takes 1 or 0, not {text[:40]!r}.")
    return text == "1"


def _rate_limit(text: str | None) -> RequestRate | None:
    try:
        return DEFAULT_RATE if text is None else RequestRate.parse(text)
    except ValueError as error:
        raise ConfigurationError(f"NICOBAR_RATE_LIMIT cannot be {text!r}. {error}") from error


def _keys(variables: Mapping[str, str], name: str) -> Keys | None:
    """Read the keys. The message never quotes them."""
    text = variables.get(name)
    try:
        return None if text is None else Keys.parse(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{name} takes 32 random bytes in base64, for example from: openssl rand -base64 32. {error}"
        ) from error


def local_url(host: str, port: int) -> str:
    """Return the address of a server on this computer; one that listens everywhere is reached on the loopback."""
    if host in _EVERY_ADDRESS:
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 - recognised here, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def mask_password(url: str) -> str:
    """Return a database address with its password replaced, in the user part and in the query alike."""
    parts = urlsplit(url)
    user, at, server = parts.netloc.rpartition("@")
    if ":" in user:
        user = f"{user.partition(':')[0]}:{_HIDDEN}"
    query = parts.query
    if "password" in query:
        pairs = parse_qsl(query, keep_blank_values=True)
        hidden = [(name, _HIDDEN if "password" in name else value) for name, value in pairs]
        query = urlencode(hidden, safe="/*")
    return f"{parts.scheme}://{user}{at}{server}{parts.path}" + (f"?{query}" if query else "")


def without_password(text: str, url: str | None) -> str:
    """Return a text of a library with the database's password cut out of it, should it be there.

    A password that is also the name of the user, the database or the computer stays: hiding it would only garble
    the message, which says nothing about what it is.
    """
    if url is None:
        return text
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    secrets = {password, *(value for name, value in parse_qsl(parts.query) if "password" in name)}
    public = {"", unquote(user), parts.path.removeprefix("/"), parts.hostname}
    for secret in sorted({*secrets, *map(unquote, secrets)} - public, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text
