"""Signed WhatsApp receipts at our hook, against an aiohttp handler in the same process that only verifies and answers.

A mailing is sent first, to a simulated WhatsApp; then another process posts what Meta would tell of it: sent, delivered
and read, each in a body of its own, shuffled. Carillon verifies, reads, matches, commits and counts before its 200.
Both run in turn. Prints receipts/second and receipts/second of processor time, all threads, which another busy program
disturbs less, and the median of the ratios of those; checks that nothing was lost or counted twice. A last share of
receipts comes while another mailing goes out at 25/s: how near it keeps to its pace, and how late a slot was at most.
`python -m benchmarks.flood` says what becomes of a flood of them.
python -m benchmarks.receipts [--full] [--messages 4000] [--rounds 5] [--in-body 1] [--connections 64] [--check]
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import pickle
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from aiohttp import web
from sqlalchemy import func, select

from benchmarks._post import Posts
from benchmarks._world import APP_SECRET, FIRST_NUMBER, WABA, Bench, bench, control, cpu_s, draft, run, simulators
from bot.http import Doors, Readiness, create_app, serve
from storage.records import DeliveryState
from storage.schema import counters, deliveries, parts, receipts

UNLIMITED = 20_000.0
STATES = ("sent", "delivered", "read")
TARGET, PACE_TARGET = 0.4, 0.99
SPEED = 25.0  # messages/second of the mailing beside


@dataclass(frozen=True, slots=True)
class Speed:
    """Receipts by the clock, and by the time of the processor."""

    per_s: float
    per_cpu_s: float


async def fire(port: int, path: str, bodies: Sequence[bytes], connections: int, of_each: int) -> Speed:
    """Post all of these from another process; every one must be answered 200."""
    posts = Posts("127.0.0.1", port, connections, [request_of(path, body) for body in bodies])
    # It reads all of it before it begins; what this process then uses is the server's.
    before = cpu_s()
    statuses, took_s = await post(posts)
    used_s = cpu_s() - before
    assert statuses == {"200": len(bodies)}, statuses
    number = len(bodies) * of_each
    return Speed(number / took_s, number / used_s)


async def post(posts: Posts) -> tuple[Mapping[str, int], float]:
    """How many were answered with each status, and how long all of it took."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks._post", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(pickle.dumps(posts))
    told = json.loads(out)
    return told["statuses"], told["seconds"]


def request_of(path: str, body: bytes, secret: str = APP_SECRET) -> bytes:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-Hub-Signature-256: sha256={digest}\r\nUser-Agent: facebookexternalua\r\n\r\n"
    )
    return head.encode() + body


async def _bare(request: web.Request) -> web.Response:
    """What no receiver can do without."""
    body = await request.read()
    digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"sha256={digest}", request.headers.get("X-Hub-Signature-256", "")):
        raise web.HTTPForbidden
    return web.Response(text="")


@asynccontextmanager
async def served(made: Bench) -> AsyncIterator[tuple[int, int]]:
    """Our own web side beside the engine, and the bare handler at /bare; their ports."""

    async def ready() -> Readiness:
        return Readiness(ready=True)

    async def metrics() -> tuple[bytes, str]:
        return b"", "text/plain"

    gateways = {name: gateway.inner for name, gateway in made.gateways.items()}
    doors = Doors(gateways=gateways, take=made.engine.inbox.take, ready=ready, metrics=metrics)
    bare = web.Application()
    bare.router.add_post("/bare", _bare)
    async with serve(create_app(doors), "127.0.0.1", 0) as port, serve(bare, "127.0.0.1", 0) as bare_port:
        yield port, bare_port


async def wamids_of(made: Bench) -> Sequence[str]:
    async with made.store.database.read() as connection:
        return [str(one) for one in await connection.scalars(select(parts.c.external_id))]


def statuses_of(wamids: Sequence[str], rng: random.Random) -> list[dict[str, object]]:
    """Three of each message, in any order."""
    told: list[dict[str, object]] = [
        {
            "id": wamid,
            "status": state,
            "timestamp": str(int(time.time())),
            "recipient_id": "447700900001",
            "recipient_user_id": "GB.1234567890",
            "pricing": {"billable": True, "pricing_model": "PMP", "category": "marketing", "type": "regular"},
        }
        for wamid in wamids
        for state in STATES
    ]
    rng.shuffle(told)
    return told


