"""What a person does with cards, on both databases: joining two, opting in again, and who came by invitation."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from gateways.base import AddressStatus
from storage.addresses import AddressChange
from storage.audit import Audited
from storage.errors import NotFound, Refused, Stale
from storage.histories import Histories
from storage.invitations import Joining, NewInvitation
from storage.opting import note_statuses
from storage.records import Actor, DeliveryState, Role
from storage.schema import addresses, audit, client_tags, clients, deliveries, invitations, mailings, steps
from storage.store import Store
from tests.storage.people import NOW, add, card_of

BY = Actor("Olha", Role.OWNER, "telegram", "1001")


async def status_of(store: Store, address: str) -> str:
    async with store.database.read() as connection:
        found = await connection.scalar(select(addresses.c.status).where(addresses.c.external_id == address))
        return str(found)


async def planned(store: Store, *client_ids: int) -> None:
    """Mailing 1 for these clients."""
    async with store.database.writing() as connection:
        made = {"routing": "main", "channels": [], "on_unknown": "skip", "created_by": str(BY), "created_at": NOW}
        await connection.execute(insert(mailings).values(id=1, name="Sale", **made))
        step = {"number": 1, "status": "sending", "start": "now", "audience": {}, "message": {}}
        await connection.execute(insert(steps).values(id=1, mailing_id=1, **step))
        for client_id in client_ids:
            row = {"step_id": 1, "client_id": client_id, "channel": "tg-shop", "address_id": 1, "state": "planned"}
            await connection.execute(insert(deliveries).values(**row, due_at=NOW))


async def test_two_cards_are_joined_and_everything_of_the_client_stands_together(store: Store) -> None:
    await add(
        store,
        {"id": "a", "name": "Ann", "tg-shop": "1", "tags": "vip", "shoe": 39},
        {"tg-shop": "2", "tg-news": "3", "language": "uk", "tags": "vip;new", "hat": "L", "shoe": 40},
        {"tg-news": "4"},
    )
    ann, other, third = [await card_of(store, words) for words in ("a", "2", "4")]
    await store.clients.opt_out(other.id, "tg-shop", BY, NOW)
    await planned(store, ann.id, other.id)
    await store.clients.merge(third.id, other.id, BY, NOW)
    revoked = await store.clients.merge(other.id, ann.id, BY, NOW)
    assert [one.address_id for one in revoked] == [ann.addresses[0].id]  # the stricter opt-out holds for both
    card = await card_of(store, "4")
    assert (card.id, card.name, card.language, card.tags) == (ann.id, "Ann", "uk", ("new", "vip"))
    assert dict(card.attributes) == {"shoe": 39, "hat": "L"}
    assert [await status_of(store, words) for words in "1234"] == ["unsubscribed", "unsubscribed", "enabled", "enabled"]
    histories = Histories(store.database)
    assert await histories.has_delivery(1, ann.id) == ann.id
    assert [one.state for one in await histories.last_mailings(ann.id)] == [
        DeliveryState.SKIPPED,
        DeliveryState.PLANNED,
    ]
    assert [(one.scope, one.ended_at) for one in await histories.opt_outs(ann.id)] == [("tg-shop", None)]
    async with store.database.read() as connection:
        told = (await connection.scalars(select(audit.c.verb).order_by(audit.c.id))).all()
    assert told == ["opt_out", "merge", "merge"]
    for pair in ((other.id, ann.id), (third.id, ann.id), (99, ann.id)):
        with pytest.raises(Stale, match="merged or erased"):
            await store.clients.merge(*pair, BY, NOW)
    with pytest.raises(Refused, match="same card"):
        await store.clients.merge(ann.id, ann.id, BY, NOW)
    assert (await store.clients.get_standing(third.id)).id == ann.id


async def test_erasing_forgets_what_was_merged_into_the_card(store: Store) -> None:
    await add(store, {"id": "a", "name": "Ann", "tg-shop": "1"}, {"id": "b", "name": "Anna", "hat": "L", "tags": "vip"})
    ann, other = await card_of(store, "a"), await card_of(store, "b")
    await store.clients.merge(other.id, ann.id, BY, NOW)
    assert (await store.clients.export(ann.id))["tags"] == ["vip"]
    await store.clients.erase(ann.id, BY, NOW)
    async with store.database.read() as connection:
        left = (await connection.execute(select(clients.c.external_id, clients.c.name, clients.c.text_0))).all()
        assert left == [(None, None, None)] * 2
        assert (await connection.execute(select(client_tags))).all() == []
    with pytest.raises(NotFound):
        await store.clients.get_standing(other.id)


async def test_somebody_opts_a_client_in_again_but_not_where_the_messenger_keeps_them_out(store: Store) -> None:
    await add(store, {"id": "a", "tg-shop": "1", "tg-news": "2"})
    card = await card_of(store, "a")
    shop, news = (one.id for one in card.addresses)
    async with store.database.writing() as connection:
        left = AddressChange(news, AddressStatus.UNSUBSCRIBED, "unsubscribed", NOW)
        await note_statuses(connection, [left])
    await store.clients.opt_out(card.id, "all", BY, NOW)
    with pytest.raises(Refused, match="can only come back there by themselves"):
        await store.clients.opt_in(card.id, "tg-news", "by phone", BY, NOW)
    assert list(await store.clients.opt_in(card.id, "all", "by phone", BY, NOW)) == ["tg-shop"]
    assert [await status_of(store, words) for words in "12"] == ["enabled", "unsubscribed"]
    standing = [one.scope for one in await store.histories.opt_outs(card.id) if one.ended_at is None]
    assert standing == ["tg-news"]
    assert (shop, (await card_of(store, "a")).main_channel) == (card.addresses[0].id, "tg-shop")
    await store.clients.set_main_channel(card.id, "tg-news", BY, NOW)
    assert (await card_of(store, "a")).main_channel == "tg-news"
    with pytest.raises(Stale, match="not on vk any more"):
        await store.clients.set_main_channel(card.id, "vk", BY, NOW)


async def test_a_code_lets_one_account_in_once(store: Store) -> None:
    audited = Audited(NOW, BY, "invite", subject="Petro")
    new = NewInvitation("Petro", Role.OPERATOR, "join-1", NOW + timedelta(days=7), audited)
    first = await store.invitations.create(new)
    await store.invitations.create(replace(new, code="join-2"))
    async with store.database.read() as connection:
        kept = await connection.scalars(select(invitations.c.code_hash))
        assert all(b"join" not in one for one in kept)
    joining = Joining("join-1", "telegram", "7", NOW)
    member = await store.invitations.join(joining)
    assert (member.person, member.role, member.account) == ("Petro", Role.OPERATOR, "7")
    with pytest.raises(Refused, match="used already"):
        await store.invitations.join(replace(joining, account="8"))
    page = await store.invitations.join(Joining("join-2", "console", None, NOW))
    assert (page.surface, page.account) == ("console", "Petro")
    await store.invitations.create(replace(new, code="join-3", person="Iryna"))
    with pytest.raises(Refused, match="belongs to somebody else"):
        await store.invitations.join(replace(joining, code="join-3"))
    assert [one.person for one in await store.invitations.open(NOW)] == ["Iryna"]  # a refused one is not used up
    with pytest.raises(Stale):
        await store.invitations.revoke(first, audited)
    with pytest.raises(NotFound):
        await store.invitations.join(replace(joining, code="join-4"))
    await store.invitations.remove("Petro", audited)
    assert await store.invitations.members() == []
