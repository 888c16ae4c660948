"""`carillon run`, `check` and `people test-alert` as processes, with an admin bot on the simulated Slack."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.server import TelegramSimulator
from tests.bot.slack.conftest import APP_TOKEN, TOKEN, pressing
from tests.bot.test_app import SHOP_TOKEN, House, give_clients, house_of, until


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSimulator]:
    simulator = TelegramSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def shop(telegram: TelegramSimulator) -> SimulatedBot:
    return telegram.add_bot(SHOP_TOKEN)


@pytest.fixture
def house(tmp_path: Path, slack: SlackSimulator, telegram: TelegramSimulator) -> House:
    bot = f'[[bots]]\nkind = "slack"\ntoken = "{TOKEN}"\napp_token = "{APP_TOKEN}"\napi_base = "{slack.url}/api"\n'
    olga = '[[people]]\nname = "Olga"\nrole = "owner"\nslack = "U01OLHA"\n'
    return house_of(tmp_path, telegram, more=f'{bot}team_chat = "C0OPS"\n{olga}')


async def test_a_mailing_is_launched_from_slack_and_the_team_chat_hears_of_it(
    house: House, slack: SlackSimulator, olha: SlackPerson, shop: SimulatedBot
) -> None:
    slack.add_channel("C0OPS", "U01OLHA", "UBOT")
    give_clients(house, shop, 3)
    async with house.running() as running:
        assert (await house.carillon("clients", "import", "clients.csv"))[0] == 0
        await slack.until(lambda: olha.app.sockets, 20)
        assert json.loads((await running.get("/ready"))[1])["bots"] == {"slack": "ok"}
        await olha.commands("new")
        await olha.receives("exactly as clients", timeout_s=20)
        await olha.says("Hello from Slack")
        await olha.receives("draft #1", timeout_s=20)
        await olha.commands("launch 1")
        await olha.receives("clients now?", timeout_s=20)
        await pressing(olha, "Send to 3 clients", "")
        await olha.receives("is finished", where="C0OPS", timeout_s=20)
        [live] = await olha.receives("– finished", timeout_s=20)
        assert live.edited >= 2
        olha.app.revoked = "token_revoked"

        async def is_told() -> bool:
            await olha.commands("help")
            return "token_revoked" in json.loads((await running.get("/ready"))[1])["bots"]["slack"]

        await until(is_told)
        assert 'carillon_bot_broken{bot="slack"} 1.0' in (await running.get("/metrics"))[1]
    _, err = await running.reading
    assert b"Hello from Slack" not in err
    assert TOKEN.encode() not in err


async def test_check_and_the_test_alert_ask_slack(
    house: House, slack: SlackSimulator, olha: SlackPerson, shop: SimulatedBot
) -> None:
    found = {each["what"]: each for each in (await house.json("check"))["checks"]}
    assert found["bot slack"]["words"] == "mailings in Acme, hears by Socket Mode (UBOT); no webhook"
    told = await house.json("people", "test-alert")
    assert {"name": "Olga", "bot": "slack", "sent": True, "reason": None} in told
    assert {"name": "Olha", "bot": "slack", "sent": False, "reason": "[[people]] “Olha” has no slack"} in told
    await olha.receives("This is a test alert of Carillon.")
    olha.app.scopes = "commands,chat:write"
    code, out, _ = await house.carillon("check", "--json")
    warnings = next(each for each in json.loads(out)["checks"] if each["what"] == "bot slack")["warnings"]
    assert "lacks the scopes im:write, im:history" in warnings[0]
    olha.app.revoked = "account_inactive"
    code, out, _ = await house.carillon("check")
    assert code == 1
    assert "account_inactive" in out
