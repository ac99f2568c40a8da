"""Tables of cases that are data: TOML files beside the tests that read them."""

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def table(test: str, name: str) -> dict[str, Any]:
    """Read `NAME.toml`, which lies beside the module of tests whose `__file__` is given."""
    return tomllib.loads(Path(test).with_name(f"{name}.toml").read_text(encoding="utf-8"))
