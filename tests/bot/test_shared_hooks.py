"""A webhook that several channels of one app share, over real HTTP: who hears what, and what is answered."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession

from bot.http import MAX_BODY_BYTES, Doors, Readiness, create_app, serve
from gateways.base import Answer, BadSignature, Heard, Hook, Receipt, ReceiptState, SharesHook, Unreadable, Wrote

AT = datetime(2026, 11, 21, tzinfo=UTC)
BIG = 2**63 + 1
APP, OTHER_APP = b"app", b"another app"


@dataclass
class Sharing:
    """A gateway as Meta's are: a body of entries, each of an account; signed by the app."""

    accounts: frozenset[str]
    app: bytes = APP
    read: list[Hook] = field(default_factory=list)

    @property
    def hook_accounts(self) -> frozenset[str]:
        return self.accounts

    def verify(self, request: Hook) -> None:
        if request.method == "GET":
            return
        if not hmac.compare_digest(request.headers.get("x-signature", ""), signature(self.app, request.body)):
            raise BadSignature

    def split(self, request: Hook) -> Mapping[str, Hook]:
        entries = _entries(request)
        return {
            account: replace(
                request, body=json.dumps([each for each in entries if each["account"] == account]).encode()
            )
            for account in dict.fromkeys(each["account"] for each in entries)
        }

    def parse(self, request: Hook) -> Heard:
        self.read.append(request)
        if request.method == "GET":
            return Heard(answer=Answer(request.query["challenge"]))
        entries = [each for each in _entries(request) if each["account"] in self.accounts]
        return Heard(
            receipts=tuple(_receipt(each["sent"]) for each in entries if "sent" in each),
            inbound=tuple(Wrote("7", AT, str(each["id"]), each["text"]) for each in entries if "text" in each),
            answer=Answer("heard"),
        )


def _entries(request: Hook) -> list[dict[str, Any]]:
    try:
        entries: list[dict[str, Any]] = json.loads(request.body)
    except ValueError as error:
        raise Unreadable from error
    if not isinstance(entries, list) or not all(isinstance(each, dict) and "account" in each for each in entries):
        raise Unreadable
    return entries


def _receipt(number: int) -> Receipt:
    return Receipt(ReceiptState.DELIVERED, str(number), None, AT, f"delivered|{number}")


def signature(app: bytes, body: bytes) -> str:
    return hmac.new(app, body, hashlib.sha256).hexdigest()


class Page:
    """The web side, what it took, and in which order."""

    def __init__(self, channels: Mapping[str, Sharing]) -> None:
        self.channels = channels
        self.taken: list[tuple[str, Heard]] = []
        self.fails_for = ""
        self.url = ""
        self.session: ClientSession

    async def take(self, channel: str, heard: Heard) -> None:
        if channel == self.fails_for:
            raise RuntimeError("the storage is away")
        self.taken.append((channel, heard))

    async def post(self, channel: str, body: Any, *, app: bytes = APP) -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"X-Signature": signature(app, data)}
        async with self.session.post(f"{self.url}/hooks/{channel}", data=BytesIO(data), headers=headers) as response:
            return response.status, await response.text()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.text()

    @property
    def heard(self) -> list[tuple[str, list[str]]]:
        """Each channel that was given something, with the keys of that."""
        return [
            (channel, [*(one.key for one in each.inbound), *(one.key for one in each.receipts)])
            for channel, each in self.taken
        ]


@asynccontextmanager
async def opened(**channels: Sharing) -> AsyncIterator[Page]:
    page = Page(channels)

    async def ready() -> Readiness:
        return Readiness(ready=True)

    async def metrics() -> tuple[bytes, str]:
        return b"", "text/plain"

    gateways: Any = channels
    app = create_app(Doors(gateways=gateways, take=page.take, ready=ready, metrics=metrics))
    async with serve(app, "127.0.0.1", 0) as port, ClientSession() as session:
        page.url, page.session = f"http://127.0.0.1:{port}", session
        yield page


def said(account: str, number: int = 1, text: str = "Hi") -> dict[str, Any]:
    return {"account": account, "id": number, "text": text}


def fb() -> Sharing:
    return Sharing(frozenset({"page:1"}))


def wa() -> Sharing:
    return Sharing(frozenset({"phone:2", "waba:9"}))


