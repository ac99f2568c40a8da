"""docs/environments.md: installs, contracts and GPU runs by lmdeploy version."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from fixtures.lmdeploy.versions import locked
from fixtures.run.units import GIB_IN_MIB
from tools.tables import Place, markdown

COMPUTES: Final = ("torch", "transformers", "numpy")
"""Distributions that compute what a run shows: with others than its lock's it was not the version's environment."""


def installs(record: Mapping[str, Any], place: Place) -> str:
    """Make a row for every environment that was installed, oldest lmdeploy first."""
    rows = (
        [f"`{name.split()[0]}`", one["python"], *_install(name, one, place)]
        for found in record["versions"].values()
        for name, one in sorted(found.get("environments", {}).items())
    )
    return markdown(place.head("versions.head"), rows)


def _install(name: str, one: Mapping[str, Any], place: Place) -> list[str]:
    if code := one["install_exit"]:
        return ["", "", place.say("versions.failed_install", code=code), ""]
    seconds, processor = one["install_seconds"], one["install_processor_seconds"]
    return [
        str(one["distributions"]),
        f"{one['install_mib'] / GIB_IN_MIB:.1f} GiB",
        place.say("versions.install", seconds=seconds, processor=processor),
        _contract(one["tests"], place) if name.startswith("contract") else "",
    ]


def _contract(tests: Mapping[str, Any] | None, place: Place) -> str:
    if tests is None:
        return place.say("versions.not_run")
    if "passed" not in tests:
        return place.say("versions.no_result", code=tests["exit"])
    counts = Counter(claim["state"] for claim in tests["claims"].values())
    others = (place.say(f"versions.state.{state}", n=n) for state, n in counts.items())
    return place.listed([place.say("versions.passed", passed=tests["passed"], total=tests["total"]), *others])


def gpu_runs(record: Mapping[str, Any], place: Place) -> str:
    """Make a row for every version: what its run on a GPU came to, or why there was none."""
    rows = ([version, _gpu(found.get("gpu"), place)] for version, found in record["versions"].items())
    return markdown(["lmdeploy", place.say("versions.on_gpu")], rows)


def _gpu(gpu: Mapping[str, Any] | None, place: Place) -> str:
    if gpu is None:
        return place.say("versions.not_run")
    if not gpu["run"]:
        zh, _, en = gpu["why"].partition(" / ")
        return place.say("versions.why", why={"zh": zh, "en": en}[place.language])
    on = [gpu["gpu"], f"torch {gpu['versions']['torch']}", f"Python {gpu['python']}", gpu["date"][:10]]
    pins = locked(gpu["versions"]["lmdeploy"], gpu["python"])
    if lacked := [f"{name} {pins[name]}" for name in COMPUTES if pins.get(name, "") != gpu["versions"][name]]:
        on.append(place.say("versions.borrowed", pins=place.listed(lacked)))
    outcome = place.say(f"versions.outcome.{gpu['outcome']}")
    return place.say("versions.ran", outcome=outcome, passed=gpu["passed"], total=gpu["total"], on=place.listed(on))
