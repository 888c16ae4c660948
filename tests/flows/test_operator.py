"""The whole job from the chat: the admin bot on Telegram, in a real process that is killed on the way."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import pytest

from gateways.simulator.telegram.entities import Entity
from gateways.simulator.telegram.messages import Message
from tests.flows.carillon import FIRST_CLIENT, TOKEN, carillon, shop_of, until
from tests.flows.person import ADMIN_BOT, MAX, OLHA, STRANGER, AtTheBot
from tests.gateways.pictures import JPEG

pytestmark = pytest.mark.timeout(300)
EDIT_EVERY_S = 3.0


async def test_an_operator_composes_launches_and_steers_a_mailing_from_the_chat(
    storage_url: str, tmp_path: Path
) -> None:
    async with carillon(tmp_path, storage_url, bots=ADMIN_BOT) as made:
        await made.import_clients(300)
        await made.import_clients(20, first=FIRST_CLIENT + 300, tags="new")
        await made.start()
        olha, manager = AtTheBot(made, OLHA, "Olha"), AtTheBot(made, MAX, "Max")
        stranger = AtTheBot(made, STRANGER, "Eve")
        stranger.client.says("/start")
        await stranger.sees("Sorry, I work for the team of Carillon only")

        # A picture with its formatting, buttons typed step by step, the process killed in the middle of one.
        await olha.say("/start", "Hello, Olha!")
        await olha.press("New mailing", "exactly as clients should see it")
        words = "Spring sale for {{ client.first_name | default('friend') }}!"
        olha.client.sends_photo(JPEG, words, entities=[Entity("bold", 0, 11)])
        await olha.sees("draft #1")
        await olha.press("Add buttons", "None yet.")
        await olha.press("+ Link", "What stands on the button?")
        await olha.say("Open", "Which page")
        await made.kill()
        olha.client.says("https://acme.test/sale")
        await made.start()
        await olha.sees("• Open → https://acme.test/sale")

        # Seen as a client sees it, then a test to oneself: the real message, on the shop's channel.
        await olha.press("Preview", "Above is what Name")
        seen = next(one for one in reversed(olha.client.messages) if one.text == f"Spring sale for Name{FIRST_CLIENT}!")
        assert [(entity.type, entity.offset, entity.length) for entity in seen.entities] == [("bold", 0, 11)]
        assert [medium.kind for medium in seen.media] == ["photo"]
        assert seen.button("Open").url == "https://acme.test/sale"
        await olha.press("Test to myself", "The test is sent to you by tg-shop")
        [test] = shop_of(made).client(OLHA).messages
        assert (test.text, test.entities) == (seen.text, seen.entities)

        # Who, how fast, the question, and the launch.
        await olha.press("Next: audience", "Now about 320 clients.")
        await olha.press("By tag", "Press one or several, or type it.")
        await olha.press("vip", "Now about 300 clients.")
        await olha.press("Done", "Who gets “Spring sale for”?")
        await olha.press("Next: when", "When and how fast?")
        await olha.press("20", "Speed: 20 messages a second")
        await olha.press("Next: check", "Send “Spring sale for” to 300 clients now?")
        live = await olha.press("Send to 300 clients", "– being sent")
        launched_at = time.monotonic()
        await manager.say("/mailings", "You may ask for statistics")

        # One card, edited in place every three seconds, before and after a power cut.
        await until(lambda: _edited(olha, live, launched_at, 3), 60, "three edits of the live card")
        await made.kill()
        before = [call.arrived_at for call in olha.edits_of(live, launched_at)]
        killed_at = time.monotonic()
        await made.start()
        await until(lambda: _edited(olha, live, killed_at, 1), 60, "the card to go on after the restart")
        assert all(later - earlier >= EDIT_EVERY_S for earlier, later in pairwise(before))
        card = next(one for one in olha.client.messages if one.message_id == live.message_id)
        assert "of 300 clients" in card.text
        assert [one for one in olha.client.messages if "– being sent" in one.text] == [card]

        # Paused and resumed from the card, told at its end.
        await olha.press("Pause", "– paused")
        paused = await made.until_status(1, "paused")
        await asyncio.sleep(1)
        settled = await made.figures(1)
        await asyncio.sleep(1)
        assert (await made.figures(1))["sent"] == settled["sent"]
        assert 0 < paused["sent"] < 300
        await olha.press("Resume", "– being sent")
        figures = await made.until_status(1, "sent")
        await olha.sees("is finished:")
        await until(lambda: _says(olha, live.message_id, "– finished"), 60, "the card to show the end")

        accepted = made.simulator.accepted_by_chat(TOKEN)
        assert max(count for chat, count in accepted.items() if chat != OLHA) == 1
        assert figures["sent"] + figures["unknown"] == figures["planned"] == 300
        sends = made.simulator.requests(TOKEN, "sendPhoto")
        assert sum(bool(call.files) for call in sends) == 1  # uploaded by the test to oneself, re-used ever after

        # A manager reads the numbers; a stranger got one sentence, whatever was tried.
        await manager.say("/stats 1", "Planned")
        stranger.client.says("/new")
        stranger.client.says("/stop")
        stranger.client.sends_press(live.message_id, "m:cancel:1")
        await manager.say("/pause 1", "You may ask for statistics")
        assert len(stranger.client.messages) == 1
        assert (await made.figures(1))["status"] == "sent"


async def _edited(person: AtTheBot, message: Message, since: float, times: int) -> bool:
    return len(person.edits_of(message, since)) >= times


async def _says(person: AtTheBot, message_id: int, words: str) -> bool:
    return any(one.message_id == message_id and words in one.text for one in person.client.messages)