def test_the_fake_shares_its_hook_as_gateways_do() -> None:
    assert isinstance(fb(), SharesHook)


async def test_each_channel_hears_its_own_part_of_a_shared_hook() -> None:
    body = [said("page:1"), said("phone:2", 2), said("page:1", 3), said("waba:9", 4)]
    async with opened(fb=fb(), wa=wa()) as page:
        assert await page.post("fb", body) == (200, "heard")

        assert page.heard == [("fb", ["1", "3"]), ("wa", ["2"]), ("wa", ["4"])]


async def test_what_is_only_a_sibling_s_is_handed_to_it() -> None:
    async with opened(fb=fb(), wa=wa()) as page:
        assert await page.post("wa", [said("page:1")]) == (200, "")

        assert page.heard == [("fb", ["1"])]


async def test_channels_that_share_an_account_both_hear_of_it() -> None:
    async with opened(one=wa(), two=Sharing(frozenset({"phone:3", "waba:9"}))) as page:
        await page.post("one", [said("waba:9"), said("phone:3", 2)])

        assert page.heard == [("one", ["1"]), ("two", ["1"]), ("two", ["2"])]


async def test_an_account_that_nobody_has_is_answered_and_changes_nothing() -> None:
    async with opened(fb=fb(), wa=wa()) as page:
        assert await page.post("fb", [said("page:404")]) == (200, "")

        assert page.taken == []


async def test_an_app_can_t_speak_for_another_app_s_channel() -> None:
    strangers = Sharing(frozenset({"page:5"}), OTHER_APP)
    async with opened(fb=fb(), strangers=strangers) as page:
        assert (await page.post("fb", [said("page:5"), said("page:1", 2)]))[0] == 200

        assert page.heard == [("fb", ["2"])]
        assert strangers.read == []


async def test_a_wrong_signature_gets_403_for_all() -> None:
    async with opened(fb=fb(), wa=wa()) as page:
        assert (await page.post("fb", [said("page:1"), said("phone:2")], app=OTHER_APP))[0] == 403

        assert page.taken == []


async def test_a_fault_with_one_channel_is_500_so_that_all_comes_again() -> None:
    async with opened(fb=fb(), wa=wa()) as page:
        page.fails_for = "wa"
        assert (await page.post("fb", [said("page:1"), said("phone:2", 2)]))[0] == 500

        page.fails_for = ""
        assert (await page.post("fb", [said("page:1"), said("phone:2", 2)]))[0] == 200
        assert page.heard == [("fb", ["1"]), ("fb", ["1"]), ("wa", ["2"])]


async def test_a_challenge_is_answered_as_the_gateway_says() -> None:
    async with opened(fb=fb(), wa=wa()) as page:
        assert await page.get("/hooks/fb?challenge=1158201444") == (200, "1158201444")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'[{"account": "page:1", "text": "\xff\xfe"}]', 400),
        (b"\x00\x01\x02", 400),
        ({"account": "page:1"}, 400),
        ([1, 2], 400),
        ([], 200),
        ([said("page:1") | {"unknown": {"deep": [1]}}], 200),
        ([{"account": "page:1"}], 200),
        ([said("page:1", text="x" * 3_000_000)], 200),  # Meta sends up to 3 MB
        (b" " * (MAX_BODY_BYTES + 1), 413),
    ],
)
async def test_a_body_gets_the_status_that_it_deserves(body: Any, status: int) -> None:
    async with opened(fb=fb(), wa=wa()) as page:
        assert (await page.post("fb", body))[0] == status
        if status != 200:
            assert page.taken == []
        assert (await page.post("fb", [said("page:1")]))[0] == 200


async def test_numbers_beyond_2_to_the_53_come_through_exactly() -> None:
    async with opened(fb=fb(), wa=wa()) as page:
        await page.post("wa", [{"account": "page:1", "sent": BIG}, said("phone:2", BIG)])

        assert page.taken[0][1].receipts[0].external_id == str(BIG)
        assert page.heard == [("fb", [f"delivered|{BIG}"]), ("wa", [str(BIG)])]


async def test_the_hook_that_was_called_is_told_to_whoever_verifies() -> None:
    family = fb(), wa()
    async with opened(fb=family[0], wa=family[1]) as page:
        await page.post("wa", [said("page:1")])

        assert [hook.channel for hook in family[0].read] == ["wa"]
