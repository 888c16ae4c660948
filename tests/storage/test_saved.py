"""Saved messages, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateways.message import Link, Message, Text
from storage.errors import Invalid, NotFound, Refused, Stale
from storage.store import Store

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HELLO = Message((Text("Hello <b>you</b>", ((Link("https://acme.test", "Open"),),)),), only={"viber": {"text": "Hi"}})


async def test_a_message_is_kept_as_it_was_and_found_by_a_piece_of_its_name(store: Store) -> None:
    kept = await store.saved.save("Літній розпродаж", HELLO, "Olha", NOW)
    await store.saved.save("Winter", HELLO, "Olha", NOW + timedelta(days=1), kind="viber")

    assert await store.saved.get(kept.id) == kept
    assert [one.name for one in await store.saved.names()] == ["Winter", "Літній розпродаж"]
    assert [one.name for one in await store.saved.names(search="ЛІТНІЙ")] == ["Літній розпродаж"]
    assert [one.name for one in await store.saved.names(kind="viber")] == ["Winter"]


async def test_a_name_stands_once_for_each_kind_of_messenger(store: Store) -> None:
    first = await store.saved.save("Sale", HELLO, "Olha", NOW)
    other = await store.saved.save("Sale", HELLO, "Olha", NOW, kind="viber")

    with pytest.raises(Refused, match="There is a saved message “Sale” already"):
        await store.saved.save("Sale", HELLO, "Ostap", NOW)
    with pytest.raises(Refused, match="already"):
        await store.saved.change(replace(other, kind=""))
    with pytest.raises(Invalid, match="1 to 100 characters"):
        await store.saved.change(replace(first, name=" "))


async def test_who_changes_what_has_changed_since_is_told(store: Store) -> None:
    first = await store.saved.save("Sale", HELLO, "Olha", NOW)
    changed = await store.saved.change(replace(first, name="Spring sale"))

    assert (changed.name, changed.revision) == ("Spring sale", 1)
    with pytest.raises(Stale, match="has changed since"):
        await store.saved.change(replace(first, name="Autumn sale"))
    await store.saved.delete(first.id)
    with pytest.raises(NotFound, match="gone"):
        await store.saved.change(changed)
    with pytest.raises(NotFound):
        await store.saved.delete(first.id)
