"""What the simulated VK tells us: by a callback server that it confirmed, until we say ok, and by Long Poll."""

import asyncio
from typing import Any

import aiohttp
import pytest

from gateways.simulator.hooks import Hook
from gateways.simulator.phones import SimClient
from gateways.simulator.vk.server import VkSimulator
from tests.gateways.vk.simulated import ANN, BOB, GROUP, KEY, TEXT, Ask, Listener, button, code_of


async def add_server(ask: Ask, listener: Listener, *kinds: str) -> int:
    asked = {"group_id": GROUP, "url": listener.url, "title": "carillon", "secret_key": "s3cr3t"}
    server_id = (await ask("groups.addCallbackServer", **asked))["response"]["server_id"]
    await ask("groups.setCallbackSettings", group_id=GROUP, server_id=server_id, **dict.fromkeys(kinds, 1))
    return int(server_id)


async def status(ask: Ask) -> str:
    return str((await ask("groups.getCallbackServers", group_id=GROUP))["response"]["items"][0]["status"])


async def test_a_server_is_confirmed_before_it_hears_anything(
    vk: VkSimulator, ask: Ask, ann: SimClient, listener: Listener
) -> None:
    listener.code = "wrong"
    server_id = await add_server(ask, listener, "message_new")
    await vk.settled()
    assert await status(ask) == "failed"
    vk.says(ann, "Hello")
    await vk.settled()
    assert listener.events == []
    listener.code = "a1b2c3d4"
    again = {"group_id": GROUP, "server_id": server_id, "url": listener.url, "title": "carillon", "secret_key": "new"}
    await ask("groups.editCallbackServer", **again)
    await vk.settled()
    assert await status(ask) == "ok"
    (event,) = listener.events
    assert (event["secret"], event["group_id"]) == ("new", GROUP)
    assert event["object"]["message"]["text"] == "Hello"


async def test_only_what_was_asked_for_is_told(vk: VkSimulator, ask: Ask, ann: SimClient, listener: Listener) -> None:
    await add_server(ask, listener, "message_deny", "message_reply")
    await vk.settled()
    vk.says(ann, "Hello")
    await ask("messages.send", **TEXT)
    vk.changes(ann, "denied")
    await vk.settled()
    assert sorted(event["type"] for event in listener.events) == ["message_deny", "message_reply"]
    assert listener.told("message_reply")[0]["random_id"] == 11


async def test_an_event_comes_again_until_the_answer_is_ok_and_nothing_else(
    vk: VkSimulator, ask: Ask, ann: SimClient, listener: Listener
) -> None:
    await add_server(ask, listener, "message_new")
    await vk.settled()
    listener.answers = [500, "OK", '"ok"', "ok\n"]
    vk.says(ann, "Hello")
    await vk.settled()
    assert listener.counters == [None, "1", "2", "3", "4"]
    assert len({event["event_id"] for event in listener.events}) == 1


async def test_a_server_that_takes_nothing_is_given_up_until_it_is_set_again(
    vk: VkSimulator, ask: Ask, ann: SimClient, listener: Listener
) -> None:
    server_id = await add_server(ask, listener, "message_new")
    await vk.settled()
    server = vk.communities[KEY].servers[server_id]
    server.hook = vk.accounts[KEY].hook = Hook(listener.url, retries=4, retry_after_s=0.001)
    listener.answers = [500] * 5
    vk.says(ann, "lost")
    await vk.settled()
    assert await status(ask) == "failed"
    vk.says(ann, "held")
    await vk.settled()
    again = {"group_id": GROUP, "server_id": server_id, "url": listener.url, "title": "carillon", "secret_key": "s"}
    await ask("groups.editCallbackServer", **again)
    await vk.settled()
    assert listener.told("message_new")[-1]["message"]["text"] == "held"


async def test_events_come_twice_and_in_another_order_on_demand(
    vk: VkSimulator, ann: SimClient, listener: Listener
) -> None:
    vk.accounts[KEY].hook = Hook(listener.url, duplicates=1, shuffle_s=0.1)
    for number in range(8):
        vk.says(ann, f"text {number}")
    await vk.settled()
    texts = [event["message"]["text"] for event in listener.told("message_new")]
    assert sorted(texts) == sorted([f"text {number}" for number in range(8)] * 2)
    assert texts != sorted(texts)
    assert {event["secret"] for event in listener.events} == {"s3cr3t"}


async def test_ten_servers_and_no_more(ask: Ask, listener: Listener) -> None:
    asked = {"group_id": GROUP, "url": listener.url, "title": "carillon", "secret_key": "s"}
    for _ in range(10):
        await ask("groups.addCallbackServer", **asked)
    assert await code_of(ask("groups.addCallbackServer", **asked)) == 2000
    assert await code_of(ask("groups.addCallbackServer", **(asked | {"title": "x" * 15}))) in (100, 2000)
    assert await ask("groups.deleteCallbackServer", group_id=GROUP, server_id=1) == {"response": 1}
    assert await code_of(ask("groups.getCallbackServers", group_id=5)) == 15


