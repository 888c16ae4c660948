"""The simulated VK, spoken to in bare HTTP: it refuses, throttles, repeats and forgets as VK does."""

import json
import time
from typing import Any

import aiohttp
import pytest

from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount
from gateways.simulator.vk.server import VkSimulator
from tests.gateways.pictures import JPEG, WEBP
from tests.gateways.vk.simulated import ANN, BOB, GROUP, KEY, TEXT, Ask, button, code_of

# --- requests


async def test_a_form_of_either_kind_is_read_and_json_is_not(
    vk: VkSimulator, ask: Ask, http: aiohttp.ClientSession
) -> None:
    assert (await ask("groups.getById"))["response"]["groups"][0]["id"] == GROUP
    parts = aiohttp.FormData()
    for name, value in {**TEXT, "access_token": KEY, "v": "5.199"}.items():
        parts.add_field(name, str(value), content_type="text/plain")
    async with http.post(f"{vk.url}/method/messages.send", data=parts) as answer:
        assert (await answer.json())["response"][0]["peer_id"] == int(ANN)
    async with http.post(f"{vk.url}/method/messages.send", json={**TEXT, "access_token": KEY, "v": "5.199"}) as answer:
        assert (await answer.json())["error"]["error_code"] == 100
    header = {"Authorization": f"Bearer {KEY}"}
    async with http.post(f"{vk.url}/method/groups.getById", data={"v": "5.199"}, headers=header) as answer:
        assert "response" in await answer.json()


async def test_what_is_wrong_with_a_request_as_such(ask: Ask, shop: SimAccount) -> None:
    assert await code_of(ask("groups.getById", key="")) == 5
    assert await code_of(ask("groups.getById", key="other")) == 5
    assert await code_of(ask("groups.getById", v="")) == 8
    assert await code_of(ask("messages.Send", **TEXT)) == 3
    shop.revoked = True
    assert await code_of(ask("messages.send", **TEXT)) == 5


async def test_an_error_echoes_what_was_asked_and_not_the_key(ask: Ask) -> None:
    error = (await ask("messages.send", peer_ids=ANN, message="x"))["error"]
    assert {"key": "message", "value": "x"} in error["request_params"]
    assert KEY not in json.dumps(error)


async def test_twenty_requests_a_second_and_no_more(ask: Ask) -> None:
    answers = [await ask("groups.getById") for _ in range(21)]
    assert ["response" in answer for answer in answers] == [True] * 20 + [False]
    assert answers[-1]["error"] | {"request_params": 0} == {
        "error_code": 6, "error_msg": "Too many requests per second", "request_params": 0
    }  # fmt: skip


async def test_the_number_of_requests_can_be_another(
    vk: VkSimulator, shop: SimAccount, ask: Ask, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{vk.url}/_sim/limits", json={"account": shop.key, "requests": 1}) as answer:
        assert answer.status == 200
    assert ["response" in await ask("groups.getById") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("code", [5, 6, 9, 10, 14, 29, 984])
async def test_any_refusal_can_be_had_on_demand(code: int, vk: VkSimulator, ask: Ask) -> None:
    vk.faults.add("refuse", code=code, method="messages.send")
    assert await code_of(ask("messages.send", **TEXT)) == code
    assert "response" in await ask("messages.send", **TEXT)


# --- sending


async def test_many_receivers_have_an_answer_each_and_one_alone_a_number(ask: Ask, ann: SimClient) -> None:
    answer = await ask("messages.send", peer_ids=f"{ANN},{BOB},7", random_id=1, message="Hi")
    taken, denied, nobody = answer["response"]
    assert (taken["peer_id"], taken["conversation_message_id"]) == (int(ANN), 1)
    assert denied["message_id"] == 0
    assert [each["error"]["code"] for each in (denied, nobody)] == [901, 901]
    alone = await ask("messages.send", peer_id=ANN, random_id=2, message="Hi")
    assert alone == {"response": taken["message_id"] + 1}
    assert await code_of(ask("messages.send", user_id=BOB, random_id=3, message="Hi")) == 901
    assert [message.text.text for message in ann.messages] == ["Hi", "Hi"]


@pytest.mark.parametrize(
    ("state", "code"),
    [("never_wrote", 901), ("denied", 901), ("blocked", 901), ("blacklisted", 900), ("private", 902), ("deleted", 18),
     ("window_closed", 950)],
)  # fmt: skip
async def test_a_clients_state_decides(state: str, code: int, ask: Ask, ann: SimClient) -> None:
    ann.state = state
    (answer,) = (await ask("messages.send", **TEXT))["response"]
    assert answer["error"]["code"] == code
    assert ann.messages == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"random_id": ""}, 100), ({"random_id": 2**31}, 100), ({"random_id": "x"}, 100), ({"peer_ids": "x"}, 100),
        ({"peer_ids": ""}, 100), ({"peer_ids": ",".join(map(str, range(1, 102)))}, 100), ({"message": ""}, 100),
        ({"message": "x" * 4097}, 914), ({"attachment": "photo"}, 100), ({"attachment": f"photo-{GROUP}_1"}, 100),
        ({"attachment": ",".join(["photo-1_2"] * 11)}, 100), ({"keyboard": "{"}, 911), ({"keyboard": "[]"}, 911),
        ({"format_data": {"version": 1, "items": [{"type": "bold", "offset": 0, "length": 7}]}}, 100),
        ({"format_data": {"version": 1, "items": [{"type": "spoiler", "offset": 0, "length": 1}]}}, 100),
        ({"format_data": {"version": 2, "items": []}}, 100), ({"lat": 50}, 100), ({"lat": 91, "long": 0}, 100),
        ({"template": {"type": "carousel", "elements": []}}, 100),
        ({"template": {"type": "carousel", "elements": [{"title": "x", "buttons": []}]}}, 100),
    ],
    ids=str,
)  # fmt: skip
async def test_a_message_that_vk_would_not_take_is_refused(
    changes: dict[str, Any], code: int, ask: Ask, ann: SimClient
) -> None:
    assert await code_of(ask("messages.send", **(TEXT | changes))) == code
    assert ann.messages == []


