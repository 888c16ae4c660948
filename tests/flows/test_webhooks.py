"""Hearing by webhook: what was answered 200 is on disk, whatever happens in the next moment."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateways.base import AddressStatus
from storage.schema import addresses
from tests.flows.carillon import Carillon, carillon, shop_of, until

pytestmark = pytest.mark.timeout(240)
SECRET = "of-the-flows"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


@pytest.fixture
async def hooked(storage_url: str, tmp_path: Path) -> AsyncIterator[Carillon]:
    """Running, reached by webhook."""
    async with carillon(
        tmp_path, storage_url, app_more='public_url = "{url}"', channel_more=f'webhook_secret = "{SECRET}"'
    ) as made:
        await made.start()
        yield made


def start_of(user_id: int, update_id: int, text: str = "/start") -> dict[str, Any]:
    user = {"id": user_id, "is_bot": False, "first_name": f"Client {user_id}"}
    chat = {"id": user_id, "first_name": f"Client {user_id}", "type": "private"}
    message = {"message_id": update_id, "from": user, "chat": chat, "date": 1_798_761_600, "text": text}
    return {"update_id": update_id, "message": message}


async def post(made: Carillon, body: bytes | dict[str, Any], secret: str | None = SECRET) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | ({SECRET_HEADER: secret} if secret is not None else {})
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{made.url}/hooks/tg-shop", data=io.BytesIO(data), headers=headers) as answer,
    ):
        return answer.status


async def flood_until_killed(made: Carillon, enough: int) -> set[str]:
    """Post starts over forty connections at once, those of even numbers forged, and kill the program as soon as so many
    were taken; the clients whose start was answered 200."""
    numbers, answered, refused = iter(range(10_000, 100_000)), set[str](), Counter[int]()

    async def keep_posting() -> None:
        with suppress(aiohttp.ClientError):  # it is dead
            for number in numbers:
                status = await post(made, start_of(number, number), SECRET if number % 2 else "forged")
                if status == 200:
                    answered.add(str(number))
                    if len(answered) == enough:
                        await made.kill()
                refused[status] += 1

    await asyncio.gather(*(keep_posting() for _ in range(40)))
    assert set(refused) <= {200, 403, 503}
    assert len(answered) >= enough
    return answered


async def enabled(made: Carillon) -> set[str]:
    async with made.desk.store.database.read() as connection:
        rows = await connection.execute(addresses.select())
        return {row.external_id for row in rows if row.status == AddressStatus.ENABLED}


async def test_what_was_answered_200_survives_a_power_cut(hooked: Carillon) -> None:
    # By hand: a wrong secret, no secret, an unreadable and an oversized body change nothing.
    assert await post(hooked, start_of(7001, 1), "wrong") == 403
    assert await post(hooked, start_of(7001, 1), None) == 403
    assert await post(hooked, b'{"update_id": ') == 400
    assert await post(hooked, b" " * (4 * 1024 * 1024 + 1)) == 413
    assert await post(hooked, {"update_id": 2, "poll": {"id": "1"}}) == 200
    assert await enabled(hooked) == set()
    # Killed in the middle of a flood, half of it forged: whatever was answered 200 is there, and nothing forged is.
    answered = await flood_until_killed(hooked, 60)
    known = await enabled(hooked)
    assert answered <= known
    assert all(int(one) % 2 for one in known)
    before = len(known)
    # By the platform itself, which repeats what it got no answer for; what came meanwhile is heard as well.
    shop = shop_of(hooked)
    for number in range(7200, 7210):
        hooked.simulator.add_client(shop, number, "Ann").start()
    await hooked.start()

    async def all_heard() -> bool:
        return len(await enabled(hooked)) == before + 10

    await until(all_heard, 60, "everybody who pressed Start to be known")
    assert shop.webhook is not None
    assert shop.webhook.url == f"{hooked.url}/hooks/tg-shop"
    # A repeated update and a repeated STOP change nothing a second time.
    stop = start_of(7200, 500, "STOP")
    assert [await post(hooked, stop) for _ in range(3)] == [200, 200, 200]
    assert "7200" not in await enabled(hooked)
    await shop.client(7200).receives(1, "", 30)
    assert len(shop.client(7200).messages) == 1
