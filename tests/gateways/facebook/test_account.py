"""Whose token it is, what is subscribed, and the templates."""

from typing import Any

import pytest
from pydantic import ValidationError

from bot.listening import Webhooks
from gateways import registry
from gateways.base import ChannelBroken, GatewayError, Hook, Template, Throttled, Unavailable
from gateways.config import Context
from gateways.facebook.config import FacebookSettings
from gateways.facebook.events import EXTRA_FIELDS, FIELDS
from gateways.facebook.gateway import FacebookGateway
from tests.gateways.cases import Logs, MemoryMedia
from tests.gateways.facebook.conftest import APP, APP_SECRET, HOOK, PAGE, PROOF, SECRETS, TOKEN, VERIFY
from tests.gateways.facebook.test_errors import refused
from tests.gateways.facebook.test_sending import AUTH, call
from tests.gateways.stub import AnyStub, Got, Reply, said

ME = said({"id": PAGE, "name": "Acme Shoes", "username": "acme.shoes"})
APP_AUTH = {"Authorization": f"Bearer {APP}|{APP_SECRET}"}
ALL = ",".join((*FIELDS, *EXTRA_FIELDS))
DONE = said({"success": True})


def subscribed(*fields: str, app: str = APP) -> Reply:
    return said({"data": [{"id": app, "name": "App", "subscribed_fields": list(fields)}]})


def app_hears(url: str, *fields: str, active: bool = True) -> Reply:
    names = [{"name": name, "version": "v26.0"} for name in fields]
    user = {"object": "user", "callback_url": "https://elsewhere.test", "active": True, "fields": []}
    return said({"data": [user, {"object": "page", "callback_url": url, "active": active, "fields": names}]})


def token_of(**told: Any) -> Reply:
    return said({"data": {"is_valid": True, "expires_at": 0, "scopes": ["pages_messaging", "pages_manage_metadata"],
                          **told}})  # fmt: skip


async def test_check_says_whose_token_it_is(gateway: FacebookGateway, stub: AnyStub, logs: Logs) -> None:
    stub.replies = [ME, subscribed(*FIELDS)]
    account = await gateway.check()
    assert (account.external_id, account.name, account.link) == (PAGE, "Acme Shoes", "https://m.me/acme.shoes")
    assert (account.webhook, account.warnings) == (HOOK, ())
    assert stub.sent == [
        Got("/v26.0/me", None, "GET", {**PROOF, "fields": "id,name,username"}, AUTH),
        Got(f"/v26.0/{PAGE}/subscribed_apps", None, "GET", {**PROOF, "fields": "id,subscribed_fields"}, AUTH),
    ]
    logs.require_none_of(SECRETS)


async def test_a_page_without_a_name_of_its_own_is_linked_by_its_number(
    gateway: FacebookGateway, stub: AnyStub
) -> None:
    stub.replies = [said({"id": int(PAGE), "name": "Acme Shoes"}), subscribed(*FIELDS)]
    assert (await gateway.check()).link == f"https://m.me/{PAGE}"


