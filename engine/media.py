"""Files of messages, kept in data_dir/media under the hash of what is in them."""

import hashlib
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from struct import error as struct_error
from typing import BinaryIO
from urllib.parse import urlsplit

from engine.errors import Invalid, NotFound, _
from engine.values import is_absolute
from gateways.message import Message, sources_of

PREFIX = "media:"
MAX_FILE_BYTES = 100_000_000  # of one file; each kind of messenger has its own limit, which is lower
MAX_PIXELS = 60_000_000  # of one picture: decoding it must fit into a small machine's memory
KEPT_FOR = timedelta(days=30)  # without anything that refers to it
_PIECE_BYTES = 1 << 20
_KEPT = re.compile(r"media:([0-9a-f]{64}\.[a-z0-9]{1,10})")
_PICTURES = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif"}
_PICTURE_ENDINGS = frozenset({*_PICTURES.values(), "jpeg", "tiff"})
# Pillow says in many ways that bytes are no picture; a warning is one where warnings are errors.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct_error,
    MemoryError,
    Warning,
)


class Media:
    """Keeps files once each; the same bytes under the same ending have the same name. Its methods block: call them in
    a thread for large files."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "media"

    def keep(self, source: Path | bytes, name: str) -> str:
        """Keep a file and give its `media:` source; of `name` only the ending counts.

        Raises Invalid for a file that can't be read, is empty or too large, or is called a picture and is none."""
        ending = _ending_of(name)
        return self._keep(source, name, ending, is_picture=ending in _PICTURE_ENDINGS)

    def keep_picture(self, source: Path | bytes, name: str) -> str:
        """Keep a picture, whatever it is called. Raises Invalid if it can't be read as one."""
        return self._keep(source, name, "", is_picture=True)

    def path(self, source: str) -> Path:
        """Where a kept file is. Raises NotFound."""
        found = _KEPT.fullmatch(source)
        file = self._folder / found[1] if found else None
        if file is None or not file.is_file():
            raise NotFound(_("There is no kept file “{source}”."), source=source[:90])
        return file

    def read_file(self, source: str) -> bytes:
        """Raises NotFound."""
        return self.path(source).read_bytes()

    def size_bytes(self, source: str) -> int:
        """Raises NotFound."""
        return self.path(source).stat().st_size

    def sizes(self, message: Message) -> Mapping[str, int]:
        """The bytes of the message's kept files, for `engine.fit`; what stands behind a URL is not known.

        Raises NotFound if one has gone."""
        return {source: self.size_bytes(source) for source in sources_of(message) if source.startswith(PREFIX)}

    def sweep(self, in_use: Collection[str], at: datetime) -> int:
        """Remove what nothing has referred to for KEPT_FOR, and return how many that were. A file's time is when it was
        last found in use."""
        removed = 0
        for file in self._folder.iterdir() if self._folder.is_dir() else ():
            if not _KEPT.fullmatch(f"{PREFIX}{file.name}"):
                continue
            if f"{PREFIX}{file.name}" in in_use:
                os.utime(file, (at.timestamp(), at.timestamp()))
            elif at.timestamp() - file.stat().st_mtime > KEPT_FOR.total_seconds():
                file.unlink()
                removed += 1
        return removed

    def _keep(self, source: Path | bytes, name: str, ending: str, *, is_picture: bool) -> str:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, unfinished = tempfile.mkstemp(prefix=".unfinished-", dir=self._folder)  # of mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                digest = _copy(source, name, file)
                file.flush()
                os.fsync(file.fileno())
            if is_picture:
                ending = _picture_ending(Path(unfinished), name)
            kept = f"{digest}.{ending}"
            Path(unfinished).replace(self._folder / kept)
        finally:
            with suppress(FileNotFoundError):  # it has its name by now
                Path(unfinished).unlink()
        return PREFIX + kept


def check_url(url: str) -> str:
    """The URL of a picture or file that the messenger fetches. Raises Invalid."""
    try:
        is_url = urlsplit(url).scheme in ("http", "https") and is_absolute(url)
    except ValueError:
        is_url = False
    if not is_url:
        raise Invalid(_("“{url}” is no address of a file; it must start with https:// or http://."), url=url[:200])
    return url


def file_name(name: str) -> str:
    """A name that a client may see and no file system trips over: no folders, control characters, dots in front."""
    last = PurePosixPath(name.replace("\\", "/")).name
    clean = re.sub(r'[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"|?*]', "", last).strip(" .")
    stem, dot, ending = clean.rpartition(".")
    return f"{stem[:100]}{dot}{ending[:20]}" if stem else clean[:100] or "file"


def _ending_of(name: str) -> str:
    ending = file_name(name).rpartition(".")[2].lower()
    return ending if "." in file_name(name) and re.fullmatch("[a-z0-9]{1,10}", ending) else "bin"


def _copy(source: Path | bytes, name: str, file: BinaryIO) -> str:
    """Write the bytes and give their hash."""
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(source, name):
        size += len(piece)
        if size > MAX_FILE_BYTES:
            limit = MAX_FILE_BYTES // 1_000_000
            raise Invalid(_("{name} is too large: {limit} MB are the most."), name=name, limit=limit)
        digest.update(piece)
        file.write(piece)
    if size == 0:
        raise Invalid(_("{name} is empty."), name=name)
    return digest.hexdigest()


def _pieces(source: Path | bytes, name: str) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    try:
        if not source.is_file():  # a pipe or a device would never end
            raise Invalid(_("There is no file {name}."), name=name)
        with source.open("rb") as opened:
            while piece := opened.read(_PIECE_BYTES):
                yield piece
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise Invalid(_("{name} can't be read: {problem}."), name=name, problem=problem) from error


def _picture_ending(file: Path, name: str) -> str:
    """The ending of what the picture is. Raises Invalid unless every pixel can be read."""
    from PIL import Image

    try:
        with Image.open(file, formats=tuple(_PICTURES)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                words = _("The picture {name} is too large: {width}x{height} pixels.")
                raise Invalid(words, name=name, width=picture.width, height=picture.height)
            picture.load()
            return _PICTURES[str(picture.format)]
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise Invalid(_("The picture {name} can't be read: it is damaged, or no picture."), name=name) from error
