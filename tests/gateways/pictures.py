"""Small pictures as files."""

import io

from PIL import Image


def _picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(file, kind)
    return file.getvalue()


JPEG = _picture("JPEG")
PNG = _picture("PNG")
WEBP = _picture("WEBP")