async def test_with_the_app_s_id_check_sees_where_events_go(with_app: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [ME, subscribed(*FIELDS), app_hears("https://old.acme.test/hook", *FIELDS), token_of()]
    account = await with_app.check()
    assert (account.webhook, account.warnings) == ("https://old.acme.test/hook", ())
    assert [request.headers for request in stub.sent] == [AUTH, AUTH, APP_AUTH, APP_AUTH]
    assert stub.sent[2:] == [
        Got(f"/v26.0/{APP}/subscriptions", None, "GET", {}, APP_AUTH),
        Got("/v26.0/debug_token", None, "GET", {"input_token": TOKEN}, APP_AUTH),
    ]


async def test_a_sibling_s_hook_is_as_good_as_ours(with_app: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [ME, subscribed(*FIELDS), app_hears("https://m.acme.test/hooks/fb-two", *FIELDS), token_of()]
    assert (await with_app.check()).webhook == HOOK


@pytest.mark.parametrize(
    ("replies", "warning"),
    [
        ([subscribed(*FIELDS[1:]), app_hears(HOOK, *FIELDS)], f"{FIELDS[0]} not subscribed"),
        ([subscribed(*FIELDS, app="1"), app_hears(HOOK, *FIELDS)], "not all come to this app"),
        ([said({"data": []}), app_hears(HOOK, *FIELDS)], "not all come to this app"),
        ([subscribed(*FIELDS), app_hears(HOOK, *FIELDS[1:])], f"hears of Pages too little: {FIELDS[0]}"),
        ([subscribed(*FIELDS), app_hears(HOOK, *FIELDS, active=False)], "its hook is not active"),
        ([refused(200)], "Meta does not say what is subscribed"),
        ([Reply(502, b"<html>")], "Meta does not say what is subscribed"),
    ],
)
async def test_a_webhook_that_is_set_wrong_is_told_and_stops_nothing(
    replies: list[Reply], warning: str, with_app: FacebookGateway, stub: AnyStub
) -> None:
    stub.replies = [ME, *replies, token_of()]
    account = await with_app.check()
    assert account.webhook is None
    assert len(account.warnings) == 1
    assert warning in account.warnings[0]


@pytest.mark.parametrize(
    ("token", "warning"),
    [
        (token_of(scopes=["pages_messaging"]), ("the token lacks the permission pages_manage_metadata",)),
        (token_of(expires_at=4_102_444_800), ()),
        (said({"data": "?"}), ()),
        (refused(100), ()),
    ],
)
async def test_check_tells_what_ails_the_token(
    token: Reply, warning: tuple[str, ...], with_app: FacebookGateway, stub: AnyStub
) -> None:
    stub.replies = [ME, subscribed(*FIELDS), app_hears(HOOK, *FIELDS), token]
    account = await with_app.check()
    assert (account.webhook, account.warnings) == (HOOK, warning)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (said({"id": "42", "name": "Ann"}), ChannelBroken),  # a person's token
        (refused(100, message="(#100) Tried accessing nonexisting field (username)"), ChannelBroken),
        (refused(100, message="Invalid appsecret_proof provided in the API argument"), ChannelBroken),
        (refused(190, 463, status=401), ChannelBroken),
        (refused(2500), ChannelBroken),
        (said({}), ChannelBroken),
        (refused(613), Throttled),
        (Reply(502, b"<html>"), Unavailable),
        (Reply(200, b"<html>"), Unavailable),
        (Reply(hang_up=True), Unavailable),
    ],
)
async def test_a_check_that_fails_says_how(
    reply: Reply, expected: type[GatewayError], gateway: FacebookGateway, stub: AnyStub
) -> None:
    stub.replies = [reply]
    with pytest.raises(GatewayError) as raised:
        await gateway.check()
    assert type(raised.value) is expected
    assert not any(secret in str(raised.value) for secret in SECRETS)


# --- setting it


