"""`nicobar sql`: PostgreSQL's own terminal on the database of an installation."""

from typing import Annotated

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import WHERE, Data, DatabaseUrl, refuse_without_database
from nicobar.program.configuration import read_configuration

app = App(
    name="sql",
    help_epilogue=f"""{WHERE}

Exit status: that of psql.

Examples:
  nicobar sql
  nicobar sql "TABLE businesses"
  nicobar sql --csv "TABLE ledger_entries" > entries.csv""",
)


@app.default
def sql(
    query: Annotated[str | None, Parameter(help="One query; without it psql asks for them.")] = None,
    /,
    *,
    csv: Annotated[bool, Parameter(help="Print the result as CSV.")] = False,
    write: Annotated[bool, Parameter(help="Allow changes. You answer for the books then.")] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    r"""Ask the database with SQL, in PostgreSQL's own terminal psql. A server may run meanwhile.

    Without --write nothing can be changed. In the terminal \d lists the tables, and \q ends.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "tables")
    from nicobar.program.postgres_programs import opened_programs

    options = ["--no-psqlrc", "--set=ON_ERROR_STOP=1", *(["--csv"] if csv else [])]
    if query is not None:
        options += ["--command", query]
    with opened_programs(configuration) as programs:
        return programs.run_in_terminal("psql", *options, read_only=not write)
