"""Everything assembled from a configuration, with an admin bot on the simulated Slack."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.alerts import Told, alert_owners
from bot.app import Service, running
from bot.check import check_all
from bot.config import Config, load
from bot.desk import open_desk
from bot.importing import import_with_bar
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from tests.bot.slack.conftest import APP_TOKEN, SECRET, TOKEN, pressing


def config_of(folder: Path, slack: SlackSimulator, hears: str) -> Config:
    (folder / "config.toml").write_text(
        f"""
[web]
port = 0
[[people]]
name = "Olha"
role = "owner"
slack = "U01OLHA"
[[people]]
name = "Ivan"
role = "owner"
[[bots]]
kind = "slack"
token = "{TOKEN}"
api_base = "{slack.url}/api"
team_chat = "C0OPS"
{hears}
[[channels]]
id = "paper"
kind = "log"
path = "sent.jsonl"
"""
    )
    return load(folder / "config.toml")


@pytest.fixture
def config(tmp_path: Path, slack: SlackSimulator, olha: SlackPerson) -> Config:
    slack.add_channel("C0OPS", "U01OLHA", "UBOT")
    return config_of(tmp_path, slack, f'app_token = "{APP_TOKEN}"')


@asynccontextmanager
async def getting(service: Service, path: str) -> AsyncIterator[str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{service.port}{path}") as answer:
        yield await answer.text()


async def test_a_mailing_is_launched_from_slack_and_the_team_chat_hears_of_it(
    config: Config, tmp_path: Path, slack: SlackSimulator, olha: SlackPerson
) -> None:
    clients = tmp_path / "clients.csv"
    clients.write_text("id,first_name,paper\n" + "".join(f"c{n},Client {n},{n}\n" for n in range(1, 4)))
    async with running(config) as service:
        await import_with_bar(service.desk, clients, region=None, dry_run=False, quiet=True)
        await slack.until(lambda: olha.app.sockets, 10)
        await olha.commands("new")
        await olha.receives("exactly as clients", timeout_s=10)
        await olha.says("Hello from Slack")
        await olha.receives("draft #1", timeout_s=10)
        await olha.commands("launch 1")
        await olha.receives("clients now?", timeout_s=10)
        await pressing(olha, "Send to 3 clients", "")
        await olha.receives("is finished", where="C0OPS", timeout_s=20)
        report = next(one for one in slack.channels["C0OPS"].messages if one.files)
        assert [one.title for one in report.files] == ["report-1.csv", "report-1.xlsx"]
        [live] = await olha.receives("– finished", timeout_s=20)
        assert live.edited >= 2
        async with getting(service, "/ready") as ready:
            assert json.loads(ready)["bots"] == {"slack": "ok"}
        olha.app.revoked = "token_revoked"
        await olha.commands("help")
        async with asyncio.timeout(10):
            while service.bots["slack"].problem is None:
                await asyncio.sleep(0.02)
        async with getting(service, "/ready") as ready:
            assert json.loads(ready)["bots"] == {"slack": "Slack refuses the admin bot's token: token_revoked"}
        async with getting(service, "/metrics") as metrics:
            assert 'carillon_bot_broken{bot="slack"} 1.0' in metrics
    assert (tmp_path / "sent.jsonl").read_text().count("Hello from Slack") == 3


async def test_requests_come_to_the_web_side(tmp_path: Path, slack: SlackSimulator, olha: SlackPerson) -> None:
    config = config_of(tmp_path, slack, f'signing_secret = "{SECRET}"')
    async with running(config) as service:
        olha.app.hook = f"http://127.0.0.1:{service.port}/hooks/bots/slack"
        assert (await olha.commands("help")).status == 200
        await olha.receives("What I understand", timeout_s=10)
        olha.app.signing_secret = "another"
        assert (await olha.commands("help")).status == 403


async def test_check_and_the_test_alert_ask_slack(config: Config, olha: SlackPerson) -> None:
    async with open_desk(config, migrate=True):
        pass
    found = {each.what: each for each in await check_all(config)}["bot slack"]
    assert (found.ok, found.warnings) == (True, ())
    assert found.words == "mailings in Acme, hears by Socket Mode (UBOT); no webhook"
    assert await alert_owners(config) == [
        Told("Olha", "slack", sent=True, reason=None),
        Told("Ivan", "slack", sent=False, reason="“Ivan” has no slack"),
    ]
    await olha.receives("This is a test alert of Carillon.")
    olha.app.scopes = "commands,chat:write"
    olha.disabled = True
    [told, _] = await alert_owners(config)
    assert told.reason == "Slack did not take it: user_disabled; is U01OLHA the person's member id?"
    found = {each.what: each for each in await check_all(config)}["bot slack"]
    assert "lacks the scopes im:write, im:history" in found.warnings[0]
    olha.app.revoked = "account_inactive"
    found = {each.what: each for each in await check_all(config)}["bot slack"]
    assert (found.ok, found.words) == (False, "Slack refuses the token (account_inactive)")
