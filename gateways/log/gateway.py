"""The named test provider: what a channel would send stands in a file, one JSON object a line, and nothing goes out."""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateways.base import (
    Accepted,
    Account,
    BadSignature,
    Capabilities,
    ChannelBroken,
    GatewayError,
    Heard,
    Hook,
    Outgoing,
    PartKind,
    Unavailable,
    Unreadable,
)
from gateways.log.capabilities import LOG
from gateways.markup import to_html


class LogGateway:
    """Satisfies Gateway. The file is appended to, and readable by its owner alone: it holds addresses and texts."""

    capabilities: Capabilities = LOG

    def __init__(self, *, channel: str, path: Path, now: Callable[[], datetime] | None = None) -> None:
        self._channel = channel
        self._path = path
        self._now = now or _utc_now

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        lines = "".join(json.dumps(self._line(out), ensure_ascii=False) + "\n" for out in parts)
        try:
            await asyncio.to_thread(self._append, lines.encode("utf-8", "replace"))
        except OSError as error:
            return [Unavailable(_words(error)) for _ in parts]
        return [Accepted(out.reference) for out in parts]

    async def check(self) -> Account:
        try:
            await asyncio.to_thread(self._append, b"")
        except OSError as error:
            raise ChannelBroken(_words(error)) from None
        return Account(external_id=str(self._path), name="a file instead of a messenger")

    def verify(self, request: Hook) -> None:
        raise BadSignature

    def parse(self, request: Hook) -> Heard:
        raise Unreadable("nobody posts to a log")

    def _line(self, out: Outgoing) -> dict[str, Any]:
        part = out.part
        line: dict[str, Any] = {
            "channel": self._channel,
            "time": self._now().isoformat(),
            "address": out.address,
            "kind": part.kind.value,
            "text": to_html(out.text),
            "media": list(part.media),
            "buttons": [[asdict(button) for button in row] for row in out.buttons],
            "reference": out.reference,
        }
        if part.name:
            line["name"] = part.name
        if part.kind is PartKind.LOCATION:
            line["location"] = {"latitude": part.latitude, "longitude": part.longitude}
        if out.cards:
            line["cards"] = [asdict(card) for card in out.cards]
        return line | {name: value for name, value in part.extra.items() if name not in line}

    def _append(self, lines: bytes) -> None:
        # One write of a file opened for appending: what other processes write stands before or after it.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, lines)
        finally:
            os.close(file)


def _words(error: OSError) -> str:
    return f"the file can't be written: {(error.strerror or type(error).__name__).lower()}"


def _utc_now() -> datetime:
    return datetime.now(UTC)
