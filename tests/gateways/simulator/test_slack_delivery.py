"""How the simulated Slack brings what happened, taken by Slack's own libraries."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from gateways.simulator.slack.delivery import SlackApp
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator

TOKEN, SECRET, APP_TOKEN = "xoxb-acme", "secret", "xapp-acme"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSimulator]:
    simulator = SlackSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def app(slack: SlackSimulator) -> SlackApp:
    return slack.add_app(TOKEN, signing_secret=SECRET, app_token=APP_TOKEN, retries_s=(0.0, 0.01, 0.01), ack_s=0.5)


@pytest.fixture
def olha(slack: SlackSimulator, app: SlackApp) -> SlackPerson:
    return slack.add_person(app, "U01OLHA", "Olha")


@pytest.fixture
async def bolt(slack: SlackSimulator, app: SlackApp) -> AsyncIterator[AsyncApp]:
    """An app made with bolt, as its documentation shows; it answers at the hook."""
    made = AsyncApp(client=AsyncWebClient(TOKEN, base_url=f"{slack.url}/api"), signing_secret=SECRET)

    async def hook(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await made.async_dispatch(await to_bolt_request(request)))

    server = web.Application()
    server.router.add_post("/hook", hook)
    async with TestServer(server) as running:
        app.hook = str(running.make_url("/hook"))
        yield made


async def test_bolt_takes_commands_presses_windows_and_messages(
    bolt: AsyncApp, slack: SlackSimulator, olha: SlackPerson
) -> None:
    heard: list[Any] = []

    @bolt.command("/carillon")
    async def on_command(ack: Any, command: Any, client: AsyncWebClient) -> None:
        await ack("working")
        heard.append(command["text"])
        view = {
            "type": "modal",
            "callback_id": "form",
            "title": {"type": "plain_text", "text": "Form"},
            "submit": {"type": "plain_text", "text": "Send"},
            "blocks": [
                {
                    "type": "input",
                    "block_id": "b",
                    "label": {"type": "plain_text", "text": "Name"},
                    "element": {"type": "plain_text_input", "action_id": "v"},
                }
            ],
        }
        await client.views_open(trigger_id=command["trigger_id"], view=view)

    @bolt.view("form")
    async def on_form(ack: Any, view: Any) -> None:
        name = view["state"]["values"]["b"]["v"]["value"]
        if name == "bad":
            await ack(response_action="errors", errors={"b": "Another one, please."})
        else:
            await ack()
        heard.append(name)

    @bolt.action("go")
    async def on_press(ack: Any, action: Any) -> None:
        await ack()
        heard.append(action["value"])

    @bolt.event("message")
    async def on_message(event: Any, say: Any) -> None:
        heard.append(event["text"])
        button = {"type": "button", "action_id": "go", "value": "7", "text": {"type": "plain_text", "text": "Go"}}
        await say(text="Press", blocks=[{"type": "actions", "elements": [button]}])

    ack = await olha.commands("status 7")
    assert (ack.status, ack.body) == (200, "working")
    view = await olha.sees_window()
    await olha.submits("bad")
    assert view.errors == {"b": "Another one, please."}
    await olha.submits("Spring")
    assert olha.window is None
    await olha.says("Hello <all>")
    [message] = await olha.receives("Press")
    await olha.presses(message, "Go")
    await slack.delivery.settled()
    assert heard == ["status 7", "bad", "Spring", "Hello &lt;all&gt;", "7"]


async def test_a_wrong_signature_is_refused_by_bolt(bolt: AsyncApp, app: SlackApp, olha: SlackPerson) -> None:
    app.signing_secret = "another"
    assert (await olha.commands("x")).status == 401
    app.signing_secret, app.clock_s = SECRET, -301.0
    assert (await olha.commands("x")).status == 401


async def test_events_come_again_and_commands_do_not(app: SlackApp, slack: SlackSimulator, olha: SlackPerson) -> None:
    asked: list[str] = []

    async def hook(request: web.Request) -> web.Response:
        asked.append(request.headers.get("x-slack-retry-num", "0"))
        return web.Response(status=500 if len(asked) < 3 else 200)

    server = web.Application()
    server.router.add_post("/", hook)
    async with TestServer(server) as running:
        app.hook = str(running.make_url("/"))
        assert (await olha.says("Hi")).failed == "dispatch_failed"
        await slack.delivery.settled()
        assert asked == ["0", "1", "2"]
        asked.clear()
        assert (await olha.commands("x")).failed == "dispatch_failed"
        await slack.delivery.settled()
        assert asked == ["0"]


async def test_who_answers_too_late_is_told_to_the_person(app: SlackApp, olha: SlackPerson) -> None:
    async def hook(_request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    server = web.Application()
    server.router.add_post("/", hook)
    app.ack_s = 0.05
    async with TestServer(server) as running:
        app.hook = str(running.make_url("/"))
        assert (await olha.commands("x")).failed == "operation_timeout"


async def test_a_websocket_says_hello_brings_envelopes_and_ends(
    app: SlackApp, slack: SlackSimulator, olha: SlackPerson
) -> None:
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(base_url=f"{slack.url}/api", session=session)
        url = (await client.apps_connections_open(app_token=APP_TOKEN))["url"]
        async with session.ws_connect(url) as socket:
            hello = await socket.receive_json()
            assert (hello["type"], hello["num_connections"]) == ("hello", 1)
            saying = asyncio.create_task(olha.says("Hi"))
            envelope = await socket.receive_json()
            assert (envelope["type"], envelope["payload"]["event"]["text"]) == ("events_api", "Hi")
            await socket.send_json({"envelope_id": envelope["envelope_id"]})
            assert (await saying).failed == ""
            commanding = asyncio.create_task(olha.commands("help"))
            envelope = await socket.receive_json()
            await socket.send_json({"envelope_id": envelope["envelope_id"], "payload": {"text": "working"}})
            assert (await commanding).body == {"text": "working"}
            assert [one.text for one in olha.whispers] == ["working"]
            app.ack_s = 0.05
            assert (await olha.commands("no answer")).failed == "operation_timeout"
            await socket.receive_json()
            ending = asyncio.create_task(slack.disconnect(app, grace_s=0.0))
            assert (await socket.receive_json())["type"] == "disconnect"
            assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            await ending


async def test_several_connections_share_what_comes(app: SlackApp, slack: SlackSimulator, olha: SlackPerson) -> None:
    taken = {0: 0, 1: 0}

    async def answer(number: int, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            told = frame.json()
            if told["type"] == "events_api":
                taken[number] += 1
                await socket.send_json({"envelope_id": told["envelope_id"]})

    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(base_url=f"{slack.url}/api", session=session)
        urls = [(await client.apps_connections_open(app_token=APP_TOKEN))["url"] for _ in range(2)]
        async with session.ws_connect(urls[0]) as one, session.ws_connect(urls[1]) as other:
            tasks = [asyncio.create_task(answer(0, one)), asyncio.create_task(answer(1, other))]
            await slack.until(lambda: len(app.sockets) == 2)
            for number in range(20):
                await olha.says(str(number))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(taken.values()) == 20
    assert min(taken.values()) > 0
