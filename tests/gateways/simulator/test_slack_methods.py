"""The simulated Web API of Slack, asked by Slack's own library."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateways.simulator.slack.delivery import SlackApp
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator

TOKEN = "xoxb-acme"
INPUT = {
    "type": "input",
    "block_id": "words",
    "label": {"type": "plain_text", "text": "Words"},
    "element": {"type": "plain_text_input", "action_id": "v"},
}
EMPTY = {"type": "text", "text": ""}
MODAL: dict[str, Any] = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Title"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [INPUT],
}


@pytest.fixture
async def slack() -> AsyncIterator[SlackSimulator]:
    simulator = SlackSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def app(slack: SlackSimulator) -> SlackApp:
    return slack.add_app(TOKEN)


@pytest.fixture
def olha(slack: SlackSimulator, app: SlackApp) -> SlackPerson:
    return slack.add_person(app, "U01OLHA", "Olha")


@pytest.fixture
async def client(slack: SlackSimulator, app: SlackApp) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(TOKEN, base_url=f"{slack.url}/api", session=session, retry_handlers=[])


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as error:
        await call
    return str(error.value.response["error"])


async def test_a_token_is_known_or_not(slack: SlackSimulator, app: SlackApp, client: AsyncWebClient) -> None:
    told = await client.auth_test()
    assert (told["user_id"], told["team_id"]) == ("UBOT", "T0ACME")
    assert "chat:write" in told.headers["x-oauth-scopes"]
    app.revoked = "token_revoked"
    assert await refused(client.auth_test()) == "token_revoked"
    assert await refused(client.auth_test(token="xoxb-other")) == "invalid_auth"


async def test_a_persons_id_opens_the_own_chat_and_can_not_be_updated_in(
    client: AsyncWebClient, olha: SlackPerson
) -> None:
    told = await client.chat_postMessage(channel="U01OLHA", text="Hi")
    assert told["channel"] == "D01OLHA"
    assert await refused(client.chat_update(channel="U01OLHA", ts=told["ts"], text="x")) == "channel_not_found"
    await client.chat_update(channel="D01OLHA", ts=told["ts"], text="Hi again")
    assert [(one.text, one.edited) for one in olha.messages] == [("Hi again", 1)]


async def test_text_without_blocks_takes_the_blocks_away(client: AsyncWebClient, olha: SlackPerson) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Hi*"}}]
    told = await client.chat_postMessage(channel="U01OLHA", text="Hi", blocks=blocks)
    assert olha.messages[0].shown == "*Hi*"
    await client.chat_update(channel="D01OLHA", ts=told["ts"], text="Bye")
    assert (olha.messages[0].blocks, olha.messages[0].shown) == ([], "Bye")


async def test_only_messages_of_ones_own_can_be_changed(
    slack: SlackSimulator, client: AsyncWebClient, app: SlackApp, olha: SlackPerson
) -> None:
    app.hook = "http://127.0.0.1:9/"
    app.retries_s = ()
    await olha.says("Mine")
    theirs = olha.dm.messages[0]
    assert await refused(client.chat_update(channel="D01OLHA", ts=theirs.ts, text="x")) == "cant_update_message"
    assert await refused(client.chat_update(channel="D01OLHA", ts="1.000001", text="x")) == "message_not_found"
    assert await refused(client.chat_delete(channel="D01OLHA", ts=theirs.ts)) == "cant_delete_message"


async def test_a_channel_must_be_there_and_have_the_bot_in_it(slack: SlackSimulator, client: AsyncWebClient) -> None:
    assert await refused(client.chat_postMessage(channel="C0NONE", text="x")) == "channel_not_found"
    ops = slack.add_channel("C0OPS", "U01OLHA")
    assert await refused(client.chat_postMessage(channel="C0OPS", text="x")) == "not_in_channel"
    ops.members.add("UBOT")
    ops.archived = True
    assert await refused(client.chat_postMessage(channel="C0OPS", text="x")) == "is_archived"


@pytest.mark.parametrize(
    ("blocks", "where"),
    [
        ([{"type": "divider"}] * 51, "no more than 50 items"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}], "less than 3001"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}], "more than 0"),
        ([{"type": "section"}], "missing required field"),
        ([{"type": "what"}], "unsupported type"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "less than 151"),
        ([{"type": "actions", "elements": []}], "must provide elements"),
        ([{"type": "image", "alt_text": "x", "slack_file": {"id": "F1"}}], "invalid slack file"),
        ([{"type": "rich_text", "elements": [{"type": "rich_text_quote", "elements": [EMPTY]}]}], "more than 0"),
        ([{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}], "already exists"),
    ],
)  # fmt: skip
async def test_blocks_have_limits(
    client: AsyncWebClient, olha: SlackPerson, blocks: list[dict[str, Any]], where: str
) -> None:
    with pytest.raises(SlackApiError) as error:
        await client.chat_postMessage(channel="U01OLHA", text="x", blocks=blocks)
    assert error.value.response["error"] == "invalid_blocks"
    assert where in error.value.response["errors"][0]


@pytest.mark.parametrize(
    "button",
    [
        {"text": {"type": "plain_text", "text": "x" * 76}},
        {"text": {"type": "mrkdwn", "text": "x"}},
        {"text": {"type": "plain_text", "text": "x"}, "value": "x" * 2001},
        {"text": {"type": "plain_text", "text": "x"}, "url": "javascript:x"},
        {"text": {"type": "plain_text", "text": "x"}, "style": "default"},
    ],
)
async def test_buttons_have_limits(client: AsyncWebClient, olha: SlackPerson, button: dict[str, Any]) -> None:
    blocks = [{"type": "actions", "elements": [{"type": "button", "action_id": "a", **button}]}]
    assert await refused(client.chat_postMessage(channel="U01OLHA", text="x", blocks=blocks)) == "invalid_blocks"


async def test_a_window_is_opened_once_in_time_and_three_deep(
    slack: SlackSimulator, client: AsyncWebClient, olha: SlackPerson
) -> None:
    trigger = slack.new_trigger(olha.id)
    told = await client.views_open(trigger_id=trigger, view=MODAL)
    assert await refused(client.views_open(trigger_id=trigger, view=MODAL)) == "exchanged_trigger_id"
    assert await refused(client.views_open(trigger_id="1.2", view=MODAL)) == "invalid_trigger_id"
    for _ in range(2):
        await client.views_push(trigger_id=slack.new_trigger(olha.id), view=MODAL)
    assert await refused(client.views_push(trigger_id=slack.new_trigger(olha.id), view=MODAL)) == "push_limit_reached"
    slack.trigger_s = -1
    assert await refused(client.views_push(trigger_id=slack.new_trigger(olha.id), view=MODAL)) == "expired_trigger_id"
    view = told["view"]
    other = {**MODAL, "title": {"type": "plain_text", "text": "Other"}}
    await client.views_update(view_id=view["id"], hash=view["hash"], view=other)
    assert await refused(client.views_update(view_id=view["id"], hash=view["hash"], view=other)) == "hash_conflict"
    assert await refused(client.views_update(view_id="V0", view=other)) == "not_found"


@pytest.mark.parametrize(
    "more",
    [
        {"title": {"type": "plain_text", "text": "x" * 25}},
        {"submit": None},
        {"private_metadata": "x" * 3001},
        {"blocks": [{"type": "divider"}] * 101},
    ],
)
async def test_windows_have_limits(
    slack: SlackSimulator, client: AsyncWebClient, olha: SlackPerson, more: dict[str, Any]
) -> None:
    view = {name: value for name, value in {**MODAL, **more}.items() if value is not None}
    trigger = slack.new_trigger(olha.id)
    assert await refused(client.views_open(trigger_id=trigger, view=view)) == "invalid_arguments"


async def test_files_are_uploaded_in_three_steps_by_the_library(client: AsyncWebClient, olha: SlackPerson) -> None:
    told = await client.files_upload_v2(
        channel="D01OLHA", filename="stats-7.png", content=b"png", title="Numbers", initial_comment="Here"
    )
    assert told["files"][0]["title"] == "Numbers"
    await olha.receives("Here")
    [file] = olha.messages[0].files
    assert (file.name, file.content, file.channels) == ("stats-7.png", b"png", {"D01OLHA"})
    shown = [{"type": "image", "alt_text": "x", "slack_file": {"id": file.id}}]
    await client.chat_postMessage(channel="D01OLHA", text="x", blocks=shown)
    listed: list[dict[str, str | None]] = [{"id": file.id, "title": "x"}]
    assert await refused(client.files_completeUploadExternal(files=listed)) == "internal_error"
    assert await refused(client.files_getUploadURLExternal(filename="x", length=0)) == "missing_argument"


async def test_a_file_is_given_to_whoever_may_read_it(slack: SlackSimulator, app: SlackApp, olha: SlackPerson) -> None:
    told = slack.file_json(slack.add_file("a.png", b"png", "image/png"))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(told["url_private_download"], headers=headers) as answer:
            assert await answer.read() == b"png"
        async with session.get(told["url_private_download"]) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")


async def test_a_method_is_throttled_and_others_are_not(
    slack: SlackSimulator, client: AsyncWebClient, olha: SlackPerson
) -> None:
    slack.most_per_minute[3] = 2
    told = await client.chat_postMessage(channel="U01OLHA", text="0")
    for number in range(2):
        await client.chat_update(channel="D01OLHA", ts=told["ts"], text=str(number))
    with pytest.raises(SlackApiError) as error:
        await client.chat_update(channel="D01OLHA", ts=told["ts"], text="x")
    assert (error.value.response.status_code, error.value.response["error"]) == (429, "ratelimited")
    assert 55 <= int(error.value.response.headers["Retry-After"]) <= 60
    for number in range(9):
        await client.chat_postMessage(channel="U01OLHA", text=str(number))
    assert await refused(client.chat_postMessage(channel="U01OLHA", text="x")) == "ratelimited"


async def test_an_ephemeral_message_is_for_one_member(
    slack: SlackSimulator, client: AsyncWebClient, olha: SlackPerson
) -> None:
    slack.add_channel("C0OPS", "UBOT")
    call = client.chat_postEphemeral(channel="C0OPS", user="U01OLHA", text="psst")
    assert await refused(call) == "user_not_in_channel"
    slack.channels["C0OPS"].members.add("U01OLHA")
    await client.chat_postEphemeral(channel="C0OPS", user="U01OLHA", text="psst")
    assert [one.text for one in olha.whispers] == ["psst"]
    assert slack.channels["C0OPS"].messages == []


async def test_a_response_url_is_good_for_five(slack: SlackSimulator, olha: SlackPerson) -> None:
    url = slack.new_response_url(olha.id, "D01OLHA")
    async with aiohttp.ClientSession() as session:
        statuses = []
        for _ in range(6):
            async with session.post(url, json={"text": "Hi"}) as answer:
                statuses.append(answer.status)
    assert statuses == [200] * 5 + [404]
    assert len(olha.whispers) == 5


async def test_it_can_be_away_in_many_ways(slack: SlackSimulator, client: AsyncWebClient, olha: SlackPerson) -> None:
    slack.faults.add("bad_gateway", times=1)
    with pytest.raises((SlackApiError, aiohttp.ClientError)):
        await client.auth_test()
    slack.faults.add("error", times=1, code=503)
    with pytest.raises(SlackApiError):
        await client.auth_test()
    slack.faults.add("drop", method="chat.postMessage", times=1)
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="U01OLHA", text="taken all the same")
    assert [one.text for one in olha.messages] == ["taken all the same"]
