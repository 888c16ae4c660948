"""Files of messages go when nothing has referred to them for long: no mailing, no saved message, no chat."""

import asyncio
import logging
from datetime import datetime

from engine.clock import Clock
from engine.media import Media
from storage.store import Store

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 24 * 3600.0


async def keep_sweeping(store: Store, media: Media, clock: Clock) -> None:
    """Once a day, until cancelled."""
    while True:
        if removed := await sweep_kept_files(store, media, clock.now()):
            log.info("kept files that nothing refers to were removed", extra={"files": removed})
        await clock.sleep(SWEEP_EVERY_S)


async def sweep_kept_files(store: Store, media: Media, at: datetime) -> int:
    """Returns how many were removed."""
    return await asyncio.to_thread(media.sweep, await store.uploads.sources_in_use(), at)
