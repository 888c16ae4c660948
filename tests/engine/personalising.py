"""Parts as one client gets them."""

from collections.abc import Mapping
from typing import Any

from engine.personalise import Personaliser
from gateways.base import Outgoing, Part, PartKind
from gateways.message import Rows
from tests.engine.kinds import chatty

FIELDS = {
    "id",
    "name",
    "first_name",
    "last_name",
    "city",
    "ltv",
    "born",
    "tags",
    "url",
    "vip",
    "favourite shop",
    "Місто",
}
ANN = {"id": "a/1", "first_name": "Ann", "city": "Kyiv", "ltv": 1200, "tags": ["vip", "uk"], "url": "https://ann.test/"}


def personaliser(*parts: Part, **changes: Any) -> Personaliser:
    return Personaliser(parts, chatty(**changes), FIELDS)


def send(made: Personaliser, client: Mapping[str, Any]) -> list[Outgoing]:
    return made.render(client, address="77", delivery_id=7, attempt=2, details={})


def text_for(source: str, client: Mapping[str, Any], **changes: Any) -> str:
    return send(personaliser(Part(PartKind.TEXT, text=source), **changes), client)[0].text.text


def buttons_for(rows: Rows, client: Mapping[str, Any]) -> Rows:
    return send(personaliser(Part(PartKind.TEXT, text="Hi", buttons=rows)), client)[0].buttons


def tracked(delivery_id: int, place: str, index: int, url: str) -> str:
    return f"https://l.test/{delivery_id}/{place}/{index}/{url}"
