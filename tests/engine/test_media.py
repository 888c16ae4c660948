import hashlib
import io
import os
import stat
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import Invalid, NotFound
from engine.media import Media, check_url, file_name
from gateways.message import read_message


def picture(form: str = "PNG", size: tuple[int, int] = (8, 6)) -> bytes:
    into = io.BytesIO()
    Image.new("RGB", size, "teal").save(into, form)
    return into.getvalue()


@pytest.fixture
def media(tmp_path: Path) -> Media:
    return Media(tmp_path / "data")


def kept_files(tmp_path: Path) -> list[str]:
    return sorted(file.name for file in (tmp_path / "data" / "media").iterdir())


def test_a_file_is_kept_once_under_its_hash_for_the_owner_alone(media: Media, tmp_path: Path) -> None:
    (tmp_path / "Price list.PDF").write_bytes(b"%PDF")
    source = media.keep(tmp_path / "Price list.PDF", "Price list.PDF")
    assert source == f"media:{hashlib.sha256(b'%PDF').hexdigest()}.pdf"
    assert media.keep(b"%PDF", "again.pdf") == source
    assert kept_files(tmp_path) == [source.removeprefix("media:")]
    assert media.read_file(source) == b"%PDF"
    assert media.size_bytes(source) == 4
    assert stat.S_IMODE(media.path(source).stat().st_mode) == 0o600
    assert stat.S_IMODE(media.path(source).parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("form", "ending"),
    [("PNG", "png"), ("JPEG", "jpg"), ("GIF", "gif"), ("WEBP", "webp"), ("BMP", "bmp"), ("TIFF", "tif")],
)
def test_a_picture_gets_the_ending_of_what_it_is(media: Media, form: str, ending: str) -> None:
    assert media.keep(picture(form), "sale.jpeg").endswith(f".{ending}")
    assert media.keep_picture(picture(form), "sale").endswith(f".{ending}")


@pytest.mark.parametrize(
    "content",
    [
        b"no picture",
        picture()[:45],
        picture("JPEG", (200, 200))[:-300],
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 50,
        b"<svg/>",
        b"%!PS",
    ],
)
def test_a_picture_that_cant_be_read_is_refused_by_name_and_leaves_nothing(
    media: Media, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(Invalid, match=r"The picture sale\.jpg can't be read"):
        media.keep(content, "sale.jpg")
    assert kept_files(tmp_path) == []
    assert media.keep(content, "sale.dat").endswith(".dat")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(media: Media) -> None:
    bomb = io.BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG")
    with pytest.raises(Invalid, match="too large: 9000x9000 pixels"):
        media.keep(bomb.getvalue(), "bomb.png")
    larger = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(larger, "PNG")
    with pytest.raises(Invalid, match="can't be read"):
        media.keep(larger.getvalue(), "bomb.png")


def test_files_that_cant_be_kept_are_refused_by_name(
    media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in [("none.pdf", "There is no file"), ("pipe", "There is no file"), (".", "There is no file")]:
        with pytest.raises(Invalid, match=words):
            media.keep(tmp_path / name, name)
    with pytest.raises(Invalid, match=r"empty\.pdf is empty"):
        media.keep(b"", "empty.pdf")
    monkeypatch.setattr("engine.media.MAX_FILE_BYTES", 3)
    with pytest.raises(Invalid, match=r"big\.pdf is too large"):
        media.keep(b"1234", "big.pdf")
    assert kept_files(tmp_path) == []


@pytest.mark.parametrize(
    "source",
    [
        "media:",
        "media:../config.toml",
        "media:a.pdf",
        "/etc/passwd",
        "media:" + "0" * 64 + ".pdf",
        "media:" + "0" * 64 + "./x",
    ],
)
def test_only_kept_files_have_a_path(media: Media, source: str) -> None:
    with pytest.raises(NotFound):
        media.path(source)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Price list.pdf", "Price list.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Temp\\Прайс.pdf", "Прайс.pdf"),
        (".bashrc", "bashrc"),
        ("a\x00b\n<c>.pdf", "abc.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("..", "file"),
        ("", "file"),
        ("n" * 300 + ".pdf", "n" * 100 + ".pdf"),
    ],
)
def test_a_files_name_plays_no_tricks(name: str, clean: str) -> None:
    assert file_name(name) == clean


def test_an_odd_ending_becomes_a_plain_one(media: Media) -> None:
    for name in ("x", "x.", "x.p/../df", "x.дуже", "x." + "y" * 30):
        assert media.keep(b"1", name).endswith((".bin", ".df"))


@pytest.mark.parametrize("url", ["https://acme.test/sale.jpg", "http://127.0.0.1:8080/a?b=c"])
def test_urls_pass_through(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url", ["ftp://acme.test/a", "file:///etc/passwd", "https://", "https://a b", "tg://x", "https://[x"]
)
def test_what_is_no_url_of_a_file_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="no address of a file"):
        check_url(url)


def test_sizes_are_told_of_kept_files_only(media: Media) -> None:
    source = media.keep(b"12345", "a.pdf")
    message = read_message({"elements": [{"file": source}, {"file": "https://acme.test/b.pdf"}, {"text": "Hi"}]})
    assert media.sizes(message) == {source: 5}
