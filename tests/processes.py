"""`carillon` as a process, started in milliseconds: forked from one that has imported everything and done nothing.

Importing costs six seconds of CPU, and the flows start many processes. What is forked is the command as a shell
runs it: a process of its own that is killed and waited for, with its own arguments, folder, environment and output.
"""

import asyncio
import atexit
import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

_FORK_WITHIN_S = 90.0  # the first one waits for the imports


class Process:
    """What `asyncio.subprocess.Process` is for a process that another one forked."""

    def __init__(self, pid: int, told: socket.socket, readers: Sequence[asyncio.StreamReader | None]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout, self.stderr = readers
        self._told = told
        self._end = asyncio.create_task(self._hear_end())

    async def wait(self) -> int:
        return await asyncio.shield(self._end)

    async def communicate(self) -> tuple[bytes, bytes]:
        async def read(stream: asyncio.StreamReader | None) -> bytes:
            return await stream.read() if stream is not None else b""

        out, err, _code = await asyncio.gather(read(self.stdout), read(self.stderr), self.wait())
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def _hear_end(self) -> int:
        self._told.setblocking(False)
        said = await asyncio.get_running_loop().sock_recv(self._told, 100)
        self._told.close()
        self.returncode = os.waitstatus_to_exitcode(int(said))
        return self.returncode


async def start_carillon(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | int | None = None,
    stderr: IO[bytes] | int | None = None,
) -> Process:
    """Run `carillon ARGUMENTS`; the options are those of `asyncio.create_subprocess_exec`."""
    order = {
        "arguments": arguments,
        "cwd": str(cwd or Path.cwd()),
        "env": {name: str(value) for name, value in (os.environ if env is None else env).items()},
    }
    with contextlib.ExitStack() as stack:
        out_reader, out = await _end(stdout, 1, stack)
        err_reader, err = (None, out) if stderr == STDOUT else await _end(stderr, 2, stack)
        pid, told = await asyncio.to_thread(_ask, json.dumps(order), [out, err])
    return Process(pid, told, [out_reader, err_reader])


async def _end(
    to: IO[bytes] | int | None, number: int, stack: contextlib.ExitStack
) -> tuple[asyncio.StreamReader | None, int]:
    """Where we read from, and what the process writes to."""
    if to is None:
        return None, number
    if not isinstance(to, int):
        return None, to.fileno()
    assert to == PIPE
    read, write = os.pipe()
    stack.callback(os.close, write)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(read, "rb", 0))
    return reader, write


def _ask(order: str, files: Sequence[int]) -> tuple[int, socket.socket]:
    told = socket.socket(socket.AF_UNIX)
    told.settimeout(_FORK_WITHIN_S)
    told.connect(_forker())
    socket.send_fds(told, [f"{len(order.encode()):>10}".encode() + order.encode()], list(files))
    return int(told.recv(100)), told


@cache
def _forker() -> str:
    """The address of this session's forker, which ends when the session does."""
    folder = Path(tempfile.mkdtemp(prefix="carillon-forker-"))
    command = [sys.executable, "-m", "tests.processes", str(folder)]
    # Its standard input is the session's life: nobody writes to it, and its end is the session's.
    process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parent.parent)
    atexit.register(process.communicate)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return str(folder / "socket")


# --- the forker ---


def _serve(folder: Path) -> None:
    import slack_bolt  # noqa: F401 - imported for what is forked

    import bot.app
    import bot.cli.main
    import bot.demo
    import bot.surfaces.console.surface
    import bot.surfaces.slack.surface
    import bot.surfaces.telegram.surface  # noqa: F401 - the same

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a watcher
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    print("ready", flush=True)
    if os.fork() == 0:  # whoever ends the session need not end us
        sys.stdin.buffer.read()
        shutil.rmtree(folder, ignore_errors=True)
        os.kill(os.getppid(), signal.SIGKILL)
        os._exit(0)
    while True:
        told, _address = listener.accept()
        if os.fork() == 0:
            listener.close()
            _watch(told)
        told.close()


def _watch(told: socket.socket) -> None:
    """Fork the command, and tell its number and then how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, files, _flags, _address = socket.recv_fds(told, 10, 2)
    order = json.loads(told.recv(int(head), socket.MSG_WAITALL))
    pid = os.fork()
    if pid == 0:
        told.close()
        _become(order, files)
    for file in files:
        os.close(file)
    told.sendall(str(pid).encode())
    _pid, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):  # a session that has ended asks no more
        told.sendall(str(status).encode())
    os._exit(0)


def _become(order: dict[str, Any], files: Sequence[int]) -> None:
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate([nothing, *files]):
        os.dup2(file, number)
    for file in (nothing, *files):
        os.close(file)
    unbuffered = "PYTHONUNBUFFERED" in order["env"]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process lives
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1 if unbuffered else -1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = ["carillon", *order["arguments"]]
    from bot.cli.main import run

    code = run(order["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
