"""DESIGN.md section 8 as the invariants of a machine that plays a mailing's life in any order, with kills between."""

import asyncio
import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from gateways.base import ReceiptState
from storage.errors import Invalid
from tests.conftest import _empty, _finish
from tests.engine.life import ANSWERS, CLIENTS, ENDS, OLHA, Life

pytestmark = pytest.mark.timeout(0)  # as long as HYPOTHESIS_EXAMPLES asks for
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "2"))
STATES = (ReceiptState.SENT, ReceiptState.DELIVERED, ReceiptState.READ, ReceiptState.FAILED)


class LifeCycle(RuleBasedStateMachine):
    fresh: Callable[[], tuple[str, Path]]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        url, folder = type(self).fresh()
        self._runner.run(self._make(url, folder))

    async def _make(self, url: str, folder: Path) -> None:
        self.life = Life(url, folder)

    @initialize(answers=st.lists(st.lists(st.sampled_from(ANSWERS), max_size=2), min_size=CLIENTS, max_size=CLIENTS))
    def begin(self, answers: list[list[str]]) -> None:
        self._runner.run(self.life.begin(answers))

    @rule(seconds=st.floats(0.0, 0.15))
    def pass_time(self, seconds: float) -> None:
        self._runner.run(asyncio.sleep(seconds))

    @rule(verb=st.sampled_from(("pause", "resume", "cancel", "launch", "resume", "launch")))
    def a_person_does(self, verb: str) -> None:
        async def do() -> None:
            try:
                await getattr(self.life.operations, verb)(self.life.mailing, OLHA)
            except Invalid:
                return  # it is in no state for that, and nothing happens

        self._runner.run(do())

    @rule(on=st.booleans())
    def the_kill_switch(self, on: bool) -> None:
        self._runner.run(self.life.operations.stop(OLHA) if on else self.life.operations.go(OLHA))

    @rule(seconds=st.floats(0.0, 0.05))
    def kill_9(self, seconds: float) -> None:
        async def do() -> None:
            await self.life.until_on_its_way()
            await asyncio.sleep(seconds)
            await self.life.kill()
            await self.life.start()

        self._runner.run(do())

    @rule()
    def sigterm(self) -> None:
        async def do() -> None:
            before = (await self.life.figures())["unknown"]
            await self.life.stop()
            await self.life.start()
            assert (await self.life.figures())["unknown"] <= before

        self._runner.run(do())

    @rule(number=st.integers(0, 30), state=st.sampled_from(STATES))
    def a_receipt(self, number: int, state: ReceiptState) -> None:
        self._runner.run(self.life.hear(number, state))

    @rule(number=st.integers(1, CLIENTS))
    def a_client_leaves(self, number: int) -> None:
        self._runner.run(self.life.leave(number))

    @invariant()
    def holds(self) -> None:
        if self.life.mailing:
            self._runner.run(self._holds())

    async def _holds(self) -> None:
        figures = await self.life.figures()
        assert figures["planned"] == sum(figures[name] for name in ENDS), figures
        for platform in self.life.platforms.values():
            assert max(platform.got.values(), default=0) <= 1, platform.got
            for address, at in self.life.left.items():
                assert platform.last_call_at.get(address, 0.0) <= at, address

    def teardown(self) -> None:
        try:
            if self.life.mailing:
                self._runner.run(self._end())
        finally:
            self._runner.close()

    async def _end(self) -> None:
        """A person lets it go on to its end: everybody is somewhere, and the sums are the rows'."""
        await self.life.operations.go(OLHA)
        async with asyncio.timeout(60):
            while (figures := await self.life.figures())["status"] != "sent":
                for verb in ("resume", "launch"):
                    try:
                        await getattr(self.life.operations, verb)(self.life.mailing, OLHA)
                    except Invalid:
                        continue
                await asyncio.sleep(0.02)
        await self._holds()
        states = await self.life.states()
        assert figures["waiting"] == figures["cancelled"] == 0
        assert figures["planned"] == len(states) == CLIENTS - sum(figures["left_out"].values())
        got = {delivery & 0xFFFFFFFF for each in self.life.platforms.values() for delivery in each.got}
        told = {client for client, state in states.items() if state in ("sent", "delivered", "read")}
        assert told <= got
        assert {client for client, state in states.items() if state == "skipped"}.isdisjoint(got)
        # Where a platform drops repeats nobody stays unknown; elsewhere only who really got it, or might have.
        assert {states[client] for client in states if client % 2 == 0}.isdisjoint({"unknown"})
        assert figures["sent"] == len(told)
        assert figures["unknown"] == sum(state == "unknown" for state in states.values())
        await self.life.stop()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_whatever_happens_in_any_order_nobody_gets_it_twice_and_nobody_is_lost(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    numbers = count()

    def fresh() -> tuple[str, Path]:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        if dialect == "sqlite":
            file = shutil.copy(request.getfixturevalue("sqlite_template"), folder / "carillon.db")
            return f"sqlite:///{file}", folder
        url: str = request.getfixturevalue("made_postgres")
        _finish(_empty(url))
        return url, folder

    machine = type("Machine", (LifeCycle,), {"fresh": staticmethod(fresh)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            phases=(
                Phase.explicit,
                Phase.reuse,
                Phase.generate,
            ),  # of what takes seconds, hundreds of smaller ones take hours
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
