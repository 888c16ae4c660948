"""`carillon check` and the watch over webhooks, with each messenger beside it and our hooks answering in between."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot import config as configuration
from bot.channel_check import check_channel
from bot.desk import Desk, open_desk, open_gateway
from bot.findings import Finding
from bot.http import Doors, Readiness, create_app, serve
from bot.listening import Webhooks
from gateways.base import Gateway, Heard
from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.meta import APP_ID, APP_SECRET
from gateways.simulator.platform import Platform, Window
from gateways.simulator.viber.server import ViberSimulator
from gateways.simulator.vk.server import FIRST_GROUP, VkSimulator
from gateways.simulator.whatsapp.server import WABA, WhatsAppSimulator

KINDS = ("viber", "facebook", "vk", "whatsapp")
PAGE, NUMBER = "1001", "3001"
TOKEN = "4a5b6c7d8e9f0a1b-2c3d4e5f6a7b8c9d-simulated"
META = f'app_secret = "{APP_SECRET}"\nverify_token = "verified"\ntoken = "{TOKEN}"'
CHANNELS: Mapping[str, str] = {
    "viber": f'api_base = "{{url}}/pa"\ntoken = "{TOKEN}"\nsender_name = "Shop"',
    "facebook": f'api_base = "{{url}}/v26.0"\npage_id = "{PAGE}"\napp_id = "{APP_ID}"\n{META}',
    "vk": f'api_base = "{{url}}/method"\ngroup_id = "{FIRST_GROUP}"\ntoken = "{TOKEN}"',
    "whatsapp": f'api_base = "{{url}}/v26.0"\nprovider = "meta"\nphone_number_id = "{NUMBER}"\n'
    f'business_account_id = "{WABA}"\n{META}',
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class World:
    """Four messengers, a desk with a channel on each, and our hooks once `listening`."""

    viber: ViberSimulator
    facebook: FacebookSimulator
    vk: VkSimulator
    whatsapp: WhatsAppSimulator
    desk: Desk
    gateways: Mapping[str, Gateway]
    public_url: str
    port: int
    stack: AsyncExitStack

    async def listen(self) -> None:
        async def take(channel: str, heard: Heard) -> None: ...

        async def ready() -> Readiness:
            return Readiness(ready=True)

        async def metrics() -> tuple[bytes, str]:
            return b"", ""

        await self.gateways["vk"].check()  # as its lane does: VK is to be told its code
        app = create_app(Doors(gateways=self.gateways, take=take, ready=ready, metrics=metrics))
        await self.stack.enter_async_context(serve(app, "127.0.0.1", self.port))

    def hook_url(self, kind: str) -> str:
        return f"{self.public_url}/hooks/{kind}"

    async def check(self, kind: str, *, fix: bool = False) -> Finding:
        return await check_channel(self.desk, kind, fix=fix)

    def take_away(self, kind: str) -> None:
        """As somebody else, or the platform by itself, would."""
        match kind:
            case "viber":
                self.viber.accounts[TOKEN].hook = None
            case "facebook":
                self.facebook.accounts[PAGE].details["subscribed"] = []
            case "vk":
                self.vk.communities[TOKEN].servers.clear()
            case _:
                self.whatsapp.accounts[NUMBER].details["subscribed"] = False

    def revoke(self, kind: str) -> None:
        platform: Platform = getattr(self, kind)
        next(iter(platform.accounts.values())).revoked = True


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    platforms: dict[str, Any] = {
        "viber": ViberSimulator(),
        "facebook": FacebookSimulator(),
        "vk": VkSimulator(),
        "whatsapp": WhatsAppSimulator(),
    }
    async with AsyncExitStack() as stack:
        for platform in platforms.values():
            await platform.start()
            stack.push_async_callback(platform.stop)
        platforms["viber"].add_account(TOKEN)
        platforms["facebook"].add_account(PAGE, details={"token": TOKEN, "username": "shop", "subscribed": []})
        platforms["vk"].add_account(TOKEN, limits={"requests": Window(1000)})  # several looks in one second
        platforms["whatsapp"].add_account(NUMBER, details={"token": TOKEN, "tier": "TIER_1K"})
        platforms["whatsapp"].templates.add(WABA, "hello", body="Hello {{1}}")
        port = free_port()
        public_url = f"http://127.0.0.1:{port}"
        tables = [
            f'[[channels]]\nid = "{kind}"\nkind = "{kind}"\n{CHANNELS[kind].format(url=platforms[kind].url)}'
            for kind in KINDS
        ]
        file = tmp_path / "config.toml"
        file.write_text("\n".join([f'[app]\npublic_url = "{public_url}"', *tables]))
        desk = await stack.enter_async_context(open_desk(configuration.load(file), migrate=True))
        gateways = {kind: await stack.enter_async_context(open_gateway(desk, kind)) for kind in KINDS}
        yield World(**platforms, desk=desk, gateways=gateways, public_url=public_url, port=port, stack=stack)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_webhook_is_told_as_missing_and_set_by_fix(world: World, kind: str) -> None:
    await world.listen()
    world.take_away(kind)
    found = await world.check(kind)
    assert (found.state, found.details["webhook_should_be"], found.details["fixed"]) == (
        "warning",
        world.hook_url(kind),
        False,
    )
    assert any(words.startswith(f"the webhook should be {world.hook_url(kind)}") for words in found.warnings)
    fixed = await world.check(kind, fix=True)
    assert (fixed.ok, fixed.details["fixed"], fixed.details["webhook"]) == (True, True, world.hook_url(kind))
    assert "is set anew" in fixed.words
    again = await world.check(kind, fix=True)
    assert (again.state, again.warnings, again.details.get("fixed")) == ("ok", (), False)
    assert TOKEN not in repr((found, fixed, again))


@pytest.mark.parametrize("kind", ["viber", "facebook"])
async def test_a_webhook_that_can_not_be_set_is_wrong(world: World, kind: str) -> None:
    world.take_away(kind)
    found = await world.check(kind, fix=True)
    assert found.state == "wrong"
    assert found.words.startswith("the webhook could not be set, which needs `carillon run` to answer at public_url: ")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_token_that_was_revoked_is_wrong(world: World, kind: str) -> None:
    world.revoke(kind)
    found = await world.check(kind)
    assert found.state == "wrong"
    assert TOKEN not in found.words


async def test_what_the_platform_told_is_kept(world: World) -> None:
    found = await world.check("whatsapp")
    assert "1 templates, 1 of them approved" in found.words
    assert "may begin 1,000 conversations a day" in found.words
    state = (await world.desk.store.channel_states.all())["whatsapp"]
    assert (state.may_begin, state.account_id, state.checked_at is not None) == (1000, NUMBER, True)
    assert [one.name for one in await world.desk.store.templates.of_channel("whatsapp")] == ["hello"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_watch_puts_back_what_was_taken_away(
    world: World, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    await world.listen()
    kept = {}

    async def keep(channel: str, account: Any) -> None:
        kept[channel] = account.webhook

    webhooks = Webhooks({kind: world.gateways[kind]}, world.public_url, keep)
    await webhooks.set_all()
    assert (webhooks.tried, webhooks.problems) == (True, {})
    world.take_away(kind)
    assert (await world.gateways[kind].check()).webhook is None
    await webhooks.watch()
    assert (await world.gateways[kind].check()).webhook == kept[kind] == world.hook_url(kind)
    assert TOKEN not in caplog.text


async def test_the_watch_warns_once_of_what_it_can_not_mend(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.listen()
    webhooks = Webhooks({"whatsapp": world.gateways["whatsapp"]}, world.public_url)
    await webhooks.set_all()
    world.whatsapp.accounts[NUMBER].details["quality"] = "RED"
    await webhooks.watch()
    await webhooks.watch()
    said = [getattr(record, "said", "") for record in caplog.records]
    words = "clients' blocks and reports have lowered the number's quality to RED"
    assert [one for one in said if one] == [words]
