"""People who press and type at random, with restarts in between, never meet a dead end; in their own language."""

import os
import random

import pytest

from bot.languages import LANGUAGES
from engine.settings import EngineSettings
from tests.bot.bazaar import furnish, with_messengers
from tests.bot.conftest import Desk
from tests.bot.walking import Walk

STEPS = int(os.environ.get("WALK_STEPS", "60"))  # thousands by hand: with --timeout 0
SEEDS = [int(seed) for seed in os.environ.get("WALK_SEEDS", "1").split()]


@pytest.fixture
def settings(settings: EngineSettings) -> EngineSettings:
    return with_messengers(settings)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_random_walk_meets_no_exception_and_no_dead_end(shop: Desk, seed: int, language: str) -> None:
    walk = Walk(await furnish(shop), random.Random(seed), language)
    await walk.begin()
    for _step in range(STEPS):
        await walk.step()
