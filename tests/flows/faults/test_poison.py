"""Clients, values and answers that are poison, in the middle of a mailing: each ends alone, the rest go on."""

from pathlib import Path

import pytest
from sqlalchemy import select, update

from storage.schema import attempts, clients, deliveries
from tests.flows.carillon import FIRST_CLIENT, TOKEN, Carillon, assert_adds_up, carillon

pytestmark = pytest.mark.timeout(120)
CLIENTS = 120
TEXT = "{{ client.first_name }}"
HUGE, EMPTY, NUL, MARKUP = FIRST_CLIENT + 20, FIRST_CLIENT + 40, FIRST_CLIENT + 60, FIRST_CLIENT + 80


async def test_whatever_is_poison_ends_alone_and_the_rest_go_on(storage_url: str, tmp_path: Path) -> None:
    async with carillon(tmp_path, storage_url, rate=100.0) as made:
        await made.import_clients(CLIENTS)
        await name_them(made, {HUGE: "x" * 10_000_000, EMPTY: " ", MARKUP: "<b>&{{ 7*7 }}</b>\u202e"})
        # What PostgreSQL refuses comes in a commit with what its neighbours are told.
        words = "Bad Request: no\0such \ud800"
        refused = made.simulator.faults.add("refuse", times=1, method="sendMessage", chat_id=NUL, words=words)
        made.simulator.faults.latency_s = 0.1
        await made.start(only="engine")
        mailing = await made.create(text=TEXT)
        figures = await made.until_status(mailing, "sent", "interrupted")
        assert_adds_up(figures)
        assert (figures["status"], figures["sent"], figures["failed"]) == ("sent", CLIENTS - 3, 3)
        assert refused.hits == 1
        assert await reasons(made) == {HUGE: "too_long", EMPTY: "empty", NUL: "rejected"}
        accepted = made.simulator.accepted_by_chat(TOKEN)
        assert max(accepted.values()) == 1
        assert {chat for chat in range(FIRST_CLIENT, FIRST_CLIENT + CLIENTS) if not accepted[chat]} == {
            HUGE,
            EMPTY,
            NUL,
        }
        assert "Traceback" not in made.log.read_text()


async def name_them(made: Carillon, names: dict[int, str]) -> None:
    """Past what an import would let in."""
    async with made.desk.store.database.writing() as connection:
        for chat, name in names.items():
            await connection.execute(update(clients).where(clients.c.external_id == f"c{chat}").values(first_name=name))


async def reasons(made: Carillon) -> dict[int, str]:
    query = (
        select(clients.c.external_id, attempts.c.reason)
        .join(deliveries, deliveries.c.client_id == clients.c.id)
        .join(attempts, attempts.c.delivery_id == deliveries.c.id)
        .where(attempts.c.reason.is_not(None))
    )
    async with made.desk.store.database.read() as connection:
        return {int(key[1:]): reason for key, reason in await connection.execute(query)}
