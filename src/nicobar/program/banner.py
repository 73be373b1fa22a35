"""What a person reads on the terminal: progress, the ready banner, short notes. All of it goes to a stream of choice.

Everything that one may want to copy stands alone on its lines, from the first column, without frames and without
line breaks of ours: what is copied works.
"""

import codecs
import errno
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, Final, TextIO

import msgspec

from nicobar.program.configuration import Configuration, colours_wanted

if TYPE_CHECKING:
    from rich.status import Status

_SECONDS_BEFORE_PROGRESS: Final = 0.7
"""A step that takes longer than this says what it is; a start without any such step stays quiet."""

_RULE_WIDTH: Final = 72

_ESCAPED: Final = "nicobar.escaped"
_PLAIN_MARKS: Final = {"✓": "+", "✗": "x", "·": "-", "…": "...", "–": "-", "—": "-", "’": "'"}
"""What replaces a character where the terminal's encoding does not have it."""


class DemoGoods(msgspec.Struct, frozen=True):
    """What a demo shows: the values that its examples are filled in with."""

    api_key: str
    payment_link: str
    amount: str
    """What the waiting payment costs, written out: `19.00 USD`."""
    products: list[tuple[str, str]]
    """Product ids and what each one is."""
    body: dict[str, Any]
    """The body of the request that made the waiting payment."""


def version() -> str:
    """Return the version of this program, as it was installed."""
    from importlib.metadata import version as installed_version  # late: its import is slow

    return installed_version("nicobar")


def plain(text: object) -> str:
    """Return a text on one line in which every character that does not print is written out as `\\x1b`."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def plain_lines(text: str) -> str:
    """Return a text of several lines, each as `plain` writes it: words from outside must not command a terminal."""
    return text if text.isprintable() else "\n".join(plain(line) for line in text.split("\n"))


def say(text: str, stream: TextIO | None = None, *, coloured: bool = False) -> None:
    """Print a text for a person, to the standard output unless told otherwise.

    Characters that do not print are written out, unless the text is `coloured` by ourselves. When its reader has gone
    (`nicobar serve | head`, a closed terminal) the text is lost and the program goes on.
    """
    out = stream or sys.stdout
    try:
        print(text if coloured else plain_lines(text), file=out, flush=True)
    except OSError:
        _give_up(out)


class OutputError(Exception):
    """What a command found cannot be written; `quiet` when the reader has gone, who needs no message."""

    def __init__(self, error: OSError) -> None:
        self.quiet = isinstance(error, BrokenPipeError)
        super().__init__(f"The output cannot be written: {error.strerror}.")


def answer(text: str, end: str = "\n") -> None:
    """Print what a command is run for; on a terminal, characters that do not print are written out.

    Raises OutputError when it cannot be written: it was not done then.
    """
    try:
        sys.stdout.write((plain_lines(text) if sys.stdout.isatty() else text) + end)
        sys.stdout.flush()
    except OSError as error:
        _give_up(sys.stdout)
        raise OutputError(error) from error


def refuse_output(error: OSError) -> OutputError | None:
    """Return what to raise when a library could not write the output; None when something else is wrong."""
    if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EDQUOT):
        return None
    _give_up(sys.stdout)
    return OutputError(error)


def _give_up(stream: TextIO) -> None:
    """Lead a stream that cannot be written to nowhere, so that nothing trips over it once more at the end."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def write_anything() -> None:
    """Let every character be written, also where the locale does not have it: marks by a look-alike, others escaped."""
    codecs.register_error(_ESCAPED, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    replaced = (
        _PLAIN_MARKS.get(character) or character.encode("ascii", "backslashreplace").decode()
        for character in error.object[error.start : error.end]
    )
    return "".join(replaced), error.end


@contextmanager
def step(what: str, stream: TextIO | None = None) -> Iterator[None]:
    """Announce what is being done while the block runs, as soon as it takes a noticeable time.

    On a terminal the line moves and vanishes at the end; elsewhere it is printed once.
    """
    shown: list[Status] = []
    out = stream or sys.stdout

    def show() -> None:
        if not out.isatty():
            say(f"{what} ...", out)
            return
        from rich.console import Console

        status = Console(file=out, no_color=not colours_wanted()).status(f"{what} ...")
        status.start()
        shown.append(status)

    timer = Timer(_SECONDS_BEFORE_PROGRESS, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for status in shown:
            status.stop()


def command(configuration: Configuration, words: str) -> str:
    """Return a command line of this program that works on the same installation, to be copied as it is.

    A password is never printed: `***` replaces it.
    """
    program = "nicobar"
    if shutil.which(program) is None:
        started_as = Path(sys.argv[0])
        program = str(started_as) if started_as.name == program else f"{sys.executable} -m nicobar"
    line = f"{program} {words}"
    if configuration.data is not None:
        line += f" --data {shlex.quote(str(configuration.data))}"
    if configuration.database_url is not None:
        line += f" --database-url {shlex.quote(configuration.masked_database_url)}"
    return line


def ready(configuration: Configuration, base_url: str, place: str, *, demo: DemoGoods | None, has_key: bool) -> str:
    """Return the banner of a server that is ready. What one needs first stands last, next to where one types."""
    paint = _Colours(sys.stdout)
    text = [f"{paint('Nicobar ' + version() + ' is ready.', '1;32')}", ""]
    if demo is not None:
        text += _examples(configuration, base_url, demo, paint)
    elif not has_key:
        text += ["There is no API key yet. This command makes one:", "", command(configuration, "keys create"), ""]
    text += [f"  Data           {place}", "  Stop           Ctrl-C"]
    if demo is not None:
        text += ["  Products       " + "\n                 ".join(f"{name}  {what}" for name, what in demo.products)]
    text += [f"  Base URL       {paint(base_url, '1')}"]
    if demo is not None:
        text += [
            f"  Test API key   {paint(demo.api_key, '1')}",
            f"  Payment link   {paint(demo.payment_link, '1')}",
            f"                 {demo.amount}, waiting to be paid: card 4242 4242 4242 4242, expiry 12/34, code 123",
        ]
    return "\n".join([*text, ""])


def _examples(configuration: Configuration, base_url: str, demo: DemoGoods, paint: "_Colours") -> list[str]:
    title = paint.title
    return [
        title("For a second terminal: curl, the SDKs and nicobar itself"),
        "",
        *_exports(configuration, base_url, demo),
        "",
        title("The same payment with curl"),
        "",
        curl_example(base_url, demo),
        "",
        title("The same in Python: pip install dodopayments"),
        "",
        python_example(base_url, demo),
        "",
        title("The same in JavaScript, as pay.mjs: npm install dodopayments"),
        "",
        javascript_example(base_url, demo),
        "",
        title("This server"),
        "",
    ]


def _exports(configuration: Configuration, base_url: str, demo: DemoGoods) -> list[str]:
    """Return the lines after which another shell reaches this server and its data."""
    lines = [
        f"export DODO_PAYMENTS_BASE_URL={base_url}",
        f"export DODO_PAYMENTS_API_KEY={demo.api_key}",
        f"export PRODUCT={demo.products[0][0]}",
    ]
    if configuration.data is not None:
        lines.append(f"export NICOBAR_DATA={shlex.quote(str(configuration.data.absolute()))}")
    if shutil.which("nicobar") is None:
        lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent.absolute()))}:"$PATH"')
    return lines


