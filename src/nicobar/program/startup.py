"""From nothing to a running server, and back to nothing.

What can be refused is refused first: the port, then the database. The two slow steps of a start, opening PostgreSQL
and importing the server, run side by side, which is why little is imported here. Whatever happens, and whenever
Ctrl-C comes, the embedded PostgreSQL is released at the end.
"""

from concurrent.futures import ThreadPoolExecutor

from nicobar.program.banner import say, step
from nicobar.program.configuration import Configuration
from nicobar.program.ports import claim_port, exposed
from nicobar.program.postgres import Postgres
from nicobar.program.stop import Stop


def serve(configuration: Configuration, *, demo: bool, jobs: bool) -> None:
    """Serve until told to stop, and process `jobs` meanwhile; then return with everything released.

    Raises PortError, EmbeddedError, InstallationError or MigrationError, whose messages are complete advice.
    """
    with (
        Stop() as stop,
        claim_port(configuration.host, configuration.port) as listener,
        exposed(configuration.metrics_port),
    ):
        what = "Starting PostgreSQL" if configuration.database_url is None else "Starting"
        with step(what), ThreadPoolExecutor(1) as threads:
            opening = threads.submit(Postgres, configuration)
            try:
                from nicobar.program.server import run_server
            except BaseException:
                opening.result().release()
                raise
            postgres = opening.result()
        try:
            for notice in postgres.notices:
                say(notice)
            if not stop.asked:
                run_server(configuration, postgres, listener, stop, demo=demo, jobs=jobs)
        finally:
            with step("Stopping PostgreSQL"):
                postgres.release()
    say("Stopped.")
