"""What a simulated platform posts to our webhook: late, twice, in another order, and again until we take it."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

ATTEMPT_S = 10.0


@dataclass
class Hook:
    """One registered URL and how well the platform behaves toward it."""

    url: str
    delay_s: float = 0.0  # before the first try
    duplicates: int = 0  # how often a taken request comes once more
    shuffle_s: float = 0.0  # up to so much more delay, at random: another order
    retries: int = 8  # of a request that was not taken
    retry_after_s: float = 0.05  # doubled after each
    most_pause_s: float = 600.0  # between two tries
    before_answer: bool = False  # what follows from a call is posted before the call itself is answered
    batch: int = 1  # how many events one body carries at most, for platforms that collect them
    taken: int = 0
    refused: int = 0
    statuses: list[int] = field(default_factory=list)  # of the last tries


class Hooks:
    """Posts for all accounts; `settled` waits until nothing is on its way."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        connector = aiohttp.TCPConnector(limit=200)
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def post(
        self,
        hook: Hook,
        body: bytes,
        headers: Mapping[str, str],
        *,
        delay_s: float = 0.0,
        is_taken: Callable[[int, bytes], bool] = lambda status, _body: status == 200,
        retry_header: str = "",
    ) -> "asyncio.Task[None]":
        """Begin to deliver; `is_taken` looks at status and body of our answer, `retry_header` counts the repeats."""
        delay_s += hook.delay_s + (self._random.uniform(0, hook.shuffle_s) if hook.shuffle_s else 0.0)
        task = asyncio.create_task(self._deliver(hook, body, headers, delay_s, is_taken, retry_header), name="hook")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, delay_s: float, do: Callable[[], object]) -> None:
        """Let something happen after a while; `settled` waits for it too."""

        async def wait() -> None:
            await asyncio.sleep(delay_s)
            do()

        task = asyncio.create_task(wait(), name="later")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def ask(self, url: str, params: Mapping[str, str]) -> tuple[int, bytes]:
        """GET our hook, as platforms do that verify an address; (0, b"") where nobody answers."""
        assert self._session is not None  # noqa: S101
        try:
            async with self._session.get(url, params=dict(params)) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, b""

    async def _deliver(
        self,
        hook: Hook,
        body: bytes,
        headers: Mapping[str, str],
        delay_s: float,
        is_taken: Callable[[int, bytes], bool],
        retry_header: str,
    ) -> None:
        await asyncio.sleep(delay_s)
        pause_s = hook.retry_after_s
        for number in range(hook.retries + 1):
            counted = {retry_header: str(number)} if number and retry_header else {}
            status, answer = await self._try(hook.url, body, {**headers, **counted, "X-Sim-Try": str(number)})
            hook.statuses = [*hook.statuses[-99:], status]
            if is_taken(status, answer):
                hook.taken += 1
                break
            hook.refused += 1
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, hook.most_pause_s)
        for _ in range(hook.duplicates):
            await self._try(hook.url, body, headers)

    async def _try(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        assert self._session is not None  # noqa: S101
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, b""
