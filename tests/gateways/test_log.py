"""The named test provider: what would have gone out stands in a file."""

import asyncio
import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateways import registry
from gateways.base import (
    Accepted,
    BadSignature,
    ChannelBroken,
    Gateway,
    Hook,
    Outgoing,
    Part,
    PartKind,
    Unavailable,
    Unreadable,
)
from gateways.config import Context
from gateways.log.gateway import LogGateway
from gateways.markup import RichText, read_html
from gateways.message import Buy, Card, Link, Reply
from tests.gateways.cases import Logs, MemoryMedia
from tests.gateways.outgoing import out, text

NOW = datetime(2026, 11, 21, 7, 10, tzinfo=UTC)


@pytest.fixture
def gateway(tmp_path: Path) -> LogGateway:
    return LogGateway(channel="try-it", path=tmp_path / "sent.jsonl", now=lambda: NOW)


def lines(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "sent.jsonl").read_text().splitlines()]


async def test_a_message_is_one_line(gateway: LogGateway, tmp_path: Path, logs: Logs) -> None:
    message = text(
        "<b>Привіт</b>, Ann &amp; Bob",
        buttons=[[Link("https://shop.example", "Open"), Buy("SKU-1", "Buy", "19.90 EUR")], [Reply("More", "Tell me")]],
        data=["", "1", "2"],
    )
    assert await gateway.send([message]) == [Accepted("d7.1.0")]
    assert lines(tmp_path) == [
        {
            "channel": "try-it",
            "time": "2026-11-21T07:10:00+00:00",
            "address": "100200300",
            "kind": "text",
            "text": "<b>Привіт</b>, Ann &amp; Bob",
            "media": [],
            "buttons": [
                [
                    {"link": "https://shop.example", "label": "Open"},
                    {"buy": "SKU-1", "label": "Buy", "price": "19.90 EUR"},
                ],
                [{"message": "More", "label": "Tell me"}],
            ],
            "reference": "d7.1.0",
        }
    ]
    assert stat.S_IMODE((tmp_path / "sent.jsonl").stat().st_mode) == 0o600
    logs.require_none_of(["Привіт", "100200300"])


async def test_every_kind_of_part_is_carried(gateway: LogGateway, tmp_path: Path) -> None:
    card = Card("Shirt", "Blue", "media:shirt.jpg", (Link("https://shop.example/s", "See"),))
    carousel = Part(PartKind.CAROUSEL, cards=(card,))
    parts = [
        out(PartKind.ALBUM, "Both", "media:a.jpg", "https://shop.example/b.jpg"),
        out(PartKind.FILE, "", "media:price.pdf", name="Prices.pdf"),
        out(PartKind.LOCATION, latitude=50.45, longitude=30.52),
        out(PartKind.TEMPLATE, extra={"template": {"name": "sale"}, "text": "not over ours"}),
        Outgoing("7", carousel, read_html("<i>New</i>"), (), (), "8.1.0", cards=(card,)),
        Outgoing("7", Part(PartKind.TEXT), RichText("half \ud83d an emoji"), (), (), "8.1.1"),
    ]
    assert [type(outcome) for outcome in await gateway.send(parts)] == [Accepted] * 6
    album, file, place, template, cards, half = lines(tmp_path)
    assert album["media"] == ["media:a.jpg", "https://shop.example/b.jpg"]
    assert file["name"] == "Prices.pdf"
    assert place["location"] == {"latitude": 50.45, "longitude": 30.52}
    assert (template["template"], template["text"]) == ({"name": "sale"}, "")
    assert cards["cards"][0]["buttons"] == [{"link": "https://shop.example/s", "label": "See"}]
    assert cards["text"] == "<i>New</i>"
    assert half["text"] == "half ? an emoji"


async def test_messages_that_are_written_at_once_stay_whole(gateway: LogGateway, tmp_path: Path) -> None:
    await asyncio.gather(*(gateway.send([text("long " * 2000, address=str(n))]) for n in range(50)))
    assert sorted(int(line["address"]) for line in lines(tmp_path)) == list(range(50))


async def test_a_file_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    gateway = LogGateway(channel="try-it", path=tmp_path / "no" / "sent.jsonl")
    (outcome,) = await gateway.send([text()])
    assert isinstance(outcome, Unavailable)
    assert "no such file or directory" in outcome.words
    with pytest.raises(ChannelBroken, match="the file can't be written"):
        await gateway.check()


async def test_a_check_names_the_file_and_writes_nothing(gateway: LogGateway, tmp_path: Path) -> None:
    account = await gateway.check()
    assert account.external_id == str(tmp_path / "sent.jsonl")
    assert lines(tmp_path) == []


def test_nobody_is_heard(gateway: LogGateway) -> None:
    assert isinstance(gateway, Gateway)
    assert gateway.capabilities.receipts == frozenset()
    assert gateway.capabilities.why_no_receipts
    with pytest.raises(BadSignature):
        gateway.verify(Hook("POST", {}, {}, b""))
    with pytest.raises(Unreadable):
        gateway.parse(Hook("POST", {}, {}, b""))


async def test_a_relative_path_starts_at_the_configuration(tmp_path: Path) -> None:
    model = registry.config_model("log")
    given = {"id": "try-it", "kind": "log", "path": "out/sent.jsonl"}
    settings: Any = model.model_validate(given, strict=True, context={"folder": tmp_path})
    assert settings.path == str(tmp_path / "out" / "sent.jsonl")
    (tmp_path / "out").mkdir()
    gateway = settings.open_gateway(Context(MemoryMedia(), b"s"))
    await gateway.open()
    await gateway.send([text()])
    await gateway.close()
    assert len((tmp_path / "out" / "sent.jsonl").read_text().splitlines()) == 1
    absolute: Any = model.model_validate(given | {"path": "/var/x"}, strict=True, context={"folder": tmp_path})
    assert absolute.path == "/var/x"


@pytest.mark.parametrize("changes", [{"path": ""}, {"path": "a\0b"}, {"path": 7}, {"token": "x"}, {"rate": 30.0}])
def test_a_wrong_setting_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        registry.config_model("log").model_validate({"id": "try-it", "kind": "log", "path": "x"} | changes, strict=True)