def body_of(told: Sequence[dict[str, object]]) -> bytes:
    metadata = {"display_phone_number": "442079460001", "phone_number_id": str(FIRST_NUMBER)}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": list(told)}
    entry = {"id": WABA, "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


async def _require_exact(made: Bench, mailing: int, messages: int) -> None:
    """Every receipt of the mailing is on disk once, every row read, every counter right."""
    async with made.store.database.read() as connection:
        kept = await connection.scalar(select(func.count()).select_from(receipts))
        of_mailing = select(deliveries.c.state, func.count()).where(deliveries.c.step_id == mailing)
        states = await connection.execute(of_mailing.group_by(deliveries.c.state))
        named = select(counters.c.name, counters.c.amount).where(counters.c.step_id == mailing)
        counted = await connection.execute(named.where(counters.c.name.in_(STATES), counters.c.channel != ""))
        by_state, by_name = dict(tuple(row) for row in states), dict(tuple(row) for row in counted)
    assert kept == messages * len(STATES), kept
    assert by_state == {DeliveryState.READ.value: messages}, by_state
    assert by_name == dict.fromkeys(STATES, messages), by_name


async def measure(arguments: argparse.Namespace) -> tuple[float, float]:
    """The median ratio, and the pace of a mailing beside as a share of what it should be."""
    ratios = []
    of_each, rng = arguments.in_body, random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            simulators({"whatsapp": 1}) as urls,
            bench(Path(folder), urls, 1, UNLIMITED, arguments.messages) as made,
            served(made) as (port, bare_port),
        ):
            await control(urls["whatsapp"], "limits", account=str(FIRST_NUMBER), throughput=1_000_000)
            mailing = await made.launch(draft("receipts", "The sale is on."))
            await made.until_sent(mailing)
            told = statuses_of(await wamids_of(made), rng)
            bodies = [body_of(told[begin : begin + of_each]) for begin in range(0, len(told), of_each)]
            shares = 2 * arguments.rounds
            for number in range(arguments.rounds):
                some = bodies[number::shares]
                bare = await fire(bare_port, "/bare", some, arguments.connections, of_each)
                ours = await fire(port, "/hooks/whatsapp-1", some, arguments.connections, of_each)
                ratios.append(ours.per_cpu_s / bare.per_cpu_s)
                print(
                    f"round {number + 1}: verified and answered {bare.per_s:,.0f}/s, {bare.per_cpu_s:,.0f} a core; "
                    f"committed and counted {ours.per_s:,.0f}/s, {ours.per_cpu_s:,.0f} a core; ratio {ratios[-1]:.3f}",
                    flush=True,
                )
            starts = made.gateways["whatsapp-1"].starts
            starts.clear()
            await made.launch(replace(draft("beside", "The sale is on."), speed=SPEED))
            while len(starts) < SPEED:  # noqa: ASYNC110  # the gateway that is watched has no event
                await asyncio.sleep(0.05)
            begun = len(starts)
            rest = [body for place, body in enumerate(bodies) if place % shares >= arguments.rounds]
            await fire(port, "/hooks/whatsapp-1", rest, arguments.connections, of_each)
            pace = pace_of(starts[begun:])
            await _require_exact(made, mailing, arguments.messages)
    return statistics.median(ratios), pace


def pace_of(starts: Sequence[float]) -> float:
    """Prints how the mailing beside went; its pace as a share of SPEED."""
    assert len(starts) > 1, "the receipts were taken before two messages went out: give more --messages"
    pace = (len(starts) - 1) / (starts[-1] - starts[0]) / SPEED
    gap_s = max(later - earlier for earlier, later in pairwise(starts))
    print(f"meanwhile {len(starts)} messages at {pace:.4f} of {SPEED:g}/s; most between two {gap_s * 1000:.0f} ms")
    return pace


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-body", type=int, default=1, help="receipts in one body; Meta collects up to 1000")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--full", action="store_true", help="20,000 messages, sixty thousand receipts")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    arguments = parser.parse_args()
    if arguments.full:
        arguments.messages = 20_000
    ratio, pace = await measure(arguments)
    print(f"{'':<44}{'measured':>9}{'target':>9}")
    print(f"{'of a handler that only verifies and answers':<44}{ratio:>9.3f}{TARGET:>9.3f}")
    print(f"{'of its pace, the mailing beside':<44}{pace:>9.4f}{PACE_TARGET:>9.4f}")
    return 1 if arguments.check and (ratio < TARGET or pace < PACE_TARGET) else 0


if __name__ == "__main__":
    run(main())
