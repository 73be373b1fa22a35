"""The log: one line a fact, JSON or for a person, whatever library it comes from."""

import json
import subprocess
import sys
import textwrap

from nicobar.program.logs import render_for_person, render_json

SET_UP = """
import logging, os, sys, structlog
from nicobar.program.logs import configure_logs
from nicobar.request_id import serving
log = structlog.get_logger("nicobar.request")
"""


def run_code(code: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that logs; logging is set up once in a process, so each test has one of its own."""
    return subprocess.run(
        [sys.executable, "-c", SET_UP + textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )


def test_lines_of_all_libraries_are_json_with_the_request_id() -> None:
    result = run_code(
        """
        configure_logs("info")
        served = serving.set("req_1")
        log.info("ours", count=2, raw=b"x", odd=object)
        logging.getLogger("some.library").warning("theirs: %s", "odd")
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("broken")
        log.debug("too fine")
        logging.getLogger("some.library").info("not worth a line")
        serving.reset(served)
        log.info("nobody asked")
        """
    )
    assert result.stdout == ""
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["ours", "theirs: odd", "broken", "nobody asked"]
    assert [line["level"] for line in lines] == ["info", "warning", "error", "info"]
    assert [line.get("request_id") for line in lines] == ["req_1"] * 3 + [None]
    assert (lines[0]["count"], lines[0]["odd"]) == (2, "<class 'object'>")
    assert lines[1]["logger"] == "some.library"
    assert lines[2]["exception"].endswith("ZeroDivisionError: division by zero")


def test_levels() -> None:
    code = """
        configure_logs("{level}")
        log.debug("1"); log.info("2"); log.warning("3")
        """
    assert run_code(code.format(level="debug")).stderr.count("\n") == 3
    assert run_code(code.format(level="info")).stderr.count("\n") == 2
    assert run_code(code.format(level="warning")).stderr.count("\n") == 1


def test_a_log_that_nobody_reads_harms_nothing() -> None:
    result = run_code(
        """
        configure_logs("info")
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 2)
        log.info("lost")
        print("alive")
        """
    )
    assert result.stdout == "alive\n"


def test_a_request_is_one_short_line_for_a_person() -> None:
    fields = {"event": "request", "level": "info", "timestamp": "12:30:00", "method": "GET", "path": "/health"}
    line = render_for_person(None, "info", fields | {"status": 200, "ms": 1.5, "request_id": "req_1"})
    assert line == b"\x1b[2m12:30:00\x1b[0m 200 GET /health  1.5 ms\x1b[0m  \x1b[2mrequest_id=req_1\x1b[0m\n"
    refused = render_for_person(None, "info", fields | {"status": 404, "ms": 1.5})
    assert refused == b"\x1b[2m12:30:00\x1b[0m \x1b[33m404 GET /health  1.5 ms\x1b[0m\n"


def test_a_path_cannot_command_the_terminal() -> None:
    fields = {"event": "request", "level": "info", "timestamp": "12:30:00", "method": "GET", "status": 200, "ms": 1}
    line = render_for_person(None, "info", fields | {"path": "/\x1b]0;title\x07\n", "user": "\x9b31m"})
    assert line.count(b"\n") == 1
    assert b"\x1b]" not in line
    assert "\x9b".encode() not in line


def test_a_traceback_follows_its_line() -> None:
    fields = {"event": "broken", "level": "error", "timestamp": "12:30:00", "exception": "Traceback\nError"}
    assert render_for_person(None, "error", fields).endswith(b"broken\x1b[0m\nTraceback\nError\n")


def test_json_leads_with_the_event() -> None:
    assert render_json(None, "info", {"b": "ü", "event": "e"}) == '{"event":"e","b":"ü"}\n'.encode()
