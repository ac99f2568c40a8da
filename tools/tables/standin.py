"""docs/standin.md: how often the stand-in is right."""

from collections.abc import Mapping
from typing import Any, Final

from fixtures.lmdeploy.capabilities import capabilities
from tools.tables import WORDS, Place, markdown

TASKS: Final = tuple(WORDS["standin"]["tasks"])
SERVED: Final = {"bf16": "bf16", "w4a16+int4kv": "W4A16 + int4 KV"}
TEMPERATURES: Final = (0.0, 0.8)


def accuracy(record: Mapping[str, Any], place: Place) -> str:
    """Tell right answers by task, by how the model is served, and by temperature."""
    columns = [(served, temperature) for served in SERVED for temperature in TEMPERATURES]
    found = {(row["served"], row["temperature"], row["task"]): place.of(row["k"], row["n"]) for row in record["rows"]}
    head = [place.say("standin.task"), *(f"{SERVED[served]}, T={temperature:g}" for served, temperature in columns)]
    rows = (
        [place.say(f"standin.tasks.{task}"), *(found[served, temperature, task] for served, temperature in columns)]
        for task in TASKS
    )
    return f"{place.origin(record)}\n\n{markdown(head, rows)}"


def trials(record: Mapping[str, Any], place: Place) -> str:
    """Tell each claim's trials with their interval, on the newest lmdeploy."""
    newest = [*record["rows"].values()][-1]
    rows = (
        [f"`{row['claim']}`", f"{row['temperature']:g}", place.of(row["k"], row["n"]), _percent(row, place)]
        for row in newest["claims"]
    )
    return f"{place.origin({**record, **newest})}\n\n{markdown(place.head('standin.trials'), rows)}"


def control(record: Mapping[str, Any], place: Place) -> str:
    """Tell the same trials on both servers, and what quantization cost."""
    rows = (
        [
            f"`{row['claim']}`",
            place.of(row["unquantized"], row["n"]),
            place.of(row["quantized"], row["n"]),
            f"{100 * row['cost']:.1f} [{100 * row['lower']:.1f}, {100 * row['upper']:.1f}]",
            f"{row['mcnemar_p']:.2g}",
        ]
        for row in record["control"]
    )
    return markdown(place.head("standin.control"), rows)


def versions(record: Mapping[str, Any], place: Place) -> str:
    """Tell right answers by lmdeploy version, with the prompt rendering that the version uses."""
    rows, shown = record["rows"], WORDS["standin"]["claims"]
    cells = []
    for version, row in rows.items():
        claims = {claim["claim"].partition(".")[2]: claim for claim in row["claims"]}
        right = (f"{place.of(one['k'], one['n'])} ({_percent(one, place)})" for one in (claims[id_] for id_ in shown))
        rendering = "modern" if capabilities(version).template_from_tokenizer else "builtin"
        cells.append([version, place.say(f"standin.{rendering}"), *right])
    commands = sorted({f"`{row['command'].replace(version, 'VERSION')}`" for version, row in rows.items()})
    dates = sorted({row["date"][:10] for row in rows.values()})
    on = (
        [record["gpu"]] if record["gpu"] else [place.say("standin.no_gpu"), *{row["platform"] for row in rows.values()}]
    )
    told = place.say(
        "standin.on",
        on=place.listed(on),
        between=place.listed(dict.fromkeys((dates[0], dates[-1])), "standin.to"),
    )
    head = ["lmdeploy", place.say("standin.rendering"), *(place.say(f"standin.claims.{id_}") for id_ in shown)]
    return "\n".join([*commands, f"{told}\n", markdown(head, cells)])


def _percent(row: Mapping[str, Any], place: Place) -> str:
    return place.say("standin.percent", lower=100 * row["lower"], upper=100 * row["upper"])
