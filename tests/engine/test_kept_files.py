"""Files that nothing refers to any more."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.errors import NotFound
from engine.kept_files import sweep_kept_files
from engine.media import KEPT_FOR, Media
from gateways.message import read_message
from storage.audit import Audited
from storage.conversations import Place
from storage.records import Actor, Draft
from storage.store import Store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LONG_AGO = (NOW - KEPT_FOR - timedelta(hours=1)).timestamp()


async def test_a_file_goes_when_nothing_has_referred_to_it_for_a_month(store: Store, tmp_path: Path) -> None:
    media = Media(tmp_path)
    sent, chatted, unused, fresh = (media.keep(name.encode(), f"{name}.pdf") for name in ("a", "b", "c", "d"))
    for source in (sent, chatted, unused):
        os.utime(media.path(source), (LONG_AGO, LONG_AGO))
    message, audited = read_message({"elements": [{"file": sent}]}), Audited(NOW, Actor("Olha"), "test")
    mailing_id = await store.mailings.create(Draft(name="With a file", message=message), audited)
    await store.conversations.save_place(Place("telegram", "1", "1", "Olha", {"file": {"source": chatted}}))

    assert await sweep_kept_files(store, media, NOW) == 1
    assert [there(media, one) for one in (sent, chatted, unused, fresh)] == [True, True, False, True]

    await store.mailings.delete_draft(mailing_id, audited)
    assert await sweep_kept_files(store, media, NOW + timedelta(days=1)) == 0  # it was in use a day ago
    await sweep_kept_files(store, media, NOW + KEPT_FOR + timedelta(days=1))
    assert [there(media, one) for one in (sent, chatted)] == [False, True]


def there(media: Media, source: str) -> bool:
    try:
        return media.path(source).is_file()
    except NotFound:
        return False
