"""A cascade from Viber to VK: blocked, not delivered in time, opted out, and arrived after all."""

from pathlib import Path

import pytest

from gateways.base import AddressStatus
from gateways.simulator.phones import SimClient
from tests.flows.carillon import until
from tests.flows.five import Five, address_of, five

pytestmark = pytest.mark.timeout(240)
STORAGE = "sqlite:///data/carillon.db"
REACHED, BLOCKED, AWAY, STOPPED = 1, 2, 3, 4


async def test_a_cascade_goes_on_where_nobody_is_reached_and_ends_with_an_opt_out(tmp_path: Path) -> None:
    waits = "cascade_after_minutes = 0.05"
    async with five(tmp_path, STORAGE, kinds=("viber", "vk"), rate=50.0, sending_more=waits) as made:
        await made.import_clients(4, ("viber", "vk"), everywhere=True)
        viber = made.platforms["viber"]
        reached, away, stopped = (made.phone("viber", number) for number in (REACHED, AWAY, STOPPED))
        made.phone("viber", BLOCKED).state = "blocked"  # silently: Viber will refuse
        await made.running.start(only="web,engine")
        mailing = await made.running.create(routing="cascade", channels=["viber", "vk"])
        for phone in (reached, away, stopped):
            await phone.receives()
        viber.report(reached, reached.last.id, "delivered")
        first = reached.last.id, away.last.id
        viber.says(stopped, "STOP")
        await until(lambda: goes_on(made, BLOCKED), 2, "the blocked client to get it on VK")
        figures = await made.running.figures(mailing)
        assert figures["status"] == "sending"
        assert figures["waiting"] >= 1  # the one who is away waits for the receipt, and so does the mailing
        assert not await goes_on(made, AWAY)
        figures = await made.running.until_status(mailing, "sent")
        assert (figures["planned"], figures["sent"], figures["failed"]) == (4, 4, 0)
        assert {kind: told["sent"] for kind, told in figures["by_channel"].items()} == {"viber": 2, "vk": 2}
        assert made.accepted("vk") == {address_of("vk", number): 1 for number in (BLOCKED, AWAY)}
        assert len(texts_of(stopped)) == 1  # and the confirmation
        assert len(stopped.messages) == 2
        shown = await made.running.cli("clients", "show", f"c-{BLOCKED}")
        assert {one["channel"]: one["status"] for one in shown["addresses"]} == {
            "viber": AddressStatus.BLOCKED,
            "vk": AddressStatus.ENABLED,
        }
        # The phone comes back: the first message has arrived after all, and is told as that, once.
        for _ in range(2):
            viber.report(away, first[1], "delivered")
            await viber.hooks.settled()
        figures = await made.running.figures(mailing)
        assert (figures["both"], figures["sent"], figures["by_channel"]["viber"]["delivered"]) == (1, 4, 1)
        made.assert_no_secrets()


async def goes_on(made: Five, number: int) -> bool:
    return address_of("vk", number) in made.accepted("vk")


def texts_of(phone: SimClient) -> list[str]:
    return [message.text.text for message in phone.messages if message.text.text.startswith("Hi ")]
