"""Whose token it is, the webhook, and what a channel's settings may hold."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateways.base import (
    Account,
    ChannelBroken,
    Gateway,
    GatewayError,
    HoldsMedia,
    SendsTogether,
    SetsWebhook,
    Unavailable,
)
from gateways.config import Context
from gateways.markup import RichText, read_html
from gateways.registry import config_model
from gateways.viber.capabilities import VIBER, measure
from gateways.viber.gateway import ViberGateway
from tests.gateways.cases import Logs, MemoryMedia, logs
from tests.gateways.stub import AnyStub, said
from tests.gateways.stub import Reply as Answer
from tests.gateways.viber.conftest import PUBLIC, SENDER, TOKEN, asked, hello, refused, taken

__all__ = ["logs"]

INFO = {
    "status": 0,
    "status_message": "ok",
    "id": "pa:75346594275468546724",
    "name": "Shop North",
    "uri": "shop north",
    "webhook": f"{PUBLIC}/hooks/viber-shop",
    "event_types": ["delivered", "seen", "failed", "conversation_started", "message", "subscribed", "unsubscribed"],
    "subscribers_count": 35,
}  # bots-api, Get account info; values are invented


def info(**changes: Any) -> Answer:
    return said({name: value for name, value in (INFO | changes).items() if value is not None})


async def test_the_account_is_asked_by_its_token(gateway: ViberGateway, stub: AnyStub, logs: Logs) -> None:
    stub.replies = [info()]
    assert await gateway.check() == Account(
        "pa:75346594275468546724",
        "Shop North",
        webhook=f"{PUBLIC}/hooks/viber-shop",
        link="viber://pa?chatURI=shop%20north",
    )
    assert stub.sent == [asked("get_account_info", {})]
    logs.require_none_of([TOKEN])


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"webhook": None}, "no webhook is set, and Viber takes no message before one is"),
        ({"webhook": ""}, "no webhook is set, and Viber takes no message before one is"),
        ({"event_types": ["delivered", "failed"]}, "the webhook is not told of conversation_started, seen"),
    ],
)
async def test_a_webhook_that_is_missing_something_is_warned_about(
    changes: dict[str, Any], warning: str, gateway: ViberGateway, stub: AnyStub
) -> None:
    stub.replies = [info(**changes)]
    assert (await gateway.check()).warnings == (warning,)


@pytest.mark.parametrize("changes", [{"event_types": None}, {"event_types": []}, {"uri": None, "name": None}])
async def test_what_viber_leaves_out_is_no_problem(
    changes: dict[str, Any], gateway: ViberGateway, stub: AnyStub
) -> None:
    stub.replies = [info(**changes)]
    assert (await gateway.check()).warnings == ()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused(2, "invalidAuthToken"), ChannelBroken),
        (refused(8, "publicAccountNotFound"), ChannelBroken),
        (info(id=None), ChannelBroken),
        (refused(12, "Too many requests"), Unavailable),
        (Answer(502, b"<html>"), Unavailable),
        (Answer(hang_up=True), Unavailable),
    ],
)
async def test_only_the_token_itself_breaks_a_channel(
    reply: Answer, expected: type[GatewayError], gateway: ViberGateway, stub: AnyStub
) -> None:
    stub.replies = [reply]
    with pytest.raises(GatewayError) as raised:
        await gateway.check()
    assert type(raised.value) is expected
    assert TOKEN not in raised.value.words


async def test_a_webhook_that_viber_can_t_reach_is_said_so(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [refused(1, "invalidUrl: the URL answers 404")]
    with pytest.raises(Unavailable, match="the URL answers 404"):
        await gateway.set_webhook("https://m.acme.test/hooks/viber-shop")


# --- settings

GOOD: dict[str, Any] = {"id": "viber-shop", "kind": "viber", "token": TOKEN, "sender_name": "Shop North"}


def read(**changes: Any) -> Any:
    return config_model("viber")(**(GOOD | changes))


def test_the_defaults_are_vibers_own() -> None:
    settings = read()
    assert settings.api_base == "https://chatapi.viber.com/pa"
    assert (settings.sender_avatar, settings.rate, settings.welcome) == (None, None, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"token": ""}, {"token": "with space in it"}, {"token": "line\nline\n"}, {"token": "é" * 20},
        {"sender_name": ""}, {"sender_name": "x" * 29}, {"sender_name": None}, {"sender_avatar": "a.png"},
        {"sender_avatar": "ftp://a.test/a.png"}, {"api_base": "chatapi.viber.com"}, {"rate": 26},
        {"welcome": "x" * 1001}, {"secret": "unknown key"},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_setting_is_refused_without_showing_the_token(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        read(**changes)
    assert TOKEN not in str(raised.value)


def test_a_channel_opens_its_gateway() -> None:
    opened = read(sender_avatar="https://cdn.test/us.png").open_gateway(Context(MemoryMedia(), b"s", PUBLIC))
    for protocol in (Gateway, SendsTogether, SetsWebhook, HoldsMedia):
        assert isinstance(opened, protocol)
    assert TOKEN not in repr(opened)


async def test_a_welcome_of_the_channels_own(stub: AnyStub) -> None:
    settings = read(welcome="Welcome to *us*", api_base=f"{stub.url}/pa")
    opened = settings.open_gateway(Context(MemoryMedia(), b"s", PUBLIC))
    assert '"text":"Welcome to *us*"' in opened._welcome_body("address", "promo", "uk")
    await opened.open()
    stub.replies = [taken()]
    await opened.send([hello()])
    await opened.close()
    assert stub.sent[0].values["sender"] == SENDER


# --- capabilities


def test_every_limit_names_its_source() -> None:
    limits = [VIBER.max_text, VIBER.max_caption, VIBER.max_picture_bytes, VIBER.max_file_bytes, VIBER.max_label]
    limits += [VIBER.max_buttons_in_row, *(each.most for each in VIBER.button_sets)]
    assert VIBER.carousel is not None
    limits += [VIBER.carousel.max_title, VIBER.carousel.max_text, VIBER.carousel.max_buttons]
    for limit in limits:
        assert limit.value > 0
        assert len(limit.source) > 10


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("Hello", 5),
        ("<b>Hello</b>", 7),
        ('<a href="https://a.test">Shop</a>', 21),
        ("я" * 7000, 7000),
        ("😀" * 6500, 7000),
    ],
)
def test_a_text_is_measured_with_its_marks_and_its_bytes(html: str, expected: int) -> None:
    assert measure(read_html(html)) == expected


def test_half_an_emoji_has_a_length() -> None:
    assert measure(RichText("\ud83d")) == 1
