"""Tables of cases that are data: TOML files beside the tests that read them."""

from pathlib import Path
from typing import Any

from fixtures.texts import read_toml


def table(test: str, name: str) -> dict[str, Any]:
    """Read `NAME.toml`, which lies beside the module of tests whose `__file__` is given."""
    return read_toml(Path(test).with_name(f"{name}.toml"))
