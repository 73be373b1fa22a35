"""Log lines: JSON for machines, short coloured lines for a terminal; every library's lines go the same way.

A line is one JSON object with `event`, `level`, `timestamp` and whatever else is known, above all the `request_id`
of the request it belongs to. Lines go to the standard error, so that the standard output stays free for answers.
"""

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog

from nicobar.program.configuration import LogLevel, colours_wanted
from nicobar.request_id import serving

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}

_COLOURS: Final = {"debug": "\x1b[2m", "info": "", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"
_COLOUR: Final = re.compile(rb"\x1b\[\d*m")

_encode = msgspec.json.Encoder(enc_hook=repr).encode


class Output:
    """Writes finished lines to the standard error, one system call each.

    A line that cannot be written, because the reader of a pipe has gone or the disk is full, is lost: a payment
    must not fail for its log line. The descriptor is written directly, so that no buffer is shared and no lock needed.
    """

    def msg(self, line: bytes) -> None:
        """Write one line."""
        with suppress(OSError):
            os.write(2, line)

    debug = info = warning = error = critical = msg


def configure_logs(level: LogLevel, *, coloured: bool | None = None) -> None:
    """Set structlog and the standard library's logging up for this process.

    `coloured` chooses lines for a person; None means: when the standard error is a terminal.
    """
    for_person = sys.stderr.isatty() if coloured is None else coloured
    structlog.configure(
        processors=[
            _add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_person else "iso", utc=not for_person),
            structlog.processors.format_exc_info,
            (render_for_person if colours_wanted() else render_without_colours) if for_person else render_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_name: Output(),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    # Libraries are quiet unless something is wrong: their notes on every step are of no use to the one who runs this.
    root.setLevel(max(_LEVELS[level], logging.WARNING))


class _ToStructlog(logging.Handler):
    """Hands the lines of libraries that use the standard library's logging to structlog."""

    _log = structlog.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        exception = record.exc_info if record.exc_info and record.exc_info[1] else None
        fields: dict[str, Any] = {"logger": record.name} | ({"exc_info": exception} if exception else {})
        self._log.log(record.levelno, record.getMessage(), **fields)


def _add_request_id(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the request that a line belongs to: a variable of our own takes a third of structlog's."""
    request_id = serving.get()
    if request_id is not None:
        fields.setdefault("request_id", request_id)
    return fields


def render_json(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> bytes:
    """Return the line as one JSON object; the event leads, because it is what one looks for."""
    return _encode({"event": fields.pop("event", None), **fields}) + b"\n"


def render_for_person(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> bytes:
    """Return a short line: the time, what happened, then the rest as `name=value`; a request as `200 GET /health`."""
    time, level, event = fields.pop("timestamp"), fields.pop("level"), fields.pop("event", "")
    exception = fields.pop("exception", None)
    if event == "request":
        status = fields.pop("status", 0)
        event = f"{status} {fields.pop('method', '')} {fields.pop('path', '')}  {fields.pop('ms', '')} ms"
        level = "info" if status < 400 else "warning" if status < 500 else "error"
    rest = " ".join(f"{name}={value}" for name, value in fields.items())
    line = f"{_DIM}{time}{_PLAIN} {_COLOURS[level]}{_visible(event)}{_PLAIN}"
    line += f"  {_DIM}{_visible(rest)}{_PLAIN}\n" if rest else "\n"
    return (line + f"{exception}\n" if exception else line).encode(errors="replace")


def render_without_colours(logger: object, method: str, fields: MutableMapping[str, Any]) -> bytes:
    """Return the same line in the terminal's own colours."""
    return _COLOUR.sub(b"", render_for_person(logger, method, fields))


def _visible(text: object) -> str:
    """Return a text without control characters: what a stranger put into a path must not command the terminal."""
    return "".join(character if character.isprintable() else "�" for character in str(text))