async def test_states_of_a_client_are_told_as_they_turn(vk: VkSimulator, ann: SimClient, listener: Listener) -> None:
    vk.accounts[KEY].hook = Hook(listener.url)
    for state in ("denied", "active", "blacklisted", "active"):
        vk.changes(ann, state)
        await vk.settled()
    ann.state = "never_wrote"
    ann.details["key"] = "promo_42"
    vk.says(ann, "Hello", raw={"ref": "promo_42"})
    await vk.settled()
    kinds = [event["type"] for event in listener.events]
    assert kinds[:4] == ["message_deny", "message_allow", "user_block", "user_unblock"]
    assert sorted(kinds[4:]) == ["message_allow", "message_new"]
    assert listener.told("message_new")[0]["message"]["ref"] == "promo_42"
    assert listener.told("message_allow")[-1] == {"user_id": int(ANN), "key": "promo_42"}


async def test_a_press_waits_a_minute_for_one_answer(
    vk: VkSimulator, ask: Ask, ann: SimClient, listener: Listener
) -> None:
    vk.accounts[KEY].hook = Hook(listener.url)
    rows = [[button(payload='{"b":"c7.0"}'), button("text", payload='{"b":"c7.1"}'),
             button("open_link", link="https://a.b")]]  # fmt: skip
    await ask("messages.send", **TEXT, keyboard={"inline": True, "buttons": rows})
    for number in range(3):
        vk.presses(ann, ann.last.id, number)
    await vk.settled()
    (pressed,) = listener.told("message_event")
    (said,) = listener.told("message_new")
    assert pressed["payload"] == {"b": "c7.0"}
    assert (said["message"]["payload"], said["message"]["text"]) == ('{"b":"c7.1"}', "Yes")
    values = {"event_id": pressed["event_id"], "user_id": ANN, "peer_id": ANN}
    with vk.subscribe() as phone:
        note = {"type": "show_snackbar", "text": "Done"}
        assert await ask("messages.sendMessageEventAnswer", **values, event_data=note) == {"response": 1}
        assert (await phone.get()).text == "Done"
    assert await code_of(ask("messages.sendMessageEventAnswer", **values)) == 100
    vk.presses(ann, ann.last.id, 0)
    late, (user, at) = next(iter(vk.communities[KEY].presses.items()))
    vk.communities[KEY].presses[late] = (user, at - 61)
    assert await code_of(ask("messages.sendMessageEventAnswer", **(values | {"event_id": late}))) == 100


async def test_reading_moves_a_mark_and_delivery_is_never_told(
    vk: VkSimulator, ask: Ask, ann: SimClient, listener: Listener
) -> None:
    vk.accounts[KEY].hook = Hook(listener.url)
    vk.accounts[KEY].receipts = {"delivered": 0.0, "read": 0.01}
    (sent,) = (await ask("messages.send", **TEXT))["response"]
    await vk.settled()
    assert [event["type"] for event in listener.events] == ["message_read"]
    assert listener.told("message_read")[0]["read_message_id"] == sent["message_id"]
    answer = (await ask("messages.getConversationsById", peer_ids=f"{ANN},{BOB}"))["response"]
    assert (answer["count"], answer["items"][0]["out_read"]) == (1, sent["message_id"])
    vk.accounts[KEY].details["pushes_reads"] = False
    await ask("messages.send", **(TEXT | {"random_id": 12}))
    await vk.settled()
    assert len(listener.events) == 1


# --- Long Poll


async def poll(http: aiohttp.ClientSession, server: dict[str, Any], wait: float = 0.0) -> Any:
    query = {"act": "a_check", "key": server["key"], "ts": server["ts"], "wait": str(wait)}
    async with http.get(server["server"], params=query) as answer:
        return await answer.json()


async def test_long_poll_gives_what_came_and_waits_for_what_comes(
    vk: VkSimulator, ask: Ask, ann: SimClient, http: aiohttp.ClientSession
) -> None:
    assert await code_of(ask("groups.getLongPollServer", group_id=GROUP)) == 100
    await ask("groups.setLongPollSettings", group_id=GROUP, enabled=1, message_new=1)
    server = (await ask("groups.getLongPollServer", group_id=GROUP))["response"]
    assert await poll(http, server) == {"ts": server["ts"], "updates": []}
    waiting = asyncio.create_task(poll(http, server, 5.0))
    await asyncio.sleep(0.02)
    vk.says(ann, "one")
    first = await waiting
    assert [event["object"]["message"]["text"] for event in first["updates"]] == ["one"]
    assert "secret" not in first["updates"][0]
    vk.says(ann, "two")
    assert len((await poll(http, server))["updates"]) == 2, "what is not acknowledged comes again"
    assert len((await poll(http, server | {"ts": first["ts"]}))["updates"]) == 1


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_long_poll_can_be_lost(lost: int, vk: VkSimulator, ask: Ask, http: aiohttp.ClientSession) -> None:
    await ask("groups.setLongPollSettings", group_id=GROUP, enabled=1, message_new=1)
    server = (await ask("groups.getLongPollServer", group_id=GROUP))["response"]
    vk.communities[KEY].lose_long_poll(lost)
    assert (await poll(http, server))["failed"] == lost
