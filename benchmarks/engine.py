"""The whole path of a message without a pace limit, against a bare aiohttp client posting to the same server.

A message is claimed, personalised, marked as started, sent over HTTP, and its outcome committed; the bare client only
posts the same request and reads the answer. Both run in turn, for each platform; prints messages a second, this
process's time for each message, and the median of the ratios. With --peer instead: beside what people write with the
platforms' own libraries, and what they take for mailings (uv sync --inexact --group peers).
python -m benchmarks.engine [--kinds telegram,viber] [--messages 3000] [--rounds 5] [--peer] [--full] [--check]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks._frameworks import INSTALL, broadcaster, broadcaster_with_storage, celery, is_installed
from benchmarks._peers import aiogram_one_by_one, aiogram_together, viberbot_one_by_one
from benchmarks._world import FIRST_CHAT, KINDS, TEXT, bench, control, cpu_s, draft, model_of, run, simulator
from gateways.base import Outgoing, Part, PartKind
from gateways.config import Context
from gateways.markup import RichText, Span
from storage.store import open_store

AT_LEAST: Mapping[str, float] = {"telegram": 0.75}
AT_LEAST_ELSEWHERE = 0.65
PEER_AT_LEAST = 4.0  # times the best of them
UNLIMITED = 20_000.0
# The accounts whose own limit the bare client would meet: a refusal is no message.
LIFTED: Mapping[str, tuple[str, str]] = {"vk": ("vk-1", "requests"), "whatsapp": ("3001", "throughput")}
IN_FLIGHT = 50
HELLO = RichText("Hello, Name123! The sale is on.", (Span("b", 0, 15), Span("a", 20, 24, "https://acme.test/sale")))

Send = Callable[[str, int], Awaitable[None]]  # so many messages, to the simulator there


@dataclass(frozen=True, slots=True)
class Speed:
    per_s: float
    cpu_us: float  # of this process, for each message


async def measure(send: Send, url: str, messages: int) -> Speed:
    began, cpu_before = time.monotonic(), cpu_s()
    await send(url, messages)
    return Speed(messages / (time.monotonic() - began), (cpu_s() - cpu_before) / messages * 1e6)


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes


async def request_of(kind: str) -> Request:
    """What our gateway posts for one such message, caught by a server that answers nothing useful."""
    caught: list[Request] = []

    async def catch(request: web.Request) -> web.Response:
        kept = {name: request.headers[name] for name in request.headers if name not in ("Host", "Content-Length")}
        caught.append(Request(request.path_qs, kept, await request.read()))
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", catch)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    model = model_of(f"{kind}-1", f"http://{host}:{port}", UNLIMITED)
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(f"sqlite:///{folder}/bench.db", data_dir=Path(folder), secret=b"benchmark") as store:
            gateway = model.open_gateway(Context(store.uploads, b"benchmark"))
            await gateway.open()
            await gateway.send([Outgoing(str(FIRST_CHAT), Part(PartKind.TEXT, HELLO.text), HELLO, (), (), "1.1.0")])
            await gateway.close()
    await runner.cleanup()
    return caught[-1]


def bare(request: Request) -> Send:
    """A client that does nothing else."""

    async def send(url: str, messages: int) -> None:
        left = iter(range(messages))
        first = str(FIRST_CHAT).encode()

        async def worker(session: aiohttp.ClientSession) -> None:
            for number in left:
                body = request.body.replace(first, str(FIRST_CHAT + number).encode())  # platforms limit each client
                async with session.post(url + request.path, data=body, headers=request.headers) as answer:
                    assert answer.status == 200, await answer.text()
                    await answer.read()

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(worker(session) for _ in range(IN_FLIGHT)))

    return send


async def whole(kind: str, url: str, messages: int) -> Speed:
    """From the launch to the last durable outcome."""
    with tempfile.TemporaryDirectory() as folder:
        async with bench(Path(folder), {kind: url}, 1, UNLIMITED, messages) as made:

            async def send(_url: str, _messages: int) -> None:
                await made.until_sent(await made.launch(draft("engine", TEXT)))

            return await measure(send, url, messages)


async def against_bare(kind: str, messages: int, rounds: int) -> bool:
    alone = bare(await request_of(kind))
    pairs: list[tuple[Speed, Speed]] = []
    async with simulator(1, kind=kind) as url:
        if kind in LIFTED:
            account, limit = LIFTED[kind]
            await control(url, "limits", account=account, **{limit: 1_000_000})
        await alone(url, 300)
        while len(pairs) < rounds:
            pairs += [(await measure(alone, url, messages), await whole(kind, url, messages))]
    ratio = statistics.median(path.per_s / client.per_s for client, path in pairs)
    least = AT_LEAST.get(kind, AT_LEAST_ELSEWHERE)
    client, path = (
        Speed(statistics.median(each.per_s for each in side), statistics.median(each.cpu_us for each in side))
        for side in zip(*pairs, strict=True)
    )
    print(
        f"{kind:<9} bare {client.per_s:>6,.0f}/s {client.cpu_us:>4.0f} us   whole {path.per_s:>6,.0f}/s "
        f"{path.cpu_us:>4.0f} us   ratio {ratio:.2f}, at least {least:.2f}{'' if ratio >= least else '   MISSED'}",
        flush=True,
    )
    return ratio >= least


async def frameworks(stack: AsyncExitStack) -> dict[str, tuple[str, Send]]:
    """What is not ours to need, as far as it is installed; says what is not."""
    found: dict[str, tuple[str, Send]] = {}
    if is_installed("aiogram_broadcaster"):
        found["aiogram-broadcaster"] = ("telegram", broadcaster)
        found["aiogram-broadcaster, its storage"] = ("telegram", broadcaster_with_storage)
    else:
        print(f"aiogram-broadcaster is not installed, so not measured: {INSTALL}")
    if is_installed("celery"):
        found["Celery, a task for each client"] = ("telegram", await stack.enter_async_context(celery()))
    else:
        print(f"Celery is not installed, so not measured: {INSTALL}")
    return found


async def against_peers(messages: int, rounds: int) -> bool:
    """Ours and theirs in turn; what is slow sends fewer."""
    theirs: dict[str, tuple[str, Send]] = {
        "aiogram, one by one": ("telegram", aiogram_one_by_one),
        "aiogram, gather and a semaphore": ("telegram", aiogram_together),
        "viberbot, one by one": ("viber", viberbot_one_by_one),
    }
    async with AsyncExitStack() as stack:
        theirs |= await frameworks(stack)
        speeds: dict[str, list[float]] = {name: [] for name in ("ours, telegram", "ours, viber", *theirs)}
        urls = {kind: await stack.enter_async_context(simulator(1, kind=kind)) for kind in ("telegram", "viber")}
        for kind, send in theirs.values():
            await send(urls[kind], 20)
        for _ in range(rounds):
            for kind, url in urls.items():
                speeds[f"ours, {kind}"].append((await whole(kind, url, messages)).per_s)
            for name, (kind, send) in theirs.items():
                speeds[name].append((await measure(send, urls[kind], min(messages // 4, 1000))).per_s)
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    for name, speed in medians.items():
        print(f"{name:<33} {speed:>6,.0f}/s")
    good = True
    for kind in urls:
        best = max(medians[name] for name, (its, _send) in theirs.items() if its == kind)
        times = medians[f"ours, {kind}"] / best
        good = good and times >= PEER_AT_LEAST
        print(f"{kind}: {times:.1f} times the best of them, at least {PEER_AT_LEAST}")
    return good


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", default="telegram", help=f"of {','.join(KINDS)}, or all")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", action="store_true", help="against aiogram, aiogram-broadcaster, Celery and viberbot")
    parser.add_argument("--full", action="store_true", help="all kinds, 20,000 messages each, and the peers")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    arguments = parser.parse_args()
    messages = 20_000 if arguments.full else arguments.messages
    kinds = KINDS if arguments.full or arguments.kinds == "all" else arguments.kinds.split(",")
    good = []
    if arguments.full or not arguments.peer:
        good += [await against_bare(kind, messages, arguments.rounds) for kind in kinds]
    if arguments.full or arguments.peer:
        good.append(await against_peers(messages, arguments.rounds))
    return 1 if arguments.check and not all(good) else 0


if __name__ == "__main__":
    run(main())
