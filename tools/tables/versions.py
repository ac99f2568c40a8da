"""docs/environments.md: installs, contracts and GPU runs by lmdeploy version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from tools.tables import markdown

MIB_PER_GIB: Final = 1024


def installs(record: Mapping[str, Any], _: str) -> str:
    """A row for every environment that was installed, oldest lmdeploy first."""
    rows = (
        [f"`{name.split()[0]}`", one["python"], *_install(name, one)]
        for found in record["versions"].values()
        for name, one in sorted(found.get("environments", {}).items())
    )
    return markdown(["environment", "Python", "packages", "on disk", "installed in", "contract"], rows)


def _install(name: str, one: Mapping[str, Any]) -> list[str]:
    if one["install_exit"]:
        return ["", "", f"not installed: exit {one['install_exit']}", ""]
    return [
        str(one["distributions"]),
        f"{one['install_mib'] / MIB_PER_GIB:.1f} GiB",
        f"{one['install_seconds']:.0f} s, {one['install_processor_seconds']:.0f} s of processor",
        _contract(one["tests"]) if name.startswith("contract") else "",
    ]


def _contract(tests: Mapping[str, Any] | None) -> str:
    if tests is None:
        return "not run"
    if "held" not in tests:
        return f"no result: exit {tests['exit']}"
    others = Counter(claim["state"].replace("_", " ") for claim in tests["claims"].values())
    return ", ".join([f"{tests['held']} of {tests['total']} held", *(f"{n} {state}" for state, n in others.items())])


def gpu_runs(record: Mapping[str, Any], _: str) -> str:
    """A row for every version: what its run on a GPU came to, or why there was none."""
    rows = ([version, _gpu(found.get("gpu"))] for version, found in record["versions"].items())
    return markdown(["lmdeploy", "on a GPU"], rows)


def _gpu(gpu: Mapping[str, Any] | None) -> str:
    if gpu is None:
        return "not run"
    if not gpu["run"]:
        return f"not run: {gpu['why']}"
    outcome = gpu["outcome"].replace("_", " ")
    ran_in = f"torch {gpu['versions']['torch']}, Python {gpu['python']}"
    return f"{outcome}, {gpu['held']} of {gpu['total']} claims; {gpu['gpu']}, {ran_in}, {gpu['date'][:10]}"
