"""Who we are, the webhook, and polling."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from gateways.base import ChannelBroken, GatewayError, Heard, Throttled, Unavailable, Wrote
from gateways.telegram.gateway import USED_UPDATES, TelegramGateway
from tests.gateways.cases import Logs, MemoryMedia, fixture
from tests.gateways.conftest import TOKEN
from tests.gateways.outgoing import text
from tests.gateways.stub import Reply, Sent, Stub, message, refused, taken

ME = {"id": 555000111, "is_bot": True, "first_name": "Shop", "username": "shop_demo_bot"}
NO_HOOK = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}


async def test_check_says_whose_token_it_is(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(ME), taken({**NO_HOOK, "url": "https://m.acme.test/hooks/tg-shop"})]
    account = await gateway.check()
    assert (account.external_id, account.name) == ("555000111", "Shop (@shop_demo_bot)")
    assert (account.link, account.webhook) == ("https://t.me/shop_demo_bot", "https://m.acme.test/hooks/tg-shop")
    assert account.warnings == ()
    assert [request.method for request in stub.sent] == ["getMe", "getWebhookInfo"]


@pytest.mark.parametrize(
    ("me", "name", "link"),
    [
        ({"id": "7"}, "7", None),
        ({"id": 7, "first_name": "Shop"}, "Shop", None),
        ({"id": 7, "username": "shop_bot", "new": [1]}, "(@shop_bot)", "https://t.me/shop_bot"),
    ],
)
async def test_check_needs_no_more_than_an_id(
    me: dict[str, object], name: str, link: str | None, gateway: TelegramGateway, stub: Stub
) -> None:
    stub.replies = [taken(me), refused(404, "Not Found: method not found")]
    account = await gateway.check()
    assert (account.external_id, account.name, account.link) == ("7", name, link)
    assert len(account.warnings) == 1


async def test_check_tells_what_telegram_says_of_the_webhook(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(ME), taken({"url": "https://a.b/", "last_error_message": "Connection refused"})]
    account = await gateway.check()
    assert account.warnings == ("Telegram could not reach the webhook: Connection refused",)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused(401, "Unauthorized"), ChannelBroken),
        (refused(404, "Not Found"), ChannelBroken),
        (taken({}), ChannelBroken),
        (taken("hello"), ChannelBroken),
        (Reply(502, b"<html>"), Unavailable),
        (Reply(200, b"<html>"), Unavailable),
        (Reply(hang_up=True), Unavailable),
        (refused(429, parameters={"retry_after": 4}), Throttled),
    ],
)
async def test_a_check_that_fails_says_how(
    reply: Reply, expected: type[GatewayError], gateway: TelegramGateway, stub: Stub
) -> None:
    stub.replies = [reply]
    with pytest.raises(GatewayError) as raised:
        await gateway.check()
    assert type(raised.value) is expected
    assert TOKEN not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_a_webhook_is_set_with_its_secret_and_only_what_is_read(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(True)]
    await gateway.set_webhook("https://m.acme.test/hooks/tg-shop")
    assert stub.sent == [
        Sent(
            "setWebhook",
            {
                "url": "https://m.acme.test/hooks/tg-shop",
                "secret_token": "hook-secret",
                "allowed_updates": USED_UPDATES,
            },
        )
    ]


# --- polling


def update(update_id: int, words: str = "hello") -> dict[str, object]:
    return {
        "update_id": update_id,
        "message": {"message_id": 1, "date": 1798761590, "chat": {"id": 5, "type": "private"}, "text": words},
    }


def poll(offset: int | None = None) -> Sent:
    values: dict[str, object] = {"timeout": 25, "allowed_updates": USED_UPDATES}
    return Sent("getUpdates", values if offset is None else {**values, "offset": offset})


DELETE = Sent("deleteWebhook", {"drop_pending_updates": False})


def words_of(heard: Heard) -> str:
    (said,) = heard.inbound
    assert isinstance(said, Wrote)
    return said.text


@pytest.fixture
async def poller(stub: Stub) -> AsyncIterator[TelegramGateway]:
    opened = TelegramGateway(channel="tg-shop", token=TOKEN, media=MemoryMedia(), api_base=stub.url, polls=True)
    await opened.open()
    yield opened
    await opened.close()


async def test_polling_removes_the_webhook_and_acknowledges_only_what_was_taken(
    poller: TelegramGateway, stub: Stub
) -> None:
    stub.replies = [taken(True), taken([update(10, "one"), update(11, "two")]), taken([update(12, "three")])]
    async with aclosing(poller.updates()) as updates:  # type: ignore[type-var]
        assert words_of(await anext(updates)) == "one"
        assert words_of(await anext(updates)) == "two"
        assert stub.sent == [DELETE, poll()]
        assert words_of(await anext(updates)) == "three"
    assert stub.sent == [DELETE, poll(), poll(12)]


async def test_what_was_not_committed_comes_again(poller: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(True), taken([update(10, "one"), update(11, "two")])]
    async with aclosing(poller.updates()) as updates:  # type: ignore[type-var]
        await anext(updates)
        await anext(updates)  # acknowledges the first; the second is never committed
    stub.replies = [taken(True), taken([update(11, "two")])]
    async with aclosing(poller.updates()) as updates:  # type: ignore[type-var]
        assert words_of(await anext(updates)) == "two"
    assert stub.sent[-1] == poll(11)


async def test_polling_starts_after_the_update_that_is_kept(stub: Stub) -> None:
    kept = TelegramGateway(channel="c", token=TOKEN, media=MemoryMedia(), api_base=stub.url, polls=True, start_after=41)
    await kept.open()
    stub.replies = [taken(True), taken([update(42)])]
    async with aclosing(kept.updates()) as updates:  # type: ignore[type-var]
        await anext(updates)
    await kept.close()
    assert stub.sent == [DELETE, poll(42)]


async def test_an_update_that_can_not_be_read_stops_nothing(poller: TelegramGateway, stub: Stub, logs: Logs) -> None:
    bad = {"update_id": 10, "message": {"text": "a private text"}}
    unused = {"update_id": 11, "poll": {}}
    stub.replies = [taken(True), taken([bad, "x", unused, update(12, "good")]), taken([update(13, "more")])]
    async with aclosing(poller.updates()) as updates:  # type: ignore[type-var]
        assert words_of(await anext(updates)) == "good"
        assert words_of(await anext(updates)) == "more"
    assert stub.sent[-1] == poll(13)
    logs.require_none_of([TOKEN, "a private text"])


@pytest.mark.parametrize(
    "words",
    [
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
    ],
)
async def test_two_who_poll_one_bot_are_told_so(words: str, poller: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(True), refused(409, words)]
    with pytest.raises(GatewayError, match="another program polls this bot or a webhook is set") as raised:
        await anext(poller.updates())
    # It is about listening: sending goes on, so it is not the class that stops a lane.
    assert isinstance(raised.value, Unavailable)
    assert raised.value.code == "409"


async def test_polling_does_without_a_method_for_webhooks(poller: TelegramGateway, stub: Stub) -> None:
    stub.replies = [refused(404, "Not Found: method not found"), taken([update(1)])]
    async with aclosing(poller.updates()) as updates:  # type: ignore[type-var]
        assert words_of(await anext(updates)) == "hello"


async def test_a_revoked_token_ends_polling(poller: TelegramGateway, stub: Stub) -> None:
    stub.replies = [refused(401, "Unauthorized")]
    with pytest.raises(ChannelBroken):
        await anext(poller.updates())


async def test_a_server_that_answers_empty_at_once_is_not_asked_without_pause(
    poller: TelegramGateway, stub: Stub
) -> None:
    stub.replies = [taken(True), taken([]), replace(taken([update(1)]), delay_s=0.0)]
    began = asyncio.get_running_loop().time()
    async with aclosing(poller.updates()) as updates:  # type: ignore[type-var]
        await anext(updates)
    assert asyncio.get_running_loop().time() - began >= 0.5


def test_sending_and_listening_need_no_aiogram() -> None:
    """It costs seconds and a hundred megabytes: only the admin bot may load it."""
    script = """
