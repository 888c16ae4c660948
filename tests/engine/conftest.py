"""Fixtures of the engine's tests."""

import pytest

from storage.store import Store
from tests.engine.hearing import World


@pytest.fixture
def world(store: Store) -> World:
    """A channel that hears, over each kind of storage."""
    return World(store)
