"""Pictures small enough to stand in a test: the header that Telegram looks at, and noise."""

import struct


def png(width: int = 640, height: int = 480, size_bytes: int = 3000) -> bytes:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return head + b"\x00" * (size_bytes - len(head))


def jpeg(width: int = 640, height: int = 480) -> bytes:
    start = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF\x00" + b"\x00" * 9
    return start + b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\x00" * 60
