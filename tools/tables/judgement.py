"""docs/judgement.md: what each kind of claim sees of damage, and what the limit of fluency lets through."""

from collections.abc import Mapping
from typing import Any, Final

from fixtures.judge.fluency import LEAST, LEAST_MODERN
from tools.tables import Place, markdown

LEVELS: Final = (
    "服务 / server",
    "故事通过 / stories accepted",
    "待人判断 / undecided",
    "调用正确 / calls right",
    "AUC",
)
LIKELIHOOD: Final = ("服务 / server", "nat / token", "AUC 1", "AUC 10")
CURVE: Final = ("文字 / text", "阈值 / limit", "误拒 / sound text refused", "乱序被拒 / shuffled text refused")
EVERY: Final = 4
"""Points of the curve of which one is shown, besides the limits themselves."""


def levels(record: Mapping[str, Any], place: Place) -> str:
    """One line for each server of the real replies, by the share of right calls."""
    rows = sorted(record["levels"].items(), key=lambda item: -item[1]["calls_right"])
    table = markdown(
        LEVELS,
        (
            [
                name,
                f"{row['accept']} / {row['stories']}",
                str(row["undecided"]),
                f"{row['calls_right']} / {row['calls']}",
                "–" if row["auc_of_fluency"] is None else f"{row['auc_of_fluency']:.2f}",
            ]
            for name, row in rows
        ),
    )
    return f"{place.origin(record)} {place.raw()}\n\n{table}"


def curve(record: Mapping[str, Any], _: Place) -> str:
    """The curve of fluency: shares of sound and of shuffled passages below each limit."""
    limits = {"modern": LEAST_MODERN, "other": LEAST}
    points = [
        point
        for number, point in enumerate(record["roc"])
        if number % EVERY == 0 or point["least"] == limits[point["text"]]
    ]
    return markdown(
        CURVE,
        (
            [
                "现代 / modern" if point["text"] == "modern" else "其他 / other",
                f"{point['least']:g}",
                f"{point['sound_refused']:.2%}",
                f"{point['salad_refused']:.2%}",
            ]
            for point in points
        ),
    )


def tried(record: Mapping[str, Any], _: Place) -> str:
    """What was tried, in figures."""
    salad = record["replies_as_salad"]
    alarms = ", ".join(f"{name} {count}" for name, count in record["false_alarms"].items())
    rows = [
        ("段落 / passages", f"{record['passages']:,}"),
        ("误报 / false alarms", alarms),
        ("打乱的回复被拒 / shuffled replies refused", f"{salad['refused']} / {salad['shuffled']}"),
    ]
    if scenarios := record.get("scenario_counts"):
        rows += [
            ("场景判对 / scenarios judged right", f"{scenarios['right']} / {scenarios['decided']}"),
            ("待人判断的场景 / scenarios left to a person", str(scenarios["undecided"])),
        ]
    return markdown(("", ""), rows)


def likelihood(record: Mapping[str, Any], place: Place) -> str:
    """How well the source's likelihood of the replies tells each server from the source, of one reply and of ten."""
    levels = sorted(record["levels"].items(), key=lambda item: item[1]["turn"]["mean_loss"])
    table = markdown(
        LIKELIHOOD,
        (
            [name, *(f"{one['turn'][figure]:.2f}" for figure in ("mean_loss", "auc_of_one", "auc_of_ten"))]
            for name, one in levels
        ),
    )
    return f"{place.origin(record)} {place.raw()}\n\n{table}"