def curl_example(base_url: str, demo: DemoGoods) -> str:
    """Return a shell command that makes the demo's payment once more."""
    return (
        f"curl {base_url}/payments \\\n"
        f"  -H 'Authorization: Bearer {demo.api_key}' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(demo.body))}"
    )


def python_example(base_url: str, demo: DemoGoods) -> str:
    """Return a Python program that makes the demo's payment with the official SDK."""
    arguments = "".join(f"    {name}={value!r},\n" for name, value in demo.body.items()).replace("'", '"')
    return (
        "from dodopayments import DodoPayments\n\n"
        "client = DodoPayments(\n"
        f'    bearer_token="{demo.api_key}",\n'
        f'    base_url="{base_url}",\n'
        ")\n"
        f"payment = client.payments.create(\n{arguments})\n"
        "print(payment.payment_link)"
    )


def javascript_example(base_url: str, demo: DemoGoods) -> str:
    """Return a JavaScript program, as a module, that makes the demo's payment with the official SDK."""
    members = "".join(f"  {name}: {json.dumps(value)},\n" for name, value in demo.body.items())
    return (
        'import DodoPayments from "dodopayments";\n\n'
        "const client = new DodoPayments({\n"
        f'  bearerToken: "{demo.api_key}",\n'
        f'  baseURL: "{base_url}",\n'
        "});\n"
        f"const payment = await client.payments.create({{\n{members}}});\n"
        "console.log(payment.payment_link);"
    )


class _Colours:
    """Paints text for a terminal, and leaves it alone for anything else."""

    def __init__(self, stream: TextIO) -> None:
        self._on = stream.isatty() and colours_wanted()

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._on else text

    def title(self, text: str) -> str:
        return self(f"--- {text} ".ljust(_RULE_WIDTH, "-"), "36")
