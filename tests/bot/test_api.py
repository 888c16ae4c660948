"""/api/v1 over real HTTP, on both databases."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from bot.api import Api
from bot.config import read
from bot.desk import open_desk
from bot.http import serve

TOKEN = {"Authorization": "Bearer right"}
CONFIG = """
[web]
api_tokens = ["other", "right"]
[storage]
url = "{url}"
[[channels]]
id = "tg-shop"
kind = "telegram"
token = "1:SHOP"
"""
ANN = {"id": "c-1", "first_name": "Ann", "tags": ["vip"], "addresses": {"tg-shop": 7001}, "attributes": {"ltv": 120}}
MAILING = {"name": "Sale", "message": {"text": "Hello, {{ client.first_name | default('friend') }}!"}}


@dataclass
class Programs:
    """A program that uses the API."""

    url: str
    session: ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        async with self.session.request(
            method, f"{self.url}/api/v1{path}", data=data, headers=TOKEN if headers is None else headers
        ) as response:
            return response.status, await response.json()

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        status, document = await self.ask(method, path, body)
        assert status in (200, 201), document
        return document

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        status, document = await self.ask(method, path, body)
        assert list(document) == ["error"]
        return status, document["error"]


@pytest.fixture
async def api(made_storage_url: str, tmp_path: Path) -> AsyncIterator[Programs]:
    config = read(CONFIG.replace("{url}", made_storage_url), tmp_path / "config.toml", {})
    async with open_desk(config) as desk:
        app = web.Application()
        Api(desk).add_to(app)
        async with serve(app, "127.0.0.1", 0) as port, ClientSession() as session:
            yield Programs(f"http://127.0.0.1:{port}", session)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "right"}, {"Authorization": "Basic right"}]
)
async def test_without_a_right_token_nothing_is_answered(api: Programs, headers: dict[str, str]) -> None:
    status, document = await api.ask("GET", "/clients", headers=headers)

    assert (status, list(document)) == (401, ["error"])


async def test_a_client_is_added_and_updated(api: Programs) -> None:
    assert await api.done("POST", "/clients", ANN) == {"added": 1, "updated": 0, "rejected": []}
    assert await api.done("POST", "/clients", {"id": "c-1", "last_name": "Lee"}) == {
        "added": 0,
        "updated": 1,
        "rejected": [],
    }
    client = await api.done("GET", "/clients/c-1")

    assert (client["first_name"], client["last_name"], client["tags"]) == ("Ann", "Lee", ["vip"])
    assert client["attributes"] == {"ltv": 120}
    assert [(place["channel"], place["external_id"], place["status"]) for place in client["addresses"]] == [
        ("tg-shop", "7001", "enabled")
    ]


async def test_many_clients_come_at_once_and_a_wrong_one_stops_nothing(api: Programs) -> None:
    clients = [ANN, {"id": "c-2", "email": "no address"}, {"id": "c-3", "first_name": "Bob"}]

    outcome = await api.done("POST", "/clients/many", {"clients": clients})

    assert outcome["added"] == 2
    assert [each["row"] for each in outcome["rejected"]] == [2]


async def test_a_list_of_clients_is_taken_with_channels_beside_the_fields(api: Programs) -> None:
    bob = {"id": "c-2", "first_name": "Bob", "tg-shop": 7002, "subscribed_to": ["promo_42"]}

    outcome = await api.done("POST", "/clients", [ANN, bob, {"first_name": "Nobody"}])
    client = await api.done("GET", "/clients/7002")

    assert (outcome["added"], [each["row"] for each in outcome["rejected"]]) == (2, [3])
    assert (client["id"], client["main_channel"], client["subscribed_to"]) == ("c-2", "tg-shop", ["promo_42"])
    assert await api.done("POST", "/clients", []) == {"added": 0, "updated": 0, "rejected": []}


async def test_clients_are_read_page_by_page(api: Programs) -> None:
    await api.done("POST", "/clients/many", {"clients": [{"id": f"c-{number}"} for number in range(5)]})

    first = await api.done("GET", "/clients?limit=3")
    rest = await api.done("GET", f"/clients?limit=3&after={first['next']}")

    assert [client["id"] for client in first["clients"] + rest["clients"]] == ["c-0", "c-1", "c-2", "c-3", "c-4"]
    assert rest["next"] is None


async def test_tags_are_added_and_removed(api: Programs) -> None:
    await api.done("POST", "/clients", ANN)

    client = await api.done("POST", "/clients/c-1/tags", {"add": ["garden"], "remove": ["vip"]})

    assert client["tags"] == ["garden"]
    assert await api.done("GET", "/tags") == [{"name": "garden", "clients": 1}, {"name": "vip", "clients": 0}]


async def test_a_segment_is_saved_counted_and_deleted(api: Programs) -> None:
    await api.done("POST", "/clients", ANN)
    await api.done("POST", "/clients", {"id": "c-2", "tags": ["vip"]})

    saved = await api.done("PUT", "/segments/vip", {"where": [{"field": "tag", "is": "vip"}]})
    count = await api.done("POST", "/audience/count", {"audience": {"segment": "vip"}})

    assert saved["last_count"] == 2
    assert count == {"audience": 2, "planned": 1, "by_channel": {"tg-shop": 1}, "left_out": {"no_address": 1}}
    assert [segment["name"] for segment in await api.done("GET", "/segments")] == ["vip"]
    await api.done("DELETE", "/segments/vip")
    assert await api.done("GET", "/segments") == []


async def test_a_mailing_lives_through_its_operations(api: Programs) -> None:
    await api.done("POST", "/clients", ANN)

    made = await api.done("POST", "/mailings", MAILING)
    path = f"/mailings/{made['id']}"
    assert made["status"] == "draft"
    assert (await api.done("POST", f"{path}/launch"))["status"] == "sending"
    assert (await api.done("POST", f"{path}/pause"))["status"] == "paused"
    assert (await api.done("POST", f"{path}/resume"))["status"] == "sending"
    assert await api.done("POST", f"{path}/cancel") == {"id": made["id"], "status": "cancelled", "in_flight": 0}
    copied = await api.done("POST", f"{path}/copy")
    assert (await api.done("GET", f"/mailings/{copied['id']}"))["name"] == "Sale (copy)"
    await api.done("DELETE", f"/mailings/{copied['id']}")
    assert [each["id"] for each in await api.done("GET", "/mailings")] == [made["id"]]
    assert await api.done("GET", f"{path}/failed") == []
    assert await api.done("GET", f"{path}/unknown") == []
    assert (await api.done("GET", f"{path}/why/c-1"))["client"] == "c-1"
    assert isinstance(await api.done("GET", "/stats?since=2026-01-01"), dict)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/clients", b"{", 422, "The body is no JSON."),
        ("POST", "/clients", 3, 422, "the body: input should be a valid dictionary"),
        ("POST", "/clients", [ANN, 3], 422, "1: input should be a valid dictionary"),
        ("POST", "/clients", [ANN, {"naem": "Bob"}], 422, "There is no field “naem” (client 2); id, "),
        ("POST", "/clients", {"id": "c-1", "tg-shop": [7]}, 422, "tg-shop: "),
        ("POST", "/clients", {"naem": "Ann"}, 422, "There is no field “naem”"),
        ("POST", "/clients", {"tags": "vip"}, 422, "tags: input should be a valid list."),
        ("GET", "/clients/nobody", None, 404, "There is no client “nobody”."),
        ("GET", "/clients?limit=x", None, 422, "limit is a whole number up to 1000."),
        ("GET", "/segments/none", None, 404, "There is no segment “none”."),
        ("PUT", "/segments/s", {"where": [{"field": "tga", "is": "x"}]}, 422, ""),
        ("POST", "/audience/count", {"routing": "cascade"}, 422, "routing is main or chosen, not “cascade”."),
        ("POST", "/mailings", {"name": "x"}, 422, "message: field required."),
        ("POST", "/mailings", MAILING | {"spede": 3}, 422, ""),
        ("POST", "/mailings", MAILING | {"message": {"text": "{{ client.naem }}"}}, 422, ""),
        ("POST", "/mailings", MAILING | {"message": {"pictures": ["/etc/passwd"]}}, 422, ""),
        ("GET", "/mailings/9", None, 404, "There is no mailing 9."),
        ("GET", "/mailings/x", None, 404, "There is no mailing x."),
        ("GET", "/stats?since=soon", None, 422, "since is no date; write one as 2026-11-01."),
        ("GET", "/nowhere", None, 404, "There is no GET /api/v1/nowhere; see /api/v1/openapi.json."),
        ("PATCH", "/clients", None, 404, "There is no PATCH /api/v1/clients"),
    ],
)
async def test_what_is_wrong_is_told_in_one_sentence(
    api: Programs, method: str, path: str, body: Any, status: int, words: str
) -> None:
    code, said = await api.refused(method, path, body)

    assert code == status, said
    assert said.startswith(words)
    assert said.endswith((".", "?"))


async def test_a_mailing_to_nobody_is_not_launched(api: Programs) -> None:
    made = await api.done("POST", "/mailings", MAILING)

    status, words = await api.refused("POST", f"/mailings/{made['id']}/launch")

    assert (status, words) == (422, "Nobody matches this audience.")
    assert (await api.done("GET", f"/mailings/{made['id']}"))["status"] == "draft"


async def test_what_was_launched_is_not_deleted(api: Programs) -> None:
    await api.done("POST", "/clients", ANN)
    made = await api.done("POST", "/mailings", MAILING)
    await api.done("POST", f"/mailings/{made['id']}/launch")

    assert (await api.refused("DELETE", f"/mailings/{made['id']}"))[0] == 409


async def test_the_description_names_every_call_and_needs_no_token(api: Programs) -> None:
    status, document = await api.ask("GET", "/openapi.json", headers={})

    assert status == 200
    assert document["openapi"] == "3.1.0"
    assert "post" in document["paths"]["/api/v1/clients"]
    assert "get" in document["paths"]["/api/v1/mailings/{id}"]
    names = document["components"]["schemas"]
    used = {word.split("/")[-1] for word in json.dumps(document).split('"') if word.startswith("#/components/schemas/")}
    assert used <= set(names)
    operations = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(operations) == len(set(operations))
