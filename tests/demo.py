"""`carillon demo` in a process of its own."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.processes import Process, start_carillon

_PAGE = re.compile(r"http://127\.0\.0\.1:\d+/")
READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 15.0


class DemoProcess:
    """What it prints, line by line, and the address of its page."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.printed: list[str] = []
        self.url = ""

    async def until_printed(self, pattern: str, within_s: float = READY_WITHIN_S) -> re.Match[str]:
        """The first match in what it prints from now on. Raises TimeoutError, and EOFError where it ends before."""
        assert self._process.stdout is not None
        async with asyncio.timeout(within_s):
            while line := (await self._process.stdout.readline()).decode():
                self.printed.append(line)
                if found := re.search(pattern, line):
                    return found
        raise EOFError(f"the demo ended without {pattern!r}: {''.join(self.printed)}")


@asynccontextmanager
async def running_demo(*arguments: str) -> AsyncIterator[DemoProcess]:
    """Run it until the block ends; yields once its page can be opened."""
    process = await start_carillon(
        "demo",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )
    try:
        demo = DemoProcess(process)
        demo.url = (await demo.until_printed(_PAGE.pattern))[0]
        yield demo
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.communicate(), ENDS_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise
