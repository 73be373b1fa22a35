"""More payments than anybody would make over HTTP for a measurement: rows that PostgreSQL generates.

Each is a copy of a payment that the server has made, with an id, a link and a customer of its own. They are spread over
the last year, and unpaid: nine in ten are cancelled, the others failed or wait. So the books stay as they are.
"""

from collections.abc import Callable
from typing import Final

from bench.by_hand import columns, psql

from nicobar.core.ids import ALPHABET

BATCH: Final = 100_000
_GENERATED: Final = "length(link_id) = 12"
"""What tells them from others: those have links of eight characters."""

_MOMENT: Final = "(now() - interval '1 year' + {i} * interval '1 year' / {total})"
_MS: Final = f"(extract(epoch FROM {_MOMENT}) * 1000)::bigint"
_HEAD: Final = " || ".join(f"substr('{ALPHABET}', ({_MS} >> {shift} & 63)::int + 1, 1)" for shift in range(36, -1, -6))
"""The seven characters of an id that hold its moment (`core/ids.py`)."""

_ID: Final = f"'{{prefix}}_' || {_HEAD} || lpad({{i}}::text, 10, '0') || left(md5({{i}}::text), 4)"
_PAYMENT_ID: Final = _ID.replace("{prefix}", "pay").replace("{i}", "i")
_CUSTOMER_ID: Final = _ID.replace("{prefix}", "cus").replace("{i}", "(i / 10 * 10)")

_NEW: Final = {
    "customers": {
        "customer_id": _CUSTOMER_ID,
        "email": "'c' || i / 10 || '@example.com'",
        "email_key": "'c' || i / 10 || '@example.com'",
        "created_at": _MOMENT.replace("{i}", "i"),
        "updated_at": _MOMENT.replace("{i}", "i"),
    },
    "payments": {
        "payment_id": _PAYMENT_ID,
        "customer_id": _CUSTOMER_ID,
        "link_id": "left(md5('link' || i), 12)",
        "status": "CASE WHEN i % 10 > 0 THEN 'cancelled' WHEN i % 20 > 0 THEN 'failed'"
        " ELSE 'requires_payment_method' END",
        "error_code": "CASE WHEN i % 20 = 10 THEN 'CARD_DECLINED' END",
        "client_secret_hash": "sha256(i::text::bytea)",
        "created_at": _MOMENT.replace("{i}", "i"),
        "updated_at": _MOMENT.replace("{i}", "i"),
        "expires_on": "now() + interval '30 days'",
    },
    "payment_lines": {"payment_id": _PAYMENT_ID},
}


def grow(dsn: str, payment_id: str, total: int, tell: Callable[[str], None]) -> list[str]:
    """Bring the database to so many generated payments; return the ids of a thousand of them."""
    have = int(psql(dsn, f"SELECT count(*) FROM payments WHERE {_GENERATED}"))
    for first in range(have, total, BATCH):
        last = min(first + BATCH, total) - 1
        quickly = "SET session_replication_role = replica; SET synchronous_commit = off;"
        psql(dsn, f"{quickly} {_rows(dsn, payment_id, first, last, total)}")
        tell(f"  {last + 1:,} payments")
    psql(dsn, "ANALYZE payments, payment_lines, customers")
    some = f"{_GENERATED} AND abs(hashtext(payment_id)) % {max(1, total // 1500)} = 0"
    return psql(dsn, f"SELECT payment_id FROM payments WHERE {some} ORDER BY md5(payment_id) LIMIT 1000").splitlines()


def _rows(dsn: str, payment_id: str, first: int, last: int, total: int) -> str:
    statements = []
    for table, new in _NEW.items():
        names = columns(dsn, table)
        values = ", ".join(new.get(name, f"t.{name}").format(total=total) for name in names)
        of_payment = f"payment_id = '{payment_id}'"
        pattern = {
            "customers": f"customer_id = (SELECT customer_id FROM payments WHERE {of_payment})",
            "payments": of_payment,
            "payment_lines": f"{of_payment} AND position = 0",
        }[table]
        series = f"generate_series({first}, {last}) i"
        every_tenth = " AND i % 10 = 0" if table == "customers" else ""
        statements.append(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM (SELECT * FROM {table} WHERE {pattern}) t,"
            f" {series} WHERE true{every_tenth};"
        )
    return " ".join(statements)