import asyncio, sys
from contextlib import aclosing
from gateways import registry
from gateways.config import Context
from tests.gateways.stub import running_stub, taken, message
from tests.gateways.outgoing import text
UPDATE = {"update_id": 1, "message": {"message_id": 1, "date": 1798761590, "chat": {"id": 5}, "text": "hello"}}
async def main():
    async with running_stub() as stub:
        model = registry.config_model("telegram")
        settings = model(id="c", kind="telegram", token="1:abc", api_base=stub.url, mode="polling")
        gateway = settings.open_gateway(Context(None, b"s"))
        await gateway.open()
        stub.replies = [taken(message(1))]
        print((await gateway.send([text()]))[0].external_id)
        stub.replies = [taken(True), taken([UPDATE])]
        async with aclosing(gateway.updates()) as updates:
            print((await anext(updates)).inbound[0].text)
        await gateway.close()
asyncio.run(main())
assert "aiogram" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "100200300:1\nhello\n"


async def test_a_captured_update_is_the_same_by_webhook_and_by_polling(poller: TelegramGateway, stub: Stub) -> None:
    from gateways.base import Hook

    body = fixture("telegram/text")
    stub.replies = [taken(True), taken([json.loads(body)])]
    async with aclosing(poller.updates()) as updates:  # type: ignore[type-var]
        assert await anext(updates) == poller.parse(Hook("POST", {}, {}, body))
    stub.replies = [taken(message(1))]
    await poller.send([text()])
