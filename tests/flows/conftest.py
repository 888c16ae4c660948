"""The order in which the flows run."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest begins first, so that nobody waits for it alone at the end: an outage mostly passes by itself."""
    items.sort(key=lambda item: "outage" not in item.name)
