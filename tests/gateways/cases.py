"""Tables of payloads, out and in. Every case is checked for more than it says: the request is exactly the one that is
written there, no request or answer is left over, and no log shows a secret, an address or a text."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    Answer,
    Gateway,
    GatewayError,
    Heard,
    Hook,
    Inbound,
    News,
    Outgoing,
    PartKind,
    Receipt,
    Watermark,
)
from tests.gateways.stub import AnyStub, Got, Reply, Sent, Stub

FIXTURES = Path(__file__).parent / "fixtures"


class MemoryMedia:
    """A MediaStore for gateway tests; storage's own has tests of its own."""

    def __init__(self, **files: bytes) -> None:
        self.files = {f"media:{name.replace('_', '.')}": content for name, content in files.items()}
        self.uploads: dict[tuple[str, str, PartKind], str] = {}

    async def find_upload(self, channel: str, source: str, kind: PartKind) -> str | None:
        return self.uploads.get((channel, source, kind))

    async def remember_upload(self, channel: str, source: str, kind: PartKind, remote_id: str) -> None:
        self.uploads[channel, source, kind] = remote_id

    async def forget_upload(self, channel: str, source: str, kind: PartKind) -> None:
        self.uploads.pop((channel, source, kind), None)

    def read_file(self, source: str) -> bytes:
        try:
            return self.files[source]
        except KeyError:
            raise FileNotFoundError(source) from None


@dataclass(frozen=True)
class OutCase:
    """`out` is sent; the platform gives `replies`; it must have got `requests`, and the outcome is `outcome`.

    An error in `outcome` is compared by class and by every field that it carries, words aside."""

    name: str
    out: Outgoing
    replies: Sequence[Reply]
    requests: Sequence[Sent] | Sequence[Got]
    outcome: Accepted | GatewayError


@dataclass(frozen=True)
class InCase:
    """`payload` is a fixture's name or a body; exactly what stands here must be heard of it."""

    name: str
    payload: str | bytes
    inbound: Sequence[Inbound] = ()
    headers: dict[str, str] = field(default_factory=dict)
    receipts: Sequence[Receipt] = ()
    watermarks: Sequence[Watermark] = ()
    news: Sequence[News] = ()
    answer: Answer = field(default_factory=Answer)
    query: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


def names(cases: Sequence[OutCase] | Sequence[InCase]) -> list[str]:
    return [case.name for case in cases]


async def check_out(
    case: OutCase, gateway: Gateway, stub: Stub | AnyStub, logs: "Logs", secrets: Sequence[str]
) -> None:
    stub.replies = list(case.replies)
    (outcome,) = await gateway.send([case.out])
    assert stub.sent == list(case.requests)
    assert stub.replies == [], "the gateway asked less often than the case says"
    assert stub.wrong_paths == []
    if isinstance(case.outcome, Accepted):
        assert outcome == case.outcome
    else:
        assert fields(outcome) == fields(case.outcome)
    logs.require_none_of([*secrets, *_private(case.out)])
    if isinstance(outcome, GatewayError):
        for secret in secrets:
            assert secret not in outcome.words
            assert secret not in repr(outcome)


def check_in(case: InCase, gateway: Gateway, logs: "Logs", secrets: Sequence[str]) -> None:
    body = case.payload if isinstance(case.payload, bytes) else fixture(case.payload)
    heard = gateway.parse(Hook(case.method, case.headers, case.query, body))
    assert heard == Heard(
        tuple(case.receipts), tuple(case.inbound), case.answer, tuple(case.watermarks), tuple(case.news)
    )
    logs.require_none_of(secrets)


def fixture(name: str) -> bytes:
    """The body of a captured payload; beside it stands where it was captured."""
    captured = json.loads((FIXTURES / f"{name}.json").read_text())
    assert captured["source"], f"{name} does not say where it comes from"
    return json.dumps(captured["body"], ensure_ascii=False).encode()


def fields(outcome: Accepted | GatewayError) -> tuple[type, dict[str, Any]]:
    if isinstance(outcome, Accepted):
        return Accepted, {"external_id": outcome.external_id}
    return type(outcome), {name: value for name, value in vars(outcome).items() if name != "words"}


def _private(out: Outgoing) -> list[str]:
    labels = [button.label for row in out.buttons for button in row]
    return [each for each in (out.address, out.text.text, *labels) if len(each) > 3]


class Logs(logging.Handler):
    """Every record of every logger, with its extra fields, as text."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        known = vars(record) | {"message": record.getMessage()}
        self.lines.append(repr(known) + (self.format(record) if record.exc_info else ""))

    def require_none_of(self, secrets: Sequence[str]) -> None:
        for line in self.lines:
            for secret in secrets:
                assert secret not in line, f"a log shows {secret!r}: {line}"


@pytest.fixture
def logs() -> Any:
    """All logs at the finest level; asyncio's own are left out, they are about the loop."""
    handler = Logs()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
