"""A page on the simulated Messenger, and our gateway to it."""

from collections.abc import AsyncIterator

import pytest

from gateways.facebook.gateway import FacebookGateway
from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount
from tests.gateways.facebook.simulator.ear import ANN, PAGE, Ear, make


@pytest.fixture
async def meta() -> AsyncIterator[FacebookSimulator]:
    simulator = FacebookSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def page(meta: FacebookSimulator) -> SimAccount:
    account = meta.add_account(PAGE, name="Acme Shoes", details={"token": "page-token", "username": "acme"})
    meta.add_client(PAGE, ANN, "Ann")
    return account


@pytest.fixture
def ann(meta: FacebookSimulator, page: SimAccount) -> SimClient:
    return meta.client(PAGE, ANN)


@pytest.fixture
async def gateway(meta: FacebookSimulator) -> AsyncIterator[FacebookGateway]:
    opened = make(meta)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def ear(gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount) -> AsyncIterator[Ear]:
    """Our webhook, subscribed as `carillon run` does it."""
    listening = Ear(gateway)
    await listening.start()
    await gateway.set_webhook(listening.url)
    yield listening
    await meta.hooks.settled()
    await listening.stop()