async def test_the_page_is_subscribed_and_chats_given_a_beginning(gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [said({"success": "true"}), said({"data": []}), said({"result": "success"})]
    await gateway.set_webhook(HOOK)
    assert stub.sent == [
        call("subscribed_apps", {"subscribed_fields": ALL}),
        Got(f"/v26.0/{PAGE}/messenger_profile", None, "GET", {**PROOF, "fields": "get_started"}, AUTH),
        call("messenger_profile", {"get_started": {"payload": "GET_STARTED"}}),
    ]


async def test_with_the_app_s_id_its_url_is_set_first(with_app: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [DONE, DONE, said({"data": [{"get_started": {"payload": "WELCOME"}}]})]
    await with_app.set_webhook(HOOK)
    values = {"object": "page", "callback_url": HOOK, "verify_token": VERIFY, "include_values": True, "fields": ALL}
    assert stub.sent[0] == Got(f"/v26.0/{APP}/subscriptions", values, "POST", {}, APP_AUTH)
    assert len(stub.sent) == 3, "a beginning of somebody else's is left as it is"


async def test_an_app_without_utility_messages_is_subscribed_to_the_rest(
    gateway: FacebookGateway, stub: AnyStub
) -> None:
    stub.replies = [refused(100), DONE, refused(200)]
    await gateway.set_webhook(HOOK)
    assert [request.values for request in stub.sent[:2]] == [
        {"subscribed_fields": ALL}, {"subscribed_fields": ",".join(FIELDS)}
    ]  # fmt: skip


@pytest.mark.parametrize("replies", [[said({"success": False})], [refused(100), refused(100)], [refused(190)]])
async def test_a_subscription_that_fails_says_so(replies: list[Reply], gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = list(replies)
    with pytest.raises(GatewayError):
        await gateway.set_webhook(HOOK)


async def test_the_watch_subscribes_again_whoever_was_cut_off(with_app: FacebookGateway, stub: AnyStub) -> None:
    webhooks = Webhooks({"fb-shop": with_app}, "https://m.acme.test")
    stub.replies = [ME, subscribed(*FIELDS), app_hears(HOOK, *FIELDS), token_of()]
    await webhooks.watch()
    assert len(stub.sent) == 4, "all is well"
    stub.replies = [ME, said({"data": []}), app_hears(HOOK, *FIELDS), token_of(), DONE, DONE, said({"data": [1]})]
    await webhooks.watch()
    assert stub.sent[-2] == call("subscribed_apps", {"subscribed_fields": ALL})
    assert stub.replies == []


# --- templates


async def test_templates_come_page_by_page(gateway: FacebookGateway, stub: AnyStub) -> None:
    ready = {
        "id": 104595129340398, "name": "order_ready_v1", "language": "en", "status": "APPROVED", "category": "UTILITY",
        "rejected_reason": "NONE",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
            {"type": "BODY", "text": "{{2}}, your order {{1}} is ready. {{2}}!"},
            {"type": "BUTTONS", "buttons": [
                {"type": "POSTBACK", "text": "Details", "payload": "{{1}}"},
                {"type": "URL", "text": "Track", "url": "https://acme.test/{{1}}"},
                {"type": "URL", "text": "Shop", "url": "https://acme.test/"},
                {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+44"},
            ]},
        ],
    }  # fmt: skip
    named = {
        "name": "named", "language": "uk", "status": "REJECTED", "category": "UTILITY", "id": "2",
        "rejected_reason": "PROMOTIONAL", "components": [{"type": "BODY", "text": "{{order}} {{name}}"}],
    }  # fmt: skip
    library = {"name": "delivery_1", "language": "en", "category": "UTILITY", "body": "{{1}}, delivered!", "id": "3"}
    more = {"cursors": {"after": "QVFI"}, "next": "https://graph.facebook.com/next"}
    stub.replies = [said({"data": [ready, "?"], "paging": more}), said({"data": [named, library], "paging": {
        "cursors": {"after": "QVFJ"}}})]  # fmt: skip
    assert await gateway.templates() == [
        Template("order_ready_v1", "en", "approved", "utility", "104595129340398",
                 "{{2}}, your order {{1}} is ready. {{2}}!", ("1", "2"), "text", ("1",),
                 ("quick_reply", "url_parameter", "url", "phone")),
        Template("named", "uk", "rejected", "utility", "2", "{{order}} {{name}}", ("order", "name"),
                 reason="PROMOTIONAL"),
        Template("delivery_1", "en", "", "utility", "3", "{{1}}, delivered!", ("1",)),
    ]  # fmt: skip
    assert [request.query.get("after") for request in stub.sent] == [None, "QVFI"]


async def test_a_list_that_never_ends_does(gateway: FacebookGateway, stub: AnyStub) -> None:
    forever = said({"data": [], "paging": {"cursors": {"after": "same"}, "next": "https://graph.facebook.com/next"}})
    stub.replies = [forever] * 5
    assert await gateway.templates() == []
    assert len(stub.sent) == 2


async def test_templates_that_are_refused_say_so(gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [refused(200)]
    with pytest.raises(ChannelBroken):
        await gateway.templates()


# --- settings

GOOD: dict[str, Any] = {
    "id": "fb-shop", "kind": "facebook", "page_id": 1029384756, "token": TOKEN, "app_secret": APP_SECRET,
    "verify_token": VERIFY,
}  # fmt: skip


def test_a_page_is_configured_as_the_contract_says() -> None:
    settings = registry.config_model("facebook")(**GOOD)
    assert isinstance(settings, FacebookSettings)
    assert (settings.page_id, settings.app_id) == (PAGE, None)
    assert settings.api_base == "https://graph.facebook.com/v26.0"
    gateway = settings.open_gateway(Context(MemoryMedia(), b"s", "https://m.acme.test"))
    assert isinstance(gateway, FacebookGateway)
    gateway.verify(Hook("GET", {}, {"hub.mode": "subscribe", "hub.verify_token": VERIFY}, b""))


@pytest.mark.parametrize(
    "changes",
    [{"page_id": "acme.shoes"}, {"page_id": ""}, {"token": "two words"}, {"token": ""}, {"token": "кириллица"},
     {"app_secret": ""}, {"verify_token": ""}, {"app_id": "app"}, {"app_id": PAGE}, {"rate": 26}, {"tokn": "x"},
     {"api_base": "graph.facebook.com"}],
    ids=str,
)  # fmt: skip
def test_a_wrong_setting_is_refused_without_showing_a_secret(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        registry.config_model("facebook")(**(GOOD | changes))
    assert not any(secret in str(raised.value) for secret in (TOKEN, APP_SECRET, VERIFY, "two words"))
