"""What was uploaded where, on both databases; and the folder of kept files."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateways.base import MediaStore, PartKind
from storage.store import Store
from storage.uploads import Uploads

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PICTURE = PartKind.PICTURE


class Moment:
    """The time that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def uploads(store: Store, tmp_path: Path, moment: Moment) -> Uploads:
    return Uploads(store.database, store.writer, tmp_path, now=moment)


async def test_an_upload_is_found_again_only_for_its_channel_source_and_kind(uploads: Uploads) -> None:
    await uploads.remember_upload("tg-shop", "media:a.jpg", PICTURE, "id-1")
    assert await uploads.find_upload("tg-shop", "media:a.jpg", PICTURE) == "id-1"
    assert await uploads.find_upload("tg-two", "media:a.jpg", PICTURE) is None
    assert await uploads.find_upload("tg-shop", "media:b.jpg", PICTURE) is None
    assert await uploads.find_upload("tg-shop", "media:a.jpg", PartKind.FILE) is None


async def test_the_latest_upload_counts(uploads: Uploads) -> None:
    await uploads.remember_upload("tg-shop", "media:a.jpg", PICTURE, "id-1")
    await uploads.remember_upload("tg-shop", "media:a.jpg", PICTURE, "id-2")
    assert await uploads.find_upload("tg-shop", "media:a.jpg", PICTURE) == "id-2"


async def test_many_who_remember_the_same_file_at_once_all_succeed(uploads: Uploads) -> None:
    writes = [
        uploads.remember_upload("tg-shop", f"media:{number % 3}.jpg", PICTURE, f"id-{number}") for number in range(30)
    ]
    await asyncio.gather(*writes)
    assert await uploads.find_upload("tg-shop", "media:2.jpg", PICTURE) == "id-29"


async def test_a_forgotten_upload_is_not_found(uploads: Uploads) -> None:
    await uploads.remember_upload("tg-shop", "media:a.jpg", PICTURE, "id-1")
    await uploads.remember_upload("tg-two", "media:a.jpg", PICTURE, "id-2")
    await uploads.forget_upload("tg-shop", "media:a.jpg", PICTURE)
    await uploads.forget_upload("tg-shop", "media:a.jpg", PICTURE)
    assert await uploads.find_upload("tg-shop", "media:a.jpg", PICTURE) is None
    assert await uploads.find_upload("tg-two", "media:a.jpg", PICTURE) == "id-2"


async def test_a_url_is_believed_for_a_day_and_a_kept_file_for_ever(uploads: Uploads, moment: Moment) -> None:
    for source in ("https://shop.example/a.jpg", "media:a.jpg"):
        await uploads.remember_upload("tg-shop", source, PICTURE, "id-1")
    moment.at = NOW + timedelta(hours=23)
    assert await uploads.find_upload("tg-shop", "https://shop.example/a.jpg", PICTURE) == "id-1"
    moment.at = NOW + timedelta(hours=25)
    assert await uploads.find_upload("tg-shop", "https://shop.example/a.jpg", PICTURE) is None
    assert await uploads.find_upload("tg-shop", "media:a.jpg", PICTURE) == "id-1"


def test_a_kept_file_is_read(uploads: Uploads, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    assert uploads.read_file("media:a.jpg") == b"picture"


@pytest.mark.parametrize(
    "source",
    ["media:lost.jpg", "media:../secret", "media:/etc/passwd", "media:", "media:..", "media:a/b", "media:a\\b",
     "media:\0", "media:folder", "a.jpg", "https://a.b/c"],
)  # fmt: skip
def test_what_is_no_kept_file_is_not_read(source: str, uploads: Uploads, tmp_path: Path) -> None:
    (tmp_path.parent / "secret").write_bytes(b"secret")
    (tmp_path / "folder").mkdir(exist_ok=True)
    with pytest.raises(FileNotFoundError):
        uploads.read_file(source)


def test_uploads_are_what_a_gateway_asks_for(uploads: Uploads) -> None:
    kept: MediaStore = uploads
    assert kept is uploads
