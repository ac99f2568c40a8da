"""docs/environments.md: installs, contracts and GPU runs by lmdeploy version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from tools.tables import either, markdown

MIB_PER_GIB: Final = 1024
OUTCOMES: Final = {
    "accepted": ("验收通过", "accepted"),
    "accepted_with_standin": ("替身模型通过", "accepted with the stand-in"),
    "not_accepted": ("验收不通过", "not accepted"),
}
STATES: Final = {
    "not_offered": ("不提供", "not offered"),
    "not_run": ("未运行", "not run"),
    "failed": ("未通过", "failed"),
    "skipped": ("跳过", "skipped"),
}


def installs(record: Mapping[str, Any], _: str, language: str) -> str:
    """A row for every environment that was installed, oldest lmdeploy first."""
    head = either(
        language,
        ["环境", "Python", "包数", "磁盘", "安装用时", "契约测试"],
        ["environment", "Python", "packages", "on disk", "installed in", "contract"],
    )
    rows = (
        [f"`{name.split()[0]}`", one["python"], *_install(name, one, language)]
        for found in record["versions"].values()
        for name, one in sorted(found.get("environments", {}).items())
    )
    return markdown(head, rows)


def _install(name: str, one: Mapping[str, Any], language: str) -> list[str]:
    code = one["install_exit"]
    if code:
        return ["", "", either(language, f"没有装上：退出码 {code}", f"not installed: exit {code}"), ""]
    seconds, processor = one["install_seconds"], one["install_processor_seconds"]
    return [
        str(one["distributions"]),
        f"{one['install_mib'] / MIB_PER_GIB:.1f} GiB",
        either(
            language,
            f"{seconds:.0f} 秒（处理器 {processor:.0f} 秒）",
            f"{seconds:.0f} s ({processor:.0f} s of processor)",
        ),
        _contract(one["tests"], language) if name.startswith("contract") else "",
    ]


def _contract(tests: Mapping[str, Any] | None, language: str) -> str:
    if tests is None:
        return either(language, "未运行", "not run")
    if "held" not in tests:
        return either(language, f"没有结果：退出码 {tests['exit']}", f"no result: exit {tests['exit']}")
    counts = Counter(claim["state"] for claim in tests["claims"].values())
    passed, total = tests["held"], tests["total"]
    others = [either(language, f"{n} 项{STATES[state][0]}", f"{n} {STATES[state][1]}") for state, n in counts.items()]
    told = either(language, f"{passed} / {total} 通过", f"{passed} of {total} passed")
    return either(language, "，", ", ").join([told, *others])


def gpu_runs(record: Mapping[str, Any], _: str, language: str) -> str:
    """A row for every version: what its run on a GPU came to, or why there was none."""
    head = ["lmdeploy", either(language, "在 GPU 上", "on a GPU")]
    return markdown(
        head, ([version, _gpu(found.get("gpu"), language)] for version, found in record["versions"].items())
    )


def _gpu(gpu: Mapping[str, Any] | None, language: str) -> str:
    if gpu is None:
        return either(language, "未运行", "not run")
    if not gpu["run"]:
        zh, _, en = gpu["why"].partition(" / ")
        return either(language, f"未运行：{zh}", f"not run: {en}")
    outcome, on = either(language, *OUTCOMES[gpu["outcome"]]), (
        gpu["gpu"], f"torch {gpu['versions']['torch']}", f"Python {gpu['python']}", gpu["date"][:10]
    )  # fmt: skip
    return either(
        language,
        f"{outcome}，{gpu['held']} / {gpu['total']} 条通过；{'，'.join(on)}",
        f"{outcome}, {gpu['held']} of {gpu['total']} claims passed; {', '.join(on)}",
    )
