"""Ports to listen on."""

import errno
import socket

PORTS_TRIED = 100


class TakenPort(Exception):
    """The port can't be listened on; the words name it and say how to mend it."""


def taken_port(host: str, port: int, error: OSError, mend: str) -> TakenPort:
    """What to raise where listening failed with this error."""
    match error.errno:
        case errno.EADDRINUSE:
            words = "the port is taken"
        case errno.EACCES:
            words = "this port needs more rights"
        case _:
            words = (error.strerror or str(error)).lower()
    return TakenPort(f"{host}:{port} can't be listened on: {words}.\n{mend}")


def free_port(wanted: int) -> int:
    """The wanted port of 127.0.0.1, or the next one that can be listened on; any where the next hundred are taken, and
    for 0."""
    for port in (*(range(wanted, min(wanted + PORTS_TRIED, 65536)) if wanted else ()), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise TakenPort("No port of 127.0.0.1 can be listened on.")
