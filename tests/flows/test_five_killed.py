"""Kill -9 while five messengers are sent to and report back: what each platform's guarantee is worth."""

import asyncio
import random
from functools import partial
from pathlib import Path

import pytest

from gateways.simulator.hooks import Hook
from gateways.simulator.vk.server import VkSimulator
from tests.flows.carillon import assert_adds_up, until
from tests.flows.five import TEMPLATE, WITHOUT_TELEGRAM, Five, address_of, five
from tests.flows.lateness import Lateness

pytestmark = pytest.mark.timeout(240)
STORAGE = "sqlite:///data/carillon.db"
RATE, LATENCY_S, KILLS, EACH = 40.0, 0.05, 3, 100
REFERRED = ("facebook", "whatsapp", "sms")


async def test_kill_9_loses_nobody_and_repeats_nobody_on_any_messenger(tmp_path: Path) -> None:
    rng = random.Random(5)
    async with five(tmp_path, STORAGE, kinds=WITHOUT_TELEGRAM, rate=RATE) as made:
        await made.import_clients(EACH, WITHOUT_TELEGRAM)
        await made.open_windows("facebook")
        made.expect_receipts(sent=0.0, delivered=0.1, read=0.3)
        for kind, platform in made.platforms.items():
            platform.faults.latency_s = LATENCY_S
            # Nobody answers while it is down: the platforms come again, Twilio five times at most.
            pause_s = 2.0 if kind == "sms" else 0.3
            made.accounts[kind].hook = Hook(f"{made.running.url}/hooks/{kind}", retry_after_s=pause_s)
        await made.running.start(only="web,engine")
        async with Lateness() as lateness:
            mailing = await made.running.create(more=TEMPLATE)
            for number in range(1, KILLS + 1):
                await until(partial(has_sent, made, 0.22 * number), 60, "some to be sent")
                await asyncio.sleep(rng.uniform(0, 0.3))
                await made.running.kill()
                await made.running.start(only="web,engine")
                assert_adds_up(await made.running.figures(mailing))
            await made.running.until_status(mailing, "sent")
        for platform in made.platforms.values():
            await platform.hooks.settled()
        figures = await made.running.figures(mailing)
        assert_adds_up(figures)
        told = figures["by_channel"]
        assert {kind: max(made.accepted(kind).values()) for kind in told} == dict.fromkeys(WITHOUT_TELEGRAM, 1)
        # Nobody is lost: who did not get it is told as unknown, and where our reference comes back nobody else is.
        for kind in WITHOUT_TELEGRAM:
            never = {address_of(kind, number) for number in range(1, EACH + 1)} - made.accepted(kind).keys()
            unknown = told[kind]["unknown"]
            assert told[kind]["sent"] + unknown == EACH, kind
            assert len(never) <= unknown <= KILLS * RATE * (LATENCY_S + 0.1 + lateness.most_s), kind
            assert unknown == len(never) or kind == "viber", kind
        assert {kind: told[kind]["delivered"] for kind in REFERRED} == {kind: told[kind]["sent"] for kind in REFERRED}
        # VK drops what it has had, so everything was sent again.
        vk = made.platforms["vk"]
        assert isinstance(vk, VkSimulator)
        assert told["vk"]["unknown"] == 0
        assert len(made.accepted("vk")) == EACH
        made.assert_no_secrets()


async def has_sent(made: Five, share: float) -> bool:
    return sum(len(made.accepted(kind)) for kind in WITHOUT_TELEGRAM) >= share * EACH * len(WITHOUT_TELEGRAM)
