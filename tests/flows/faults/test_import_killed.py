"""An import that is killed in the middle: whoever is there is whole, and the same file brings the rest."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select

from storage.schema import addresses, client_tags, clients
from tests.flows.carillon import Carillon, carillon, until
from tests.processes import start_carillon

pytestmark = pytest.mark.timeout(120)
ROWS = 6_000  # which take a few tenths of a second


async def test_an_import_killed_in_the_middle_leaves_whole_clients_and_goes_on(
    storage_url: str, tmp_path: Path
) -> None:
    async with carillon(tmp_path, storage_url) as made:
        file = tmp_path / "clients.csv"
        file.write_text(
            "id,first_name,phone,tags,tg-shop,city\n"
            + "".join(f"c{n},Ann,+38050{n:07d},vip,{10**9 + n * 7919 % 10**8},Kyiv\n" for n in range(ROWS))
        )
        importing = await start_carillon("clients", "import", str(file), cwd=tmp_path, stdout=asyncio.subprocess.PIPE)

        async def has_begun() -> bool:
            return await count(made) > 0

        await until(has_begun, 60, "the first clients")
        importing.kill()
        await importing.wait()
        there = await count(made)
        await assert_whole(made, there)
        outcome = await made.cli("clients", "import", str(file))
        assert outcome == {"added": ROWS - there, "updated": there, "rejected": []}
        await assert_whole(made, ROWS)


async def count(made: Carillon) -> int:
    async with made.desk.store.database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(clients)) or 0


async def assert_whole(made: Carillon, size: int) -> None:
    """Each client has both addresses, of which the main one is on the card, and the tag in both places."""
    async with made.desk.store.database.read() as connection:
        owned = select(func.count()).select_from(addresses)
        assert await connection.scalar(owned) == 2 * size
        same = (addresses.c.id == clients.c.main_address_id, addresses.c.client_id == clients.c.id)
        mains = owned.join(clients, same[0] & same[1]).where(clients.c.main_status == "enabled")
        assert await connection.scalar(mains.where(addresses.c.channel == clients.c.main_channel)) == size
        assert await connection.scalar(select(func.count()).select_from(client_tags)) == size
        tagged = select(func.count()).select_from(clients).where(clients.c.tags != ",", clients.c.reach != "|")
        assert await connection.scalar(tagged) == size
