"""The pictures of a message, made small: kept ones from disk, others from where they lie."""

import asyncio
import logging
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

from bot.pictures.drawing import draw
from bot.pictures.scene import Scene, sources_in
from engine.errors import NotFound
from engine.media import MAX_PIXELS, PREFIX, UNREADABLE, Media
from gateways.download import NotFetched, fetch

log = logging.getLogger(__name__)

MOST = 40  # pictures of one message that are shown; the others are grey
FETCH_S = 3.0  # for a picture that lies elsewhere: a person waits
FETCH_BYTES = 10_000_000
_SMALL = (640, 900)  # px: as large as a picture is shown


async def draw_all(scenes: Sequence[Scene], media: Media) -> list[bytes]:
    """A PNG for each scene. Works in threads, one picture at a time: sending needs the processor too."""
    sources = list(dict.fromkeys(source for scene in scenes for source in sources_in(scene)))[:MOST]
    kept = await asyncio.to_thread(_open_kept, [one for one in sources if one.startswith(PREFIX)], media)
    shelf = kept | await _fetch_all([one for one in sources if not one.startswith(PREFIX)])
    return [await asyncio.to_thread(draw, scene, shelf) for scene in scenes]


def _open_kept(sources: Sequence[str], media: Media) -> dict[str, Image.Image]:
    found = {}
    for source in sources:
        try:
            found[source] = _small(media.path(source))
        except (NotFound, Image.DecompressionBombError, *UNREADABLE) as error:
            log.info("a picture can't be shown", extra={"error": type(error).__name__})
    return found


async def _fetch_all(urls: Sequence[str]) -> dict[str, Image.Image]:
    async with asyncio.TaskGroup() as tasks:
        made = {url: tasks.create_task(_fetch(url), name="fetch a picture") for url in urls}
    return {url: picture for url, task in made.items() if (picture := task.result()) is not None}


async def _fetch(url: str) -> Image.Image | None:
    try:
        async with asyncio.timeout(FETCH_S):
            content = (await fetch(url, FETCH_BYTES)).content
        return await asyncio.to_thread(_small, BytesIO(content))
    except (NotFetched, TimeoutError, Image.DecompressionBombError, *UNREADABLE) as error:
        log.info("a picture can't be shown", extra={"error": type(error).__name__})
        return None


def _small(file: Path | BinaryIO) -> Image.Image:
    """Upright, on white, as large as it is shown. Raises one of UNREADABLE."""
    with Image.open(file) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError("too many pixels")
        picture.draft("RGB", _SMALL)  # a large JPEG is read small at once
        upright = ImageOps.exif_transpose(picture)
        upright.thumbnail(_SMALL)
        see_through = upright.convert("RGBA")
        made = Image.new("RGB", upright.size, "#ffffff")
        made.paste(see_through, mask=see_through.getchannel("A"))
        return made
