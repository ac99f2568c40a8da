"""The marker of this folder: it needs packages that no other test needs."""

from pathlib import Path

import pytest

from fixtures.session.expression import asks_for


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave this folder alone unless it is asked for."""
    return None if asks_for(config.option.markexpr, "cluster") else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("cluster")
