"""What PostgreSQL itself can do: pgbench writes a payment by hand, with the same rows and bytes as the server writes.

A payment that the server has made is the pattern. Every column of its rows is written with the same value, but for ids,
hashes and times, which are new for each and have the same length. One payment is one transaction of four prepared
statements, as an application without much thought would write it: BEGIN, the payment, its lines, the answer that is
kept for a request that comes again, COMMIT. Reading customer and products, which the server does as well, is left out.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from nicobar.storage.embedded.embedded import binary

NEW: Final = {
    "payments": {
        "payment_id": "'pay_' || {id}",
        "link_id": "left(translate(encode(decode({random}, 'hex'), 'base64'), '+/', 'xy'), 8)",
        "client_secret_hash": "sha256({random}::bytea)",
        "created_at": "now()",
        "expires_on": "now() + interval '1 day'",
    },
    "payment_lines": {"payment_id": "'pay_' || {id}"},
    "kept_answers": {
        "request": "sha256({random}::bytea)",
        "answer_id": "'ans_' || {id}",
        "object_id": "'pay_' || {id}",
        "expires_at": "now() + interval '1 day'",
    },
}
"""The columns whose values are new for each payment, and how those are made. `id` grows with time, as ours do."""

ID: Final = "to_hex((extract(epoch FROM now()) * 1000)::bigint) || lpad(to_hex((:r)::bigint), 10, '0')"
RANDOM: Final = "md5((:r)::bigint::text)"

_ORDER: Final = {"payments": "payment_id", "payment_lines": "position", "kept_answers": "answer_id"}


class ByHand(NamedTuple):
    """A script of pgbench, and the values of its variables."""

    script: str
    values: dict[str, str]


def psql(dsn: str, query: str) -> str:
    """Return what a query answers: fields apart by `|`, each row in a line."""
    command = [str(binary("psql")), dsn, "-X", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", query]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def pattern(dsn: str, payment_id: str) -> dict[str, list[dict[str, str | None]]]:
    """Return the rows of a payment by their tables, each value as PostgreSQL writes it."""
    found: dict[str, list[dict[str, str | None]]] = {}
    for table, order in _ORDER.items():
        key = "object_id" if table == "kept_answers" else "payment_id"
        fields = ", ".join(f"'{column}', {column}::text" for column in columns(dsn, table))
        rows = f"SELECT json_agg(json_build_object({fields}) ORDER BY {order}) FROM {table}"
        found[table] = json.loads(psql(dsn, f"{rows} WHERE {key} = '{payment_id}'"))
    return found


def columns(dsn: str, table: str) -> list[str]:
    """Return the columns of a table in their order."""
    asked = f"SELECT attname FROM pg_attribute WHERE attrelid = 'public.{table}'::regclass"
    return psql(dsn, f"{asked} AND attnum > 0 AND NOT attisdropped ORDER BY attnum").splitlines()


def by_hand(dsn: str, payment_id: str) -> ByHand:
    """Return what writes payments like this one."""
    statements, values = ["\\set r random(0, 1000000000000000000)", "BEGIN;"], {}
    made = {"id": ID, "random": RANDOM}
    for table, rows in pattern(dsn, payment_id).items():
        names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
        written = []
        for number, row in enumerate(rows):
            fields = []
            for column in names:
                value = row[column]
                if column in NEW[table]:
                    fields.append(NEW[table][column].format(**made))
                elif value is None:
                    fields.append("NULL")
                else:
                    fields.append(f":{table}_{number}_{column}")
                    values[f"{table}_{number}_{column}"] = value
            written.append(f"({', '.join(fields)})")
        statements.append(f"INSERT INTO {table} ({', '.join(names)}) VALUES\n  " + ",\n  ".join(written) + ";")
    return ByHand("\n".join([*statements, "COMMIT;", ""]), values)


def pgbench(dsn: str, hand: ByHand, connections: int, *length: str) -> float:
    """Run the script, for `-T` seconds or `-t` times, and return the transactions of a second."""
    threads = str(min(connections, os.cpu_count() or 1))
    command = [str(binary("pgbench")), "--no-vacuum", "--protocol=prepared", "-c", str(connections), "-j", threads]
    with tempfile.TemporaryDirectory(prefix="nicobar-bench-") as folder:
        script = Path(folder) / "by_hand.sql"
        script.write_text(hand.script)
        command += [*length, "-f", str(script), *_defined(hand.values), dsn]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", result.stdout)
    assert found is not None and result.returncode == 0, result.stdout + result.stderr
    return float(found[1])


def _defined(values: Mapping[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in ("-D", f"{name}={value}")]