@pytest.mark.parametrize(
    "rows",
    [
        [[button()] * 6], [[button()]] * 7, [[button()] * 5] * 3, [[]], [[{}]], [["x"]], [[button("dance")]],
        [[button(label="x" * 41)]], [[button(label="")]], [[button(payload="not json")]], [[button(payload={"b": 1})]],
        [[button(payload=json.dumps("x" * 254))]], [[button("open_link")]],
        [[button("open_link", link="javascript:1")]],
        [[button("open_link", link="https://a.b") | {"color": "primary"}]],
        [[button() | {"color": "blue"}]],
        [[button(payload=json.dumps("x" * 240))] * 5],
    ],
    ids=lambda rows: str(rows)[:60],
)  # fmt: skip
async def test_a_keyboard_that_vk_would_not_take_is_refused(rows: Any, ask: Ask) -> None:
    keyboard = {"inline": True, "buttons": rows}
    assert await code_of(ask("messages.send", **TEXT, keyboard=keyboard)) == 911


async def test_cards_of_different_structures_are_refused(ask: Ask) -> None:
    card = {"title": "Red", "buttons": [button()]}
    for other in ({"title": "Blue", "description": "x", "buttons": [button()]}, card | {"buttons": [button()] * 2}):
        template = {"type": "carousel", "elements": [card, other]}
        assert await code_of(ask("messages.send", **TEXT, template=template)) == 100
    taken = await ask("messages.send", **TEXT, template={"type": "carousel", "elements": [card, card]})
    assert "response" in taken


# --- repeats


async def test_a_repeat_is_dropped_within_its_dialog_and_succeeds(vk: VkSimulator, ask: Ask, ann: SimClient) -> None:
    vk.changes(vk.client(KEY, BOB), "active")
    first = (await ask("messages.send", **TEXT))["response"][0]
    again = (await ask("messages.send", **TEXT))["response"][0]
    assert first["message_id"] == again["message_id"]
    assert len(ann.messages) == 1
    both = await ask("messages.send", **(TEXT | {"peer_ids": f"{ANN},{BOB}"}))
    assert [each["message_id"] > first["message_id"] for each in both["response"]] == [False, True]
    assert vk.communities[KEY].repeats_dropped == 2


async def test_zero_never_counts_as_a_repeat(ask: Ask, ann: SimClient) -> None:
    for _ in range(2):
        await ask("messages.send", **(TEXT | {"random_id": 0}))
    assert len(ann.messages) == 2


async def test_a_repeat_is_forgotten_after_an_hour_and_after_a_hundred_messages(
    vk: VkSimulator, ask: Ask, ann: SimClient
) -> None:
    await ask("messages.send", **TEXT)
    sent = vk.communities[KEY].dialog(ANN).sent
    sent[0] = (sent[0][0], time.time() - 3601, sent[0][2])
    await ask("messages.send", **TEXT)
    assert len(ann.messages) == 2
    sent.extend((number, time.time(), number) for number in range(100, 200))
    await ask("messages.send", **TEXT)
    assert len(ann.messages) == 3


# --- scripts


def script(*calls: tuple[str, dict[str, Any]]) -> str:
    return f"return [{','.join(f'API.{name}({json.dumps(values, ensure_ascii=False)})' for name, values in calls)}];"


async def test_a_script_makes_every_call_and_lists_its_errors_in_order(ask: Ask, ann: SimClient) -> None:
    code = script(
        ("messages.send", TEXT),
        ("messages.send", TEXT | {"message": "x" * 4097, "random_id": 2}),
        ("messages.dance", {}),
        ("messages.send", TEXT | {"random_id": 3, "message": "a) }, API.b({"}),
    )
    answer = await ask("execute", code=code)
    assert [bool(slot) for slot in answer["response"]] == [True, False, False, True]
    assert [(error["method"], error["error_code"]) for error in answer["execute_errors"]] == [
        ("messages.send", 914), ("messages.dance", 3)
    ]  # fmt: skip
    assert [message.text.text for message in ann.messages] == ["Привет", "a) }, API.b({"]


