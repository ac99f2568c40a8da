"""docs/standin.md: how often the stand-in is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fixtures.lmdeploy.capabilities import capabilities
from tools.tables import either, markdown, of, origin

TASKS: Final = {
    "chain": ("`Compute (a+b)*c`，两次调用", "`Compute (a+b)*c`, two calls"),
    "chain-zh": ("同上，中文提问", "the same in Chinese"),
    "single": ("一次调用", "one call"),
    "words": ("应用题，中文与英文", "word problems, Chinese and English"),
    "large": ("至多六位的数与负数", "numbers of up to six digits, negative ones"),
    "forms": ("a\\*b+c、a\\*(b+c)、一次问两题等", "a\\*b+c, a\\*(b+c), two questions and the like"),
    "one-tool": ("只提供需要的那一个工具", "only the one tool offered that is needed"),
}
"""Tasks of the accuracy record in words, Chinese and English, in the table's order."""

SERVED: Final = {"bf16": "bf16", "w4a16+int4kv": "W4A16 + int4 KV"}
TEMPERATURES: Final = (0.0, 0.8)

VERSIONED: Final = {
    "chat.story_trials": ("故事，T=0.8", "story, T=0.8"),
    "tools.add_trials": ("a+b, T=0.8", "a+b, T=0.8"),
    "tools.multiply_trials": ("a\\*b, T=0.8", "a\\*b, T=0.8"),
    "tools.chain_trials": ("(a+b)\\*c, T=0.8", "(a+b)\\*c, T=0.8"),
    "tools.chain_greedy": ("(a+b)\\*c, T=0", "(a+b)\\*c, T=0"),
}
"""Claims of the record by versions, likewise."""


def accuracy(record: Mapping[str, Any], _: str, language: str) -> str:
    """Right answers by task, by how the model is served, and by temperature."""
    columns = [(served, temperature) for served in SERVED for temperature in TEMPERATURES]
    found = {
        (row["task"], row["served"], row["temperature"]): of(row["k"], row["n"], language) for row in record["rows"]
    }
    head = [
        either(language, "题目", "task"),
        *(f"{SERVED[served]}, T={temperature:g}" for served, temperature in columns),
    ]
    rows = (
        [either(language, *words), *(found[task, served, heat] for served, heat in columns)]
        for task, words in TASKS.items()
    )
    return f"{origin(record, language)}\n\n{markdown(head, rows)}"


def trials(record: Mapping[str, Any], _: str, language: str) -> str:
    """Each claim's trials with their interval."""
    head = either(language, ["要求", "温度", "正确", "95 % 区间"], ["claim", "temperature", "right", "95 % interval"])
    rows = (
        [f"`{row['claim']}`", f"{row['temperature']:g}", of(row["k"], row["n"], language), _percent(row, language)]
        for row in record["claims"]
    )
    return f"{origin(record, language)}\n\n{markdown(head, rows)}"


def control(record: Mapping[str, Any], _: str, language: str) -> str:
    """The same trials on both servers, and what quantization cost."""
    head = either(
        language,
        ["对照", "未量化", "量化", "量化的代价，百分点 [95 % 区间]", "McNemar p"],
        ["control", "unquantized", "quantized", "cost of quantization, points [95 % interval]", "McNemar p"],
    )
    rows = (
        [
            f"`{row['claim']}`",
            of(row["unquantized"], row["n"], language),
            of(row["quantized"], row["n"], language),
            f"{100 * row['cost']:.1f} [{100 * row['lower']:.1f}, {100 * row['upper']:.1f}]",
            f"{row['mcnemar_p']:.2g}",
        ]
        for row in record["control"]
    )
    return markdown(head, rows)


def versions(record: Mapping[str, Any], _: str, language: str) -> str:
    """Right answers by lmdeploy version, with the prompt rendering that the version uses."""
    rows = record["rows"].values()
    cells = []
    for row in rows:
        modern = capabilities(row["versions"]["lmdeploy"]).template_from_tokenizer
        claims = {claim["claim"]: claim for claim in row["claims"]}
        right = [
            f"{of(one['k'], one['n'], language)} ({_percent(one, language)})"
            for one in (claims[claim] for claim in VERSIONED)
        ]
        rendering = (
            either(language, "tokenizer 的模板", "the tokenizer's template")
            if modern
            else either(language, "lmdeploy 内置", "built into lmdeploy")
        )
        cells.append([row["versions"]["lmdeploy"], rendering, *right])
    commands = {f"`{row['command'].replace(row['versions']['lmdeploy'], 'VERSION')}`" for row in rows}
    dates = sorted({row["date"][:10] for row in rows})
    asked = "\n".join(sorted(commands))
    between = either(language, " 至 ", " to ").join(dict.fromkeys((dates[0], dates[-1])))
    platforms = ", ".join(sorted({row["platform"] for row in rows}))
    told = either(language, f"不用 GPU，{platforms}，{between}：", f"without a GPU, {platforms}, {between}:")
    head = ["lmdeploy", either(language, "提示词渲染", "prompt rendering")]
    table = markdown([*head, *(either(language, *words) for words in VERSIONED.values())], cells)
    return f"{asked}\n{told}\n\n{table}"


def _percent(row: Mapping[str, Any], language: str) -> str:
    between = either(language, " – ", " to ")
    return f"{100 * row['lower']:.1f}{between}{100 * row['upper']:.1f} %"
