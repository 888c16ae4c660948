"""Who the key belongs to, where events go, what was read, and how many requests a second go out."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from gateways import registry
from gateways.base import (
    Account,
    Answer,
    ChannelBroken,
    GatewayError,
    Heard,
    Hook,
    ReceiptState,
    Rejected,
    Throttled,
    Unavailable,
    Watermark,
    Wrote,
)
from gateways.config import Context
from gateways.vk.api import MOST_ASKED_PER_S, MOST_PER_S, Requests
from gateways.vk.events import USED_EVENTS
from gateways.vk.gateway import VkGateway
from tests.gateways.cases import Logs, MemoryMedia, fixture
from tests.gateways.stub import AnyStub, Got, Reply, said
from tests.gateways.vk.vk import GROUP, HERE, NOW, SECRET, TOKEN, answered, asked, failed, here, out, took

URL = "https://m.acme.test/hooks/vk-shop"
GROUPS = answered({"groups": [{"id": int(GROUP), "name": "Shop", "screen_name": "shop_demo"}], "profiles": []})
RIGHTS = answered({"mask": 1, "permissions": [{"name": name} for name in ("messages", "photos", "docs", "manage")]})
CODE = answered({"code": "b2c3d4e5"})


def servers(status: str = "ok", url: str = URL, title: str = "by hand", server_id: int = 3) -> Reply:
    items = [
        {"id": 1, "title": "another", "url": "https://else.test", "status": "ok", "creator_id": 1, "secret_key": "x"},
        {"id": server_id, "title": title, "url": url, "status": status, "creator_id": 1, "secret_key": SECRET},
    ]
    return answered({"count": 2, "items": items})


NO_SERVERS = answered({"count": 0, "items": []})


async def test_the_account_is_the_community_and_its_server(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [GROUPS, RIGHTS, servers(), CODE]
    assert await gateway.check() == Account(GROUP, "Shop", URL, (), "https://vk.me/shop_demo")
    assert stub.sent == [
        asked("groups.getById"),
        asked("groups.getTokenPermissions"),
        asked("groups.getCallbackServers", group_id=int(GROUP)),
        asked("groups.getCallbackConfirmationCode", group_id=int(GROUP)),
    ]


@pytest.mark.parametrize(
    ("answers", "warnings"),
    [
        ([GROUPS, RIGHTS, servers("failed"), CODE], ["VK could not confirm or reach the callback server"]),
        ([GROUPS, RIGHTS, servers("wait"), CODE], ["VK is confirming the callback server"]),
        ([GROUPS, RIGHTS, NO_SERVERS, CODE], []),
        ([GROUPS, RIGHTS, failed(15, "Access denied")],
         ["VK does not say which callback server is set: Access denied"]),
        ([GROUPS, failed(27, "no"), servers(), CODE], ["VK does not say what the key may do"]),
        ([GROUPS, answered({"permissions": [{"name": "messages"}]}), servers(), CODE],
         ["the key has no right to photos, docs, manage"]),
    ],
)  # fmt: skip
async def test_what_is_wrong_beside_the_key_is_a_warning(
    answers: list[Reply], warnings: list[str], gateway: VkGateway, stub: AnyStub
) -> None:
    stub.replies = answers
    account = await gateway.check()
    assert len(account.warnings) == len(warnings)
    assert all(given.startswith(wanted) for given, wanted in zip(account.warnings, warnings, strict=True))
    assert stub.replies == []


async def test_a_server_that_vk_gave_up_counts_as_none_so_that_it_is_set_again(
    gateway: VkGateway, stub: AnyStub
) -> None:
    stub.replies = [GROUPS, RIGHTS, servers("failed"), CODE]
    assert (await gateway.check()).webhook is None


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([failed(5, "User authorization failed: invalid access_token (4).")], "VK refuses the key"),
        ([failed(15, "Access denied")], "does not say whose the key is"),
        ([answered({"groups": [{"id": 5, "name": "Other"}]})], "another community, “Other”"),
        ([answered({"groups": []})], "no community's key"),
        ([answered([{"id": 5, "name": "Old shape"}])], "Old shape"),
        ([GROUPS, answered({"permissions": [{"name": "photos"}]})], "may not send messages"),
        ([failed(14, "Captcha needed")], "VK wants a person"),
    ],
)
async def test_a_key_that_is_not_the_communitys_breaks_the_channel(
    answers: list[Reply], words: str, gateway: VkGateway, stub: AnyStub, logs: Logs
) -> None:
    stub.replies = answers
    with pytest.raises(ChannelBroken, match=words):
        await gateway.check()
    logs.require_none_of([TOKEN, SECRET])


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(502), Unavailable), (failed(10), Unavailable), (failed(6), Throttled), (Reply(hang_up=True), Unavailable)],
)
async def test_a_platform_that_is_away_breaks_nothing(
    reply: Reply, error: type[GatewayError], gateway: VkGateway, stub: AnyStub
) -> None:
    stub.replies = [reply]
    with pytest.raises(error):
        await gateway.check()


# --- the callback server


def settings(server_id: int) -> Got:
    events = dict.fromkeys(USED_EVENTS, 1)
    return asked("groups.setCallbackSettings", group_id=int(GROUP), server_id=server_id, api_version=5.199, **events)


async def test_a_webhook_is_added_where_there_is_none(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [CODE, NO_SERVERS, answered({"server_id": 4}), answered(1)]
    await gateway.set_webhook(URL)
    added = stub.sent[2].values
    assert stub.sent[2].path == "/method/groups.addCallbackServer"
    assert (added["url"], added["secret_key"]) == (URL, SECRET)
    assert len(added["title"]) <= 14
    assert stub.sent[3] == settings(4)
    confirmed = gateway.parse(Hook("POST", {}, {}, fixture("vk/confirmation")))
    assert confirmed == Heard(answer=Answer("b2c3d4e5")), "the code of the API is that of servers the API set"


async def test_a_webhook_that_stands_is_set_anew_and_confirmed_again(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [CODE, servers("failed"), answered(1), answered(1)]
    await gateway.set_webhook(URL)
    assert stub.sent[2].path == "/method/groups.editCallbackServer"
    assert stub.sent[2].values["server_id"] == 3
    assert stub.sent[3] == settings(3)


async def test_our_server_at_an_old_address_is_moved_and_not_added_again(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [CODE, NO_SERVERS, answered({"server_id": 4}), answered(1)]
    await gateway.set_webhook(URL)
    title = stub.sent[2].values["title"]
    stub.replies = [CODE, servers(url="https://old.test", title=title, server_id=7), answered(1), answered(1)]
    await gateway.set_webhook(URL)
    assert (stub.sent[6].path, stub.sent[6].values["server_id"]) == ("/method/groups.editCallbackServer", 7)


async def test_a_community_with_ten_servers_says_what_to_do(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [CODE, NO_SERVERS, failed(2000, "Servers number limit is reached")]
    with pytest.raises(Rejected, match="10 callback servers already: delete one"):
        await gateway.set_webhook(URL)


@pytest.mark.parametrize("answers", [[answered({})], [CODE, NO_SERVERS, answered({})]])
async def test_half_an_answer_sets_no_webhook(answers: list[Reply], gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = answers
    with pytest.raises(Unavailable):
        await gateway.set_webhook(URL)


# --- what was read


async def test_readings_are_asked_for_a_hundred_at_once(gateway: VkGateway, stub: AnyStub) -> None:
    items = [
        {"peer": {"id": 100500, "type": "user", "local_id": 100500}, "in_read": 7715, "out_read": 7712},
        {"peer": {"id": 100501, "type": "user"}, "in_read": 1, "out_read": 0, "can_write": {"allowed": False}},
        {"peer": {"id": 2000000001, "type": "chat"}, "out_read": 5},
        {"peer": {}, "out_read": 5},
        {"peer": {"id": 100503}, "out_read": "soon"},
        "nobody",
    ]
    stub.replies = [answered({"count": 5, "items": items})]
    marks = await gateway.poll_reads(["100500", "100501", "no id", *(str(number) for number in range(1, 150))])
    assert marks == [Watermark("100500", ReceiptState.READ, NOW, "read:100500:7712", until_id=7712)]
    assert len(str(stub.sent[0].values["peer_ids"]).split(",")) == 99


@pytest.mark.parametrize("answer", [[], {}, {"items": 5}, None, "x"])
async def test_an_answer_of_another_shape_says_that_nothing_was_read(
    answer: Any, gateway: VkGateway, stub: AnyStub
) -> None:
    stub.replies = [answered(answer)]
    assert list(await gateway.poll_reads(["100500"])) == []
    assert list(await gateway.poll_reads([])) == []


# --- Long Poll

SERVER = answered({"server": f"{HERE}/lp/wh190000017", "key": "k1", "ts": "7"})
NEW_KEY = answered({"server": f"{HERE}/lp/wh190000017", "key": "k2", "ts": "9"})
ENABLED = answered(1)


def updates(ts: str, *events: Any) -> Reply:
    return said({"ts": ts, "updates": list(events)})


def text(number: int, **more: Any) -> dict[str, Any]:
    message = {"id": number, "date": 1, "from_id": 100500, "peer_id": 100500, "text": f"text {number}"}
    return {
        "type": "message_new",
        "event_id": f"e{number}",
        "group_id": int(GROUP),
        "object": {"message": message},
    } | more


def polled(stub: AnyStub) -> list[tuple[str, str]]:
    return [(got.query["key"], got.query["ts"]) for got in stub.sent if got.method == "GET"]


@pytest.fixture
async def polling(stub: AnyStub) -> AsyncIterator[VkGateway]:
    opened = VkGateway(
        channel="vk-shop", group_id=GROUP, token=TOKEN, media=MemoryMedia(), api_base=f"{stub.url}/method", polls=True,
        call_s=2.0,
    )  # fmt: skip
    await opened.open()
    yield opened
    await opened.close()


async def heard(gateway: VkGateway, number: int) -> list[str]:
    texts = []
    async for each in gateway.updates():
        texts += [inbound.text for inbound in each.inbound if isinstance(inbound, Wrote)]
        if len(texts) >= number:
            break
    return texts


async def test_events_are_polled_and_acknowledged_by_the_next_question(polling: VkGateway, stub: AnyStub) -> None:
    assert polling.polls
    stub.replies = here([ENABLED, SERVER, updates("8", text(1), text(2)), updates("9", text(3))], stub)
    assert await heard(polling, 3) == ["text 1", "text 2", "text 3"]
    assert polled(stub) == [("k1", "7"), ("k1", "8")]
    poll = next(got for got in stub.sent if got.method == "GET")
    assert poll.query == {"act": "a_check", "key": "k1", "ts": "7", "wait": "25"}
    assert stub.sent[0] == asked(
        "groups.setLongPollSettings",
        group_id=int(GROUP), enabled=1, api_version=5.199, **dict.fromkeys(USED_EVENTS, 1),
    )  # fmt: skip


async def test_what_was_not_taken_comes_again(polling: VkGateway, stub: AnyStub) -> None:
    stub.replies = here([ENABLED, SERVER, updates("8", text(1), text(2)), ENABLED, updates("8", text(1))], stub)
    assert await heard(polling, 1) == ["text 1"]
    assert await heard(polling, 1) == ["text 1"]
    assert polled(stub) == [("k1", "7"), ("k1", "7")]


@pytest.mark.parametrize(
    ("failure", "answers", "asked_with"),
    [
        ({"failed": 1, "ts": 30}, [], ("k1", "30")),
        ({"failed": 2}, [NEW_KEY], ("k2", "7")),
        ({"failed": 3}, [NEW_KEY], ("k2", "9")),
    ],
)
async def test_a_queue_that_was_lost_is_found_again(
    failure: Any, answers: list[Reply], asked_with: tuple[str, str], polling: VkGateway, stub: AnyStub
) -> None:
    stub.replies = here([ENABLED, SERVER, said(failure), *answers, updates("31", text(1))], stub)
    assert await heard(polling, 1) == ["text 1"]
    assert polled(stub)[-1] == asked_with


async def test_an_event_that_can_not_be_read_holds_up_nothing(polling: VkGateway, stub: AnyStub, logs: Logs) -> None:
    wrong = text(1, object={"message": {"from_id": "nobody"}})
    others = text(2, group_id=5)
    stub.replies = here([ENABLED, SERVER, updates("8", wrong, others, 5, text(3))], stub)
    assert await heard(polling, 1) == ["text 3"]
    assert any("can't be read" in line for line in logs.lines)
    logs.require_none_of([TOKEN])


@pytest.mark.parametrize("reply", [Reply(502), Reply(200, b"<html>"), Reply(hang_up=True)])
async def test_a_poll_that_breaks_off_is_away(reply: Reply, polling: VkGateway, stub: AnyStub) -> None:
    stub.replies = here([ENABLED, SERVER, reply], stub)
    with pytest.raises(Unavailable):
        await heard(polling, 1)


async def test_a_polling_channel_looks_at_no_callback_server(polling: VkGateway, stub: AnyStub) -> None:
    stub.replies = [GROUPS, RIGHTS]
    assert (await polling.check()).webhook is None
    assert len(stub.sent) == 2


# --- requests a second


class Timeline:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


async def test_whatever_is_asked_keeps_within_a_keys_limit() -> None:
    time = Timeline()
    requests = Requests(time.monotonic, time.sleep)
    moments = []
    for number in range(100):
        if number % 5 == 0:
            requests.count()  # a send, which its lane has paced
            moments.append(time.now)
        await requests.wait()
        moments.append(time.now)
    for moment in moments:
        in_a_second = [other for other in moments if moment <= other < moment + 1.0]
        assert len(in_a_second) <= MOST_PER_S + 2
    assert 100 / MOST_ASKED_PER_S - 1 <= time.now <= 100 / MOST_ASKED_PER_S + 1


async def test_sends_wait_for_nobody_and_the_rest_finds_room_between_them() -> None:
    time = Timeline()
    requests = Requests(time.monotonic, time.sleep)
    for _ in range(MOST_PER_S):
        requests.count()
    assert time.now == 0.0
    await requests.wait()
    assert time.now == pytest.approx(1.0)


# --- how it is configured

GOOD: dict[str, Any] = {"id": "vk-shop", "group_id": 190000017, "token": "vk1.a.secret_part"}


def read(**changes: Any) -> Any:
    return registry.config_model("vk")(**(GOOD | changes))


def test_the_defaults_are_vks_own() -> None:
    known = read()
    assert known.api_base == "https://api.vk.ru/method"
    assert (known.group_id, known.mode, known.confirmation, known.secret, known.intent) == (
        "190000017", None, None, None, "default"
    )  # fmt: skip
    assert "secret_part" not in repr(known)


@pytest.mark.parametrize(
    "changes",
    [
        {"group_id": "shop"}, {"group_id": -190000017}, {"group_id": 0}, {"group_id": True}, {"group_id": None},
        {"token": "with space"}, {"token": ""}, {"secret": ""}, {"secret": "x" * 51}, {"confirmation": "a b"},
        {"mode": "pigeon"}, {"rate": 25.1}, {"intent": "Promo!"}, {"api_base": "api.vk.ru"}, {"group": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_setting_is_refused_without_showing_a_secret(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        read(**changes)
    assert "secret_part" not in str(raised.value)


@pytest.mark.parametrize(
    ("mode", "public_url", "polls"),
    [
        (None, None, True),
        (None, "https://m.test", False),
        ("polling", "https://m.test", True),
        ("webhook", None, False),
    ],
)
def test_a_channel_polls_where_vk_can_not_reach_us(mode: str | None, public_url: str | None, polls: bool) -> None:
    opened = read(mode=mode).open_gateway(Context(MemoryMedia(), b"s", public_url))
    assert isinstance(opened, VkGateway)
    assert opened.polls is polls


async def test_an_intent_and_a_derived_secret_go_along(stub: AnyStub) -> None:
    model = read(intent="promo_newsletter", api_base=f"{stub.url}/method")
    opened = model.open_gateway(Context(MemoryMedia(), b"app secret", "https://m.test", now=lambda: NOW))
    await opened.open()
    stub.replies = [CODE, NO_SERVERS, answered({"server_id": 4}), answered(1)]
    await opened.set_webhook("https://m.test/hooks/vk-shop")
    secret = stub.sent[2].values["secret_key"]
    assert len(secret) == 50
    stub.replies = [took()]
    await opened.send([replace(out(html="Hello"), reference="1.1.0")])
    assert stub.sent[-1].values["intent"] == "promo_newsletter"
    await opened.close()