@pytest.mark.parametrize(
    "code", ["", "return 5;", "return [API.messages.send({)];", "return [API.messages.send({}) API.messages.send({})];",
             "return [messages.send({})];", "var a = 1;"],
)  # fmt: skip
async def test_a_script_that_is_none_does_nothing(code: str, ask: Ask) -> None:
    assert await code_of(ask("execute", code=code)) == 12


async def test_a_script_holds_twenty_five_calls(ask: Ask, ann: SimClient) -> None:
    calls = [("messages.send", TEXT | {"random_id": number}) for number in range(1, 27)]
    assert await code_of(ask("execute", code=script(*calls))) == 13
    assert len((await ask("execute", code=script(*calls[:25])))["response"]) == 25
    assert len(ann.messages) == 25


# --- files


async def upload(http: aiohttp.ClientSession, url: str, part: str, name: str, content: bytes) -> Any:
    form = aiohttp.FormData()
    form.add_field(part, content, filename=name, content_type="application/octet-stream")
    async with http.post(url, data=form) as answer:
        return await answer.json()


async def test_a_picture_takes_three_steps_and_each_is_good_once(
    vk: VkSimulator, ask: Ask, ann: SimClient, http: aiohttp.ClientSession
) -> None:
    url = (await ask("photos.getMessagesUploadServer"))["response"]["upload_url"]
    assert url.startswith(vk.url)
    pieces = await upload(http, url, "photo", "a.jpg", JPEG)
    assert await upload(http, url, "photo", "a.jpg", JPEG) == {"error": "no_file"}
    assert await code_of(ask("photos.saveMessagesPhoto", **(pieces | {"hash": "wrong"}))) == 121
    (photo,) = (await ask("photos.saveMessagesPhoto", **pieces))["response"]
    assert await code_of(ask("photos.saveMessagesPhoto", **pieces)) == 121
    name = f"photo{photo['owner_id']}_{photo['id']}"
    assert photo["owner_id"] == -GROUP
    assert await code_of(ask("messages.send", **TEXT, attachment=name)) == 100, "its key belongs to it"
    await ask("messages.send", **TEXT, attachment=f"{name}_{photo['access_key']}")
    assert ann.last.media[0].content == JPEG


async def test_a_picture_that_is_none_or_stands_under_another_name_is_not_kept(
    ask: Ask, http: aiohttp.ClientSession
) -> None:
    for part, content in (("photo", WEBP), ("file", JPEG)):
        url = (await ask("photos.getMessagesUploadServer"))["response"]["upload_url"]
        pieces = await upload(http, url, part, "a.jpg", content)
        assert pieces.get("photo", "[]") == "[]"


async def test_a_document_is_of_the_person_for_whom_it_was_brought(
    vk: VkSimulator, ask: Ask, ann: SimClient, http: aiohttp.ClientSession
) -> None:
    assert await code_of(ask("docs.getMessagesUploadServer", type="doc", peer_id=BOB)) == 901
    vk.changes(vk.client(KEY, BOB), "active")
    url = (await ask("docs.getMessagesUploadServer", type="doc", peer_id=ANN))["response"]["upload_url"]
    file = (await upload(http, url, "file", "price.pdf", b"%PDF"))["file"]
    doc = (await ask("docs.save", file=file, title="Prices.pdf"))["response"]["doc"]
    assert await code_of(ask("docs.save", file=file)) == 105
    name = f"doc{doc['owner_id']}_{doc['id']}_{doc['access_key']}"
    assert await code_of(ask("messages.send", **(TEXT | {"peer_ids": BOB}), attachment=name)) == 100
    await ask("messages.send", **TEXT, attachment=name)
    assert (ann.last.media[0].kind, ann.last.media[0].name) == ("file", "Prices.pdf")


# --- the rest


async def test_small_questions_are_answered(ask: Ask, ann: SimClient) -> None:
    assert (await ask("groups.getTokenPermissions"))["response"]["permissions"][0] == {
        "name": "messages",
        "setting": 4096,
    }
    allowed = [
        (await ask("messages.isMessagesFromGroupAllowed", group_id=GROUP, user_id=user))["response"]["is_allowed"]
        for user in (ANN, BOB)
    ]
    assert allowed == [1, 0]
    await ask("messages.send", **TEXT)
    (item,) = (await ask("messages.getHistory", peer_id=ANN, count=5))["response"]["items"]
    assert item["random_id"] == 11
    assert (await ask("users.get", user_ids=f"{ANN},9"))["response"] == [
        {"id": int(ANN), "first_name": "Ann", "last_name": ""}
    ]
    assert await ask("messages.setActivity", peer_id=ANN, type="typing") == {"response": 1}


async def test_only_counting_keeps_no_message(vk: VkSimulator, ask: Ask, shop: SimAccount, ann: SimClient) -> None:
    vk.keeps = False
    shop.everyone = "active"
    await ask("messages.send", **(TEXT | {"peer_ids": "1,2,3"}))
    assert (len(shop.accepted.at), vk.communities[KEY].dialogs, ann.chat) == (3, {}, [])
