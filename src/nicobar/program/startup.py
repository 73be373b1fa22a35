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


def serve(configuration: Configuration, *, demo: bool, jobs: bool, processes: int = 1) -> None:
    """Serve until told to stop, and process `jobs` meanwhile; then return with everything released.

    Several `processes` are supervised by this one, which then serves nothing itself.

    Raises PortError, EmbeddedError, InstallationError or MigrationError, whose messages are complete advice.
    """
    with (
        Stop() as stop,
        claim_port(configuration.host, configuration.port) as listener,
        exposed(configuration.metrics_port if processes == 1 else None),
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
            if not stop.asked and processes == 1:
                run_server(configuration, postgres, listener, stop, demo=demo, jobs=jobs)
            elif not stop.asked:
                from nicobar.program.processes import Serving, supervise

                supervise(Serving(configuration, listener, demo, jobs, processes), postgres, stop)
        finally:
            with step("Stopping PostgreSQL"):
                postgres.release()
    say("Stopped.")
